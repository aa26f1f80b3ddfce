/** A group reading topics of Kafka, ours or others’, with the delivery rules of every bus: wait out, split, bury, commit. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeadLetter, StoredRec } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { defaultRetryMs } from './deliver.ts'
import { type KafkaOptions, openCluster } from './kafka-client.ts'
import { endsOf } from './kafka-fetch.ts'
import { partName, runMember, type TopicPart } from './kafka-member.ts'
import { openSeat, type RawHandler, type Seat, type SeatOptions } from './kafka-seat.ts'

export type ConsumeTimes = Readonly<{
  /** A member that is not heard of for so long has its partitions taken away. */
  sessionMs: number
  heartbeatMs: number
  /** How long a broker waits for something new before it answers. */
  pollMs: number
  /** How long a rebalance waits for the batch in flight. */
  drainMsMax: number
  /** Records wait and nothing moves for so long: the client is opened again. */
  stallMsMax: number
}>
export const defaultTimes: ConsumeTimes = { sessionMs: 30_000, heartbeatMs: 3_000, pollMs: 500, drainMsMax: 12_000, stallMsMax: 60_000 }

const reassignMs = 10_000

export type Consumption = Omit<SeatOptions, 'pollMs'> &
  Readonly<{
    client: KafkaOptions
    topics: readonly string[]
    times: ConsumeTimes
    nextEpoch: () => number
    counts: ConsumerCounts
  }>
export type ConsumerCounts = { rebalances: number; overdrawn: number; reopened: number }
export type KafkaRunning = {
  stop(): Promise<void>
  lag(): Promise<ReadonlyMap<string, bigint>>
}

/** Looks after lanes that stand still though something waits for them. */
function watch(
  seat: () => Seat | undefined,
  lag: () => Promise<ReadonlyMap<string, bigint>>,
  options: Consumption,
  renew: (why: Fault) => void,
) {
  const { stallMsMax } = options.times
  const told = new Set<string>()
  let isLooking = false
  async function look(): Promise<void> {
    const now = performance.now()
    const lanes = seat()?.lanes() ?? []
    for (const { name, busySinceMs } of lanes) {
      const isStuck = busySinceMs !== undefined && now - busySinceMs > stallMsMax
      // Its handler may be waiting for the store, and is not ours to interrupt.
      if (isStuck && !told.has(name))
        options.onFault(new Fault('RECORD_INVALID', `${options.group} has been handling one batch of ${name} for ${stallMsMax} ms`))
      if (isStuck) told.add(name)
      else told.delete(name)
    }
    const still = lanes.filter((lane) => lane.busySinceMs === undefined && lane.waitingBytes() === 0 && now - lane.movedAtMs > stallMsMax)
    if (still.length === 0) return
    const waiting = await lag()
    const stalled = still.filter(({ name }) => (waiting.get(name) ?? 0n) > 0n)
    for (const lane of still) lane.movedAtMs = now // asked again after as long
    if (stalled.length > 0)
      renew(new Fault('RECORD_INVALID', `nothing comes from ${stalled.map(({ name }) => name).join(', ')}: opened again`))
  }
  const timer = setInterval(() => {
    if (isLooking) return
    isLooking = true
    void look()
      .catch(options.onFault)
      .finally(() => {
        isLooking = false
      })
  }, stallMsMax / 4)
  timer.unref()
  return timer
}

export async function consumeKafka(options: Consumption, closed: AbortSignal): Promise<KafkaRunning> {
  const { client, prefix, topics, group, times, onFault, retryMs, nextEpoch, counts } = options
  const leaving = new AbortController()
  const wire = topics.map((topic) => prefix + topic)
  let seat: Seat | undefined
  let before: Promise<void> = Promise.resolve()
  let stopped: Promise<void> | undefined
  const first = Promise.withResolvers<void>()

  async function release(lost: boolean): Promise<void> {
    const old = seat
    seat = undefined
    if (!old) return
    // Whoever is assigned next here is told only after this one was told that it is over.
    before = old.end(lost).catch(onFault)
    const late = new AbortController()
    const ended = before.then(() => late.abort())
    await Promise.race([ended, sleep(times.drainMsMax, undefined, { signal: late.signal, ref: false }).catch(() => undefined)])
    if (late.signal.aborted) return
    counts.overdrawn += 1
    void old.end(true) // from here on others may have it: its commit would undo theirs
  }
  const member = runMember({
    ...{ groupId: prefix + group, topics: wire, sessionMs: times.sessionMs, heartbeatMs: times.heartbeatMs },
    ...{ release, retryMs, onFault, signal: leaving.signal },
    open: () => openCluster(client, wire),
    take(tenure, cluster) {
      counts.rebalances += 1
      const mine = openSeat(tenure, cluster, nextEpoch(), before, { ...options, pollMs: times.pollMs })
      seat = mine
      mine.begun.then(first.resolve, (error: unknown) => {
        onFault(error)
        first.reject(error)
        // Not the first time: whoever could not take its partitions is asked again, but not so often that the group never rests.
        setTimeout(() => {
          if (seat === mine) member.renew(error)
        }, reassignMs).unref()
      })
    },
  })
  async function lag(): Promise<ReadonlyMap<string, bigint>> {
    const cluster = member.cluster()
    const lanes = seat?.lanes() ?? []
    if (!cluster || lanes.length === 0) return new Map()
    const ends = await endsOf(cluster, lanes)
    const behind = (lane: (typeof lanes)[number]): bigint => (ends.get(partName(lane))?.high ?? 0n) - lane.handled
    return new Map(lanes.map((lane) => [lane.name, behind(lane) > 0n ? behind(lane) : 0n]))
  }
  const watchdog = watch(
    () => seat,
    lag,
    options,
    (why) => {
      counts.reopened += 1
      onFault(why)
      member.renew(why)
    },
  )
  async function stop(): Promise<void> {
    clearInterval(watchdog)
    first.resolve()
    await seat?.end(false)
    leaving.abort()
    await member.ended
    await seat?.end(false) // one that was taken in between
    await before
  }
  const stopOnce = (): Promise<void> => {
    stopped ??= stop()
    return stopped
  }
  const onClosed = (): void => void stopOnce().catch(onFault)
  closed.addEventListener('abort', onClosed)
  try {
    await first.promise
    if (stopped !== undefined) throw new Fault('BUS_CLOSED', `closed while ${group} was being assigned`)
  } catch (error) {
    await stopOnce()
    throw error
  }
  return {
    lag,
    stop: () => stopOnce().finally(() => closed.removeEventListener('abort', onClosed)),
  }
}

export type KafkaReaderOptions = KafkaOptions &
  Readonly<{
    seal: (bytes: Uint8Array) => string
    onFault: (error: unknown) => void
    /** Resolves when the letter is durable. */
    publishDead: (letter: DeadLetter, key: string) => Promise<void>
    retryMs?: (attempt: number) => number
    now?: () => number
    times?: Partial<ConsumeTimes>
    readAheadBytesMax?: number
  }>
export type KafkaReader = AsyncDisposable & {
  consume(
    topics: readonly string[],
    group: string,
    batch: (topic: string, partition: number, records: readonly StoredRec[]) => Promise<void>,
  ): Promise<KafkaRunning>
  counts(): Readonly<ConsumerCounts>
}

/** Reads topics that are not ours, such as an OpenTelemetry Collector’s. */
export function openKafkaReader(options: KafkaReaderOptions): KafkaReader {
  const { retryMs = defaultRetryMs, now = Date.now, times, readAheadBytesMax = 64 * 1024 ** 2 } = options
  const closing = new AbortController()
  const running = new Set<KafkaRunning>()
  const counts: ConsumerCounts = { rebalances: 0, overdrawn: 0, reopened: 0 }
  let epoch = 0
  return {
    async consume(topics, group, batch) {
      const reader = await consumeKafka(
        {
          ...{ client: options, prefix: '', topics, group, counts, readAheadBytesMax, retryMs, now },
          ...{ seal: options.seal, onFault: options.onFault, publishDead: options.publishDead },
          times: { ...defaultTimes, ...times },
          nextEpoch: () => (epoch += 1),
          handler: { batch: ({ topic, partition }: TopicPart, records) => batch(topic, partition, records) } satisfies RawHandler,
        },
        closing.signal,
      )
      running.add(reader)
      return reader
    },
    counts: () => ({ ...counts }),
    async [Symbol.asyncDispose]() {
      closing.abort()
      for (const stop of await Promise.allSettled([...running].map((reader) => reader.stop()))) {
        if (stop.status === 'rejected') options.onFault(stop.reason)
      }
    },
  }
}
