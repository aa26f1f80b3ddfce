/**
 * The one content pass: an Aho-Corasick automaton over the literals of every pattern finds candidates in a single walk of
 * the text, and a linear-time engine (re2js) decides on a window around each. Cost is flat in the number of rules.
 */
import { RE2JS } from 're2js'
import type { Hit, Pattern, TextPart, TextPosition } from '../schemas/detector.ts'
import { Fault } from '../schemas/errors.ts'
import { buildAutomaton } from './automaton.ts'
import { fold, foldPattern, SKIPPED } from './fold.ts'

const WINDOW_MAX = 240
/** So many candidates of a pattern get a window of their own; then windows are wide and follow each other, so that decoys neither blind nor slow the pass. */
const WINDOWS_PER_PART_MAX = 64
const WIDE = 8
const HITS_PER_PART_MAX = 256
const EXCERPT_MAX = 200

type Compiled = Readonly<{ pattern: Pattern; verify: RE2JS | undefined; windowMax: number; positions: ReadonlySet<TextPosition> }>
export type ContentPass = Readonly<{
  /** Hits in order of parts, then of place. `windowsSkipped` counts candidates after the 256th hit of a pattern in a part. */
  scan: (parts: readonly TextPart[]) => Hit[]
  windowsSkipped: () => number
}>

function compile(pattern: Pattern): Compiled {
  if (pattern.literals.length === 0)
    throw new Fault('CONFIG_INVALID', `pattern ${pattern.id} has no literal: it would cost as much as all others`)
  return {
    pattern,
    verify: pattern.verify === undefined ? undefined : RE2JS.compile(foldPattern(pattern.verify), RE2JS.CASE_INSENSITIVE | RE2JS.DOTALL),
    windowMax: pattern.windowMax ?? WINDOW_MAX,
    positions: new Set(pattern.positions),
  }
}

/** Compiles the patterns of all detectors into one pass. Ids must be unique; a literal shorter than 2 characters does not load. */
export function createContentPass(patterns: readonly Pattern[]): ContentPass {
  const compiled = patterns.map(compile)
  const literals: { literal: string; owner: number }[] = []
  compiled.forEach(({ pattern }, owner) => {
    for (const literal of pattern.literals) {
      if (literal.length < 2) throw new Fault('CONFIG_INVALID', `pattern ${pattern.id}: literal "${literal}" is too short`)
      literals.push({ literal: fold(literal), owner })
    }
  })
  const automaton = buildAutomaton(literals.map(({ literal }) => literal))
  let skipped = 0

  const scanPart = (part: TextPart, hits: Hit[]) => {
    const folded = fold(part.text)
    const reach = new Map<number, { until: number; windows: number; hits: number }>()
    automaton.walk(folded, (index, end) => {
      const entry = literals[index] as { literal: string; owner: number }
      const candidate = compiled[entry.owner] as Compiled
      if (!candidate.positions.has(part.position)) return
      const seen = reach.get(entry.owner) ?? { until: 0, windows: 0, hits: 0 }
      const start = Math.max(0, end - entry.literal.length)
      if (start < seen.until) return
      if (seen.hits >= HITS_PER_PART_MAX) {
        skipped += 1
        return
      }
      const wide = seen.windows >= WINDOWS_PER_PART_MAX
      const to = end + candidate.windowMax * (wide ? WIDE : 1)
      const hit = verified(candidate, part, folded, { start, end, to, wide })
      // A wide window without a match has answered for every candidate whose own window lies inside it.
      const until = hit ? hit.end : wide ? to - candidate.windowMax - entry.literal.length : seen.until
      reach.set(entry.owner, { until, windows: seen.windows + 1, hits: seen.hits + (hit ? 1 : 0) })
      if (hit) hits.push(hit)
    })
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
