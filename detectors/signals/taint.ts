/** Remembers fingerprints of what came into a thread and finds them again in what a later call carries out. */
import type { Json, McpEvent } from '../../schemas/event.ts'
import { resultOf } from '../../schemas/event.ts'
import {
  type Fingerprints,
  fingerprintContent,
  fingerprintText,
  workerKey as key,
  mayShare,
  mergeFingerprints,
  mostTelling,
  overlap,
  overlapWithin,
  unflatten,
} from '../../schemas/fingerprint.ts'
import { unwrap } from '../../schemas/unwrap.ts'
import { once } from '../remembered.ts'
import { walkStrings } from '../texts.ts'
import { fieldKindOf, wordsOf } from './arguments.ts'
import { isAddressField, repoOf } from './destinations.ts'
import { type Grade, sourceOf, visibilityOf } from './sources.ts'

const SOURCES_MAX = 64
const PRINTS_PER_SOURCE_MAX = 600
const PRINTS_PER_THREAD_MAX = 20_000
const PENDING_MAX = 64
const PLACES_MAX = 64
const TEXT_MAX = 64 * 1024
const FIELDS_MAX = 200
/** One shingle may be chance or a set phrase. */
const SHINGLES_MIN = 3

export type Source = {
  eventId: string
  callId: string
  time: bigint
  serverKey: string
  server: string
  tool: string
  place: string
  grade: Grade
  why: string
  untrusted: boolean
  /** Said by a label, or by a rule that read the text. */
  outsider: boolean
  keyed: boolean
  /** Tokens, then shingles, each ascending. */
  prints: number[]
}
type Asked = { grade: Grade; why: string; untrusted: boolean; labelled: boolean; place: string }
/** `places`: what labels said of a repository once holds for calls without labels. */
export type Sources = { list: Source[]; pending: Map<string, Asked>; places: Map<string, 'private' | 'public'>; evicted: number }
export const noSources = (): Sources => ({ list: [], pending: new Map(), places: new Map(), evicted: 0 })

const callOf = (event: McpEvent): string => event.callId ?? event.eventId
const rank: readonly Grade[] = ['public', 'plain', 'personal', 'private', 'secret']
export const gradeRank = (grade: Grade): number => rank.indexOf(grade)

/** What the request says about the answer to come: labels, paths, the place it asks. */
export function expect(sources: Sources, event: McpEvent): void {
  const { grade: ownGrade, why: ownWhy, untrusted } = sourceOf(event)
  const place = repoOf(event.arguments)
  const said = visibilityOf(event)
  if (said && place !== '') sources.places.set(place, said)
  if (sources.places.size > PLACES_MAX) sources.places.delete(sources.places.keys().next().value as string)
  const remembered = said === undefined && ownGrade !== 'secret' ? sources.places.get(place) : undefined
  const grade = remembered ?? ownGrade
  const why = remembered ? `labelled ${remembered} before` : ownWhy
  const labelled = event.labels !== undefined && untrusted && /untrusted_source/.test(JSON.stringify(event.labels).slice(0, 2_000))
  sources.pending.set(callOf(event), { grade, why, untrusted, labelled, place })
  if (sources.pending.size > PENDING_MAX) sources.pending.delete(sources.pending.keys().next().value as string)
}

function contentPrints(event: McpEvent): { prints: Fingerprints; keyed: boolean } | undefined {
  if (event.resultFingerprints) return { prints: unflatten(event.resultFingerprints), keyed: true }
  const result = resultOf(event)
  return result === undefined ? undefined : { prints: fingerprintContent(contentOf(result), key), keyed: false }
}

/** Only what a model reads: a result’s frame is the same in every answer. */
function contentOf(result: Json): Json {
  if (typeof result !== 'object' || result === null || Array.isArray(result)) return result
  const { content, contents, messages, structuredContent } = result
  const read = [content, contents, messages, structuredContent].filter((part) => part !== undefined)
  return read.length === 0 ? result : read
}

/** Takes in what a result brings. A second observation of the same call adds nothing. */
export function learn(sources: Sources, event: McpEvent): Source | undefined {
  const callId = callOf(event)
  const known = sources.list.find((source) => source.callId === callId && source.serverKey === event.serverKey)
  if (known) return known
  const content = contentPrints(event)
  if (!content) return undefined
  const asked = sources.pending.get(callId)
  sources.pending.delete(callId)
  const own = sourceOf(event)
  // The answer itself may be labelled, and may hold what the request did not promise.
  const best = asked && (gradeRank(asked.grade) >= gradeRank(own.grade) || asked.grade === 'public') ? asked : own
  const labelled = asked?.labelled ?? false
  const prints = mostTelling(content.prints, PRINTS_PER_SOURCE_MAX)
  if (prints.length === 0 && !labelled) return undefined
  const source: Source = {
    eventId: event.eventId,
    callId,
    time: event.time,
    serverKey: event.serverKey,
    server: event.serverAlias ?? event.serverKey,
    tool: event.toolName ?? event.method ?? '',
    place: asked?.place ?? '',
    grade: visibilityOf(event) === 'private' && best.grade !== 'secret' ? 'private' : best.grade,
    why: best.why,
    untrusted: best.untrusted || labelled,
    outsider: labelled,
    keyed: content.keyed,
    prints,
  }
  sources.list.push(source)
  forget(sources)
  return source
}

/** The oldest of the least telling go first. */
function forget(sources: Sources): void {
  let total = sources.list.reduce((sum, { prints }) => sum + prints.length, 0)
  while (sources.list.length > SOURCES_MAX || total > PRINTS_PER_THREAD_MAX) {
    let least = 0
    for (let at = 1; at < sources.list.length - 1; at += 1) {
      if (gradeRank((sources.list[at] as Source).grade) < gradeRank((sources.list[least] as Source).grade)) least = at
    }
    total -= (sources.list[least] as Source).prints.length
    sources.list.splice(least, 1)
    sources.evicted += 1
  }
}

/** One string of the arguments that could carry content out. */
export type Field = Readonly<{ name: string; pointer: string; text: string; isUrl: boolean; isProse: boolean; isImage?: boolean }>

const referenceName =
  /(?:^|_)(?:id|ids|sha|ref|cursor|token|page|key|uuid|etag|path|file|filename|folder|branch|head|base|version|date|time|start|end|timezone|language|format|type|status|state)$/i

/** Words joined by plus signs, as forms write blanks; a plus inside base64 stays. */
const spaced = (behind: string): string => {
  const pieces = behind.split('+')
  return pieces.length > 3 && pieces.every((piece) => piece.length <= 60) ? pieces.join(' ') : behind
}

const IMAGES_MAX = 10
const imageShape =
  /(?:!\[[^\]\n]{0,200}\]\(\s{0,4}|<img\b[^>]{0,200}?src\s{0,4}=\s{0,4}["']?)https?:\/\/[^\s/?#"'<>)]{1,255}([/?#][^\s"'<>)]{8,4096})/gi

/** What stands behind the host in the addresses of images. */
function imagesOf(text: string): string[] {
  if (!/!\[|<img/i.test(text)) return []
  return [...text.matchAll(imageShape)].slice(0, IMAGES_MAX).map(([, behind = '']) => behind)
}

/** Fields that carry content: no bare addresses, ids, paths; of a web address only what stands behind the host. */
export const payloadOf = once((event: McpEvent): readonly Field[] => {
  const fields: Field[] = []
  walkStrings(event.arguments, '/arguments', (pointer, whole, name) => {
    if (fields.length >= FIELDS_MAX || whole.length < 6) return
    const text = whole.slice(0, TEXT_MAX)
    const kind = fieldKindOf(name, event.toolName ?? '')
    const isUrl = kind === 'url' || /^(?:https?:\/\/|www\.)\S+$/i.test(text)
    if (isUrl) {
      const behind = /^(?:https?:\/\/)?([^/?#]*)([/?#].*)?$/is.exec(text)
      // Labels of a name can carry data too, as in `6b65793d.collector.example`.
      const labels = (behind?.[1] ?? '').split('.').filter((label) => label.length >= 20)
      fields.push({ name, pointer, text: [...labels, spaced(behind?.[2] ?? '')].join(' '), isUrl, isProse: false })
      return
    }
    for (const written of imagesOf(text)) fields.push({ name, pointer, text: written, isUrl: true, isProse: false, isImage: true })
    const short = text.length < 100 && !/\s/.test(text)
    if (isAddressField({ name, kind, text, pointer }) && text.length <= 200) return
    if (short && (kind === 'path' || referenceName.test(wordsOf(name).join('_')))) return
    if (short && kind === 'plain' && text.length < 24) return
    fields.push({ name, pointer, text, isUrl, isProse: kind === 'prose' })
  })
  return fields
})

export type Match = Readonly<{
  source: Source
  tokens: number
  shingles: number
  field: Field | undefined
  transform: string
  matched: string
}>

/** Of what opens something, less is enough. */
const enough = ({ tokens, shingles }: { tokens: number; shingles: number }, grade: Grade): boolean =>
  tokens >= 1 || shingles >= (grade === 'secret' ? SHINGLES_MIN - 1 : SHINGLES_MIN)
const encodings = /base64|hex|gzip|quoted-printable/

/** Every remembered source that shares enough with the call; `known` is what the user said, which is nobody’s secret. */
export function matchesOf(sources: Sources, event: McpEvent, fields: readonly Field[], known: readonly number[]): Match[] {
  if (sources.list.length === 0) return []
  const keyed = event.argsFingerprints ? unflatten(event.argsFingerprints) : undefined
  const plain =
    fields.length === 0
      ? undefined
      : fingerprintContent(
          fields.map(({ text }) => text),
          key,
        )
  const said = new Set(known)
  // A call carries few fingerprints, its sources thousands: what the user said is taken out of the few.
  const unsaid = ({ tokens, shingles }: Fingerprints): Fingerprints =>
    said.size === 0
      ? { tokens, shingles }
      : { tokens: tokens.filter((each) => !said.has(each)), shingles: shingles.filter((each) => !said.has(each)) }
  const sought = { keyed: keyed && unsaid(keyed), plain: plain && unsaid(plain) }
  const callId = callOf(event)
  const possible = (keyedOnes: boolean, against: Fingerprints | undefined): Source[] => {
    if (!against) return []
    const those = sources.list.filter((source) => source.keyed === keyedOnes && source.callId !== callId)
    const may = mayShare(
      against,
      those.map(({ prints }) => prints),
    )
    return those.filter((_, at) => may[at])
  }
  const worth = new Set([...possible(true, sought.keyed), ...possible(false, sought.plain)])
  if (worth.size === 0) return []
  const found: Match[] = []
  for (const source of sources.list) {
    const against = source.keyed ? sought.keyed : sought.plain
    if (!against || !worth.has(source)) continue
    const shared = overlapWithin(source.prints, against)
    if (!enough(shared, source.grade)) continue
    const prints = unflatten(source.prints.filter((print) => !said.has(print)))
    found.push({ source, ...shared, ...(source.keyed ? { field: undefined, transform: 'none', matched: '' } : located(prints, fields)) })
  }
  return found
}

export const saidPrints = (text: string): number[] => mostTelling(fingerprintText(text, key), PRINTS_PER_SOURCE_MAX)

/** Which argument, under which encoding, and a few words of it. */
function located(prints: Fingerprints, fields: readonly Field[]): Pick<Match, 'field' | 'transform' | 'matched'> {
  let best: { field: Field | undefined; transform: string; matched: string; score: number } = {
    field: fields[0],
    transform: 'none',
    matched: '',
    score: 0,
  }
  for (const field of fields) {
    const raw = overlap(prints, fingerprintText(field.text, key))
    const rawScore = raw.tokens * 3 + raw.shingles
    if (rawScore > best.score) best = { field, transform: 'none', matched: excerptOf(prints, field.text), score: rawScore }
    for (const { text, layers } of unwrap(field.text, { bytesMax: TEXT_MAX })) {
      if (!layers.some((layer) => encodings.test(layer))) continue
      const inner = overlap(prints, fingerprintText(text, key))
      const score = inner.tokens * 3 + inner.shingles
      if (score > best.score) best = { field, transform: layers.join('+'), matched: excerptOf(prints, text), score }
    }
  }
  return best
}

const CHUNK = 120
function excerptOf(prints: Fingerprints, text: string): string {
  for (let at = 0; at < text.length && at < 40 * CHUNK; at += CHUNK) {
    const part = text.slice(at, at + CHUNK)
    const { tokens, shingles } = overlap(prints, fingerprintText(part, key))
    if (tokens + shingles > 0) return part.replace(/\s+/g, ' ').trim()
  }
  return text.slice(0, CHUNK).replace(/\s+/g, ' ').trim()
}

export const joined = (all: readonly number[][]): number[] => mostTelling(mergeFingerprints(all.map(unflatten)), PRINTS_PER_SOURCE_MAX)
