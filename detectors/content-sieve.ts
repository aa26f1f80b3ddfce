/**
 * Says of a window, in one look at each character, whether a pattern can match there at all. Nearly every window ends here. The
 * table of the walk is made as texts need it, and bounded: what does not fit is let through, for the engine behind to decide.
 */
import { MATCHED, type Machine, machineOf, type Node, WORD_SET } from './content-machine.ts'
import type { Chars, Edge, Tree } from './content-syntax.ts'
import { SKIPPED } from './fold.ts'

/** False only where the pattern does not match in these units of a folded text, skipped ones left out. */
export type Sieve = (units: Uint16Array, from: number, to: number) => boolean

const STATES_MAX = 1_024
const CLASSES_MAX = 128
/** With more sets than these, 64 classes might not do. */
const SETS_OF_64_MAX = 48
const REMADE_MAX = 2
/** Places in a row of the table: not yet known, and a match whatever follows. States have numbers above. */
const UNKNOWN = 0
const FOUND = 1
const SKIP = 0
/** Classes of characters, beside those of the pattern. */
const PAIRED = 1
const skippedCode = SKIPPED.charCodeAt(0)

/** `items`: nodes that wait for the next character, sorted. `afterWord`: the character before was one of a word. */
type State = Readonly<{ items: Uint16Array; afterWord: boolean; atStart: boolean }>

export function createSieve(tree: Tree): Sieve | undefined {
  const machine = machineOf(tree)
  if (!machine) return undefined
  const rowBits = machine.sets.length > SETS_OF_64_MAX ? 7 : 6
  const classes = createClasses(machine.sets, 1 << rowBits)
  const step = createSteps(machine, classes)
  let table = new Uint16Array(16 << rowBits)
  let states: State[] = []
  let numbers = new Map<string, number>()
  let remade = 0

  const numberOf = (state: State): number => {
    const key = String.fromCharCode(...state.items, state.afterWord ? 1 : 0, state.atStart ? 1 : 0)
    const known = numbers.get(key)
    if (known !== undefined) return known
    if (states.length >= STATES_MAX) {
      table.fill(UNKNOWN)
      states = []
      numbers = new Map()
      remade += 1
    }
    const number = states.push(state) - 1 + FOUND + 1
    numbers.set(key, number)
    if ((number + 1) << rowBits > table.length) {
      const larger = new Uint16Array(table.length * 2)
      larger.set(table)
      table = larger
    }
    return number
  }
  /** Kept in the row's place of what is skipped, which the walk never asks. */
  const endsWell = (state: number): boolean => {
    const known = table[(state << rowBits) | SKIP] as number
    if (known !== UNKNOWN) return known === FOUND
    const found = step(states[state - FOUND - 1] as State, undefined) === undefined
    table[(state << rowBits) | SKIP] = found ? FOUND : FOUND + 1
    return found
  }
  const grow = (from: number, symbol: number): number => {
    const before = states
    const state = states[from - FOUND - 1] as State
    const items = step(state, symbol)
    const afterWord = classes.isWord(symbol)
    const target = items ? numberOf({ items, afterWord, atStart: false }) : FOUND
    if (states === before) table[(from << rowBits) | symbol] = target
    return target
  }
  const nothing: State = { items: new Uint16Array(0), afterWord: false, atStart: true }
  const { ascii } = classes

  return (units, from, to) => {
    remade = 0
    let state = numberOf(nothing)
    let rows = table
    for (let at = from; at < to; at += 1) {
      const unit = units[at] as number
      let symbol = unit < 128 ? (ascii[unit] as number) : 0
      if (symbol === 0) {
        symbol = classes.of(unit)
        if (symbol === SKIP) continue
        if (symbol === CLASSES_MAX) return true
      }
      const target = rows[(state << rowBits) | symbol] as number
      if (target > FOUND) state = target
      else if (target === FOUND) return true
      else {
        state = grow(state, symbol)
        if (state === FOUND || remade > REMADE_MAX) return true
        rows = table
      }
    }
    return endsWell(state)
  }
}

type Classes = Readonly<{
  /** Of ASCII characters that came already; 0 for the others. */
  ascii: Uint8Array
  /** SKIP for what nobody sees; CLASSES_MAX where there are too many. */
  of: (unit: number) => number
  isWord: (symbol: number) => boolean
  isIn: (symbol: number, set: number) => boolean
}>

/** Characters that no set tells apart are one class. Classes are made as characters come. */
function createClasses(sets: readonly Chars[], classesMax: number): Classes {
  const ascii = new Uint8Array(128)
  let beyond: Uint8Array | undefined
  const bySign = new Map<string, number>()
  const tests = sets.map(containing)
  const paired = Uint8Array.from(sets, ({ negated, letters, numbers }) => (negated || letters || numbers ? 1 : 0))
  const members = [new Uint8Array(sets.length), paired]
  const make = (unit: number): number => {
    if (unit === skippedCode) return SKIP
    if (unit >= 0xd800 && unit <= 0xdfff) return PAIRED
    const canonical = canonicalOf(unit)
    const isIn = Uint8Array.from(tests, (test) => (test(canonical) ? 1 : 0))
    const sign = isIn.join('')
    const known = bySign.get(sign)
    if (known !== undefined) return known
    if (members.length >= classesMax) return CLASSES_MAX
    bySign.set(sign, members.length)
    return members.push(isIn) - 1
  }
  return {
    ascii,
    of: (unit) => {
      if (unit >= 128) beyond ??= new Uint8Array(65_536)
      const known = unit < 128 ? ascii : (beyond as Uint8Array)
      if (known[unit] === 0) known[unit] = make(unit)
      return known[unit] as number
    },
    isWord: (symbol) => members[symbol]?.[WORD_SET] === 1,
    isIn: (symbol, set) => members[symbol]?.[set] === 1,
  }
}

/** One of all the forms of a letter that are equal where case is ignored: ς and σ, for one. */
export function canonicalOf(unit: number): number {
  const upper = String.fromCharCode(unit).toUpperCase()
  const lower = upper.length === 1 ? upper.toLowerCase() : ''
  return lower.length === 1 ? lower.charCodeAt(0) : unit
}

/** Of a unit in its canonical form. */
function containing({ negated, ranges, letters, numbers }: Chars): (unit: number) => boolean {
  const singles = new Set(ranges.flatMap(([first, last]) => (first === last ? [canonicalOf(first)] : [])))
  const wide = ranges.filter(([first, last]) => first !== last)
  const inside = (unit: number): boolean =>
    singles.has(unit) ||
    wide.some(([first, last]) => unit >= first && unit <= last) ||
    (letters && /\p{L}/u.test(String.fromCharCode(unit))) ||
    (numbers && /\p{N}/u.test(String.fromCharCode(unit)))
  return (unit) => inside(unit) !== negated
}

/** From a state and the class of the next character (none at the end) to what waits after it; undefined for a match. */
function createSteps({ nodes, start }: Machine, classes: Classes): (state: State, symbol: number | undefined) => Uint16Array | undefined {
  const closures: (Uint16Array | undefined)[] = []
  const starts = new Map<number, Uint16Array | undefined>()
  const seen = new Uint32Array(nodes.length)
  const waiting = new Uint32Array(nodes.length)
  const next = new Uint16Array(nodes.length)
  let count = 0
  let mark = 0

  /** What waits at a node: itself, or where its forks lead. */
  const closure = (node: number): Uint16Array => {
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
        if (symbol !== undefined && classes.isIn(symbol, node.set) && wait(closure(node.next))) return true
      } else if (node.kind === 'edge' && holds(node.edge, from, symbol) && move(closure(node.next), from, symbol)) return true
    }
    return false
  }
  const holds = (edge: Edge, { afterWord, atStart }: State, symbol: number | undefined): boolean => {
    if (edge === 'start') return atStart
    if (edge === 'end') return symbol === undefined
    return (afterWord !== (symbol !== undefined && classes.isWord(symbol))) === (edge === 'word')
  }
  /** A match may begin at each character: what that gives is the same for many states. */
  const begun = (state: State, symbol: number | undefined): Uint16Array | undefined => {
    const key = ((symbol ?? CLASSES_MAX) << 2) | (state.afterWord ? 2 : 0) | (state.atStart ? 1 : 0)
    if (starts.has(key)) return starts.get(key)
    mark += 1
    count = 0
    const found = move(closure(start), state, symbol) ? undefined : next.slice(0, count)
    starts.set(key, found)
    return found
  }
  return (state, symbol) => {
    const fresh = begun(state, symbol)
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
