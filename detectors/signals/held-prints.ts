/** Prints of many sources in one place, found by the print: a question costs the same however many sources there are. */

/**
 * Prints in the order in which they came, and chains of those that fall into one bucket, from the newest to the older ones.
 * A place in a chain is its number and one; 0 is the end. Flat arrays, for a busy thread holds twenty thousand.
 */
export type HeldPrints = { prints: Float64Array; older: Uint16Array; newest: Uint16Array; used: number }
/** Where the prints of one source stand. */
export type Span = { from: number; count: number }

const sizeMin = 256
const gone = -1

export const noPrints = (): HeldPrints => ({ prints: new Float64Array(0), older: new Uint16Array(0), newest: new Uint16Array(0), used: 0 })

/** The upper bits of a product depend on all lower bits of both numbers. */
const bucketOf = (print: number, shift: number): number => Math.imul(print | 0, 0x9e3779b1) >>> shift
const shiftFor = (newest: Uint16Array): number => Math.clz32(newest.length) + 1

/** Takes in what is new among `found`. `spans`: of all sources that are held, in the order in which they came. */
export function hold(held: HeldPrints, found: Float64Array, spans: Iterable<Span>): Span {
  if (held.used + found.length > held.prints.length) makeRoom(held, found.length, [...spans])
  const { prints, older, newest } = held
  const shift = shiftFor(newest)
  const from = held.used
  let used = from
  for (let at = 0; at < found.length; at += 1) {
    const print = found[at] as number
    const bucket = bucketOf(print, shift)
    const first = newest[bucket] as number
    let place = first
    while (place > from && prints[place - 1] !== print) place = older[place - 1] as number
    if (place > from) continue
    prints[used] = print
    older[used] = first
    used += 1
    newest[bucket] = used
  }
  held.used = used
  return { from, count: used - from }
}

export function letGo({ prints }: HeldPrints, { from, count }: Span): void {
  prints.fill(gone, from, from + count)
}

/** What was let go is closed up; where that is little, all becomes larger. At most 65,535 places: holders have their own bounds. */
function makeRoom(held: HeldPrints, more: number, spans: readonly Span[]): void {
  const needed = spans.reduce((sum, { count }) => sum + count, more)
  if (needed * 1.25 > held.prints.length) {
    const size = Math.max(sizeMin, Math.ceil(needed * 1.5))
    const prints = new Float64Array(size)
    prints.set(held.prints.subarray(0, held.used))
    held.prints = prints
    held.older = new Uint16Array(size)
    held.newest = new Uint16Array(2 ** Math.ceil(Math.log2(needed + sizeMin)))
  } else held.newest.fill(0)
  const { prints, older, newest } = held
  const shift = shiftFor(newest)
  let used = 0
  for (const span of spans) {
    const { from, count } = span
    span.from = used
    for (let at = from; at < from + count; at += 1) {
      const print = prints[at] as number
      const bucket = bucketOf(print, shift)
      prints[used] = print
      older[used] = newest[bucket] as number
      used += 1
      newest[bucket] = used
    }
  }
  held.used = used
}

/** Each place at which one of `sought` is held, ascending. `sought` without repeats. */
export function placesOf({ prints, older, newest, used }: HeldPrints, sought: readonly number[]): number[] {
  if (used === 0) return []
  const shift = shiftFor(newest)
  const places: number[] = []
  let steps = 8 * (used + sought.length)
  for (let at = 0; at < sought.length; at += 1) {
    const print = sought[at] as number
    for (let place = newest[bucketOf(print, shift)] as number; place > 0; place = older[place - 1] as number) {
      if (prints[place - 1] === print) places.push(place - 1)
      steps -= 1
    }
    // Somebody chose texts whose prints fall into one bucket: past that many steps, a look at each print costs less.
    if (steps < 0) return placesByScan(prints, used, sought)
  }
  return places.length < 2 ? places : places.sort((a, b) => a - b)
}

function placesByScan(prints: Float64Array, used: number, sought: readonly number[]): number[] {
  const wanted = new Set(sought)
  const places: number[] = []
  for (let place = 0; place < used; place += 1) if (wanted.has(prints[place] as number)) places.push(place)
  return places
}
