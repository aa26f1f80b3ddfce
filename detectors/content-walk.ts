/** Walks a machine over a text by a table that is made as texts need it, and bounded: what does not fit is let through. */
import { CLASSES_MAX, type Classes, createClasses, SKIP } from './content-classes.ts'
import type { Machine } from './content-machine.ts'
import { createSteps, type State, type Step } from './content-steps.ts'

/** With more sets than these, 64 classes might not do. */
const SETS_OF_64_MAX = 48
const ERAS_MAX = 2
/** Places in a row of the table: not yet known, a match whatever follows, and none whatever follows. States have numbers above. */
const UNKNOWN = 0
const FOUND = 1
const DEAD = 2
const FIRST = DEAD + 1
const STATES_MAX = 2_048

/** A state to begin at; it keeps its row as long as the table is not begun anew. */
export type Begin = { readonly state: State; row: number; era: number }
/** How far a text was walked, and in which state. */
export type Progress = { from: number; at: number; row: number; era: number }
export type Walk = Readonly<{
  /** Of the units from `at` to before `to`: false only where no match is there. */
  possible: (begin: Begin, units: Uint16Array, at: number, to: number) => boolean
  /** The same to `to`, from where an earlier walk had come; after a match there is no way on. */
  further: (progress: Progress, units: Uint16Array, to: number) => boolean
  canGoOn: (progress: Progress, from: number, to: number) => boolean
  start: (progress: Progress, begin: Begin, from: number) => void
  /** The state after one unit with which a match may begin: undefined for a match, or where there is no telling. */
  after: (state: State, unit: number) => State | undefined
}>

export const begin = (state: State): Begin => ({ state, row: 0, era: -1 })
export const noProgress = (): Progress => ({ from: 0, at: 0, row: 0, era: -1 })

/** `begins`: a match may begin at every character, not only at those before the walk. */
export function createWalk(machine: Machine, begins: boolean): Walk {
  const rowBits = machine.sets.length > SETS_OF_64_MAX ? 7 : 6
  const classes = createClasses(machine.sets, 1 << rowBits)
  const step = createSteps(machine, classes)
  const table = createTable(rowBits, begins, classes, step)
  const { ascii } = classes
  const reached = { row: 0 }
  /** Where it comes to: a row, or an answer. */
  const go = (from: number, units: Uint16Array, at: number, to: number): number => {
    const eraMax = table.era() + ERAS_MAX
    reached.row = from
    for (let place = at; place < to; place += 1) {
      place = knownWay(table.rows(), rowBits, ascii, units, place, to, reached)
      if (reached.row < FIRST) return reached.row
      if (place === to) break
      const symbol = classes.of(units[place] as number)
      if (symbol === SKIP) continue
      if (symbol === CLASSES_MAX) return FOUND
      const target = table.next(reached.row, symbol)
      if (target < FIRST || table.era() > eraMax) return target === DEAD ? DEAD : FOUND
      reached.row = target
    }
    return reached.row
  }
  const rowToBegin = (first: Begin): number => {
    if (first.era !== table.era()) {
      first.row = table.rowOf(first.state)
      first.era = table.era()
    }
    return first.row
  }
  const holds = (row: number): boolean => (row < FIRST ? row === FOUND : table.endsWell(row))

  return {
    possible: (first, units, at, to) => holds(go(rowToBegin(first), units, at, to)),
    further: (progress, units, to) => {
      const row = go(progress.row, units, progress.at, to)
      progress.row = row
      progress.at = to
      progress.era = row < FIRST ? -1 : table.era()
      return holds(row)
    },
    canGoOn: ({ from, at, era }, nextFrom, to) => era === table.era() && from <= nextFrom && nextFrom <= at && at <= to,
    start: (progress, first, from) => {
      progress.from = from
      progress.at = from
      progress.row = rowToBegin(first)
      progress.era = table.era()
    },
    after: (state, unit) => {
      const symbol = classes.of(unit)
      const items = symbol === SKIP || symbol === CLASSES_MAX ? undefined : step(state, symbol, true)
      return items && { items, afterWord: classes.isWord(symbol), atStart: false }
    },
  }
}

type Table = Readonly<{
  rows: () => Uint16Array
  /** So many times it was begun anew: rows of other eras mean nothing. */
  era: () => number
  rowOf: (state: State) => number
  /** From a row by a class of characters to a row or an answer. */
  next: (row: number, symbol: number) => number
  endsWell: (row: number) => boolean
}>

function createTable(rowBits: number, begins: boolean, { isWord }: Classes, step: Step): Table {
  let rows = new Uint16Array(16 << rowBits)
  let states: State[] = []
  let endings: (boolean | undefined)[] = []
  let rowsByKey = new Map<string, number>()
  let era = 0

  const rowOf = (state: State): number => {
    const key = String.fromCharCode(...state.items, state.afterWord ? 1 : 0, state.atStart ? 1 : 0)
    const known = rowsByKey.get(key)
    if (known !== undefined) return known
    if (states.length >= STATES_MAX) {
      rows.fill(UNKNOWN)
      states = []
      endings = []
      rowsByKey = new Map()
      era += 1
    }
    const row = states.push(state) - 1 + FIRST
    rowsByKey.set(key, row)
    if ((row + 1) << rowBits > rows.length) {
      const larger = new Uint16Array(rows.length * 2)
      larger.set(rows)
      rows = larger
    }
    return row
  }
  const stateAt = (row: number): State => states[row - FIRST] as State
  return {
    rows: () => rows,
    era: () => era,
    rowOf,
    next: (row, symbol) => {
      const known = rows[(row << rowBits) | symbol] as number
      if (known !== UNKNOWN) return known
      const before = era
      const items = step(stateAt(row), symbol, begins)
      const target = !items ? FOUND : items.length === 0 && !begins ? DEAD : rowOf({ items, afterWord: isWord(symbol), atStart: false })
      if (era === before) rows[(row << rowBits) | symbol] = target
      return target
    },
    endsWell: (row) => {
      const known = endings[row] ?? step(stateAt(row), undefined, begins) === undefined
      endings[row] = known
      return known
    },
  }
}

/**
 * As far as the table knows, and no further than `to`: says where. Nothing is ever written in the places of what is skipped, or
 * not yet of a class. A loop without calls and closures is three times as fast.
 */
function knownWay(
  rows: Uint16Array,
  rowBits: number,
  ascii: Uint8Array,
  units: Uint16Array,
  at: number,
  to: number,
  reached: { row: number },
): number {
  let { row } = reached
  let place = at
  for (; place < to; place += 1) {
    const unit = units[place] as number
    const target = rows[(row << rowBits) | (unit < 128 ? (ascii[unit] as number) : SKIP)] as number
    if (target === UNKNOWN) break
    row = target
    if (target < FIRST) break
  }
  reached.row = row
  return place
}
