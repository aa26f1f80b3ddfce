/** One HTTP exchange as the observer sees it, and the events made of it: messages in it, and statements about itself. */
import type { Json, McpEvent } from '../../schemas/event.ts'
import type { HttpFacts } from '../jsonrpc/http-facts.ts'
import type { Seen } from '../jsonrpc/normaliser.ts'
import type { Body } from './body.ts'
import type { Client, Clients } from './clients.ts'
import { headerValue } from './headers.ts'
import type { Head } from './notes.ts'
import type { Outlet } from './outlet.ts'

export type Direction = Seen['direction']
export type Exchange = {
  id: string
  request: Head
  response: Head | undefined
  session: string | undefined
  client: Client
  bodies: Map<Direction, Body>
  /** Directions that have not ended. */
  open: number
  messages: number
}

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

const isContext = (line: Json): boolean =>
  Array.isArray(line) && ['host', 'origin', 'user-agent', 'authorization'].includes(String(line[0]))

function facts({ request, response }: Exchange, direction: Direction): HttpFacts {
  const asked = linesOf(request)
  return {
    method: request.method ?? '',
    path: request.path ?? '',
    ...(response?.status === undefined ? {} : { status: response.status }),
    headers: direction === 'client_to_server' ? asked : [...asked.filter(isContext), ...linesOf(response)],
  }
}

export function openExchange(id: string, head: Head, clients: Clients): Exchange {
  const session = headerValue(head.rawHeaders, 'mcp-session-id') ?? /[?&]session_?id=([^&#\s]+)/i.exec(head.path ?? '')?.[1]
  const address = addressOf(head.peer)
  const userAgent = headerValue(head.rawHeaders, 'user-agent') ?? ''
  const client = clients.of({ session, address, userAgent, local: isLocal(address) })
  return { id, request: head, response: undefined, session, client, bodies: new Map(), open: 2, messages: 0 }
}

export type ExchangeEvents = Readonly<{
  message(exchange: Exchange, direction: Direction, at: number, bytes: Uint8Array, sse?: Record<string, string>): void
  /** An event about the exchange itself, with the evidence a message in it would have. */
  about(exchange: Exchange, at: number, kind: 'auth' | 'http_request', more?: Partial<McpEvent>): void
}>

export function exchangeEvents(outlet: Outlet): ExchangeEvents {
  const seenOf = (exchange: Exchange, direction: Direction, at: number): Seen => {
    exchange.messages += 1
    return {
      time: outlet.time(at),
      direction,
      eventId: outlet.eventId(exchange.id, direction, exchange.messages),
      http: facts(exchange, direction),
      session: exchange.session,
      connectionId: exchange.client.connectionId,
      // Ids of requests are unique within a session; without one, within what one connection has under way.
      ...(exchange.session === undefined ? { peer: exchange.request.peer } : {}),
    }
  }
  /** The peer served to tell connections apart; what is kept is the address. */
  const send = (exchange: Exchange, events: readonly McpEvent[]) => {
    const clientAddress = addressOf(exchange.request.peer)
    outlet.send(
      events.map((event) => ({ ...event, clientAddress, ...(event.actorSource === 'client_address' ? { actor: clientAddress } : {}) })),
    )
  }
  return {
    message(exchange, direction, at, bytes, sse) {
      const seen = seenOf(exchange, direction, at)
      send(exchange, exchange.client.normaliser.message(bytes, sse ? { ...seen, unmapped: { sse } } : seen))
    },
    about(exchange, at, kind, more = {}) {
      const direction = exchange.response ? 'server_to_client' : 'client_to_server'
      const [base] = exchange.client.normaliser.message({ jsonrpc: '2.0', method: '' }, seenOf(exchange, direction, at))
      if (!base) return
      const { method: _method, rawDepth: _depth, rawFacts: _facts, params: _params, headerMismatch: _mismatch, ...rest } = base
      send(exchange, [{ ...rest, kind, contentLevel: 'metadata', ...more }])
    },
  }
}
