/**
 * The pipeline watches itself: small observations go to `mcp.events` like any other event, so that rules judge them.
 * 1. A healthy pipeline is silent: told is what waits, what died, what was lost, and who stopped speaking.
 * 2. What is read from the store is the same event from any replica; the rest carries role and instance in its id.
 * 3. It never throws into the product. While the bus refuses, only losses are kept, to be told later.
 */
import type { Store } from '../api/store/connect.ts'
import type { Bus, Gap } from '../schemas/bus.ts'
import { encodeEvent } from '../schemas/codec.ts'
import { Fault } from '../schemas/errors.ts'
import type { Json, McpEvent } from '../schemas/event.ts'
import { eventKeyOf, hashId } from '../schemas/ids.ts'
import { selfService } from '../schemas/otlp-event.ts'
import { createSilences } from './monitor-sources.ts'
import { deadMinutes } from './monitor-store.ts'

export type GroupLag = Readonly<{ records: number; oldestMs?: number | undefined }>
export type MonitorOptions = Readonly<{
  bus: Pick<Bus, 'publish'>
  role: string
  /** Which of several processes of this role: a host name, a pod. */
  instance: string
  tenant?: string
  lag: () => Promise<Readonly<Record<string, GroupLag>>>
  /** With it dead letters and silent sources are watched too: one role, or several, that have the store at hand. */
  store?: Store | undefined
  now?: () => number
  intervalMs?: number
  onError?: (error: unknown) => void
}>
export type MonitorCounts = Readonly<{ published: number; refused: number; gaps: number }>
export type Monitor = Readonly<{
  /** Returns at once; told as soon as the bus takes it. */
  reportGap: (gap: Gap) => void
  /** One round now; rounds never overlap. */
  observe: () => Promise<void>
  counts: () => MonitorCounts
  stop: () => Promise<void>
}>
/** `key` with the event's name makes its id. */
export type Observation = Readonly<{
  name: string
  key: readonly (string | number)[]
  timeMs: number
  params: { [name: string]: Json }
  actor: string
}>

const minuteMs = 60_000
/** Letters may be stored late: this many minutes are looked at again. */
const deadMinutesMax = 10
const groupsMax = 100
const gapsMax = 1_000
const stopMsMax = 2_000

export function startMonitor(options: MonitorOptions): Monitor {
  const { bus, role, instance, tenant = 'default', now = Date.now, intervalMs = minuteMs, onError = () => {} } = options
  const counts = { published: 0, refused: 0, gaps: 0 }
  const own = `${selfService}/${role}@${instance}`
  const lags = createLags({ role, instance, actor: own, intervalMs })
  const gaps = createGaps()
  const readers = options.store === undefined ? [] : storeReaders(options.store, now)
  let round: Promise<void> | undefined
  let telling: Promise<void> | undefined
  let stopped = false

  const guarded = async <T>(work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work()
    } catch (error) {
      onError(error)
      return undefined
    }
  }
  const publish = createPublish(bus, tenant, counts, onError)
  const tellAll = async () => {
    for (let taken = gaps.take(); taken.length > 0; taken = gaps.take()) {
      const observations = taken.map(({ topic, partition, from, lost }) => ({
        name: 'pipeline.gap',
        key: [topic, partition, String(from), lost],
        timeMs: now(),
        params: { topic, partition, from: String(from), lost, role, instance },
        actor: own,
      }))
      if (await publish(observations)) continue
      for (const gap of taken) gaps.add(gap)
      return
    }
  }
  /** One at a time: while the bus holds it up, what comes is gathered. */
  const tellGaps = () => {
    telling ??= tellAll().finally(() => {
      telling = undefined
    })
    return telling
  }
  const look = async () => {
    await tellGaps()
    const known = await guarded(options.lag)
    const waiting = known === undefined ? [] : lags.observe(known, now())
    const behind = Object.values(known ?? {}).some(({ records, oldestMs }) => records > 10_000 || (oldestMs ?? 0) > 2 * minuteMs)
    await publish(waiting)
    // What is not stored yet looks like silence: a pipeline that is behind must not blame its sources.
    for (const { read, again, whenBehind } of readers) {
      if (behind && !whenBehind) continue
      if (!(await publish((await guarded(read)) ?? []))) again?.()
    }
  }
  const observe = async () => {
    if (stopped) return
    round ??= look().finally(() => {
      round = undefined
    })
    await round
  }
  const timer = setInterval(() => void observe(), intervalMs)
  timer.unref()
  return {
    reportGap(gap) {
      if (!(gap.lost > 0)) return
      counts.gaps += 1
      gaps.add(gap)
      if (!stopped) void tellGaps()
    },
    observe,
    counts: () => ({ ...counts }),
    async stop() {
      stopped = true
      clearInterval(timer)
      const told = Promise.all([round, telling]).then(tellGaps)
      await Promise.race([told, new Promise((resolve) => setTimeout(resolve, stopMsMax).unref())])
    },
  }
}

/** Answers false when the bus did not take them: one that is full or closing says so elsewhere. */
function createPublish(
  bus: MonitorOptions['bus'],
  tenant: string,
  counts: { published: number; refused: number },
  onError: (error: unknown) => void,
) {
  return async (observations: readonly Observation[]): Promise<boolean> => {
    if (observations.length === 0) return true
    const events = observations.map((one) => eventOf(one, tenant))
    try {
      await bus.publish(
        'mcp.events',
        events.map((event) => ({ key: eventKeyOf(event), bytes: encodeEvent(event), value: event })),
      )
      counts.published += events.length
      return true
    } catch (error) {
      counts.refused += events.length
      const quiet = error instanceof Fault && (error.retry || error.code === 'BUS_CLOSED')
      if (!quiet) onError(error)
      return false
    }
  }
}

function eventOf({ name, key, timeMs, params, actor }: Observation, tenant: string): McpEvent {
  return {
    eventId: hashId('pipeline', name, ...key),
    time: BigInt(Math.floor(timeMs)) * 1_000_000n,
    kind: 'pipeline',
    eventName: name,
    dialect: selfService,
    signal: 'metric',
    vantage: 'host',
    contentLevel: 'metadata',
    captureTier: 'none',
    tenant,
    source: selfService,
    actor,
    actorGrade: 'observed',
    actorSource: 'source',
    serverKey: '',
    era: 'unknown',
    transport: 'unknown',
    params,
  }
}

/** Per group: what waits, since when there was always something, and once that it caught up. */
function createLags({ role, instance, actor, intervalMs }: { role: string; instance: string; actor: string; intervalMs: number }) {
  const since = new Map<string, { firstMs: number; told: boolean }>()
  return {
    observe(known: Readonly<Record<string, GroupLag>>, nowMs: number): Observation[] {
      const slot = Math.floor(nowMs / intervalMs)
      const found: Observation[] = []
      for (const [group, { records, oldestMs }] of Object.entries(known).slice(0, groupsMax)) {
        const before = since.get(group)
        if (records > 0 && before === undefined) since.set(group, { firstMs: nowMs, told: false })
        if (records === 0) since.delete(group)
        // Something is always on its way: only what waits at two looks in a row is worth a word, and the end of what was told.
        if (before === undefined || (records === 0 && !before.told)) continue
        before.told = true
        const params = {
          ...{ group, records, role, instance },
          behindSeconds: records === 0 ? 0 : Math.round((nowMs - before.firstMs) / 1_000),
          ...(oldestMs === undefined ? {} : { waitingSeconds: records === 0 ? 0 : Math.round(oldestMs / 1_000) }),
        }
        found.push({ name: 'pipeline.lag', key: [role, instance, group, slot], timeMs: slot * intervalMs, params, actor })
      }
      return found
    },
  }
}

/** Losses that are not told yet. Several readers meet the same gap: it is one. Beyond the bound those of a partition are added up. */
function createGaps() {
  let waiting = new Map<string, Gap>()
  return {
    add(gap: Gap): void {
      const part = `${gap.topic}/${gap.partition}`
      const exact = `${part} ${gap.from} ${gap.lost}`
      if (waiting.size < gapsMax || waiting.has(exact)) {
        waiting.set(exact, gap)
        return
      }
      const sum = waiting.get(part)
      waiting.set(part, sum === undefined ? gap : { ...sum, lost: sum.lost + gap.lost })
    },
    take(): Gap[] {
      const taken = [...waiting.values()]
      waiting = new Map()
      return taken
    },
  }
}

/** `again`: what was read last was not taken, and is to be read once more. */
type Reader = Readonly<{ read: () => Promise<Observation[]>; again?: () => void; whenBehind: boolean }>

function storeReaders(store: Store, now: () => number): Reader[] {
  const actor = `${selfService}/store`
  const told = new Map<number, number>()
  const dead = async (): Promise<Observation[]> => {
    const to = Math.floor(now() / minuteMs)
    const isNews = (minute: number, letters: number) => letters > (told.get(minute) ?? 0)
    const minutes = await deadMinutes(store, { from: to - deadMinutesMax, to }, isNews)
    for (const minute of told.keys()) if (minute < to - 2 * deadMinutesMax) told.delete(minute)
    return minutes.map(({ minute, letters, events, reasons }) => {
      told.set(minute, letters)
      const params = { letters, ...(events === undefined ? {} : { events }), reasons: reasons.map((one) => ({ ...one })) }
      // The number is part of the id: letters that are stored late are news about the same minute.
      return { name: 'pipeline.dead_letters', key: [minute, letters], timeMs: minute * minuteMs, params, actor }
    })
  }
  return [
    { read: dead, again: () => told.clear(), whenBehind: true },
    { read: createSilences(store, now, actor), whenBehind: false },
  ]
}
