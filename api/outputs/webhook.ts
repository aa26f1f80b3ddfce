/**
 * Alerts to a URL, as OCSF Detection Findings signed the Standard Webhooks way: `webhook-id` (the stable key, also
 * `Idempotency-Key`), `webhook-timestamp` (seconds) and `webhook-signature: v1,base64(HMAC-SHA256(secret, "id.timestamp.body"))`.
 */
import { createHmac } from 'node:crypto'
import { Agent, request } from 'undici'
import { z } from 'zod'
import { Fault } from '../../schemas/errors.ts'
import { type Delivery, defineOutput, type OpenOutput, tryAgain } from '../../schemas/output.ts'
import { checkedLookup, checkUrl, type Resolve, resolveAll } from './address.ts'
import { detectionFinding } from './ocsf.ts'

const Options = z.strictObject({
  url: z.url(),
  secret: z.string().optional().meta({ secret: true }),
  allowPrivate: z.boolean().default(false),
  timeoutMs: z.number().int().positive().max(60_000).default(10_000),
})
type Options = z.infer<typeof Options>
type Surroundings = Readonly<{ now?: () => number; resolve?: Resolve }>

/** An answer is read to free the connection and thrown away: what a receiver says is never shown or logged. */
const answerBytesMax = 64 * 1024
/** This receiver will never take this body: trying again is pointless, an operator has to look. Everything else may pass. */
const refusals = new Set([400, 410, 413, 415, 422])

/** A secret written `whsec_…` is base64, as the Standard Webhooks libraries have it; any other is taken as it is. */
const keyOf = (secret: string): Uint8Array =>
  secret.startsWith('whsec_') ? Buffer.from(secret.slice('whsec_'.length), 'base64') : Buffer.from(secret)

export const signature = (secret: string, id: string, timestamp: string, body: string): string =>
  `v1,${createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.${body}`).digest('base64')}`

/** Seconds or an HTTP date; never more than an hour, so that a receiver cannot silence us. */
export function retryAfterMs(header: string | string[] | undefined, nowMs: number): number | undefined {
  if (typeof header !== 'string') return undefined
  const waitMs = /^\d{1,9}$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - nowMs
  return Number.isFinite(waitMs) ? Math.min(Math.max(waitMs, 0), 3_600_000) : undefined
}

/** A refusal of ours may come wrapped by the HTTP client. */
function faultIn(error: unknown): Fault | undefined {
  for (let cause = error, depth = 0; cause instanceof Error && depth < 5; cause = cause.cause, depth += 1) {
    if (cause instanceof Fault) return cause
  }
  return undefined
}

function headersOf(item: Delivery, body: string, secret: string | undefined, nowMs: number): Record<string, string> {
  const timestamp = String(Math.floor(nowMs / 1_000))
  return {
    'content-type': 'application/json',
    'user-agent': 'lapwing',
    'idempotency-key': item.key,
    'webhook-id': item.key,
    'webhook-timestamp': timestamp,
    ...(secret === undefined ? {} : { 'webhook-signature': signature(secret, item.key, timestamp, body) }),
  }
}

export function openWebhook(options: Options, { now = Date.now, resolve = resolveAll }: Surroundings = {}): OpenOutput {
  checkUrl(options.url, options.allowPrivate)
  const agent = new Agent({
    connections: 2,
    pipelining: 1,
    connect: { lookup: checkedLookup(resolve, options.allowPrivate), timeout: options.timeoutMs },
    headersTimeout: options.timeoutMs,
    bodyTimeout: options.timeoutMs,
    keepAliveTimeout: 4_000,
  })
  const send = async (item: Delivery): Promise<void> => {
    const url = checkUrl(options.url, options.allowPrivate)
    const body = JSON.stringify(detectionFinding(item.alert))
    const signal = AbortSignal.timeout(options.timeoutMs) // the whole of it: a receiver that answers a byte a second ends here
    const headers = headersOf(item, body, options.secret, now())
    const answer = await request(url, { dispatcher: agent, method: 'POST', headers, body, signal })
    const { statusCode } = answer
    // Taken is taken: what becomes of the rest of the answer changes nothing.
    await answer.body.dump({ limit: answerBytesMax, signal }).catch(() => answer.body.destroy())
    if (statusCode >= 200 && statusCode < 300) return
    if (refusals.has(statusCode)) throw new Fault('OUTPUT_REFUSED', `status ${statusCode}`)
    throw tryAgain(`status ${statusCode}`, retryAfterMs(answer.headers['retry-after'], now()))
  }
  return {
    async deliver(item) {
      try {
        await send(item)
      } catch (error) {
        const code = (error as { code?: unknown }).code
        throw faultIn(error) ?? new Fault('OUTPUT_UNREACHABLE', typeof code === 'string' ? code : 'no answer', error)
      }
    },
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

export const webhook = defineOutput<Options>({ name: 'webhook', options: Options, open: (options) => openWebhook(options) })
