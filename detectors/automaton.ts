/** Aho-Corasick as a dense table over character classes: one table look-up per character, whatever the number of literals. */
import { SKIPPED } from './fold.ts'

const CLASSES_MAX = 4_096
/** Class 0 is every character that no literal uses, class 1 the one that is skipped. */
const OTHER = 0
const SKIP = 1

export type Automaton = Readonly<{
  /** Calls `found(literal index, end offset)` for every occurrence of every literal, in order of their ends. */
  walk: (text: string, found: (literal: number, end: number) => void) => void
  states: number
}>

type Trie = { next: Map<number, number>[]; ends: number[][] }

function classesOf(literals: readonly string[]): Uint16Array {
  const classes = new Uint16Array(65_536)
  classes[SKIPPED.charCodeAt(0)] = SKIP
  let count = 2
  for (const literal of literals) {
    for (let index = 0; index < literal.length; index += 1) {
      const unit = literal.charCodeAt(index)
      if (classes[unit] !== OTHER) continue
      if (count >= CLASSES_MAX) throw new RangeError('too many different characters in literals')
      classes[unit] = count
      count += 1
    }
  }
  return classes
}

function trieOf(literals: readonly string[], classes: Uint16Array): Trie {
  const trie: Trie = { next: [new Map()], ends: [[]] }
  literals.forEach((literal, owner) => {
    let state = 0
    for (let index = 0; index < literal.length; index += 1) {
      const symbol = classes[literal.charCodeAt(index)] as number
      let target = trie.next[state]?.get(symbol)
      if (target === undefined) {
        target = trie.next.push(new Map()) - 1
        trie.ends.push([])
        trie.next[state]?.set(symbol, target)
      }
      state = target
    }
    trie.ends[state]?.push(owner)
  })
  return trie
}

/** Breadth-first: each missing edge copies the edge of the failure state, so walking never goes back. */
function tableOf(trie: Trie, width: number): Int32Array {
  const table = new Int32Array(trie.next.length * width)
  const failure = new Int32Array(trie.next.length)
  const queue: number[] = [...(trie.next[0]?.entries() ?? [])].map(([symbol, target]) => {
    table[symbol] = target
    return target
  })
  for (let head = 0; head < queue.length; head += 1) {
    const state = queue[head] as number
    const fallback = failure[state] as number
    trie.ends[state]?.push(...(trie.ends[fallback] ?? []))
    for (let symbol = 0; symbol < width; symbol += 1) {
      const target = trie.next[state]?.get(symbol)
      const fallbackTarget = table[fallback * width + symbol] as number
      table[state * width + symbol] = target ?? fallbackTarget
      if (target === undefined) continue
      failure[target] = fallbackTarget
      queue.push(target)
    }
    table[state * width + SKIP] = state
  }
  return table
}

export function buildAutomaton(literals: readonly string[]): Automaton {
  const classes = classesOf(literals)
  const trie = trieOf(literals, classes)
  const width = classes.reduce((most, value) => Math.max(most, value), SKIP) + 1
  const table = tableOf(trie, width)
  const ends = trie.ends.map((owners) => (owners.length > 0 ? owners : undefined))
  return {
    states: trie.next.length,
    walk: (text, found) => {
      let state = 0
      for (let index = 0; index < text.length; index += 1) {
        const symbol = classes[text.charCodeAt(index)] as number
        state = table[state * width + symbol] as number
        const owners = ends[state]
        if (owners === undefined || symbol === SKIP) continue
        for (const owner of owners) found(owner, index + 1)
      }
    },
  }
}
