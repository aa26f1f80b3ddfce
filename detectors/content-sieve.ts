/** Says of a window, without the expression itself, whether it can match there at all. Nearly every window ends here. */
import { machineOf } from './content-machine.ts'
import type { State } from './content-steps.ts'
import type { Tree } from './content-syntax.ts'
import { type Begin, begin, createWalk, type Progress, type Walk } from './content-walk.ts'
import { skippedCode } from './fold.ts'

/**
 * False only where nothing matches in these units of a folded text, skipped ones left out. Windows of one text overlap, and come
 * in order: with the same `progress` for all of them each unit is looked at once.
 */
export type Sieve = (units: Uint16Array, from: number, to: number, progress: Progress) => boolean

const letThrough: Sieve = () => true
const nothing: State = { items: new Uint16Array(0), afterWord: false, atStart: true }
/** Of characters beyond, what begins with them is not kept. */
const KEPT_MAX = 128
const matched = 'matched'

/** Its walks are made when they are first needed. */
export function createSieve(tree: Tree): Sieve {
  const machine = machineOf(tree)
  if (!machine) return letThrough
  let whole: Walk | undefined
  let atEdge: Sieve | undefined
  const first = begin(nothing)
  return (units, from, to, progress) => {
    whole ??= createWalk(machine, true)
    if (whole.canGoOn(progress, from, to)) {
      atEdge ??= beginningWith(createWalk(machine, false))
      // Edges hold where a window begins that do not hold in the middle of a text.
      const maybe = (from > progress.from && atEdge(units, from, to, progress)) || whole.further(progress, units, to)
      // What was found may have begun before this window.
      if (!maybe) return false
    }
    whole.start(progress, first, from)
    return whole.further(progress, units, to)
  }
}

/** Whether what begins with the first unit, as if it were the first of all, may match: it seldom lives for long. */
function beginningWith(walk: Walk): Sieve {
  const known: (Begin | typeof matched | undefined)[] = []
  const behind = (unit: number): Begin | typeof matched => {
    const state = walk.after(nothing, unit)
    return state ? begin(state) : matched
  }
  return (units, from, to) => {
    let at = from
    while (at < to && units[at] === skippedCode) at += 1
    const unit = units[at] as number
    if (at === to || unit >= KEPT_MAX) return true
    known[unit] ??= behind(unit)
    const next = known[unit] as Begin | typeof matched
    return next === matched || (next.state.items.length > 0 && walk.possible(next, units, at + 1, to))
  }
}
