/** What an HTTP tap's observer makes of the notes: exchanges → messages with their HTTP facts; refusals and 401/403 → events. */
import { createBody } from './body.ts'
import { createClients } from './clients.ts'
import { type Direction, type Exchange, exchangeEvents, openExchange } from './exchange.ts'
import { headerValue } from './headers.ts'
import type { Head, Note } from './notes.ts'
import type { Observer } from './observe-stdio.ts'
import type { Outlet } from './outlet.ts'
import type { TapSettings } from './settings.ts'

const exchangesMax = 20_000
const denied = { outcome: 'denied', decisionOutcome: 'deny', decisionSource: 'lapwing-tap' } as const

export function observeHttp(outlet: Outlet, settings: TapSettings): Observer {
  const endpoint = new URL(settings.target ?? 'http://localhost').pathname
  const isEndpoint = (path: string | undefined): boolean => (path ?? '').split('?')[0] === endpoint
  const clients = createClients(outlet)
  const events = exchangeEvents(outlet)
  const exchanges = new Map<string, Exchange>()
  let orphaned = 0

  const gap = (at: number, bytes: number, messages: number, connectionId?: string) =>
    outlet.sendOwn({
      kind: 'other',
      eventName: 'tap.gap',
      at,
      fields: { ...(connectionId === undefined ? {} : { connectionId }), params: { bytes, messages } },
    })
  const startBody = (exchange: Exchange, direction: Direction, head: Head) => {
    const { connectionId } = exchange.client
    const body = createBody(head.rawHeaders, {
      endpoint: isEndpoint(exchange.request.path),
      message: (bytes, at, sse) => events.message(exchange, direction, at, bytes, sse),
      unread: (at, rawBytes, reason) =>
        outlet.sendOwn({ kind: 'malformed', at, fields: { direction, connectionId, rawBytes, rawFacts: [reason] } }),
    })
    exchange.bodies.set(direction, body)
  }
  const ask = (id: string, head: Head) => {
    const exchange = openExchange(id, head, clients)
    if (exchanges.size >= exchangesMax) exchanges.delete(exchanges.keys().next().value ?? '')
    exchanges.set(id, exchange)
    startBody(exchange, 'client_to_server', head)
  }
  const respond = (exchange: Exchange, head: Head, at: number) => {
    exchange.response = head
    const session = headerValue(head.rawHeaders, 'mcp-session-id')
    if (session !== undefined && exchange.session === undefined) clients.bind(session, exchange.client)
    exchange.session ??= session
    startBody(exchange, 'server_to_client', head)
    const challenged = headerValue(head.rawHeaders, 'www-authenticate') !== undefined
    if (head.status === 401 || head.status === 403)
      events.about(exchange, at, 'auth', { outcome: 'denied', errorType: String(head.status) })
    else if (challenged) events.about(exchange, at, 'auth')
    else if (exchange.request.method !== 'POST' || !isEndpoint(exchange.request.path)) events.about(exchange, at, 'http_request')
  }
  const bytes = (note: Extract<Note, { type: 'chunk' | 'end' }>) => {
    const exchange = exchanges.get(note.stream.slice(0, -1))
    if (!exchange) {
      // Its head was lost: an observer was behind, or died.
      orphaned += note.type === 'chunk' ? note.bytes.length : 0
      if (note.type === 'end' && orphaned > 0) {
        gap(note.at, orphaned, 0)
        orphaned = 0
      }
      return
    }
    const body = exchange.bodies.get(note.stream.endsWith('>') ? 'client_to_server' : 'server_to_client')
    if (note.gap) gap(note.at, note.gap.bytes, body?.gap() ?? 0, exchange.client.connectionId)
    if (note.type === 'chunk') {
      body?.chunk(note.bytes, note.at)
      return
    }
    body?.end(note.at, note.aborted)
    exchange.open -= 1
    if (exchange.open === 0) exchanges.delete(exchange.id)
  }
  return {
    note(note) {
      if (note.type === 'chunk' || note.type === 'end') bytes(note)
      else if (note.type === 'lost') gap(note.at, note.bytes, note.lines)
      else if (note.type === 'request') ask(note.exchange, note.head)
      else if (note.type === 'refused')
        events.about(openExchange(note.exchange, note.head, clients), note.at, 'http_request', { ...denied, decisionReason: note.reason })
      else {
        const exchange = exchanges.get(note.exchange)
        if (exchange && note.type === 'response') respond(exchange, note.head, note.at)
        if (!exchange || note.type !== 'unreachable') return
        events.about(exchange, note.at, 'http_request', { outcome: 'transport_error', errorType: note.reason })
        exchanges.delete(exchange.id)
      }
    },
  }
}
