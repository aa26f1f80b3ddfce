/** Reads partitions ahead of their handlers: one request at a time to every broker, for all of its partitions that have room. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, errorType, forget, leaderOf, settled } from './kafka-client.ts'
import type { TopicPart } from './kafka-member.ts'
import type { FetchedPart } from './kafka-requests.ts'

const responseBytesMax = 16 * 1024 ** 2
const partBytesMax = 2 * 1024 ** 2
/** When a partition waits for room: its broker must not be kept busy by the silence of the others. */
const shortPollMs = 20
const restMs = 10_000

export type FetchLane = TopicPart & {
  next: bigint
  hasRoom(): boolean
  take(fetched: FetchedPart): void
}
export type Ends = Readonly<{ low: bigint; high: bigint }>

const nameOf = ({ topic, partition }: TopicPart): string => `${topic}/${partition}`

/** The first offset that is still there, and the one after the last. */
export async function endsOf(cluster: Cluster, parts: readonly TopicPart[]): Promise<ReadonlyMap<string, Ends>> {
  if (parts.length === 0) return new Map()
  const asked = [...Map.groupBy(parts, ({ topic }) => topic)].map(([topic, some]) => ({
    topic,
    partitions: some.map(({ partition }) => ({ partition })),
  }))
  const ask = async (fromBeginning: boolean): Promise<ReadonlyMap<string, bigint>> => {
    const answers = await cluster.fetchTopicsOffset(asked.map((one) => ({ ...one, fromBeginning })))
    return new Map(
      answers.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, offset }) => [nameOf({ topic, partition }), BigInt(offset)] as const),
      ),
    )
  }
  return settled(async () => {
    try {
      await cluster.refreshMetadataIfNecessary()
      const [lows, highs] = await Promise.all([ask(true), ask(false)])
      return new Map([...highs].map(([name, high]) => [name, { low: lows.get(name) ?? 0n, high }]))
    } catch (error) {
      forget(cluster, error)
      await cluster.refreshMetadata().catch(() => undefined)
      throw error
    }
  })
}

export type FetcherOptions = Readonly<{
  cluster: Cluster
  lanes: readonly FetchLane[]
  pollMs: number
  retryMs: (attempt: number) => number
  onFault: (error: unknown) => void
  /** The offset asked for is not there: the lane is to be put where there is one. */
  outOfRange: () => Promise<void>
  signal: AbortSignal
}>

/** `kick`: a lane has room again. */
export function startFetcher(options: FetcherOptions): { kick: () => void } {
  const { cluster, lanes, pollMs, signal, onFault, retryMs, outOfRange } = options
  const busy = new Set<number>()
  const resting = new Set<FetchLane>()
  let failures = 0
  let turn = 0

  /** What cannot be read is asked for again later, and alone pays for it. */
  function rest(lane: FetchLane | undefined, fault: unknown): void {
    onFault(fault)
    if (!lane) return
    resting.add(lane)
    setTimeout(() => {
      resting.delete(lane)
      kick()
    }, restMs).unref()
  }
  async function recover(error: unknown): Promise<void> {
    failures += 1
    forget(cluster, error)
    if (failures > 1) onFault(error) // the first is most often a leader that moved
    await sleep(retryMs(failures - 1), undefined, { signal }).catch(() => undefined)
    if (!signal.aborted) await cluster.refreshMetadata()
  }
  async function poll(leader: number, mine: readonly FetchLane[]): Promise<void> {
    busy.add(leader)
    try {
      turn += 1
      const asked = new Map(mine.filter((lane) => lane.hasRoom()).map((lane) => [nameOf(lane), { lane, from: lane.next }]))
      const parts = [...asked.values()].map(({ lane, from }) => ({
        topic: lane.topic,
        partition: lane.partition,
        from,
        bytesMax: partBytesMax,
      }))
      const first = turn % parts.length
      const fetched = await cluster.fetch(leader, {
        waitMs: asked.size < mine.length ? shortPollMs : pollMs,
        bytesMax: responseBytesMax,
        parts: [...parts.slice(first), ...parts.slice(0, first)], // brokers fill an answer in this order: everyone is first in turn
      })
      const failed = fetched.filter(({ errorCode }) => errorCode !== 0)
      for (const part of fetched) {
        const { lane, from } = asked.get(nameOf(part)) ?? {}
        if (lane && part.errorCode === 0 && !signal.aborted && lane.next === from) lane.take(part)
      }
      for (const part of fetched) if (part.fault !== undefined) rest(asked.get(nameOf(part))?.lane, part.fault)
      const errors = failed.map(({ errorCode }) => cluster.errorOf(errorCode))
      if (errors.some((error) => errorType(error) === 'OFFSET_OUT_OF_RANGE') && !signal.aborted) await outOfRange()
      const other = errors.find((error) => errorType(error) !== 'OFFSET_OUT_OF_RANGE')
      if (other) throw other
      failures = 0
    } catch (error) {
      if (!signal.aborted) await recover(error).catch(onFault)
    } finally {
      busy.delete(leader)
      kick()
    }
  }
  function kick(): void {
    if (signal.aborted) return
    const awake = lanes.filter((lane) => !resting.has(lane))
    const forLeader = Map.groupBy(awake, (lane) => leaderOf(cluster, lane))
    for (const [leader, mine] of forLeader) {
      if (!busy.has(leader) && mine.some((lane) => lane.hasRoom())) void poll(leader, mine)
    }
  }
  kick()
  return { kick }
}
