/**
 * Runs detectors over the events, facts and signals of one partition. No I/O, no clock; it knows no rule by name.
 * 1. The same subjects in the same order give the same verdicts, whatever the batches and restarts between them.
 * 2. An event or fact seen lately is inspected once.
 * 3. A detector that throws is counted and loses that subject; the others go on.
 */
import type { Alert } from '../schemas/alert.ts'
import type { AlertHit, ThreadLink } from '../schemas/codec.ts'
import type { AnyDetector, Fact, Hit, Output, Signal, Subject } from '../schemas/detector.ts'
import type { McpEvent } from '../schemas/event.ts'
import { type ContentPass, createContentPass } from './content.ts'
import { createKeep, type Keep } from './keep.ts'
import { createMemory, type Memory, type MemorySpot } from './memory.ts'
import { snapshotPieces, stateOf } from './snapshot.ts'
import { textsOf } from './texts.ts'
import { createThreads } from './threads.ts'
import { alertOf, type EventSubject, factOf, type Origin, originOf, signalOf, statementOf } from './verdicts.ts'

const RECENT_MAX = 200_000
const ALERTS_MAX = 200_000
const FACT_BYTES_MAX = 1_024
const SAID_MAX = 100_000
/** A signal may lead to a signal, but not for ever. */
const CHAIN_MAX = 3

export type Verdicts = { alerts: Alert[]; hits: AlertHit[]; signals: Signal[]; facts: Fact[]; links: ThreadLink[] }
export type EngineStats = {
  events: number
  duplicates: number
  facts: number
  factsTooLarge: number
  errors: Map<string, number>
  /** What each detector took, from every 64th event. */
  costsMs: Map<string, number>
  windowsSkipped: number
}
export type Engine = Readonly<{
  event: (event: McpEvent) => Verdicts
  fact: (fact: Fact) => Verdicts
  snapshot: () => Uint8Array
  /** The snapshot of this moment in pieces, true whatever comes between two of them. One at a time. */
  freeze: () => Generator<Uint8Array>
  stats: () => EngineStats
}>
/** Detectors with their settings and patterns compiled: made once, shared by the engines of all partitions. */
export type Prepared = Readonly<{
  ready: readonly Ready[]
  /** Those that make facts of events. */
  speakers: readonly Ready[]
  readers: Readers
  content: ContentPass
  /** Pattern → detector. */
  owners: ReadonlyMap<string, string>
}>
export type EngineOptions = Readonly<{
  prepared: Prepared
  snapshot?: Uint8Array | undefined
  onError?: (detector: string, error: unknown) => void
}>

type Ready = Readonly<{ detector: AnyDetector; settings: unknown; methods: ReadonlySet<string> | undefined }>

const noHits: readonly Hit[] = []
/** The clock is asked for one event in so many. */
const COST_EVERY = 64
const noKeys: readonly string[] = []

/** `settings` per detector id are laid over the defaults. */
export function prepareDetectors(detectors: readonly AnyDetector[], settings?: ReadonlyMap<string, unknown>): Prepared {
  const ready = detectors.map(
    (detector): Ready => ({
      detector,
      settings: detector.settings.parse(settings?.get(detector.id) ?? {}),
      methods: detector.methods ? new Set(detector.methods) : undefined,
    }),
  )
  return {
    ready,
    speakers: ready.filter(({ detector }) => detector.facts !== undefined),
    readers: readersBySubject(ready),
    content: createContentPass(detectors.flatMap((detector) => detector.patterns ?? [])),
    owners: new Map(ready.flatMap(({ detector }) => (detector.patterns ?? []).map((pattern) => [pattern.id, detector.id]))),
  }
}

function openState(ready: readonly Ready[], snapshot: Uint8Array | undefined) {
  const from = snapshot ? stateOf(snapshot) : undefined
  const memory = createMemory(
    ready.map(({ detector }) => detector),
    from?.memory,
  )
  const threads = createThreads(from?.threads)
  const recent = createKeep<true>(RECENT_MAX, from?.recent)
  const alerts = createKeep<true>(ALERTS_MAX, from?.alerts)
  const said = createKeep<true>(SAID_MAX, from?.said)
  const freeze = () =>
    snapshotPieces({ threads: threads.state(), recent: recent.state(), alerts: alerts.state(), said: said.state() }, memory.freeze())
  return { memory, threads, recent, alerts, said, freeze }
}

/** What a detector remembers of a subject; undefined: the subject is none of its own. Keys of threads and actors are shared by many. */
function createRecall(memory: Memory) {
  let of: Origin | undefined
  let thread: MemorySpot | undefined
  let actor: MemorySpot | undefined
  return (detector: AnyDetector, subject: Subject, origin: Origin): readonly unknown[] | undefined => {
    const { tenant, time } = origin
    if (detector.keys) {
      const keys = detector.keys(subject)
      return keys.length === 0 ? undefined : memory.recall(detector, keys, time)
    }
    if (of !== origin) {
      of = origin
      thread = undefined
      actor = undefined
    }
    if (detector.scope === 'thread') {
      thread ??= memory.spotOf('thread', tenant, origin.threadId)
      return memory.recallAt(detector, thread, time)
    }
    if (detector.scope === 'actor') {
      actor ??= memory.spotOf('actor', tenant, origin.actor)
      return memory.recallAt(detector, actor, time)
    }
    if (detector.scope === 'event') return memory.recall(detector, noKeys, time)
    const key = subject.kind === 'fact' ? subject.fact.key : origin.serverKey
    return memory.recall(detector, [detector.scope === 'server' ? `${tenant}\0${key}` : tenant], time)
  }
}

export function createEngine({ prepared, snapshot, onError }: EngineOptions): Engine {
  const { ready, speakers, readers, content, owners } = prepared
  const { memory, threads, recent, alerts, said, freeze } = openState(ready, snapshot)
  const memoriesOf = createRecall(memory)
  const stats: EngineStats = {
    events: 0,
    duplicates: 0,
    facts: 0,
    factsTooLarge: 0,
    errors: new Map(),
    costsMs: new Map(),
    windowsSkipped: 0,
  }

  const spent = (id: string, ms: number) => stats.costsMs.set(id, (stats.costsMs.get(id) ?? 0) + ms * COST_EVERY)
  const failed = (id: string, error: unknown) => {
    stats.errors.set(id, (stats.errors.get(id) ?? 0) + 1)
    onError?.(id, error)
  }

  const take = (one: Ready, output: Output, origin: Origin, verdicts: Verdicts, chain: number) => {
    if ('signal' in output) {
      const signal = signalOf(one.detector, output, origin)
      verdicts.signals.push(signal)
      if (chain < CHAIN_MAX) run({ kind: 'signal', signal }, [], verdicts, chain + 1)
    } else if ('finding' in output) {
      const alert = alertOf(one.detector, output, origin)
      if (!alerts.has(alert.alertId)) verdicts.alerts.push(alert)
      alerts.set(alert.alertId, true)
      const { alertId, eventId, tenant, time, severity } = alert
      verdicts.hits.push({ alertId, eventId, tenant, time, severity })
    }
  }

  const run = (subject: Subject, hits: readonly Hit[], verdicts: Verdicts, chain: number) => {
    const origin = originOf(subject)
    const byOwner = hits.length === 0 ? undefined : Map.groupBy(hits, (hit) => owners.get(hit.pattern))
    const timed = stats.events % COST_EVERY === 0
    for (const one of interested(readers, subject)) {
      const { detector, settings } = one
      const from = timed ? performance.now() : 0
      try {
        const memories = memoriesOf(detector, subject, origin)
        if (memories === undefined) continue
        for (const output of detector.inspect({ subject, hits: byOwner?.get(detector.id) ?? noHits, memories, settings }))
          take(one, output, origin, verdicts, chain)
      } catch (error) {
        failed(detector.id, error)
      }
      if (timed) spent(detector.id, performance.now() - from)
    }
  }

  return {
    event: (event) => {
      const verdicts = noVerdicts()
      if (recent.has(event.eventId)) {
        stats.duplicates += 1
        return verdicts
      }
      recent.add(event.eventId, true)
      stats.events += 1
      const thread = threads.place(event)
      const { threadId, reason, confidence } = thread
      verdicts.links.push({ eventId: event.eventId, time: event.time, tenant: event.tenant, threadId, reason, confidence })
      const subject = { kind: 'event', event, thread, texts: textsOf(event) } as const
      const hits = content.scan(subject.texts)
      for (const one of speakers) {
        if (one.methods && !one.methods.has(event.method ?? '')) continue
        try {
          speak(one, subject, hits, said, stats, verdicts.facts)
        } catch (error) {
          failed(one.detector.id, error)
        }
      }
      run(subject, hits, verdicts, 0)
      return verdicts
    },
    fact: (fact) => {
      const verdicts = noVerdicts()
      if (recent.has(fact.factId)) return verdicts
      recent.add(fact.factId, true)
      stats.facts += 1
      run({ kind: 'fact', fact }, [], verdicts, 0)
      return verdicts
    },
    freeze,
    snapshot: () => Buffer.concat([...freeze()]),
    stats: () => ({ ...stats, windowsSkipped: content.windowsSkipped() }),
  }
}

/** What a detector of another scope will read; a statement made `once` is not repeated while it is remembered. */
function speak(one: Ready, subject: EventSubject, hits: readonly Hit[], said: Keep<true>, stats: EngineStats, facts: Fact[]): void {
  for (const output of one.detector.facts?.(subject, one.settings, hits) ?? []) {
    const written = JSON.stringify(output.body)
    const statement = output.once ? statementOf(output, written, subject.event.actor) : undefined
    if (statement && said.has(statement)) continue
    if (statement) said.add(statement, true)
    // No character is more than three bytes.
    if (written.length * 3 > FACT_BYTES_MAX && Buffer.byteLength(written) > FACT_BYTES_MAX) stats.factsTooLarge += 1
    else facts.push(factOf(output, written, subject))
  }
}

export const noVerdicts = (): Verdicts => ({ alerts: [], hits: [], signals: [], facts: [], links: [] })

/** Index of the cheap gate: what a detector reads, and for events the method too → the detectors that read it, in catalogue order. */
type Readers = ReadonlyMap<
  string,
  Readonly<{ all: readonly Ready[]; other: readonly Ready[]; byMethod: ReadonlyMap<string, readonly Ready[]> }>
>

function readersBySubject(ready: readonly Ready[]): Readers {
  const reads = new Set(ready.flatMap(({ detector }) => detector.reads))
  const methods = new Set(ready.flatMap((one) => [...(one.methods ?? [])]))
  return new Map(
    [...reads].map((read) => {
      const all = ready.filter(({ detector }) => detector.reads.includes(read))
      const readersOf = (method: string | undefined) =>
        all.filter((one) => one.methods === undefined || (method !== undefined && one.methods.has(method)))
      return [read, { all, other: readersOf(undefined), byMethod: new Map([...methods].map((method) => [method, readersOf(method)])) }]
    }),
  )
}

function interested(readers: Readers, subject: Subject): readonly Ready[] {
  if (subject.kind === 'event') {
    const { kind, method } = subject.event
    const some = readers.get(kind)
    return some?.byMethod.get(method ?? '') ?? some?.other ?? []
  }
  if (subject.kind === 'fact') return readers.get(`fact:${subject.fact.fact}`)?.all ?? []
  return [...(readers.get(`signal:${subject.signal.signal}`)?.all ?? []), ...(readers.get('signal:*')?.all ?? [])]
}
