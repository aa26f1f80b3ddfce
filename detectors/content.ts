/**
 * The one content pass: an Aho-Corasick automaton over the literals of every pattern finds candidates in a single walk of
 * the text, a sieve rules out nearly all of them, and a linear-time engine (re2js) decides on a window around each that is
 * left. Cost is flat in the number of rules.
 */
import type { Hit, Pattern, TextPart, TextPosition } from '../schemas/detector.ts'
import { Fault } from '../schemas/errors.ts'
import { buildAutomaton } from './automaton.ts'
import { createVerifier, type Verifier } from './content-verifier.ts'
import { noProgress, type Progress } from './content-walk.ts'
import { type Folded, fold, foldInto, foldPattern, SKIPPED } from './fold.ts'

const WINDOW_MAX = 240
/** So many candidates of a pattern get a window of their own; then windows are wide and follow each other, so that decoys neither blind nor slow the pass. */
const WINDOWS_PER_PART_MAX = 64
const WIDE = 8
const HITS_PER_PART_MAX = 256
const EXCERPT_MAX = 200
/** Definitions that are remembered, of each position; at the maximum all are forgotten. */
const REMEMBERED_MAX = 1_000
const REMEMBERED_LENGTH_MAX = 2_000
/** Texts up to so many units are folded into one array that is kept; a longer one gets its own. */
const UNITS_KEPT_MAX = 262_144

type Compiled = Readonly<{ id: string; verifier: Verifier | undefined; windowMax: number }>
/** By literal, the patterns that it leads to at a position. */
type Owners = (number[] | undefined)[]
type Reach = { until: number; windows: number; hits: number; progress: Progress }
export type ContentPass = Readonly<{
  /** Hits in order of parts, then of place. `windowsSkipped` counts candidates after the 256th hit of a pattern in a part. */
  scan: (parts: readonly TextPart[]) => Hit[]
  windowsSkipped: () => number
}>

/** Detectors of several positions share their expressions: each is read and built once. */
function compileAll(patterns: readonly Pattern[]): readonly Compiled[] {
  const verifiers = new Map<string, Verifier>()
  return patterns.map(({ id, literals, verify, windowMax = WINDOW_MAX }) => {
    if (literals.length === 0) throw new Fault('CONFIG_INVALID', `pattern ${id} has no literal: it would cost as much as all others`)
    if (verify === undefined) return { id, verifier: undefined, windowMax }
    const source = foldPattern(verify)
    const verifier = verifiers.get(source) ?? createVerifier(source)
    verifiers.set(source, verifier)
    return { id, verifier, windowMax }
  })
}

function ownersOf(patterns: readonly Pattern[]): { literals: readonly string[]; owners: ReadonlyMap<TextPosition, Owners> } {
  const numbers = new Map<string, number>()
  const owners = new Map<TextPosition, Owners>()
  patterns.forEach((pattern, owner) => {
    for (const literal of new Set(pattern.literals.map(fold))) {
      if (literal.length < 2) throw new Fault('CONFIG_INVALID', `pattern ${pattern.id}: literal "${literal}" is too short`)
      const number = numbers.get(literal) ?? numbers.size
      numbers.set(literal, number)
      for (const position of new Set(pattern.positions)) {
        const at = owners.get(position) ?? []
        owners.set(position, at)
        const known = at[number]
        if (known) known.push(owner)
        else at[number] = [owner]
      }
    }
  })
  return { literals: [...numbers.keys()], owners }
}

/** Compiles the patterns of all detectors into one pass. Ids must be unique; a literal shorter than 2 characters does not load. */
export function createContentPass(patterns: readonly Pattern[]): ContentPass {
  const compiled = compileAll(patterns)
  const { literals, owners } = ownersOf(patterns)
  const automaton = buildAutomaton(literals)
  let skipped = 0
  let kept = new Uint16Array(4_096)
  const unitsOf = (text: string): Folded => {
    const { length } = text
    if (length > kept.length && length <= UNITS_KEPT_MAX) kept = new Uint16Array(Math.min(UNITS_KEPT_MAX, length * 2))
    return foldInto(text, length <= kept.length ? kept : new Uint16Array(length))
  }

  const scanPart = (part: TextPart, hits: Hit[]) => {
    const led = owners.get(part.position)
    if (!led) return
    const folded = unitsOf(part.text)
    const reach = new Map<number, Reach>()
    automaton.walk(folded.units, folded.length, (literal, end) => {
      const these = led[literal]
      if (these !== undefined) for (const owner of these) judge(owner, (literals[literal] as string).length, end)
    })

    function judge(owner: number, length: number, end: number): void {
      const seen = reach.get(owner) ?? { until: 0, windows: 0, hits: 0, progress: noProgress() }
      if (seen.windows === 0) reach.set(owner, seen)
      const start = Math.max(0, end - length)
      if (start < seen.until) return
      if (seen.hits >= HITS_PER_PART_MAX) {
        skipped += 1
        return
      }
      const candidate = compiled[owner] as Compiled
      const wide = seen.windows >= WINDOWS_PER_PART_MAX
      const to = end + candidate.windowMax * (wide ? WIDE : 1)
      const hit = verified(candidate, part, folded, { start, end, to, wide }, seen.progress)
      seen.windows += 1
      if (hit) {
        seen.until = hit.end
        seen.hits += 1
        hits.push(hit)
      } else if (wide) {
        // A wide window without a match has answered for every candidate whose own window lies inside it.
        seen.until = to - candidate.windowMax - length
      }
    }
  }
  /** By position, what was found in texts that come again and again: every session lists the same tools. */
  const remembered = new Map<TextPosition, Map<string, readonly Hit[]>>()
  const scanAgain = (part: TextPart, hits: Hit[]) => {
    const before = remembered.get(part.position) ?? new Map<string, readonly Hit[]>()
    let found = before.get(part.text)
    if (found === undefined) {
      const fresh: Hit[] = []
      scanPart(part, fresh)
      found = fresh
      if (before.size >= REMEMBERED_MAX) before.clear()
      remembered.set(part.position, before.set(part.text, found))
    }
    for (const hit of found) hits.push({ ...hit, part })
  }
  return {
    scan: (parts) => {
      const hits: Hit[] = []
      for (const part of parts) (isRepeated(part) ? scanAgain : scanPart)(part, hits)
      return hits
    },
    windowsSkipped: () => skipped,
  }
}

const isRepeated = ({ position, text }: TextPart): boolean =>
  text.length <= REMEMBERED_LENGTH_MAX && (position === 'instructions' || position.startsWith('definition.'))

type Place = Readonly<{ start: number; end: number; to: number; wide: boolean }>

function verified(
  candidate: Compiled,
  part: TextPart,
  folded: Folded,
  { start, end, to, wide }: Place,
  progress: Progress,
): Hit | undefined {
  const found = (from: number, to: number): Hit => ({
    pattern: candidate.id,
    part,
    start: from,
    end: to,
    excerpt: part.text.slice(from, Math.min(to, from + EXCERPT_MAX)),
  })
  const { verifier } = candidate
  if (!verifier) return found(start, end)
  const { units } = folded
  const from = Math.max(0, start - candidate.windowMax)
  const until = Math.min(to, folded.length)
  if (!verifier.possible(units, from, until, progress)) return undefined
  const window = windowOf(folded, from, until)
  // Skipped characters are taken out for the regex, so that zero-width padding does not split a word.
  const plain = window.includes(SKIPPED) ? window.replaceAll(SKIPPED, '') : window
  const expression = verifier.expression()
  // `test` runs on an automaton and is some fifty times faster than finding where.
  if (!expression.test(plain)) return undefined
  const matcher = expression.matcher(plain)
  const literalFrom = start - from
  const literalTo = end - from
  while (matcher.find()) {
    if (plain !== window) return found(start, end)
    // The match has to cover the literal that led here; another occurrence has its own window. A wide one answers for all it holds.
    if ((wide || matcher.start() < literalTo) && matcher.end() > literalFrom) return found(from + matcher.start(), from + matcher.end())
  }
  return undefined
}

function windowOf({ units, ascii }: Folded, from: number, to: number): string {
  const window = String.fromCharCode(...units.subarray(from, to))
  return ascii ? window.toLowerCase() : window
}
