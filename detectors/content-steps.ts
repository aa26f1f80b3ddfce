/** The steps of a machine: from what waits before a character to what waits after it. Slow, and asked once for each place of a table. */
import { CLASSES_MAX, type Classes, PAIRED } from './content-classes.ts'
import { MATCHED, type Machine, type Node } from './content-machine.ts'
import type { Edge } from './content-syntax.ts'

/** `items`: nodes that wait for the next character, sorted. `afterWord`: the character before was one of a word. */
export type State = Readonly<{ items: Uint16Array; afterWord: boolean; atStart: boolean }>
/** What waits after a character of this class, or after the end where there is none; undefined for a match. `begins`: a match may begin here. */
export type Step = (state: State, symbol: number | undefined, begins: boolean) => Uint16Array | undefined

export function createSteps({ nodes, start }: Machine, classes: Classes): Step {
  const closureOf = createClosures(nodes)
  const starts = new Map<number, Uint16Array | undefined>()
  const seen = new Uint32Array(nodes.length)
  const waiting = new Uint32Array(nodes.length)
  const next = new Uint16Array(nodes.length)
  let count = 0
  let mark = 0

  const wait = (items: Uint16Array): boolean => {
    for (const item of items) {
      if (item === MATCHED) return true
      if (waiting[item] === mark) continue
      waiting[item] = mark
      next[count] = item
      count += 1
    }
    return false
  }
  /** Moves on from these items; true for a match. */
  const move = (items: Uint16Array, from: State, symbol: number | undefined): boolean => {
    for (const item of items) {
      if (item === MATCHED) return true
      if (seen[item] === mark) continue
      seen[item] = mark
      const node = nodes[item] as Node
      if (node.kind === 'chars') {
        if (symbol !== undefined && classes.isIn(symbol, node.set) && wait(closureOf(node.next))) return true
      } else if (node.kind === 'edge' && holds(node.edge, from, symbol) && move(closureOf(node.next), from, symbol)) return true
    }
    return false
  }
  const holds = (edge: Edge, { afterWord, atStart }: State, symbol: number | undefined): boolean => {
    if (edge === 'start') return atStart
    if (edge === 'end') return symbol === undefined
    return (afterWord !== (symbol !== undefined && classes.isWord(symbol))) === (edge === 'word')
  }
  /** What begins at a character is the same for many states. */
  const begun = (state: State, symbol: number | undefined): Uint16Array | undefined => {
    const key = ((symbol ?? CLASSES_MAX) << 2) | (state.afterWord ? 2 : 0) | (state.atStart ? 1 : 0)
    if (starts.has(key)) return starts.get(key)
    mark += 1
    count = 0
    const found = move(closureOf(start), state, symbol) ? undefined : next.slice(0, count)
    starts.set(key, found)
    return found
  }
  return (state, symbol, begins) => {
    const fresh = begins ? begun(state, symbol) : nothing
    if (!fresh) return undefined
    mark += 1
    count = 0
    wait(fresh)
    if (move(state.items, state, symbol)) return undefined
    // Half of a character beyond the basic plane: it may be passed over, for the other half to stand for both.
    if (symbol === PAIRED) wait(state.items)
    return next.slice(0, count).sort()
  }
}

const nothing = new Uint16Array(0)

/** What waits at a node: itself, or where its forks lead. */
function createClosures(nodes: readonly Node[]): (node: number) => Uint16Array {
  const closures: (Uint16Array | undefined)[] = []
  return (node) => {
    const known = closures[node]
    if (known) return known
    const found = new Set<number>()
    const forks = new Set<number>()
    const open = [node]
    for (let one = open.pop(); one !== undefined; one = open.pop()) {
      const at = nodes[one] as Node
      if (at.kind !== 'fork') found.add(one)
      else if (!forks.has(one)) {
        forks.add(one)
        open.push(...at.options)
      }
    }
    const made = Uint16Array.from(found)
    closures[node] = made
    return made
  }
}
