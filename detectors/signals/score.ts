/** How much a text speaks as if it were in charge: marks that stand close together, discounted where it talks about such texts. */
import type { Hit } from '../../schemas/detector.ts'
import type { Mark, MarkKind } from './marks.ts'

/** Marks this close belong to one order. */
const REACH = 600
const MARKS_PER_CLUSTER_MAX = 200
const EXCERPT_MAX = 200

export type Found = Readonly<{ kind: MarkKind; id: string; weight: number; start: number; end: number; quoted: boolean }>
export type Cluster = Readonly<{
  score: number
  kinds: readonly MarkKind[]
  marks: readonly Found[]
  start: number
  end: number
  discounted: boolean
}>

/** Words of those who write about attacks, and words of those who give examples. */
const attackTalk =
  /prompt[- ]?injection|jailbreak|attack|malicious|adversar|poison|exploit|phrases? (?:like|such as)|owasp|vulnerab|mitigat|red[- ]team|payload|threat|guardrail|security (?:note|awareness|training|changelog)/gi
const exampleTalk =
  /for example|e\.g\.|examples?\b|test (?:fixture|case|data)|detect|regression|trainer|training|quot(?:e|ed|es)\b|samples?\b|fixture|documentation|changelog|patterns?\b|slide|lesson/gi

/**
 * True when the mark stands inside a short quotation. A value of JSON or YAML is not one: there every text is in quotation marks.
 */
function isQuoted(text: string, start: number, end: number): boolean {
  // The end of a tag: the quotation marks were its attribute's.
  if (/^["']>/.test(text.slice(start, start + 2))) return false
  const before = text.slice(Math.max(0, start - 60), start)
  const after = text.slice(end, end + 90)
  if (/["'`“‘«「]\s?$/.test(before) && /^\s?[.…]{0,3}["'`”’»」]/.test(after)) return true
  const open = /(^|[^:,[{\s])\s*(?:^|[\s(=])["'`“‘«「]([^"'`“”’»」\n]{0,50})$/.test(before) || /`[^`\n]{0,50}$/.test(before)
  return open && /^[^"'`“”’»」\n]{0,80}["'`”’»」]/.test(after)
}

export function foundOf(hits: readonly Hit[], marks: ReadonlyMap<string, Mark>): Found[] {
  const found: Found[] = []
  for (const { pattern, part, start, end } of hits) {
    const known = marks.get(pattern)
    if (known) found.push({ kind: known.kind, id: known.id, weight: known.weight, start, end, quoted: isQuoted(part.text, start, end) })
  }
  return found.sort((a, b) => a.start - b.start)
}

/** One minus the product of what each kind leaves open: kinds add up, repetitions of one kind do not. */
function scoreOf(marks: readonly Found[]): number {
  const strongest = new Map<MarkKind, number>()
  for (const { kind, weight, quoted } of marks) strongest.set(kind, Math.max(strongest.get(kind) ?? 0, quoted ? weight * 0.5 : weight))
  let open = 1
  for (const weight of strongest.values()) open *= 1 - weight
  return 1 - open
}

/** What is left of the score where the words around speak about attacks rather than make one. */
function talkFactor(text: string, start: number, end: number, quoted: boolean): number {
  const around = text.slice(Math.max(0, start - 250), Math.min(text.length, end + 250, start + 1_200))
  const kinds = (pattern: RegExp) => new Set((around.match(pattern) ?? []).map((word) => word.toLowerCase())).size
  const attacks = kinds(attackTalk)
  if (attacks >= 2) return 0.55
  const examples = kinds(exampleTalk)
  return (attacks === 1 && (quoted || examples > 0)) || (quoted && examples > 0) ? 0.65 : 1
}

/** The strongest cluster of marks in one text. `found` in order of place. */
export function strongestCluster(text: string, found: readonly Found[]): Cluster | undefined {
  let best: Cluster | undefined
  let from = 0
  for (let at = 0; at < found.length; at += 1) {
    const last = found[at] as Found
    while (last.start - (found[from] as Found).start > REACH || at - from >= MARKS_PER_CLUSTER_MAX) from += 1
    const marks = found.slice(from, at + 1)
    const raw = scoreOf(marks)
    if (best && raw <= best.score) continue
    const start = (marks[0] as Found).start
    const factor = talkFactor(
      text,
      start,
      last.end,
      marks.some((mark) => mark.quoted),
    )
    const score = raw * factor
    if (best && score <= best.score) continue
    best = { score, kinds: [...new Set(marks.map((mark) => mark.kind))], marks, start, end: last.end, discounted: factor < 1 }
  }
  return best
}

export const excerptOf = (text: string, start: number): string =>
  text
    .slice(Math.max(0, start), start + EXCERPT_MAX * 2)
    .replace(/\s+/g, ' ')
    .slice(0, EXCERPT_MAX)
