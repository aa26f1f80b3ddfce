/**
 * Runs detectors over the events, facts and signals of one partition. No I/O, no clock; it knows no rule by name.
 * 1. The same subjects in the same order give the same verdicts, whatever the batches and restarts between them.
 * 2. An event or fact seen lately is inspected once.
 * 3. A detector that throws is counted and loses that subject; the others go on.
 */
import v8 from 'node:v8'
import type { Alert, Mapping } from '../schemas/alert.ts'
import type { AlertHit, ThreadLink } from '../schemas/codec.ts'
import type { AnyDetector, Fact, Hit, Output, Signal, Subject } from '../schemas/detector.ts'
import type { McpEvent } from '../schemas/event.ts'
import { alertIdOf, hashId } from '../schemas/ids.ts'
import { createContentPass } from './content.ts'
import { createKeep, type KeepState } from './keep.ts'
import { createMemory, type MemoryState } from './memory.ts'
import { textsOf } from './texts.ts'
import { createThreads, type ThreadsState } from './threads.ts'

const REPEAT_WINDOW_NS = 24n * 3_600_000_000_000n
const RECENT_MAX = 200_000
const ALERTS_MAX = 200_000
const FACT_BYTES_MAX = 1_024
const EVENTS_PER_ALERT_MAX = 100
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
export type EngineOptions = Readonly<{
  detectors: readonly AnyDetector[]
  /** Settings per detector id, laid over the defaults. */
  settings?: ReadonlyMap<string, unknown> | undefined
  snapshot?: Uint8Array | undefined
  onError?: (detector: string, error: unknown) => void
}>

type State = { memory: MemoryState; threads: ThreadsState; recent: KeepState<true>; alerts: KeepState<true> }
/** What every verdict of one subject shares. */
type Origin = Pick<Signal, 'tenant' | 'time' | 'eventId' | 'actor' | 'serverKey' | 'serverAlias' | 'toolName' | 'threadId'>
type Ready = Readonly<{ detector: AnyDetector; settings: unknown; maps: Mapping; methods: ReadonlySet<string> | undefined }>

export const mappingOf = (detector: AnyDetector): Mapping => ({ family: [detector.family], ...detector.maps })

const originOf = (subject: Subject): Origin => {
  if (subject.kind === 'fact') return subject.fact
  if (subject.kind === 'signal') return subject.signal
  const { event, thread } = subject
  const { tenant, time, eventId, actor, serverKey, serverAlias, toolName } = event
  return { tenant, time, eventId, actor, serverKey, serverAlias, toolName, threadId: thread.threadId }
}

function defaultKeys(detector: AnyDetector, origin: Origin, subject: Subject): readonly string[] {
  const { tenant } = origin
  if (detector.scope === 'thread') return [`${tenant}\0${origin.threadId}`]
  if (detector.scope === 'actor') return [`${tenant}\0${origin.actor}`]
  if (detector.scope === 'server') return [`${tenant}\0${subject.kind === 'fact' ? subject.fact.key : origin.serverKey}`]
  if (detector.scope === 'tenant') return [tenant]
  return []
}

export function createEngine({ detectors, settings, snapshot, onError }: EngineOptions): Engine {
  const from = snapshot ? (v8.deserialize(snapshot) as State) : undefined
  const memory = createMemory(detectors, from?.memory)
  const threads = createThreads(from?.threads)
  const recent = createKeep<true>(RECENT_MAX, from?.recent)
  const alerts = createKeep<true>(ALERTS_MAX, from?.alerts)
  const content = createContentPass(detectors.flatMap((detector) => detector.patterns ?? []))
  const stats: EngineStats = { events: 0, duplicates: 0, facts: 0, factsTooLarge: 0, errors: new Map(), windowsSkipped: 0 }
  const ready = detectors.map(
    (detector): Ready => ({
      detector,
      settings: detector.settings.parse(settings?.get(detector.id) ?? {}),
      maps: mappingOf(detector),
      methods: detector.methods ? new Set(detector.methods) : undefined,
    }),
  )
  const readers = readersBySubject(ready)
  const owners = new Map(ready.flatMap(({ detector }) => (detector.patterns ?? []).map((pattern) => [pattern.id, detector.id])))

  const guarded = (id: string, run: () => void) => {
    try {
      run()
    } catch (error) {
      stats.errors.set(id, (stats.errors.get(id) ?? 0) + 1)
      onError?.(id, error)
    }
  }

  const take = (one: Ready, output: Output, origin: Origin, verdicts: Verdicts, chain: number) => {
    if ('fact' in output) {
      const fact = factOf(output, origin)
      if (Buffer.byteLength(JSON.stringify(fact.body)) > FACT_BYTES_MAX) stats.factsTooLarge += 1
      else verdicts.facts.push(fact)
    } else if ('signal' in output) {
      const signal = signalOf(one.detector, output, origin)
      verdicts.signals.push(signal)
      if (chain < CHAIN_MAX) run({ kind: 'signal', signal }, [], verdicts, chain + 1)
    } else {
      const alert = alertOf(one, output, origin)
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
        guarded(one.detector.id, () => {
          for (const output of one.detector.facts?.(subject, one.settings, hits) ?? []) take(one, output, originOf(subject), verdicts, 0)
        })
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
      v8.serialize({ memory: memory.state(), threads: threads.state(), recent: recent.state(), alerts: alerts.state() } satisfies State),
    stats: () => ({ ...stats, windowsSkipped: content.windowsSkipped() }),
  }
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

function factOf(output: Extract<Output, { fact: string }>, origin: Origin): Fact {
  return { ...output, ...origin, factId: hashId('fact', origin.eventId, output.fact, output.key, JSON.stringify(output.body)) }
}

function signalOf(detector: AnyDetector, output: Extract<Output, { signal: string }>, origin: Origin): Signal {
  const events = [...new Set([...(output.events ?? []), origin.eventId])]
  return {
    ...origin,
    detector: detector.id,
    family: detector.family,
    signal: output.signal,
    weight: output.weight,
    summary: output.summary,
    evidence: output.evidence,
    events,
  }
}

function alertOf({ detector, maps }: Ready, output: Extract<Output, { finding: string }>, origin: Origin): Alert {
  const events = [...new Set([...(output.events ?? []).slice(-EVENTS_PER_ALERT_MAX), origin.eventId])]
  return {
    ...origin,
    alertId: alertIdOf(origin.tenant, detector.id, output.finding, origin.time, REPEAT_WINDOW_NS),
    detector: detector.id,
    detectorVersion: detector.version,
    severity: output.severity ?? detector.severity,
    confidence: output.confidence,
    title: detector.title,
    summary: output.summary,
    about: output.finding,
    evidence: output.evidence,
    maps,
    events,
  }
}
