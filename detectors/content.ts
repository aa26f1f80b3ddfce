/**
 * The one content pass: an Aho-Corasick automaton over the literals of every pattern finds candidates in a single walk of
 * the text, and a linear-time engine (re2js) decides on a window around each. Cost is flat in the number of rules.
 */
import { RE2JS } from 're2js'
import type { Hit, Pattern, TextPart, TextPosition } from '../schemas/detector.ts'
import { Fault } from '../schemas/errors.ts'
import { buildAutomaton } from './automaton.ts'
import { answers, mapNeed, type Need, needOf } from './factors.ts'
import { fold, foldPattern, SKIPPED } from './fold.ts'

const WINDOW_MAX = 240
/** So many candidates of a pattern get a window of their own; then windows are wide and follow each other, so that decoys neither blind nor slow the pass. */
const WINDOWS_PER_PART_MAX = 64
const WIDE = 8
const HITS_PER_PART_MAX = 256
const EXCERPT_MAX = 200

/** `need`: which other literals have to stand in the window. */
type Compiled = Readonly<{
  pattern: Pattern
  verify: RE2JS | undefined
  windowMax: number
  positions: ReadonlySet<TextPosition>
  need: Need<number> | undefined
}>
/** One literal of the automaton: the patterns it gates, and whether a pattern requires it beside its own. */
type Literal = { text: string; owners: number[]; required: boolean }
export type ContentPass = Readonly<{
  /** Hits in order of parts, then of place. `windowsSkipped` counts candidates after the 256th hit of a pattern in a part. */
  scan: (parts: readonly TextPart[]) => Hit[]
  windowsSkipped: () => number
}>

function compile(pattern: Pattern, literalOf: (text: string) => number): Compiled {
  if (pattern.literals.length === 0)
    throw new Fault('CONFIG_INVALID', `pattern ${pattern.id} has no literal: it would cost as much as all others`)
  const source = pattern.verify === undefined ? undefined : foldPattern(pattern.verify)
  const need = source === undefined ? undefined : needOf(source, pattern.literals.map(fold))
  return {
    pattern,
    verify: source === undefined ? undefined : RE2JS.compile(source, RE2JS.CASE_INSENSITIVE | RE2JS.DOTALL),
    windowMax: pattern.windowMax ?? WINDOW_MAX,
    positions: new Set(pattern.positions),
    need: need && mapNeed(need, literalOf),
  }
}

function compileAll(patterns: readonly Pattern[]): { compiled: readonly Compiled[]; literals: readonly Literal[] } {
  const literals: Literal[] = []
  const byText = new Map<string, number>()
  const literalOf = (text: string): number => {
    const known = byText.get(text)
    if (known !== undefined) return known
    byText.set(text, literals.length)
    return literals.push({ text, owners: [], required: false }) - 1
  }
  const compiled = patterns.map((pattern) => compile(pattern, literalOf))
  for (const literal of literals) literal.required = true // so far all come from needs
  patterns.forEach((pattern, owner) => {
    for (const literal of new Set(pattern.literals.map(fold))) {
      if (literal.length < 2) throw new Fault('CONFIG_INVALID', `pattern ${pattern.id}: literal "${literal}" is too short`)
      ;(literals[literalOf(literal)] as Literal).owners.push(owner)
    }
  })
  return { compiled, literals }
}

/** Compiles the patterns of all detectors into one pass. Ids must be unique; a literal shorter than 2 characters does not load. */
export function createContentPass(patterns: readonly Pattern[]): ContentPass {
  const { compiled, literals } = compileAll(patterns)
  const automaton = buildAutomaton(literals.map(({ text }) => text))
  let skipped = 0
  /** By literal, where those that a pattern needs end in the text at hand: made once, for all literals are many and a text holds few. */
  const places: (number[] | undefined)[] = new Array<number[] | undefined>(literals.length).fill(undefined)

  const scanPart = (part: TextPart, hits: Hit[]) => {
    const folded = fold(part.text)
    const touched: number[] = []
    const candidates: { literal: Literal; end: number }[] = []
    automaton.walk(folded, (index, end) => {
      const literal = literals[index] as Literal
      if (literal.required) {
        const ends = places[index]
        if (ends) ends.push(end)
        else {
          places[index] = [end]
          touched.push(index)
        }
      }
      if (literal.owners.length > 0) candidates.push({ literal, end })
    })
    const reach = new Map<number, { until: number; windows: number; hits: number }>()
    const judge = (owner: number, { text }: Literal, end: number) => {
      const candidate = compiled[owner] as Compiled
      if (!candidate.positions.has(part.position)) return
      const seen = reach.get(owner) ?? { until: 0, windows: 0, hits: 0 }
      const start = Math.max(0, end - text.length)
      if (start < seen.until) return
      if (seen.hits >= HITS_PER_PART_MAX) {
        skipped += 1
        return
      }
      const wide = seen.windows >= WINDOWS_PER_PART_MAX
      const to = end + candidate.windowMax * (wide ? WIDE : 1)
      const { need, windowMax } = candidate
      const possible = need === undefined || answers(need, (index) => stands(places[index], start - windowMax, to))
      const hit = possible ? verified(candidate, part, folded, { start, end, to, wide }) : undefined
      // A wide window without a match has answered for every candidate whose own window lies inside it.
      const until = hit ? hit.end : wide ? to - candidate.windowMax - text.length : seen.until
      reach.set(owner, { until, windows: seen.windows + 1, hits: seen.hits + (hit ? 1 : 0) })
      if (hit) hits.push(hit)
    }
    for (const { literal, end } of candidates) for (const owner of literal.owners) judge(owner, literal, end)
    for (const index of touched) places[index] = undefined
  }
  return {
    scan: (parts) => {
      const hits: Hit[] = []
      for (const part of parts) scanPart(part, hits)
      return hits
    },
    windowsSkipped: () => skipped,
  }
}

/** Does one of these ends lie between the two places? */
function stands(ends: readonly number[] | undefined, from: number, to: number): boolean {
  if (ends === undefined) return false
  let low = 0
  let high = ends.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((ends[middle] as number) <= from) low = middle + 1
    else high = middle
  }
  return low < ends.length && (ends[low] as number) <= to
}

type Place = Readonly<{ start: number; end: number; to: number; wide: boolean }>

function verified(candidate: Compiled, part: TextPart, folded: string, { start, end, to, wide }: Place): Hit | undefined {
  const found = (from: number, to: number): Hit => ({
    pattern: candidate.pattern.id,
    part,
    start: from,
    end: to,
    excerpt: part.text.slice(from, Math.min(to, from + EXCERPT_MAX)),
  })
  if (!candidate.verify) return found(start, end)
  const from = Math.max(0, start - candidate.windowMax)
  const window = folded.slice(from, to)
  // Skipped characters are taken out for the regex, so that zero-width padding does not split a word.
  const plain = window.includes(SKIPPED) ? window.replaceAll(SKIPPED, '') : window
  // `test` runs on an automaton and is some fifty times faster than finding where; most windows end here.
  if (!candidate.verify.test(plain)) return undefined
  const matcher = candidate.verify.matcher(plain)
  const literalFrom = start - from
  const literalTo = end - from
  while (matcher.find()) {
    if (plain !== window) return found(start, end)
    // The match has to cover the literal that led here; another occurrence has its own window. A wide one answers for all it holds.
    if ((wide || matcher.start() < literalTo) && matcher.end() > literalFrom) return found(from + matcher.start(), from + matcher.end())
  }
  return undefined
}
