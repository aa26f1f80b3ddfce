/** The bus on Kafka: the promises of schemas/bus.ts, for as many processes and machines as there are partitions. */
import {
  type Bus,
  type DeadLetter,
  type Handler,
  type Part,
  type PartId,
  type Position,
  type Rec,
  type Topic,
  topics,
} from '../../schemas/bus.ts'
import type { Checkpoints } from '../../schemas/checkpoint.ts'
import { Fault } from '../../schemas/errors.ts'
import { defaultRetryMs } from './deliver.ts'
import { type KafkaOptions, openAdmin, openCluster } from './kafka-client.ts'
import { type ConsumerCounts, type ConsumeTimes, consumeKafka, defaultTimes, type KafkaRunning } from './kafka-consume.ts'
import { createProducer, type ProducerCounts } from './kafka-produce.ts'
import type { WireMessage } from './kafka-records.ts'
import type { RawHandler } from './kafka-seat.ts'
import { openSnapshots } from './kafka-snapshots.ts'
import { checkpointsTopic, deadBytesMax, ensureTopics, recordBytesMax } from './kafka-topics.ts'
import { partitionOf } from './log-parts.ts'

export type KafkaBusOptions = KafkaOptions &
  Readonly<{
    topicPrefix?: string
    partitions: number
    replicationFactor: number
    retentionMs: number
    seal: (bytes: Uint8Array) => string
    onFault: (error: unknown) => void
    retryMs?: (attempt: number) => number
    now?: () => number
    /** Published and not acknowledged: beyond it `publish` refuses. */
    bytesWaitingMax?: number
    /** Read ahead of its handlers, by each group. */
    readAheadBytesMax?: number
    times?: Partial<ConsumeTimes>
  }>
export type KafkaCounts = ProducerCounts & Readonly<ConsumerCounts>
export type KafkaBus = Bus & {
  readonly id: string
  counts(): KafkaCounts
  /** Checkpoints of engines; `revision` names what their state depends on. */
  checkpoints(revision: string): Checkpoints
}

/** Who reads `mcp.spans` writes `mcp.events`: were all refused at the same size, what is read could not be written. */
const shares: Readonly<Record<Topic, number>> = {
  'mcp.spans': 0.8,
  'mcp.events': 0.85,
  'mcp.facts': 0.9,
  'mcp.alerts': 0.95,
  'mcp.dead': 1,
}

function messageOf(topic: Topic, { key, bytes, headers }: Rec): WireMessage {
  const size = key.length + bytes.byteLength
  if (size > (topic === 'mcp.dead' ? deadBytesMax : recordBytesMax)) throw new Fault('INPUT_TOO_LARGE', `a record of ${size} bytes`)
  // Always a key, and always bytes: an empty text would become a null.
  const message = { key: Buffer.from(key.toWellFormed()), value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) }
  return headers ? { ...message, headers } : message
}

const handlerOf = ({ assigned, batch, revoked }: Handler): RawHandler => ({
  // Safe, all of these: the group was asked for our topics only.
  ...(assigned ? { assigned: (parts) => assigned(parts as readonly Part[]) } : {}),
  batch: (part, records, epoch) => batch(part as Part, records, epoch),
  ...(revoked ? { revoked: (parts) => revoked(parts as readonly Part[]) } : {}),
})

async function prepare(options: KafkaBusOptions, prefix: string): Promise<string> {
  try {
    const admin = await openAdmin(options)
    try {
      return await ensureTopics(admin, { ...options, prefix })
    } finally {
      await admin.disconnect()
    }
  } catch (error) {
    if (error instanceof Fault) throw error
    const why = error instanceof Error ? error.message : String(error)
    throw new Fault('START_REFUSED', `Kafka at ${options.brokers.join(', ')} cannot be used: ${why}`, error)
  }
}

export async function openKafka(options: KafkaBusOptions): Promise<KafkaBus> {
  const { topicPrefix: prefix = '', partitions, seal, onFault, retryMs = defaultRetryMs, now = Date.now } = options
  const { bytesWaitingMax = 64 * 1024 ** 2, readAheadBytesMax = 64 * 1024 ** 2 } = options
  const times = { ...defaultTimes, ...options.times }
  const clusterId = await prepare(options, prefix)
  const cluster = await openCluster(
    options,
    [...topics, checkpointsTopic].map((topic) => prefix + topic),
  )
  const producer = createProducer({ cluster, bytesWaitingMax, onFault, retryMs, now })
  const counts: ConsumerCounts = { rebalances: 0, overdrawn: 0, reopened: 0 }
  const closing = new AbortController()
  const running = new Set<KafkaRunning>()
  let isClosed = false
  let epoch = 0

  async function publish(topic: Topic, records: readonly Rec[]): Promise<readonly Position[]> {
    if (isClosed) throw new Fault('BUS_CLOSED', 'the bus is closed')
    const places = new Map<number, number[]>()
    const parts = new Map<number, WireMessage[]>()
    for (const [i, record] of records.entries()) {
      const partition = partitionOf(record.key.toWellFormed(), partitions)
      const message = messageOf(topic, record)
      places.set(partition, places.get(partition) ?? [])
      parts.set(partition, parts.get(partition) ?? [])
      places.get(partition)?.push(i)
      parts.get(partition)?.push(message)
    }
    producer.admit(prefix + topic, parts, shares[topic]) // all or nothing: what follows begins before anyone else’s turn
    const positions: Position[] = []
    await Promise.all(
      [...parts].map(async ([partition, messages]) => {
        const offsets = await producer.send(prefix + topic, partition, messages)
        for (const [n, i] of (places.get(partition) ?? []).entries()) positions[i] = { topic, partition, offset: offsets[n] ?? 0n }
      }),
    )
    return positions
  }
  async function publishDead(letter: DeadLetter, key: string): Promise<void> {
    await publish('mcp.dead', [{ key, bytes: Buffer.from(JSON.stringify(letter)), value: letter }])
  }
  async function close(): Promise<void> {
    closing.abort()
    for (const stop of await Promise.allSettled([...running].map((reader) => reader.stop())))
      if (stop.status === 'rejected') onFault(stop.reason)
    isClosed = true // only now: handlers in flight may still publish
    await producer.close()
  }
  let closed: Promise<void> | undefined
  return {
    ...{ partitions, publish, id: `${clusterId}/${prefix}` },
    async consume(consumed, group, handler) {
      if (isClosed || closing.signal.aborted) throw new Fault('BUS_CLOSED', 'the bus is closed')
      const raw = await consumeKafka(
        {
          ...{ client: options, prefix, group, handler: handlerOf(handler), times, counts, readAheadBytesMax },
          ...{ seal, publishDead, now, retryMs, onFault, topics: [...new Set(consumed)] },
          nextEpoch: () => (epoch += 1),
        },
        closing.signal,
      )
      running.add(raw)
      // Safe: named as they were asked for.
      return {
        stop: () => raw.stop().finally(() => running.delete(raw)),
        lag: async () => (await raw.lag()) as ReadonlyMap<PartId, bigint>,
      }
    },
    checkpoints: (revision) => openSnapshots({ revision, cluster, producer, onFault, topic: prefix + checkpointsTopic }),
    counts: () => ({ ...producer.counts(), ...counts }),
    async [Symbol.asyncDispose]() {
      closed ??= close()
      await closed
    },
  }
}
