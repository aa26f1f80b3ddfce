/** Remembers fingerprints of what came into a thread and finds them again in what a later call carries out. */
import type { Json, McpEvent } from '../../schemas/event.ts'
import { resultOf } from '../../schemas/event.ts'
import { ascending, plainContent, plainToKeyed, shingleFrom } from '../../schemas/fingerprint.ts'
import { unwrap } from '../../schemas/unwrap.ts'
import { repoOf } from './destinations.ts'
import { type HeldPrints, hold, letGo, noPrints, placesOf, type Span } from './held-prints.ts'
import { type Carried, type Field, payloadOf, printsOf, TEXT_MAX } from './payload.ts'
import { type Grade, sourceOf, visibilityOf } from './sources.ts'

const SOURCES_MAX = 64
const PRINTS_PER_SOURCE_MAX = 600
const PRINTS_PER_THREAD_MAX = 20_000
const SAID_TOKENS_MAX = 512
const PENDING_MAX = 64
const PLACES_MAX = 64
/** One shingle may be chance or a set phrase. */
const SHINGLES_MIN = 3

export type Source = Span & {
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
  /** Its prints came with the event, keyed by the tenant. */
  keyed: boolean
}
type Asked = { grade: Grade; why: string; untrusted: boolean; labelled: boolean; place: string }

const rank: readonly Grade[] = ['public', 'plain', 'personal', 'private', 'secret']
export const gradeRank = (grade: Grade): number => rank.indexOf(grade)

/** `byCall`: in the order in which they came. `places`: what labels said of a repository once holds for calls without labels. */
export type Sources = {
  byCall: Map<string, Source>
  held: HeldPrints
  /** Prints of all sources. */
  total: number
  /** How many sources there are of each grade, by its rank. */
  graded: number[]
  pending: Map<string, Asked>
  places: Map<string, 'private' | 'public'>
  evicted: number
}
export const noSources = (): Sources => ({
  byCall: new Map(),
  held: noPrints(),
  total: 0,
  graded: rank.map(() => 0),
  pending: new Map(),
  places: new Map(),
  evicted: 0,
})

const callOf = (event: McpEvent): string => event.callId ?? event.eventId

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

function contentPrints(event: McpEvent): Float64Array | undefined {
  // Numbers below are the more telling ones.
  if (event.resultFingerprints) return new Float64Array(ascending(event.resultFingerprints, PRINTS_PER_SOURCE_MAX))
  const result = resultOf(event)
  return result === undefined ? undefined : plainContent(contentOf(result), PRINTS_PER_SOURCE_MAX)
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
  const call = `${callId}\0${event.serverKey}`
  const known = sources.byCall.get(call)
  if (known) return known
  const prints = contentPrints(event)
  if (!prints) return undefined
  const asked = sources.pending.get(callId)
  sources.pending.delete(callId)
  const own = sourceOf(event)
  // The answer itself may be labelled, and may hold what the request did not promise.
  const best = asked && (gradeRank(asked.grade) >= gradeRank(own.grade) || asked.grade === 'public') ? asked : own
  const labelled = asked?.labelled ?? false
  if (prints.length === 0 && !labelled) return undefined
  const { from, count } = hold(sources.held, prints, sources.byCall.values())
  const source: Source = {
    from,
    count,
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
    keyed: event.resultFingerprints !== undefined,
  }
  while (sources.byCall.size >= SOURCES_MAX || sources.total + count > PRINTS_PER_THREAD_MAX) forget(sources)
  sources.byCall.set(call, source)
  tally(sources, source, 1)
  return source
}

/** The oldest of the least telling goes first. */
function forget(sources: Sources): void {
  const least = sources.graded.findIndex((count) => count > 0)
  for (const [call, source] of sources.byCall) {
    if (gradeRank(source.grade) > least) continue
    letGo(sources.held, source)
    sources.byCall.delete(call)
    tally(sources, source, -1)
    sources.evicted += 1
    return
  }
}

function tally(sources: Sources, { grade, count }: Source, sign: 1 | -1): void {
  const { graded } = sources
  const at = gradeRank(grade)
  graded[at] = (graded[at] as number) + sign
  sources.total += sign * count
}

/** Was something read that is secret or labelled private? */
export const holdsGuarded = ({ graded }: Sources): boolean => graded.some((count, at) => count > 0 && at >= gradeRank('private'))

export type Match = Readonly<{
  source: Source
  tokens: number
  shingles: number
  field: Field | undefined
  transform: string
  /** A few words of it. */
  matched: () => string
}>

/** Of what opens something, less is enough. */
const enough = ({ tokens, shingles }: { tokens: number; shingles: number }, grade: Grade): boolean =>
  tokens >= 1 || shingles >= (grade === 'secret' ? SHINGLES_MIN - 1 : SHINGLES_MIN)
const encodings = /base64|hex|gzip|quoted-printable/
const isToken = (print: number): boolean => print < shingleFrom

/** What the user said is nobody’s secret. Plain prints, and the keyed ones, which say what is most telling. */
export type Said = Map<number, number>

/** Every remembered source that shares enough with the call, in the order in which they came. */
export function matchesOf({ byCall, held }: Sources, event: McpEvent, carried: Carried, said: Said): Match[] {
  const plain = placesOf(held, carried.plain)
  const keyed = placesOf(held, carried.keyed)
  if (plain.length + keyed.length === 0) return []
  const callId = callOf(event)
  const found: Match[] = []
  const variants = variantsOf(event)
  let [nextPlain, nextKeyed] = [0, 0]
  for (const source of byCall.values()) {
    const shared = { tokens: 0, shingles: 0 }
    const end = source.from + source.count
    const count = (place: number): void => {
      const print = held.prints[place] as number
      if (said.has(print)) return
      if (isToken(print)) shared.tokens += 1
      else shared.shingles += 1
    }
    for (; nextPlain < plain.length && (plain[nextPlain] as number) < end; nextPlain += 1)
      if (!source.keyed) count(plain[nextPlain] as number)
    for (; nextKeyed < keyed.length && (keyed[nextKeyed] as number) < end; nextKeyed += 1)
      if (source.keyed) count(keyed[nextKeyed] as number)
    if (source.callId === callId || !enough(shared, source.grade)) continue
    const place = source.keyed
      ? { field: undefined, transform: 'none', matched: () => '' }
      : located(ownPrints(held, source, said), variants())
    found.push({ source, ...shared, ...place })
  }
  return found
}

function ownPrints({ prints }: HeldPrints, { from, count }: Source, said: Said): ReadonlySet<number> {
  const own = new Set<number>(prints.subarray(from, from + count))
  for (const print of said.keys()) own.delete(print)
  return own
}

/** Takes in what the user says: of all that was said, the most telling. */
export function hear(said: Said, text: string): Said {
  const all = [...said, ...plainToKeyed(text)].sort(([, a], [, b]) => a - b)
  const distinct = [...new Map(all)]
  const tokens = distinct.filter(([, keyed]) => isToken(keyed)).slice(0, SAID_TOKENS_MAX)
  const shingles = distinct.filter(([, keyed]) => !isToken(keyed))
  return new Map([...tokens, ...shingles].slice(0, PRINTS_PER_SOURCE_MAX))
}

/** A text of a call as it stands, or as it says when it is decoded. */
type Variant = Readonly<{ field: Field; transform: string; text: string; prints: readonly number[] }>

/** Worked out for the first source that shares something, and then for all. */
function variantsOf(event: McpEvent): () => readonly Variant[] {
  let variants: Variant[] | undefined
  return () => {
    if (variants) return variants
    variants = []
    for (const field of payloadOf(event)) {
      variants.push({ field, transform: 'none', text: field.text, prints: printsOf(field.text) })
      for (const { text, layers } of unwrap(field.text, { bytesMax: TEXT_MAX }))
        if (layers.some((layer) => encodings.test(layer)))
          variants.push({ field, transform: layers.join('+'), text, prints: printsOf(text) })
    }
    return variants
  }
}

/** Which argument, under which encoding, and a few words of it. */
function located(own: ReadonlySet<number>, variants: readonly Variant[]): Pick<Match, 'field' | 'transform' | 'matched'> {
  let best: Variant | undefined
  let most = 0
  for (const variant of variants) {
    let score = 0
    for (const print of variant.prints) if (own.has(print)) score += isToken(print) ? 3 : 1
    if (score <= most) continue
    best = variant
    most = score
  }
  return {
    field: best?.field ?? variants[0]?.field,
    transform: best?.transform ?? 'none',
    matched: () => (best ? excerptOf(own, best.text) : ''),
  }
}

const CHUNK = 120
function excerptOf(own: ReadonlySet<number>, text: string): string {
  for (let at = 0; at < text.length && at < 40 * CHUNK; at += CHUNK) {
    const part = text.slice(at, at + CHUNK)
    if (printsOf(part).some((print) => own.has(print))) return part.replace(/\s+/g, ' ').trim()
  }
  return text.slice(0, CHUNK).replace(/\s+/g, ' ').trim()
}
