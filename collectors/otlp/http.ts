/**
 * OTLP over HTTP on node:http. 2xx only after the records are durable; 400, 413, 415 for what will never be taken;
 * 429 and 503 with Retry-After for everything else, so that no sender drops what we could not take yet. Never 500, never 408.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Fault } from '../../schemas/errors.ts'
import { type Encoding, exportResponse, statusBody } from './answer.ts'
import { type BodyLimits, type Held, type Read, type Room, readBody, release } from './body.ts'
import { createGuard, hostOf, isLoopback, isLoopbackName, refuseOpenBind, type TenantOf } from './guard.ts'
import type { IngestCredential, Intake } from './intake.ts'
import { relayedHeader } from './otlp-post.ts'
import type { OtlpSignal } from './record.ts'

export type OtlpHttpOptions = Readonly<{
  host: string
  port: number
  token?: string | undefined
  limits: BodyLimits
  intake: Intake
  /** The credential a token stands for; without it every accepted request is `default` / `otlp`. */
  tenantOf?: TenantOf | undefined
  /** The tenant's key for hashes, for taps on other machines: `GET /lapwing/key`. */
  tenantKey?: ((tenant: string) => string) | undefined
  inFlightBytesMax?: number
  onFault?: (error: unknown) => void
}>
export type OtlpHttpStats = { accepted: number; refused: Record<string, number> }
export type OtlpHttp = AsyncDisposable & Readonly<{ url: string; port: number; stats: () => OtlpHttpStats }>

const signals: ReadonlyMap<string, OtlpSignal> = new Map([
  ['/v1/traces', 'traces'],
  ['/v1/logs', 'logs'],
  ['/v1/metrics', 'metrics'],
])
const keyPath = '/lapwing/key'
const retrySeconds = 2
const drainedBytesMax = 128 * 1024 * 1024
/** gRPC's numbers, which the Status body carries. */
const grpcCodes: Readonly<Record<number, number>> = { 400: 3, 401: 16, 403: 7, 404: 12, 405: 12, 413: 8, 415: 3, 429: 8, 503: 14 }

type Answer = Readonly<{ status: number; body: Uint8Array | string; encoding: Encoding; headers?: Readonly<Record<string, string>> }>

const refusal = (status: number, message: string, encoding: Encoding, headers: Record<string, string> = {}): Answer => ({
  status,
  body: statusBody(encoding, grpcCodes[status] ?? 2, message, status === 429 || status === 503 ? retrySeconds : undefined),
  encoding,
  headers: status === 429 || status === 503 ? { ...headers, 'retry-after': String(retrySeconds) } : headers,
})

/** Strict: one media type, parameters allowed, nothing else. */
export function encodingOf(contentType: string | undefined): Encoding | undefined {
  const type = /^\s*([^\s;,]+)\s*(?:;.*)?$/s.exec(contentType ?? '')?.[1]?.toLowerCase()
  if (type === 'application/x-protobuf') return 'protobuf'
  return type === 'application/json' ? 'json' : undefined
}

const readFailures = {
  too_large: [413, 'body is larger than allowed'],
  busy: [429, 'too many bytes in flight'],
  damaged: [400, 'body is not gzip'],
} as const

function answerOfFailure(error: unknown, encoding: Encoding): Answer {
  if (error instanceof Fault && error.code === 'RECORD_INVALID') return refusal(400, error.message, encoding)
  if (error instanceof Fault && error.code === 'INPUT_TOO_LARGE') return refusal(413, error.message, encoding)
  return refusal(503, 'not now', encoding)
}

type Receiver = Readonly<{ options: OtlpHttpOptions; room: Room; credentialOf: (request: IncomingMessage) => IngestCredential | number }>

async function receive(
  receiver: Receiver,
  request: IncomingMessage,
  signal: OtlpSignal,
  credential: IngestCredential,
): Promise<Answer | undefined> {
  const { options, room } = receiver
  const encoding = encodingOf(request.headers['content-type'])
  if (!encoding) return refusal(415, 'content type must be application/x-protobuf or application/json', 'json')
  const packing = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  if (packing !== 'gzip' && packing !== 'identity' && packing !== '')
    return refusal(415, 'content encoding must be gzip or none', encoding, { 'accept-encoding': 'gzip' })
  const held: Held = { bytes: 0 }
  try {
    const read: Read = await readBody(request, packing === 'gzip', options.limits, room, held)
    if (read === 'gone') return undefined
    if (typeof read === 'string') return refusal(readFailures[read][0], readFailures[read][1], encoding)
    const peer = request.socket.remoteAddress
    // What was relayed comes from some other machine, whoever hands it over: no address, and nobody's user.
    const relayed = request.headers[relayedHeader] !== undefined
    const peerAddress = relayed ? '' : peer === undefined || isLoopback(peer) ? undefined : peer
    const rejection = await options.intake.accept({ signal, encoding, body: read.body, credential, peerAddress })
    return { status: 200, body: exportResponse(encoding, signal, rejection), encoding }
  } catch (error) {
    const answer = answerOfFailure(error, encoding)
    if (answer.status === 503) options.onFault?.(error)
    return answer
  } finally {
    release(room, held)
  }
}

function giveKey({ options }: Receiver, request: IncomingMessage, credential: IngestCredential): Answer {
  if (request.method !== 'GET') return refusal(405, 'GET only', 'json', { allow: 'GET' })
  if (!options.token && !isLoopbackName(hostOf(`http://${request.headers.host ?? ''}`))) return refusal(403, 'local names only', 'json')
  if (!options.tenantKey) return refusal(404, 'no such path', 'json')
  return { status: 200, body: JSON.stringify({ tenant: credential.tenant, key: options.tenantKey(credential.tenant) }), encoding: 'json' }
}

async function route(receiver: Receiver, request: IncomingMessage): Promise<Answer | undefined> {
  const encoding = encodingOf(request.headers['content-type']) ?? 'json'
  const credential = receiver.credentialOf(request)
  if (typeof credential === 'number')
    return refusal(credential, credential === 401 ? 'a valid token is needed' : 'not from a browser page', encoding)
  const path = (request.url ?? '').split('?', 1)[0] ?? ''
  if (path === keyPath) return giveKey(receiver, request, credential)
  const signal = signals.get(path)
  if (!signal) return refusal(404, 'no such path', encoding)
  if (request.method !== 'POST') return refusal(405, 'POST only', encoding, { allow: 'POST' })
  return receive(receiver, request, signal, credential)
}

function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  if (response.destroyed || response.writableEnded) return
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body
  response.writeHead(answer.status, {
    'content-type': answer.encoding === 'json' ? 'application/json' : 'application/x-protobuf',
    'content-length': body.byteLength,
    'cache-control': 'no-store',
    ...answer.headers,
  })
  response.end(body)
  if (request.complete) return
  // Who is still sending reads no answer before its end: the rest is thrown away, up to a bound.
  let drained = 0
  request.on('data', (chunk: Buffer) => {
    drained += chunk.length
    if (drained > drainedBytesMax) request.destroy()
  })
  request.resume()
}

export async function createOtlpHttp(options: OtlpHttpOptions): Promise<OtlpHttp> {
  refuseOpenBind(options.host, options.token)
  const stats: OtlpHttpStats = { accepted: 0, refused: {} }
  const room: Room = { bytesMax: options.inFlightBytesMax ?? 2 * options.limits.decompressedBytesMax, bytes: 0 }
  const receiver: Receiver = { options, room, credentialOf: createGuard(options) }
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    let answer: Answer | undefined
    try {
      answer = await route(receiver, request)
    } catch (error) {
      options.onFault?.(error)
      answer = refusal(503, 'not now', 'json')
    }
    if (!answer) return
    if (answer.status === 200) stats.accepted += 1
    else stats.refused[answer.status] = (stats.refused[answer.status] ?? 0) + 1
    send(request, response, answer)
  }
  const server = createServer({ keepAliveTimeout: 65_000, requestTimeout: 60_000, headersTimeout: 20_000 }, (request, response) => {
    request.on('error', () => undefined) // an aborted request is the sender's business; it will come again
    void handle(request, response)
  })
  server.maxConnections = 2_000
  server.on('checkExpectation', (request, response) => send(request, response, refusal(400, 'unknown expectation', 'json')))
  // Node would answer 408 to a slow request and 431 to long headers: senders do not send those again, or do so for ever.
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (socket.writable && error.code !== 'ECONNRESET' && error.code !== 'ERR_HTTP_REQUEST_TIMEOUT')
      socket.end('HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n')
    else socket.destroy()
  })
  await listen(server, options)
  const { port } = server.address() as AddressInfo // safe: listening on TCP
  const name = options.host.includes(':') ? `[${options.host}]` : options.host
  return {
    url: `http://${name}:${port}`,
    port,
    stats: () => ({ accepted: stats.accepted, refused: { ...stats.refused } }),
    [Symbol.asyncDispose]: () => close(server),
  }
}

function listen(server: Server, { host, port }: OtlpHttpOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(new Fault('START_REFUSED', `cannot listen on ${host}:${port}`, error)))
    server.listen(port, host, resolve)
  })
}

const closeMs = 2_000
/** Requests in progress get their answer; idle connections are closed at once, slow ones after a while. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => server.closeAllConnections(), closeMs)
    server.close(() => {
      clearTimeout(force)
      resolve()
    })
    server.closeIdleConnections()
  })
}
