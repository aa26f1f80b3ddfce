/** What an HTTP tap's observer makes of the notes: exchanges → messages with their HTTP facts; refusals and 401/403 → events. */
import type { Json } from '../../schemas/event.ts'
import type { HttpFacts } from '../jsonrpc/http-facts.ts'
import type { Normaliser, Seen } from '../jsonrpc/normaliser.ts'
import { type Body, createBody } from './body.ts'
import { createClients } from './clients.ts'
import { headerValue } from './headers.ts'
import type { Head, Note } from './notes.ts'
import type { Observer } from './observe-stdio.ts'
import type { Outlet } from './outlet.ts'
import type { TapSettings } from './settings.ts'

type Direction = Seen['direction']
type Exchange = {
  id: string
  request: Head
  response: Head | undefined
  session: string | undefined
  client: { normaliser: Normaliser; connectionId: string }
  bodies: Map<Direction, Body>
  open: number
  messages: number
}
const exchangesMax = 20_000

/** Headers that are facts. Credentials among them become a hash in the normaliser; all others stay where they are. */
const wanted: ReadonlySet<string> = new Set([
  'host',
  'origin',
  'user-agent',
  'content-type',
  'authorization',
  'www-authenticate',
  'last-event-id',
  'traceparent',
  'referer',
  'x-forwarded-for',
  'forwarded',
  'sec-fetch-site',
])
const isWanted = (name: string): boolean => wanted.has(name) || name.startsWith('mcp-')
const keyHeaders = ['x-api-key', 'api-key', 'x-auth-token'] as const

/** [name, value] lines in order. An API key in a header of its own is named like any other credential. */
function linesOf(head: Head | undefined): Json[] {
  if (!head) return []
  const lines: Json[] = []
  for (let at = 0; at + 1 < head.rawHeaders.length; at += 2) {
    const name = (head.rawHeaders[at] ?? '').toLowerCase()
    if (isWanted(name)) lines.push([name, head.rawHeaders[at + 1] ?? ''])
  }
  if (headerValue(head.rawHeaders, 'authorization') !== undefined) return lines
  for (const name of keyHeaders) {
    const value = headerValue(head.rawHeaders, name)
    if (value) return [...lines, ['authorization', `apikey ${value}`]]
  }
  return lines
}

/** `address port` → both. */
const addressOf = (peer: string | undefined): string => (peer ?? '').split(' ')[0]?.replace(/^::ffff:/, '') ?? ''
const isLocal = (address: string): boolean => address.startsWith('127.') || address === '::1'

export function observeHttp(outlet: Outlet, settings: TapSettings): Observer {
  const target = new URL(settings.target ?? 'http://localhost')
  const clients = createClients(outlet)
  const exchanges = new Map<string, Exchange>()

  const facts = ({ request, response }: Exchange, direction: Direction): HttpFacts => ({
    method: request.method ?? '',
    path: request.path ?? '',
    ...(response?.status === undefined ? {} : { status: response.status }),
    headers: direction === 'client_to_server' ? linesOf(request) : [...linesOf(request).filter(isContext), ...linesOf(response)],
  })
  const seenOf = (exchange: Exchange, direction: Direction, at: number): Seen => ({
    time: outlet.time(at),
    direction,
    eventId: outlet.eventId(exchange.id, direction, ++exchange.messages),
    http: facts(exchange, direction),
    session: exchange.session,
    connectionId: exchange.client.connectionId,
    // Ids of requests are unique within a session; without one, within what one connection has under way.
    ...(exchange.session === undefined ? { peer: exchange.request.peer } : {}),
  })
  /** The peer served to tell connections apart; what is kept is the address. */
  const send = (exchange: Exchange, events: ReturnType<Normaliser['message']>) => {
    const clientAddress = addressOf(exchange.request.peer)
    outlet.send(
      events.map((event) => ({ ...event, clientAddress, ...(event.actorSource === 'client_address' ? { actor: clientAddress } : {}) })),
    )
  }
  const message = (exchange: Exchange, direction: Direction, at: number, bytes: Uint8Array, sse?: Record<string, string>) => {
    const seen = seenOf(exchange, direction, at)
    send(exchange, exchange.client.normaliser.message(bytes, sse ? { ...seen, unmapped: { sse } } : seen))
  }
  /** An event about the exchange itself, with the same evidence as a message in it would have. */
  const about = (
    exchange: Exchange,
    at: number,
    kind: 'auth' | 'http_request',
    more: Partial<import('../../schemas/event.ts').McpEvent> = {},
  ) => {
    const direction = exchange.response ? 'server_to_client' : 'client_to_server'
    const [base] = exchange.client.normaliser.message({ jsonrpc: '2.0', method: '' }, seenOf(exchange, direction, at))
    if (!base) return
    const { method: _method, rawDepth: _depth, rawFacts: _facts, params: _params, ...rest } = base
    send(exchange, [{ ...rest, kind, contentLevel: 'metadata', ...more }])
  }
  const open = (note: Extract<Note, { type: 'request' | 'refused' }>): Exchange => {
    const { head } = note
    const session = headerValue(head.rawHeaders, 'mcp-session-id') ?? /[?&]session_?id=([^&#\s]+)/i.exec(head.path ?? '')?.[1]
    const address = addressOf(head.peer)
    return {
      id: note.exchange,
      request: head,
      response: undefined,
      session,
      client: clients.of({ session, address, userAgent: headerValue(head.rawHeaders, 'user-agent') ?? '', local: isLocal(address) }),
      bodies: new Map(),
      open: 2,
      messages: 0,
    }
  }
  const isEndpoint = (path: string | undefined): boolean => (path ?? '').split('?')[0] === target.pathname
  const startBody = (exchange: Exchange, direction: Direction, head: Head) => {
    const body = createBody(head.rawHeaders, {
      endpoint: isEndpoint(exchange.request.path),
      message: (bytes, at, sse) => message(exchange, direction, at, bytes, sse),
      unread: (at, bytes, reason) =>
        outlet.sendOwn({
          kind: 'malformed',
          at,
          fields: { direction, connectionId: exchange.client.connectionId, rawBytes: bytes, rawFacts: [reason] },
        }),
    })
    exchange.bodies.set(direction, body)
  }
  const respond = (exchange: Exchange, head: Head, at: number) => {
    exchange.response = head
    const session = headerValue(head.rawHeaders, 'mcp-session-id')
    if (session !== undefined && exchange.session === undefined) clients.bind(session, exchange.client)
    exchange.session ??= session
    startBody(exchange, 'server_to_client', head)
    const challenge = headerValue(head.rawHeaders, 'www-authenticate')
    if (head.status === 401 || head.status === 403 || challenge !== undefined) {
      about(exchange, at, 'auth', { outcome: 'denied', errorType: String(head.status ?? '') })
    } else if (exchange.request.method !== 'POST' || !isEndpoint(exchange.request.path)) about(exchange, at, 'http_request')
  }
  const bytes = (note: Extract<Note, { type: 'chunk' | 'end' }>) => {
    const exchange = exchanges.get(note.stream.slice(0, -1))
    if (!exchange) return
    const body = exchange.bodies.get(note.stream.endsWith('>') ? 'client_to_server' : 'server_to_client')
    if (note.gap) {
      const lost = body?.gap() ?? 0
      const connectionId = exchange.client.connectionId
      outlet.sendOwn({
        kind: 'other',
        eventName: 'tap.gap',
        at: note.at,
        fields: { connectionId, params: { bytes: note.gap.bytes, messages: lost } },
      })
    }
    if (note.type === 'chunk') return body?.chunk(note.bytes, note.at)
    body?.end(note.at, note.aborted)
    exchange.open -= 1
    if (exchange.open === 0 || note.stream.endsWith('<')) exchanges.delete(exchange.id)
    return undefined
  }
  return {
    note(note) {
      if (note.type === 'chunk' || note.type === 'end') return bytes(note)
      if (note.type === 'lost') {
        outlet.sendOwn({
          kind: 'other',
          eventName: 'tap.gap',
          at: note.at,
          fields: { params: { bytes: note.bytes, messages: note.lines } },
        })
        return
      }
      if (note.type === 'refused') {
        about(open(note), note.at, 'http_request', {
          outcome: 'denied',
          decisionOutcome: 'deny',
          decisionSource: 'lapwing-tap',
          decisionReason: note.reason,
        })
        return
      }
      if (note.type === 'request') {
        const exchange = open(note)
        if (exchanges.size >= exchangesMax) exchanges.delete(exchanges.keys().next().value ?? '')
        exchanges.set(exchange.id, exchange)
        startBody(exchange, 'client_to_server', note.head)
        return
      }
      const exchange = exchanges.get(note.exchange)
      if (!exchange) return
      if (note.type === 'response') return respond(exchange, note.head, note.at)
      about(exchange, note.at, 'http_request', { outcome: 'transport_error', errorType: note.reason })
      exchanges.delete(exchange.id)
    },
  }
}

const isContext = (line: Json): boolean =>
  Array.isArray(line) && ['host', 'origin', 'user-agent', 'authorization'].includes(String(line[0]))
