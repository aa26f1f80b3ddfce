/**
 * Aho-Corasick as a dense table over few classes of characters: one look-up per character, whatever the number of literals. A
 * character beyond ASCII is two digits of a number, so that many scripts do not widen every row.
 */
import { skippedCode } from './fold.ts'

const BEYOND_MAX = 4_096
/** What the table has for a character of no literal, in every state: back to the beginning. */
const OTHER = 0

export type Automaton = Readonly<{
  /**
   * Calls `found(literal index, end offset)` for every occurrence of every literal in the first `length` units, in order of their
   * ends, longer ones first. Units are folded, or ASCII of either case.
   */
  walk: (units: Uint16Array, length: number, found: (literal: number, end: number) => void) => void
  states: number
}>

/** `ascii`: class of a unit. `numbers`: of each unit beyond, from 1 on, whose digits are the classes from `first` and `second` on. */
type Classes = Readonly<{ ascii: Uint8Array; numbers: Uint16Array; base: number; first: number; second: number; width: number }>

function classesOf(literals: readonly string[]): Classes {
  const counts = new Map<number, number>()
  for (const literal of literals) {
    for (let at = 0; at < literal.length; at += 1) counts.set(literal.charCodeAt(at), 1 + (counts.get(literal.charCodeAt(at)) ?? 0))
  }
  const used = [...counts.keys()].filter((unit) => unit !== skippedCode)
  // The most frequent stand next to each other, and so in few lines of the cache.
  const plain = used.filter((unit) => unit < 128).sort((a, b) => (counts.get(b) ?? 0) - (counts.get(a) ?? 0))
  const others = used.filter((unit) => unit >= 128)
  if (others.length > BEYOND_MAX) throw new RangeError('too many different characters in literals')
  const ascii = new Uint8Array(128)
  for (const [index, unit] of plain.entries()) {
    ascii[unit] = index + 1
    if (unit >= 97 && unit <= 122) ascii[unit - 32] = index + 1
  }
  const numbers = new Uint16Array(65_536)
  for (const [index, unit] of others.entries()) numbers[unit] = index + 1
  const base = Math.ceil(Math.sqrt(others.length + 1))
  const first = plain.length + 1
  return { ascii, numbers, base, first, second: first + base, width: first + 2 * base }
}

function symbolsOf(literal: string, { ascii, numbers, base, first, second }: Classes): number[] {
  const symbols: number[] = []
  for (let at = 0; at < literal.length; at += 1) {
    const unit = literal.charCodeAt(at)
    const number = numbers[unit] as number
    if (unit < 128) symbols.push(ascii[unit] as number)
    else symbols.push(first + Math.floor(number / base), second + (number % base))
  }
  return symbols
}

/** Rows of children; 0 for none. Row 0 is the beginning. */
function trieOf(literals: readonly string[], classes: Classes): { rows: Int32Array; ends: number[][] } {
  const { width } = classes
  let rows = new Int32Array(1_024 * width)
  const ends: number[][] = [[]]
  literals.forEach((literal, owner) => {
    let state = 0
    for (const symbol of symbolsOf(literal, classes)) {
      let child = rows[state * width + symbol] as number
      if (child === 0) {
        child = ends.push([]) - 1
        rows[state * width + symbol] = child
        if ((child + 1) * width > rows.length) {
          const larger = new Int32Array(rows.length * 2)
          larger.set(rows)
          rows = larger
        }
      }
      state = child
    }
    ends[state]?.push(owner)
  })
  return { rows: rows.subarray(0, ends.length * width), ends }
}

/** Breadth-first: each missing edge copies the edge of the failure state, so walking never goes back. */
function closed(rows: Int32Array, ends: number[][], width: number): void {
  const failure = new Int32Array(ends.length)
  const queue: number[] = []
  for (let symbol = 1; symbol < width; symbol += 1) if (rows[symbol] !== 0) queue.push(rows[symbol] as number)
  for (let head = 0; head < queue.length; head += 1) {
    const state = queue[head] as number
    const fallback = failure[state] as number
    const inherited = ends[fallback] as number[]
    if (inherited.length > 0) ends[state]?.push(...inherited)
    for (let symbol = 1; symbol < width; symbol += 1) {
      const child = rows[state * width + symbol] as number
      const instead = rows[fallback * width + symbol] as number
      if (child === 0) rows[state * width + symbol] = instead
      else {
        failure[child] = instead
        queue.push(child)
      }
    }
  }
}

/** States in the order of their depth, so that the shallow ones, where nearly every step is, lie close together. */
function numbersByDepth(rows: Int32Array, count: number, width: number): Int32Array {
  const order = new Int32Array(count)
  const number = new Int32Array(count).fill(-1)
  number[0] = 0
  for (let head = 0, known = 1; head < known; head += 1) {
    const row = (order[head] as number) * width
    for (let symbol = 1; symbol < width; symbol += 1) {
      const child = rows[row + symbol] as number
      if (number[child] !== -1) continue
      number[child] = known
      order[known] = child
      known += 1
    }
  }
  return number
}

type Cells = Uint16Array | Uint32Array
/** For each symbol twice the state that follows, and one more where a literal ends: one look says both. */
type Tables = Readonly<{ plain: Cells; beyond: Cells; rowBits: number; ends: (readonly number[])[] }>

function tablesOf(rows: Int32Array, byState: readonly number[][], { first, width }: Classes): Tables {
  const count = byState.length
  const number = numbersByDepth(rows, count, width)
  closed(rows, byState as number[][], width)
  const rowBits = Math.ceil(Math.log2(first))
  const cells = (length: number): Cells => (count < 32_768 ? new Uint16Array(length) : new Uint32Array(length))
  const plain = cells(count << rowBits)
  const beyond = cells(count * (width - first))
  const ends: (readonly number[])[] = new Array(count)
  for (let state = 0; state < count; state += 1) {
    const to = number[state] as number
    ends[to] = byState[state] as number[]
    for (let symbol = 0; symbol < width; symbol += 1) {
      const target = rows[state * width + symbol] as number
      const cell = ((number[target] as number) << 1) | ((byState[target] as number[]).length > 0 ? 1 : 0)
      if (symbol < first) plain[(to << rowBits) | symbol] = cell
      else beyond[to * (width - first) + symbol - first] = cell
    }
  }
  return { plain, beyond, rowBits, ends }
}

export function buildAutomaton(literals: readonly string[]): Automaton {
  const classes = classesOf(literals)
  const { rows, ends: byState } = trieOf(literals, classes)
  const { plain, beyond, rowBits, ends } = tablesOf(rows, byState, classes)
  const { ascii, numbers, base } = classes
  const far = (state: number, unit: number): number => {
    const number = numbers[unit] as number
    if (number === OTHER) return 0
    const half = (beyond[state * base * 2 + Math.floor(number / base)] as number) >> 1
    return beyond[half * base * 2 + base + (number % base)] as number
  }
  return {
    states: ends.length,
    walk: (units, length, found) => {
      const reached = { state: 0 }
      for (let at = 0; at < length; at += 1) {
        if ((units[at] as number) < 128) at = quietWay(plain, rowBits, ascii, units, at, length, reached)
        if (at === length) return
        const unit = units[at] as number
        if (unit === skippedCode) continue
        const cell = unit < 128 ? (plain[(reached.state << rowBits) | (ascii[unit] as number)] as number) : far(reached.state, unit)
        reached.state = cell >> 1
        if ((cell & 1) !== 0) for (const literal of ends[reached.state] as readonly number[]) found(literal, at + 1)
      }
    },
  }
}

/**
 * As far as no literal ends and all is ASCII: says where. A loop without calls and closures stays fast, however many automata
 * there are.
 */
function quietWay(
  plain: Cells,
  rowBits: number,
  ascii: Uint8Array,
  units: Uint16Array,
  from: number,
  length: number,
  reached: { state: number },
): number {
  let { state } = reached
  let at = from
  for (; at < length; at += 1) {
    const unit = units[at] as number
    if (unit >= 128) break
    const cell = plain[(state << rowBits) | (ascii[unit] as number)] as number
    if ((cell & 1) !== 0) break
    state = cell >> 1
  }
  reached.state = state
  return at
}
