/** Sends one OTLP/HTTP request until its outcome is known: taken, refused for good, or the receiver stays away too long. */
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { Fault } from '../../schemas/errors.ts'
import { retryAfterMs } from '../tap/post.ts'

/** `refused`: this body can never be taken; a smaller one may. */
export type PostEnd = Readonly<{ rejected: number; reason: string }> | Readonly<{ refused: string }>
export type PostOptions = Readonly<{
  endpoint: string
  token?: string | undefined
  /** How long one request may be tried. */
  patienceMs: number
  signal: AbortSignal
  onWait: (reason: string, waitMs: number) => void
}>

/** With it a request says that it is handed on for others: the address and the user it comes from are not theirs. */
export const relayedHeader = 'lapwing-relayed'

const answerMsMax = 60_000
const answerCharsMax = 64 * 1024
const waitMs = { first: 250, max: 10_000 }
const passing: ReadonlySet<number> = new Set([408, 429, 502, 503, 504])
const forThisBody: ReadonlySet<number> = new Set([400, 413])

type Attempt = PostEnd | Readonly<{ again: string; afterMs: number | undefined }>

async function attempt(url: string, body: Uint8Array<ArrayBuffer>, { token, signal }: PostOptions): Promise<Attempt> {
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      method: 'POST',
      redirect: 'manual',
      headers: {
        'content-type': 'application/json',
        'content-encoding': 'gzip',
        [relayedHeader]: '1',
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMsMax)]),
    })
    text = (await response.text()).slice(0, answerCharsMax)
  } catch (error) {
    signal.throwIfAborted()
    const cause = (error as Error).cause as NodeJS.ErrnoException | undefined
    return { again: cause?.code ?? (error as Error).name, afterMs: undefined }
  }
  const { status } = response
  if (status >= 200 && status < 300) return rejectionIn(text)
  if (passing.has(status)) return { again: `HTTP ${status}`, afterMs: retryAfterMs(response.headers.get('retry-after')) }
  if (forThisBody.has(status)) return { refused: `HTTP ${status} ${messageIn(text)}`.trim() }
  throw new Fault('OUTPUT_REFUSED', `${url} answers ${status}${status === 401 ? ': it needs --token' : ''}`)
}

function object(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
const messageIn = (text: string): string => String(object(text)['message'] ?? '').slice(0, 300)
function rejectionIn(text: string): PostEnd {
  const partial = object(JSON.stringify(object(text)['partialSuccess'] ?? {}))
  const rejected = Number(partial['rejectedSpans'] ?? partial['rejectedLogRecords'] ?? 0)
  return { rejected: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0, reason: String(partial['errorMessage'] ?? '') }
}

export async function postOtlp(signal: 'traces' | 'logs', request: Uint8Array, options: PostOptions): Promise<PostEnd> {
  const url = `${options.endpoint}/v1/${signal}`
  const body = new Uint8Array(gzipSync(request, { level: 1 }))
  const began = performance.now()
  for (let wait = waitMs.first; ; wait = Math.min(wait * 2, waitMs.max)) {
    const end = await attempt(url, body, options)
    if (!('again' in end)) return end
    const pause = Math.min(Math.max(end.afterMs ?? wait, wait), 60_000)
    if (performance.now() - began + pause > options.patienceMs)
      throw new Fault('OUTPUT_UNREACHABLE', `${options.endpoint} takes nothing (${end.again}): is Lapwing running there?`)
    options.onWait(end.again, pause)
    await sleep(pause, undefined, { signal: options.signal })
  }
}
