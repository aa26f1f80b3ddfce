/** One OTLP/HTTP request and what its answer means for the sender: done, again later, or never. */
export type Posted =
  | Readonly<{ done: true; rejected: number }>
  | Readonly<{ done: false; again: true; afterMs: number | undefined; reason: string }>
  | Readonly<{ done: false; again: false; reason: string }>

export type PostOptions = Readonly<{ url: string; token?: string | undefined; timeoutMs: number }>

/** Throttling, and what a proxy says of a receiver that is away. */
const retryable: ReadonlySet<number> = new Set([408, 429, 502, 503, 504])
/** A wrong token or address is put right by a person: what waits is kept, and tried rarely. */
const misconfigured: ReadonlySet<number> = new Set([301, 302, 307, 308, 401, 403, 404, 405])
const misconfiguredMs = 15_000
const answerBytesMax = 64 * 1024

export async function post(body: Uint8Array, options: PostOptions, signal?: AbortSignal): Promise<Posted> {
  const timeout = AbortSignal.timeout(options.timeoutMs)
  try {
    const response = await fetch(options.url, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        ...(options.token ? { authorization: `Bearer ${options.token}` } : {}),
      },
      body: body as Uint8Array<ArrayBuffer>,
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    })
    const answer = await shortText(response)
    if (response.status >= 200 && response.status < 300) return { done: true, rejected: rejectedIn(answer) }
    const reason = `HTTP ${response.status}`
    if (retryable.has(response.status))
      return { done: false, again: true, afterMs: retryAfterMs(response.headers.get('retry-after')), reason }
    if (misconfigured.has(response.status)) return { done: false, again: true, afterMs: misconfiguredMs, reason }
    return { done: false, again: false, reason }
  } catch (error) {
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined
    return { done: false, again: true, afterMs: undefined, reason: cause?.code ?? (error as Error).name }
  }
}

/** At most the first bytes of the answer; the rest is of no use to a sender. */
async function shortText(response: Response): Promise<string> {
  if (!response.body) return ''
  const parts: Uint8Array[] = []
  let held = 0
  for await (const part of response.body) {
    held += part.length
    if (held > answerBytesMax) break
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function rejectedIn(answer: string): number {
  try {
    const value = JSON.parse(answer) as { partialSuccess?: { rejectedLogRecords?: unknown } } | null
    const rejected = Number(value?.partialSuccess?.rejectedLogRecords ?? 0)
    return Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0
  } catch {
    return 0 // any 2xx is a success, whatever its body
  }
}

export function retryAfterMs(value: string | null, now = Date.now()): number | undefined {
  if (value === null) return undefined
  const waits = /^\d+$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - now
  return Number.isFinite(waits) ? Math.min(Math.max(waits, 0), 300_000) : undefined
}
