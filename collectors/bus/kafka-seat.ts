/** What a consumer holds from one rebalance to the next: its lanes, where each began, what it has committed, and how it is given back. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type DeadLetter, gapFault, type StoredRec } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { deadLetter, type Patience, persist } from './deliver.ts'
import { frame } from './frame.ts'
import type { Cluster } from './kafka-client.ts'
import { type Ends, endsOf, startFetcher } from './kafka-fetch.ts'
import { type Lane, openLane } from './kafka-lane.ts'
import { partName, type Tenure, type TopicPart } from './kafka-member.ts'

/** Named as the outside names them: without the prefix that the topics have in Kafka. */
export type RawHandler = {
  assigned?(parts: readonly TopicPart[]): Promise<ReadonlyMap<string, bigint>>
  batch(part: TopicPart, records: readonly StoredRec[], epoch: number): Promise<void>
  revoked?(parts: readonly TopicPart[]): Promise<void>
}
export type SeatOptions = Omit<Patience, 'signal'> &
  Readonly<{
    prefix: string
    group: string
    handler: RawHandler
    seal: (bytes: Uint8Array) => string
    /** `undefined`: a letter about a letter would never end. */
    publishDead: ((letter: DeadLetter, key: string) => Promise<void>) | undefined
    now: () => number
    pollMs: number
    readAheadBytesMax: number
  }>
export type Seat = Readonly<{
  /** Resolves when batches may come, or when it was given back before. */
  begun: Promise<void>
  lanes: () => readonly Lane[]
  /** No further batch; resolves when the one in flight has ended, is committed, and `revoked` was told. */
  end: (lost: boolean) => Promise<void>
}>

const laneBytesMin = 1024 ** 2

/** The group’s own offset counts, unless the handler knows better; neither is believed outside of what Kafka holds. */
function beginAt(
  part: TopicPart,
  group: string,
  own: bigint | undefined,
  wished: bigint | undefined,
  ends: Ends,
  onFault: Patience['onFault'],
): bigint {
  const { low, high } = ends
  const name = partName(part)
  const asked = wished ?? own
  // From the start is from the start of what there is.
  if (asked === undefined || asked === 0n) return low
  if (asked > high) {
    const begin = own !== undefined && own >= low && own <= high ? own : wished === undefined ? low : high
    onFault(new Fault('RECORD_INVALID', `${group} wants offset ${asked} of ${name}, which ends at ${high}: reading from ${begin}`))
    return begin
  }
  if (asked >= low) return asked
  onFault(gapFault({ ...part, from: String(asked), lost: Number(low - asked) }, 'Kafka'))
  return low
}

/** One commit at a time, of all that was handled until then. */
function createCommitter(tenure: Tenure, lanes: () => readonly Lane[], isStale: () => boolean) {
  const committed = new Map<string, bigint>()
  let running: Promise<void> | undefined
  let again = false
  async function flush(): Promise<void> {
    do {
      again = false
      const moved = lanes().filter((lane) => committed.get(lane.name) !== lane.handled)
      if (isStale() || moved.length === 0) return
      const nexts = moved.map(({ topic, partition, handled, name }) => ({ topic, partition, next: handled, name }))
      if (!(await tenure.commit(nexts))) return
      for (const { name, next } of nexts) committed.set(name, next)
    } while (again)
  }
  const commit = (): Promise<void> => {
    again = true
    running ??= flush().finally(() => {
      running = undefined
    })
    return running
  }
  return {
    commit,
    began: (lane: Lane) => committed.set(lane.name, lane.handled),
    /** All of it: one that was running may have begun before the last batch ended. */
    async settle() {
      await running
      await commit()
    },
  }
}

async function bury({ publishDead, onFault, seal, now }: SeatOptions, part: TopicPart, record: StoredRec, error: unknown): Promise<void> {
  if (!publishDead || part.topic === 'mcp.dead') {
    onFault(new Fault('RECORD_INVALID', `record ${record.offset} of ${partName(part)} cannot be handled, nor buried`, error))
    return
  }
  // Safe: a dead letter’s topic is any text.
  await publishDead(deadLetter(part as never, record.offset, error, seal(frame([record])), now()), record.key)
}

/** Anything that Kafka does not answer is asked again. */
async function ask<T>(question: () => Promise<T>, { retryMs, onFault, signal }: Patience): Promise<T | undefined> {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      return await question()
    } catch (error) {
      onFault(error)
      await sleep(retryMs(attempt), undefined, { signal }).catch(() => undefined)
    }
  }
  return undefined
}

export function openSeat(tenure: Tenure, cluster: Cluster, epoch: number, before: Promise<void>, options: SeatOptions): Seat {
  const { prefix, group, handler, onFault, retryMs } = options
  const stopping = new AbortController()
  const { signal } = stopping
  const patience: Patience = { retryMs, onFault, signal }
  const inside = (part: TopicPart): TopicPart => ({ topic: part.topic.slice(prefix.length), partition: part.partition })
  const parts = tenure.parts.map(inside)
  let lanes: readonly Lane[] = []
  let runs: Promise<unknown> = Promise.resolve()
  let isStale = false
  let wasTold = false
  const committer = createCommitter(
    tenure,
    () => lanes,
    () => isStale,
  )

  async function outOfRange(): Promise<void> {
    const ends = await endsOf(cluster, tenure.parts)
    for (const lane of lanes) {
      const known = ends.get(partName(lane))
      if (!known || (lane.next >= known.low && lane.next <= known.high)) continue
      const next = beginAt(inside(lane), group, undefined, lane.next, known, onFault)
      // What was read before is still to be handled; only then does the place move.
      if (lane.handled === lane.next) lane.handled = next
      lane.next = next
    }
  }
  async function begin(): Promise<void> {
    await before
    if (signal.aborted || parts.length === 0) return
    let wishes: ReadonlyMap<string, bigint> = new Map()
    const assign = async (): Promise<void> => {
      wishes = (await handler.assigned?.(parts)) ?? wishes
    }
    if (!(await persist(assign, patience))) return
    wasTold = true
    const known = await ask(() => Promise.all([endsOf(cluster, tenure.parts), tenure.committed(tenure.parts)]), patience)
    if (!known || signal.aborted) return
    const [ends, committed] = known
    let kick: () => void = () => undefined
    lanes = tenure.parts.map((wire) => {
      const part = inside(wire)
      const name = partName(part)
      const own = committed.get(partName(wire))
      return openLane({
        ...{ part: wire, about: part, name, onCommit: () => void committer.commit().catch(onFault), onRoom: () => kick() },
        begin: beginAt(part, group, own, wishes.get(name), ends.get(partName(wire)) ?? { low: 0n, high: 0n }, onFault),
        readAheadBytesMax: Math.max(laneBytesMin, options.readAheadBytesMax / tenure.parts.length),
        delivery: {
          ...patience,
          handle: (records) => handler.batch(part, records, epoch),
          bury: (record, error) => bury(options, part, record, error),
        },
      })
    })
    for (const lane of lanes) committer.began(lane)
    runs = Promise.all(lanes.map((lane) => lane.run().catch(onFault)))
    kick = startFetcher({ cluster, lanes, signal, outOfRange, onFault, retryMs, pollMs: options.pollMs }).kick
  }
  const begun = begin()
  async function end(lost: boolean): Promise<void> {
    if (lost) isStale = true
    stopping.abort()
    await begun.catch(() => undefined)
    await runs
    await committer.settle()
    isStale = true
    if (wasTold) await handler.revoked?.(parts)
  }
  let ending: Promise<void> | undefined
  return {
    ...{ begun, lanes: () => lanes },
    end: (lost) => {
      if (lost) isStale = true
      ending ??= end(lost)
      return ending
    },
  }
}
