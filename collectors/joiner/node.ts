/** What the joiner remembers of one observation, and when two observations can be of one call. */
import type { McpEvent } from '../../schemas/event.ts'

/** A `through` span is no call, but a link between calls: HTTP spans, delegates, whatever stands between. */
export type Node = {
  readonly key: string
  readonly trace: string
  readonly parent: string | undefined
  readonly links: readonly string[]
  readonly keys: readonly string[]
  readonly kind: 'call' | 'notification' | 'through'
  readonly method: string | undefined
  readonly tool: string | undefined
  readonly target: string | undefined
  readonly requestId: string | undefined
  readonly role: string
  readonly vantage: McpEvent['vantage']
  readonly server: string | undefined
  readonly start: bigint
  readonly end: bigint
  readonly seenAt: number
  call: Call | undefined
  number: number
}
type Shared = 'method' | 'direction' | 'toolName' | 'serverKey' | 'serverAlias' | 'serverName' | 'serverGrade'
export type Known = { -readonly [K in Shared]?: McpEvent[K] | undefined }
/** What its observations know together. `into` is set when two turned out to be one. */
export type Call = {
  readonly id: string
  /** A few: see `observationsMax`. */
  readonly nodes: Node[]
  count: number
  into: Call | undefined
  known: Known
}

export const currentCall = (call: Call): Call => {
  let now = call
  while (now.into) now = now.into
  return now
}

const spanKey = (tenant: string, id: string): string => `${tenant}|${id}`

/** Facts that tie observations of unrelated traces, strongest first. A request id alone is nothing: both peers count from 1. */
function keysOf(event: McpEvent): string[] {
  const { tenant } = event
  const keys: string[] = []
  if (event.conversationId !== undefined && event.toolCallId !== undefined)
    keys.push(JSON.stringify(['tool_call', tenant, event.conversationId, event.toolCallId]))
  const { requestId, direction } = event
  if (requestId !== undefined && direction !== undefined) {
    if (event.sessionHash !== undefined) keys.push(JSON.stringify(['session', tenant, event.sessionHash, requestId, direction]))
    if (event.connectionId !== undefined) keys.push(JSON.stringify(['connection', tenant, event.connectionId, requestId, direction]))
  }
  if (event.toolName === undefined) return keys
  const given = event.argsHash ?? (event.arguments === undefined ? undefined : canonical(event.arguments))
  if (given !== undefined) keys.push(JSON.stringify(['arguments', tenant, event.toolName, given]))
  return keys
}

const canonicalCharsMax = 4_096
/** Key order and injected `_meta` do not matter. Only equality is asked, within one process, so no hash is needed. */
function canonical(value: unknown): string | undefined {
  const text = JSON.stringify(value, (key, inner: unknown) => {
    if (key === '_meta') return undefined
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
  return text.length <= canonicalCharsMax ? text : undefined
}

/** `unnamed`: the sender did not say which server it was. */
export function nodeOf(event: McpEvent, unnamed: boolean, seenAt: number): Node {
  const { tenant, traceId, spanId, parentSpanId } = event
  const kind = event.kind === 'call' || event.kind === 'notification' ? event.kind : 'through'
  return {
    key: traceId && spanId ? spanKey(tenant, `${traceId}:${spanId}`) : spanKey(tenant, event.eventId),
    trace: traceId ? spanKey(tenant, traceId) : '',
    parent: traceId && parentSpanId ? spanKey(tenant, `${traceId}:${parentSpanId}`) : undefined,
    links: (event.links ?? []).slice(0, 8).map((link) => spanKey(tenant, link)),
    keys: kind === 'call' ? keysOf(event) : [],
    kind,
    method: event.method,
    tool: event.toolName,
    target: event.promptName ?? event.resourceUri,
    requestId: event.requestId,
    role: `${event.dialect}/${event.vantage}/${event.method === undefined ? 'tool' : ''}`,
    vantage: event.vantage,
    server: unnamed ? undefined : event.serverKey,
    start: event.time,
    end: event.time + BigInt(event.durationNs ?? 0),
    seenAt,
    call: undefined,
    number: 0,
  }
}

/** `initialize` on one side is `server/discover` on the other where an SDK names what its caller asked for. */
const openings: ReadonlySet<string> = new Set(['initialize', 'server/discover'])
function sameMethod(a: string | undefined, b: string | undefined): boolean {
  if (a === b) return true
  if (a === undefined) return b === 'tools/call'
  if (b === undefined) return a === 'tools/call'
  return openings.has(a) && openings.has(b)
}

/** `mcp__helpdesk__get_ticket`, `helpdesk-get_ticket` and `get_ticket` are one tool to hosts, gateways and servers. */
function sameTool(a: string, b: string): boolean {
  const [short, long] = a.length <= b.length ? [a, b] : [b, a]
  return short === long || (short !== '' && long.endsWith(short) && /[_\-./:]/.test(long[long.length - short.length - 1] ?? ''))
}

const agree = <T>(a: T | undefined, b: T | undefined, same: (a: T, b: T) => boolean = Object.is): boolean =>
  a === undefined || b === undefined || same(a, b)

export const compatible = (a: Node, b: Node): boolean =>
  a.kind === b.kind && sameMethod(a.method, b.method) && agree(a.tool, b.tool, sameTool) && agree(a.target, b.target)

/** One lies within the other, give or take what clocks of two machines differ. */
export function nested(a: Node, b: Node, toleranceNs: bigint): boolean {
  const [outer, inner] = a.end - a.start >= b.end - b.start ? [a, b] : [b, a]
  return inner.start >= outer.start - toleranceNs && inner.end <= outer.end + toleranceNs
}

export const overlap = (a: Node, b: Node): boolean => a.start <= b.end && b.start <= a.end
