/** The spans seen lately and how they hang together: by parent, link, trace and key. Bounded by count, time and fan-out. */
import { type Call, compatible, currentCall, type Node } from './node.ts'

export type GraphLimits = Readonly<{ nodesMax: number; ttlMs: number }>
export type Graph = ReturnType<typeof createGraph>

/** Of one parent, trace or key; beyond it the oldest is forgotten. */
const fanMax = 128
const hopsMax = 32
const visitsMax = 64

/** Nearly every key has one node, and a set of one is larger than the node itself. */
function createIndex() {
  const under = new Map<string, Node | Set<Node>>()
  return {
    add(key: string, node: Node): void {
      const before = under.get(key)
      if (before === undefined) under.set(key, node)
      else if (!(before instanceof Set)) under.set(key, new Set([before, node]))
      else {
        before.add(node)
        const oldest = before.size > fanMax ? before.values().next().value : undefined
        if (oldest) before.delete(oldest)
      }
    },
    remove(key: string, node: Node): void {
      const before = under.get(key)
      if (before === node) under.delete(key)
      else if (before instanceof Set && before.delete(node) && before.size === 0) under.delete(key)
    },
    get: (key: string): Iterable<Node> => {
      const found = under.get(key)
      return found === undefined ? nobody : found instanceof Set ? found : [found]
    },
  }
}
const nobody: readonly Node[] = []

type Nodes = ReadonlyMap<string, Node>

/** Ancestors from the nearest on; stops where one is not known. A cycle is cut by the bound. */
function* ancestors(nodes: Nodes, node: Node): Generator<Node> {
  let { parent } = node
  for (let hop = 0; parent !== undefined && hop < hopsMax; hop += 1) {
    const found = nodes.get(parent)
    if (!found) return
    yield found
    parent = found.parent
  }
}
function isAncestor(nodes: Nodes, upper: Node, node: Node): boolean {
  let { parent } = node
  for (let hop = 0; parent !== undefined && hop < hopsMax; hop += 1) {
    if (parent === upper.key) return true
    parent = nodes.get(parent)?.parent
  }
  return false
}

export function createGraph({ nodesMax, ttlMs }: GraphLimits) {
  const nodes = new Map<string, Node>()
  const children = createIndex()
  const linkers = createIndex()
  const traces = createIndex()
  const keyed = createIndex()
  let evicted = 0

  function indexes(node: Node): readonly (readonly [ReturnType<typeof createIndex>, string])[] {
    const all: [ReturnType<typeof createIndex>, string][] = []
    if (node.parent) all.push([children, node.parent])
    if (node.trace && node.kind !== 'through') all.push([traces, node.trace])
    for (const link of node.links) all.push([linkers, link])
    for (const key of node.keys) all.push([keyed, key])
    return all
  }
  function evict(node: Node): void {
    nodes.delete(node.key)
    for (const [index, key] of indexes(node)) index.remove(key, node)
    if (node.call) leave(currentCall(node.call), node)
    evicted += 1
  }
  function trim(now: number): void {
    for (const node of nodes.values()) {
      if (nodes.size <= nodesMax && node.seenAt >= now - ttlMs) return
      evict(node)
    }
  }
  return {
    /** The node known under this key, or the new one, now known. */
    add(node: Node, now: number): Node {
      const known = nodes.get(node.key)
      if (known) return known
      nodes.set(node.key, node)
      for (const [index, key] of indexes(node)) index.add(key, node)
      trim(now)
      return node
    },
    isAbove: (upper: Node, node: Node): boolean => isAncestor(nodes, upper, node),
    /** The nearest observations above that can be of the same call: through what is no call, up to the first that contradicts. */
    *upward(node: Node): Generator<Node> {
      for (const found of ancestors(nodes, node)) {
        if (found.kind === 'through') continue
        if (!compatible(found, node)) return
        yield found
      }
    },
    *downward(node: Node): Generator<Node> {
      const queue: Node[] = []
      for (const child of children.get(node.key)) if (queue.length < visitsMax) queue.push(child)
      const seen = new Set<Node>(queue)
      for (let at = 0; at < queue.length; at += 1) {
        const found = queue[at] as Node
        if (found.kind !== 'through') {
          if (!compatible(found, node)) continue
          yield found
        }
        for (const next of children.get(found.key)) {
          if (queue.length >= visitsMax) break
          if (seen.has(next) || next === node) continue
          seen.add(next)
          queue.push(next)
        }
      }
    },
    *linked(node: Node): Generator<Node> {
      for (const link of node.links) {
        const found = nodes.get(link)
        if (found && compatible(found, node)) yield found
      }
      for (const found of linkers.get(node.key)) if (compatible(found, node)) yield found
    },
    /** The way to the root has a gap: something not seen yet may stand between this span and another of its trace. */
    hasGapAbove(node: Node): boolean {
      let top = node
      for (const found of ancestors(nodes, node)) top = found
      return top.parent !== undefined
    },
    ofTrace: (node: Node): Iterable<Node> => (node.trace ? traces.get(node.trace) : []),
    ofKey: (key: string): Iterable<Node> => keyed.get(key),
    stats: () => ({ nodes: nodes.size, evicted }),
  }
}

function leave({ nodes }: Call, node: Node): void {
  const at = nodes.indexOf(node)
  if (at >= 0) nodes.splice(at, 1)
}

export function attach(call: Call, node: Node): void {
  call.nodes.push(node)
  call.count += 1
  node.call = call
  node.number = call.count
}
