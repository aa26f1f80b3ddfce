/**
 * Runs detectors over the events, facts and signals of one partition. No I/O, no clock; it knows no rule by name.
 * 1. The same subjects in the same order give the same verdicts, whatever the batches and restarts between them.
 * 2. An event or fact seen lately is inspected once.
 * 3. A detector that throws is counted and loses that subject; the others go on.
 */
import v8 from 'node:v8'
import type { Alert } from '../schemas/alert.ts'
import type { AlertHit, ThreadLink } from '../schemas/codec.ts'
import type { AnyDetector, Fact, Hit, Output, Signal, Subject } from '../schemas/detector.ts'
import type { McpEvent } from '../schemas/event.ts'
import { type ContentPass, createContentPass } from './content.ts'
import { createKeep, type Keep, type KeepState } from './keep.ts'
import { createMemory, type MemoryState } from './memory.ts'
import { textsOf } from './texts.ts'
import { createThreads, type ThreadsState } from './threads.ts'
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
  windowsSkipped: number
}
export type Engine = Readonly<{
  event: (event: McpEvent) => Verdicts
  fact: (fact: Fact) => Verdicts
  snapshot: () => Uint8Array
  stats: () => EngineStats
}>
/** Detectors with their settings and patterns compiled: made once, shared by the engines of all partitions. */
export type Prepared = Readonly<{
  ready: readonly Ready[]
  readers: ReadonlyMap<string, readonly Ready[]>
  content: ContentPass
  /** Pattern → detector. */
  owners: ReadonlyMap<string, string>
}>
export type EngineOptions = Readonly<{
  prepared: Prepared
  snapshot?: Uint8Array | undefined
  onError?: (detector: string, error: unknown) => void
}>

type State = { memory: MemoryState; threads: ThreadsState; recent: KeepState<true>; alerts: KeepState<true>; said: KeepState<true> }
type Ready = Readonly<{ detector: AnyDetector; settings: unknown; methods: ReadonlySet<string> | undefined }>

function defaultKeys(detector: AnyDetector, origin: Origin, subject: Subject): readonly string[] {
  const { tenant } = origin
  if (detector.scope === 'thread') return [`${tenant}\0${origin.threadId}`]
  if (detector.scope === 'actor') return [`${tenant}\0${origin.actor}`]
  if (detector.scope === 'server') return [`${tenant}\0${subject.kind === 'fact' ? subject.fact.key : origin.serverKey}`]
  if (detector.scope === 'tenant') return [tenant]
  return []
}

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
    readers: readersBySubject(ready),
    content: createContentPass(detectors.flatMap((detector) => detector.patterns ?? [])),
    owners: new Map(ready.flatMap(({ detector }) => (detector.patterns ?? []).map((pattern) => [pattern.id, detector.id]))),
  }
}

export function createEngine({ prepared, snapshot, onError }: EngineOptions): Engine {
  const { ready, readers, content, owners } = prepared
  const from = snapshot ? (v8.deserialize(snapshot) as State) : undefined
  const memory = createMemory(
    ready.map(({ detector }) => detector),
    from?.memory,
  )
  const threads = createThreads(from?.threads)
  const recent = createKeep<true>(RECENT_MAX, from?.recent)
  const alerts = createKeep<true>(ALERTS_MAX, from?.alerts)
  const said = createKeep<true>(SAID_MAX, from?.said)
  const stats: EngineStats = { events: 0, duplicates: 0, facts: 0, factsTooLarge: 0, errors: new Map(), windowsSkipped: 0 }

  const guarded = (id: string, run: () => void) => {
    try {
      run()
    } catch (error) {
      stats.errors.set(id, (stats.errors.get(id) ?? 0) + 1)
      onError?.(id, error)
    }
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
    for (const one of interested(readers, subject)) {
      const { detector } = one
      guarded(detector.id, () => {
        const keys = detector.keys?.(subject) ?? defaultKeys(detector, origin, subject)
        if (detector.keys && keys.length === 0) return
        const memories = memory.recall(detector, keys, origin.time)
        const own = hits.filter((hit) => owners.get(hit.pattern) === detector.id)
        for (const output of detector.inspect({ subject, hits: own, memories, settings: one.settings }))
          take(one, output, origin, verdicts, chain)
      })
    }
  }

  return {
    event: (event) => {
      const verdicts = noVerdicts()
      if (recent.has(event.eventId)) {
        stats.duplicates += 1
        return verdicts
      }
      recent.set(event.eventId, true)
      stats.events += 1
      const thread = threads.place(event)
      verdicts.links.push({ eventId: event.eventId, time: event.time, tenant: event.tenant, ...thread })
      const subject = { kind: 'event', event, thread, texts: textsOf(event) } as const
      const hits = content.scan(subject.texts)
      for (const one of ready) {
        if (!one.detector.facts || (one.methods && !one.methods.has(event.method ?? ''))) continue
        guarded(one.detector.id, () => verdicts.facts.push(...factsOf(one, subject, hits, said, stats)))
      }
      run(subject, hits, verdicts, 0)
      return verdicts
    },
    fact: (fact) => {
      const verdicts = noVerdicts()
      if (recent.has(fact.factId)) return verdicts
      recent.set(fact.factId, true)
      stats.facts += 1
      run({ kind: 'fact', fact }, [], verdicts, 0)
      return verdicts
    },
    snapshot: () =>
      v8.serialize({
        memory: memory.state(),
        threads: threads.state(),
        recent: recent.state(),
        alerts: alerts.state(),
        said: said.state(),
      } satisfies State),
    stats: () => ({ ...stats, windowsSkipped: content.windowsSkipped() }),
  }
}

/** What a detector of another scope will read; a statement made `once` is not repeated while it is remembered. */
function factsOf(one: Ready, subject: EventSubject, hits: readonly Hit[], said: Keep<true>, stats: EngineStats): Fact[] {
  const facts: Fact[] = []
  for (const output of one.detector.facts?.(subject, one.settings, hits) ?? []) {
    const fact = factOf(output, subject)
    const statement = output.once ? statementOf(fact) : undefined
    if (statement && said.has(statement)) continue
    if (statement) said.set(statement, true)
    if (Buffer.byteLength(JSON.stringify(fact.body)) > FACT_BYTES_MAX) stats.factsTooLarge += 1
    else facts.push(fact)
  }
  return facts
}

export const noVerdicts = (): Verdicts => ({ alerts: [], hits: [], signals: [], facts: [], links: [] })

/** Index of the cheap gate: what a detector reads → the detectors that read it, in catalogue order. */
function readersBySubject(ready: readonly Ready[]): ReadonlyMap<string, readonly Ready[]> {
  const readers = new Map<string, Ready[]>()
  for (const one of ready) for (const read of one.detector.reads) readers.set(read, [...(readers.get(read) ?? []), one])
  return readers
}

function interested(readers: ReadonlyMap<string, readonly Ready[]>, subject: Subject): readonly Ready[] {
  if (subject.kind === 'fact') return readers.get(`fact:${subject.fact.fact}`) ?? []
  if (subject.kind === 'signal') return [...(readers.get(`signal:${subject.signal.signal}`) ?? []), ...(readers.get('signal:*') ?? [])]
  const { kind, method } = subject.event
  return (readers.get(kind) ?? []).filter(({ methods }) => !methods || methods.has(method ?? ''))
}
