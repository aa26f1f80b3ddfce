/** Characters that no set of a pattern tells apart are one class: what a walk over a text looks up instead of the character. */
import { WORD_SET } from './content-machine.ts'
import type { Chars } from './content-syntax.ts'
import { skippedCode } from './fold.ts'

/** Classes of characters, beside those of the pattern: what nobody sees, and halves of pairs. */
export const SKIP = 0
export const PAIRED = 1
export const CLASSES_MAX = 128

export type Classes = Readonly<{
  /** Of ASCII characters that came already; 0 for the others. */
  ascii: Uint8Array
  /** SKIP for what nobody sees; CLASSES_MAX where there are too many. */
  of: (unit: number) => number
  isWord: (symbol: number) => boolean
  isIn: (symbol: number, set: number) => boolean
}>

/** Classes are made as characters come. */
export function createClasses(sets: readonly Chars[], classesMax: number): Classes {
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
