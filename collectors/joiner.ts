/**
 * Spans of one call → one call id, whatever their order and however they are spread over processes and bodies.
 * Bounded and without snapshot: what is forgotten, or comes after a restart, starts a call of its own. Publishes at once.
 */
import type { Bus, Running, StoredRec } from '../schemas/bus.ts'
import { decodeEvent, encodeAdded } from '../schemas/codec.ts'
import type { McpEvent } from '../schemas/event.ts'
import { eventKeyOf, hashId } from '../schemas/ids.ts'
import { attach, createGraph, type Graph } from './joiner/graph.ts'
import { type Call, compatible, currentCall, type Node, nested, nodeOf, overlap } from './joiner/node.ts'
import { unknownServerKey } from './otlp/to-event.ts'

export type JoinerOptions = Readonly<{ nodesMax?: number; ttlMs?: number; now?: () => number }>
export type JoinReason = 'parent' | 'child' | 'link' | 'key' | 'trace'
export type JoinerStats = Readonly<{
  nodes: number
  evicted: number
  calls: number
  merged: number
  joined: Readonly<Record<JoinReason, number>>
}>
export type Joiner = Readonly<{
  /** Spans of one batch see each other before any of them is decided. Answers events in the order given. */
  joinAll: (events: readonly McpEvent[]) => McpEvent[]
  join: (event: McpEvent) => McpEvent
  stats: () => JoinerStats
}>

const secondNs = 1_000_000_000n
/** How far starts may lie apart where nothing but time and content joins. */
const nearNs = 5n * secondNs
/** Of one call; and how many calls are weighed for one span. What is beyond was made to be expensive. */
const observationsMax = 16
const candidatesMax = 8

export function createJoiner({ nodesMax = 50_000, ttlMs = 600_000, now = Date.now }: JoinerOptions = {}): Joiner {
  const graph = createGraph({ nodesMax, ttlMs })
  const joined = { parent: 0, child: 0, link: 0, key: 0, trace: 0 }
  let calls = 0
  let merged = 0

  function assign(node: Node, event: McpEvent): Call {
    if (node.call) return currentCall(node.call)
    const found = find(graph, node)
    if (found) joined[found.reason] += 1
    else calls += 1
    const call = found?.call ?? { id: hashId('call', event.eventId), nodes: [], count: 0, into: undefined, known: {} }
    attach(call, node)
    if (found?.reason === 'parent' && unite(call, firstOf(graph, graph.downward(node), node))) merged += 1
    return call
  }

  const unnamed = createUnnamed()
  function joinAll(events: readonly McpEvent[]): McpEvent[] {
    const time = now()
    const nodes = events.map((event) => graph.add(nodeOf(event, unnamed(event), time), time))
    for (let at = 0; at < events.length; at += 1) {
      const [event, node] = [events[at] as McpEvent, nodes[at] as Node]
      if (node.kind !== 'through') learn(assign(node, event), event, unnamed(event))
    }
    return events.map((event, at) => finished(event, nodes[at] as Node, unnamed(event)))
  }
  return {
    joinAll,
    join: (event) => joinAll([event])[0] as McpEvent,
    stats: () => ({ ...graph.stats(), calls, merged, joined: { ...joined } }),
  }
}

/** Whether the sender did not name the server. One source follows another seldom, so its key is kept. */
function createUnnamed(): (event: McpEvent) => boolean {
  let [source, key] = ['', unknownServerKey('')]
  return (event) => {
    if (event.source !== source) [source, key] = [event.source, unknownServerKey(event.source)]
    return event.serverKey === key
  }
}

/**
 * Two alike are one call only where one stands above the other, as through a proxy. Side by side they are two attempts:
 * retries, or requests grafted onto one trace parent.
 */
function admits(graph: Graph, call: Call, node: Node): boolean {
  if (call.nodes.length >= observationsMax) return false
  for (const other of call.nodes) if (other.role === node.role && !graph.isAbove(other, node) && !graph.isAbove(node, other)) return false
  return true
}
const hasRole = (call: Call, node: Node): boolean => {
  for (const other of call.nodes) if (other.role === node.role) return true
  return false
}

function firstOf(graph: Graph, candidates: Iterable<Node>, node: Node): Call | undefined {
  let weighed = 0
  for (const { call } of candidates) {
    if (!call) continue // seen, not decided: look past it
    weighed += 1
    if (weighed > candidatesMax) return undefined
    const current = currentCall(call)
    if (admits(graph, current, node)) return current
  }
  return undefined
}

/** Evidence in order of strength: telemetry.md §9. Time and content come last and only where nothing contradicts. */
function find(graph: Graph, node: Node): { call: Call; reason: JoinReason } | undefined {
  const above = firstOf(graph, graph.upward(node), node)
  if (above) return { call: above, reason: 'parent' }
  const below = firstOf(graph, graph.downward(node), node)
  if (below) return { call: below, reason: 'child' }
  const linked = firstOf(graph, graph.linked(node), node)
  if (linked) return { call: linked, reason: 'link' }
  const keyed = byKey(graph, node)
  if (keyed) return { call: keyed, reason: 'key' }
  const near = byTrace(graph, node)
  return near && { call: near, reason: 'trace' }
}

/** A role already taken means another call with the same key: a retry, a reused id, equal arguments. */
function byKey(graph: Graph, node: Node): Call | undefined {
  for (const key of node.keys) {
    const byContent = key.startsWith('["arguments"')
    const found = nearest(node, graph.ofKey(key), (other) => {
      if (!byContent) return true
      const sameServer = node.server === undefined || other.server === undefined || node.server === other.server
      return other.trace !== node.trace && other.vantage !== node.vantage && sameServer && nested(node, other, nearNs)
    })
    if (found) return found
  }
  return undefined
}

/**
 * Same trace, same method and tool, at the same time, and a span missing that may stand between them. Overlap and not nesting,
 * because clocks differ; and no tolerance, because an agent's calls of one tool follow each other within milliseconds.
 */
function byTrace(graph: Graph, node: Node): Call | undefined {
  const gap = graph.hasGapAbove(node)
  return nearest(node, graph.ofTrace(node), (other) => overlap(node, other) && (gap || graph.hasGapAbove(other)))
}

function nearest(node: Node, candidates: Iterable<Node>, fits: (other: Node) => boolean): Call | undefined {
  let best: Call | undefined
  let bestGap = nearNs + 1n
  for (const other of candidates) {
    if (other === node || !other.call || !compatible(other, node)) continue
    if (node.requestId !== undefined && other.requestId !== undefined && node.requestId !== other.requestId) continue
    const call = currentCall(other.call)
    const gap = other.start > node.start ? other.start - node.start : node.start - other.start
    if (gap >= bestGap || hasRole(call, node) || !fits(other)) continue
    best = call
    bestGap = gap
  }
  return best
}

/** A late span between two calls shows that they are one; not where both have the same part, which would swallow a neighbour. */
function unite(call: Call, other: Call | undefined): boolean {
  if (!other || other === call || call.nodes.length + other.nodes.length > observationsMax) return false
  for (const node of other.nodes) if (hasRole(call, node)) return false
  call.nodes.push(...other.nodes)
  call.count += other.count
  call.known = { ...other.known, ...call.known }
  other.into = call
  other.nodes.length = 0
  return true
}

function learn(call: Call, event: McpEvent, unnamed: boolean): void {
  const { known } = call
  if (event.method !== undefined) {
    known.method ??= event.method
    known.direction ??= event.direction
  }
  known.toolName ??= event.method === undefined ? undefined : event.toolName
  if (known.serverKey !== undefined || unnamed) return
  known.serverKey = event.serverKey
  known.serverAlias = event.serverAlias
  known.serverName = event.serverName
  known.serverGrade = event.serverGrade
}

/** What one side cannot know and another said: the method of a framework's span, the server of a client's. */
function finished(event: McpEvent, node: Node, unnamed: boolean): McpEvent {
  if (node.kind === 'through' || !node.call) return event
  const { id, known } = currentCall(node.call)
  const out: { -readonly [K in keyof McpEvent]: McpEvent[K] } = { ...event, callObservation: node.number }
  if (node.kind === 'call') out.callId = id
  if (event.method === undefined && known.method !== undefined) {
    out.method = known.method
    if (known.direction !== undefined) out.direction = known.direction
  }
  if (event.toolName === undefined && known.toolName !== undefined) out.toolName = known.toolName
  if (known.serverKey !== undefined && unnamed) {
    out.serverKey = known.serverKey
    for (const field of ['serverAlias', 'serverName'] as const) if (known[field] !== undefined) out[field] ??= known[field]
    if (known.serverGrade !== undefined) out.serverGrade = known.serverGrade
  }
  return out
}

/** One joiner for all partitions of this process: spans of unrelated traces, which keys join, lie in different ones. */
export function runJoiner(bus: Pick<Bus, 'publish' | 'consume'>, joiner: Joiner): Promise<Running> {
  return bus.consume(['mcp.spans'], 'joiner', {
    async batch(_part, records) {
      // Decoded before anything is remembered, so that a record that fails leaves no trace in the joiner.
      const events = records.map(({ value, bytes }) => (value as McpEvent | undefined) ?? decodeEvent(bytes)) // safe: `value` is what `bytes` decode to
      const out = joiner.joinAll(events)
      await bus.publish(
        'mcp.events',
        out.map((event, at) => ({
          key: eventKeyOf(event),
          bytes: encodeAdded((records[at] as StoredRec).bytes, events[at] as McpEvent, event),
          value: event,
        })),
      )
    },
  })
}
