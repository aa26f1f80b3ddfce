/**
 * A transparent reverse proxy in front of an MCP server over HTTP: heads keep order and case, bodies stream both ways as they
 * come, ends and aborts pass on. The observer gets bounded copies and is never waited for.
 */
import { randomBytes } from 'node:crypto'
import {
  type Agent,
  type ClientRequest,
  createServer,
  Agent as HttpAgent,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Feed } from './feed.ts'
import { type Gate, refusal } from './gatekeeper.ts'
import { endToEnd, forTarget } from './headers.ts'

export type HttpTap = Readonly<{
  listen: Readonly<{ host: string; port: number }>
  /** The server's MCP endpoint. Every path goes to its origin: a client only swaps host and port. */
  target: URL
  observe: Pick<Feed, 'chunk' | 'skip' | 'end' | 'fact'>
  allow?: readonly string[]
  /** Of one body, so much is copied to the observer; a stream of events has no such end, its events are bounded there. */
  copyBytesMax?: number
  connectTimeoutMs?: number
}>
export type RunningHttpTap = Readonly<{ address: AddressInfo; close(): Promise<void> }>

type Route = Readonly<{
  tap: HttpTap
  gate: Gate
  agent: Agent
  send: typeof httpRequest
  copyBytesMax: number
  connectTimeoutMs: number
}>
type Exchange = Readonly<{ id: string; incoming: IncomingMessage; outgoing: ServerResponse }>

export async function tapHttp(tap: HttpTap): Promise<RunningHttpTap> {
  const secure = tap.target.protocol === 'https:'
  const pool = { keepAlive: true, scheduling: 'lifo', maxFreeSockets: 256 } as const
  const agent = secure ? new HttpsAgent(pool) : new HttpAgent(pool)
  const { copyBytesMax = 16 * 1024 * 1024, connectTimeoutMs = 15_000 } = tap
  const gate: Gate = { listenHost: tap.listen.host, ...(tap.allow === undefined ? {} : { allow: tap.allow }) }
  const route: Route = { tap, gate, agent, send: secure ? httpsRequest : httpRequest, copyBytesMax, connectTimeoutMs }
  const run = randomBytes(4).toString('hex')
  let number = 0
  const handle = (incoming: IncomingMessage, outgoing: ServerResponse) => {
    number += 1
    exchange(route, { id: `${run}.${number}`, incoming, outgoing })
  }
  // Streams stay open for hours, and an upload takes as long as the target takes it: neither is ours to end.
  const server = createServer(
    { requestTimeout: 0, keepAliveTimeout: 75_000, maxHeaderSize, requireHostHeader: true, joinDuplicateHeaders: false },
    handle,
  )
  server.on('checkContinue', handle)
  server.timeout = 0
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', reject)
  server.listen({ host: tap.listen.host, port: tap.listen.port }, resolve)
  await promise
  return {
    address: server.address() as AddressInfo,
    async close() {
      const closed = Promise.withResolvers<void>()
      server.close(() => closed.resolve())
      server.closeAllConnections()
      agent.destroy()
      await closed.promise
    },
  }
}

function exchange(route: Route, { id, incoming, outgoing }: Exchange): void {
  const { tap } = route
  const path = incoming.url ?? '/'
  const method = incoming.method ?? 'GET'
  const head = { rawHeaders: incoming.rawHeaders, method, path, peer: peerOf(incoming) }
  const reason = path.startsWith('/') || path === '*' ? refusal(incoming.rawHeaders, route.gate) : 'foreign Host'
  outgoing.on('error', () => {}) // its close says all there is to do
  incoming.on('error', () => {})
  if (reason !== undefined) {
    tap.observe.fact({ type: 'refused', exchange: id, head, reason })
    refuse(incoming, outgoing, 403, reason)
    return
  }
  tap.observe.fact({ type: 'request', exchange: id, head })
  const bodyless = method === 'GET' || method === 'HEAD' || method === 'DELETE' || method === 'OPTIONS' || method === 'TRACE'
  const upstream = route.send({
    protocol: tap.target.protocol,
    hostname: tap.target.hostname.replace(/^\[|\]$/g, ''),
    port: tap.target.port,
    method,
    path,
    agent: route.agent,
    maxHeaderSize,
    // A list, not an object: keeps order, case and repetitions.
    headers: forTarget(incoming.rawHeaders, tap.target.host, !bodyless),
  })
  upstream.setNoDelay(true)
  const state = { answered: false }
  sendBody(route, { id, incoming, outgoing }, upstream)
  connectWithin(upstream, route.connectTimeoutMs)
  upstream.on('continue', () => outgoing.writeContinue())
  upstream.on('response', (answer) => {
    state.answered = true
    sendAnswer(route, { id, incoming, outgoing }, answer)
  })
  upstream.on('error', (error: NodeJS.ErrnoException) => {
    if (state.answered || outgoing.destroyed) {
      outgoing.destroy()
      return
    }
    tap.observe.fact({ type: 'unreachable', exchange: id, reason: error.code ?? 'error' })
    // A target that took the connection and then broke it is passed on as just that.
    if (!unreachable.has(error.code ?? '')) incoming.socket.destroy()
    else refuse(incoming, outgoing, error.code === 'ETIMEDOUT' ? 504 : 502, 'target unreachable')
  })
  outgoing.on('close', () => {
    if (!outgoing.writableFinished) upstream.destroy()
    if (!state.answered) tap.observe.end(`${id}<`, true)
  })
}

/** Several times Node's default: bearer tokens grow. */
const maxHeaderSize = 64 * 1024

const unreachable: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ETIMEDOUT',
  'EADDRNOTAVAIL',
  'EACCES',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_HAS_EXPIRED',
  'EPROTO',
])

const peerOf = ({ socket }: IncomingMessage): string => `${socket.remoteAddress ?? ''} ${socket.remotePort ?? ''}`

/** Not JSON-RPC: nobody shall take the tap's word for the server's. */
function refuse(incoming: IncomingMessage, outgoing: ServerResponse, status: number, reason: string): void {
  incoming.resume()
  outgoing.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' })
  outgoing.end(`lapwing tap: ${reason}\n`)
}

/** `connect` alone is timed: a server may take as long as it likes to answer. */
function connectWithin(upstream: ClientRequest, timeoutMs: number): void {
  upstream.once('socket', (socket) => {
    if (!socket.connecting) return
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error('connect timed out'), { code: 'ETIMEDOUT' })), timeoutMs)
    for (const event of ['connect', 'close']) socket.once(event, () => clearTimeout(timer))
  })
}

function sendBody(route: Route, { id, incoming, outgoing }: Exchange, upstream: ClientRequest): void {
  const stream = `${id}>`
  const copy = copier(route, stream, route.copyBytesMax)
  incoming.on('data', copy)
  incoming.pipe(upstream, { end: false })
  incoming.once('end', () => {
    const trailers = pairsOf(incoming.rawTrailers)
    if (trailers.length > 0) upstream.addTrailers(trailers)
    upstream.end()
    route.tap.observe.end(stream, false)
  })
  outgoing.once('close', () => {
    if (!incoming.complete) route.tap.observe.end(stream, true)
  })
  upstream.on('error', () => incoming.unpipe(upstream).resume())
}

function sendAnswer(route: Route, { id, outgoing }: Exchange, answer: IncomingMessage): void {
  const stream = `${id}<`
  const { observe } = route.tap
  observe.fact({ type: 'response', exchange: id, head: { rawHeaders: answer.rawHeaders, status: answer.statusCode ?? 0 } })
  const events = /^text\/event-stream\b/i.test(answer.headers['content-type'] ?? '')
  outgoing.sendDate = false
  outgoing.writeHead(answer.statusCode ?? 502, answer.statusMessage, endToEnd(answer.rawHeaders))
  // At once, as `flushHeaders` would, but that writes the head as UTF-8 and so changes bytes above 127.
  outgoing.write(nothing)
  answer.on('data', copier(route, stream, events ? Number.POSITIVE_INFINITY : route.copyBytesMax))
  answer.pipe(outgoing, { end: false })
  answer.once('end', () => {
    const trailers = pairsOf(answer.rawTrailers)
    if (trailers.length > 0) outgoing.addTrailers(trailers)
    outgoing.end()
  })
  // Cut short by the target: the client must not take the half for the whole.
  answer.once('close', () => {
    observe.end(stream, !answer.complete)
    if (!answer.complete) outgoing.destroy()
  })
  answer.on('error', () => outgoing.destroy())
}

const nothing = new Uint8Array()

const copier = (route: Route, stream: string, bytesMax: number) => {
  let copied = 0
  return (bytes: Uint8Array) => {
    copied += bytes.length
    if (copied <= bytesMax) route.tap.observe.chunk(stream, bytes)
    else route.tap.observe.skip(stream, bytes)
  }
}

function pairsOf(raw: readonly string[]): [string, string][] {
  const pairs: [string, string][] = []
  for (let at = 0; at + 1 < raw.length; at += 2) pairs.push([raw[at] ?? '', raw[at + 1] ?? ''])
  return pairs
}
