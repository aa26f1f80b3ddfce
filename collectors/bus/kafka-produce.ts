/**
 * Writing to Kafka so that what is acknowledged is there once. Every partition has one batch in flight and its own sequence, which
 * moves only when the broker has answered; whatever goes wrong before, the same records go again with the same sequence, and the
 * broker knows them. (kafkajs’s own producer takes the sequence back for the next message, which is then lost as a duplicate.)
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '../../schemas/errors.ts'
import { type Cluster, errorType, forget, isSettling, leaderOf } from './kafka-client.ts'
import { advance, batchBytesMax, cut, type Lane, nextBatch, openLane, type Piece, sizeOf } from './kafka-queue.ts'
import type { ProducerId, WireMessage } from './kafka-records.ts'

const requestBytesMax = 16 * 1024 ** 2
const produceMsMax = 30_000
/** A partition that could not be written for so long: whoever asks now is told to come back, instead of waiting with the others. */
const failingMsMax = 15_000
const closeMsMax = 10_000

export type ProducerOptions = Readonly<{
  cluster: Cluster
  bytesWaitingMax: number
  onFault: (error: unknown) => void
  retryMs: (attempt: number) => number
  now: () => number
}>
export type ProducerCounts = Readonly<{
  waitingBytes: number
  requests: number
  sentRecords: number
  /** Requests that failed, and whose records went again. */
  retries: number
  /** New producer ids: after an indefinite error when nothing waits, or because the broker forgot the old one. */
  newIds: number
  /** Records that may be stored twice: their batch was in doubt when the broker forgot the producer. */
  maybeTwice: number
}>
export type KafkaProducer = Readonly<{
  /** Throws BUS_FULL where all of this, together with what waits, is more than this share of the bound: before any of it is sent. */
  admit: (topic: string, parts: ReadonlyMap<number, readonly WireMessage[]>, share: number) => void
  /** Resolves with the offset of each message, when all are on all in-sync replicas. Calls to one partition keep their order. */
  send: (topic: string, partition: number, messages: readonly WireMessage[]) => Promise<readonly bigint[]>
  counts: () => ProducerCounts
  close: () => Promise<void>
}>

const refused = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE', 'INVALID_RECORD'])
const forgotten = new Set([
  ...['OUT_OF_ORDER_SEQUENCE_NUMBER', 'DUPLICATE_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID'],
  ...['INVALID_PRODUCER_EPOCH', 'INVALID_PRODUCER_ID_MAPPING', 'PRODUCER_FENCED'],
])

type Writer = {
  readonly options: ProducerOptions
  readonly lanes: Map<string, Lane>
  /** Lanes with something to send, of which nothing is in flight. */
  readonly ready: Set<Lane>
  readonly busy: Set<number>
  id: ProducerId | undefined
  /** No request starts until all have ended: then there is a new id. */
  renewing: boolean
  fetchingId: boolean
  doubtful: boolean
  scheduled: boolean
  readonly stop: AbortController
  readonly counts: { -readonly [K in keyof ProducerCounts]: number }
}

const recordsOf = (batch: readonly Piece[] | undefined): number => batch?.reduce((sum, { messages }) => sum + messages.length, 0) ?? 0
function settle(writer: Writer, lane: Lane, baseOffset: bigint): void {
  const batch = lane.batch ?? []
  const count = recordsOf(batch)
  lane.batch = undefined
  lane.sequence = advance(lane.sequence, count)
  Object.assign(lane, { failures: 0, failingSinceMs: undefined })
  if (lane.waiting.length === 0) lane.single = false
  writer.counts.sentRecords += count
  let offset = baseOffset
  for (const piece of batch) {
    writer.counts.waitingBytes -= piece.bytes
    piece.done(offset)
    offset += BigInt(piece.messages.length)
  }
  if (lane.waiting.length > 0) writer.ready.add(lane)
}

/** The broker will never take this batch, and has not. */
function refuse(writer: Writer, lane: Lane, error: unknown): void {
  const batch = lane.batch ?? []
  lane.batch = undefined
  if (batch.length > 1) {
    lane.single = true
    lane.waiting.unshift(...batch)
  } else {
    for (const piece of batch) {
      writer.counts.waitingBytes -= piece.bytes
      piece.failed(new Fault('INPUT_TOO_LARGE', `${lane.topic} does not take a batch of ${piece.bytes} bytes`, error))
    }
  }
  if (lane.waiting.length > 0) writer.ready.add(lane)
}

function retry(writer: Writer, lanes: readonly Lane[], error: unknown): void {
  const { cluster, onFault, retryMs, now } = writer.options
  writer.counts.retries += 1
  for (const lane of lanes) {
    lane.failures += 1
    lane.failingSinceMs ??= now()
  }
  const wait = retryMs(Math.max(...lanes.map(({ failures }) => failures)) - 1)
  // A leader that has just moved, or a topic that was just made, is no fault yet.
  if (!isSettling(error) || lanes.some(({ failures }) => failures > 5)) onFault(error)
  forget(cluster, error)
  void (async () => {
    await sleep(wait, undefined, { signal: writer.stop.signal }).catch(() => undefined)
    await cluster.refreshMetadata().catch(onFault)
    for (const lane of lanes) writer.ready.add(lane)
    schedulePass(writer)
  })()
}

function failed(writer: Writer, lanes: readonly Lane[], error: unknown): void {
  const type = errorType(error)
  const [only] = lanes
  if (only && refused.has(type)) {
    refuse(writer, only, error)
    return
  }
  if (forgotten.has(type)) writer.renewing = true
  else writer.doubtful = true
  retry(writer, lanes, error)
}

async function request(writer: Writer, leader: number, lanes: readonly Lane[]): Promise<void> {
  writer.busy.add(leader)
  for (const lane of lanes) writer.ready.delete(lane)
  try {
    const { id, options, counts } = writer
    if (!id) throw new Fault('BUS_CLOSED', 'no producer id')
    // From here on the batches are what they are, whatever happens.
    const parts = lanes.map((lane) => ({
      ...{ topic: lane.topic, partition: lane.partition, sequence: lane.sequence },
      messages: nextBatch(lane).flatMap(({ messages }) => messages),
    }))
    counts.requests += 1
    const answers = await options.cluster.produce(leader, { id, timeoutMs: produceMsMax, atMs: options.now(), parts })
    const answerOf = new Map(answers.map((answer) => [`${answer.topic}/${answer.partition}`, answer]))
    for (const lane of lanes) {
      const answer = answerOf.get(`${lane.topic}/${lane.partition}`)
      if (answer?.errorCode === 0) settle(writer, lane, answer.baseOffset)
      else failed(writer, [lane], answer ? options.cluster.errorOf(answer.errorCode) : new Error(`${lane.topic} was not answered for`))
    }
  } catch (error) {
    failed(writer, lanes, error)
  } finally {
    writer.busy.delete(leader)
    schedulePass(writer)
  }
}

async function renew(writer: Writer): Promise<void> {
  const { cluster, onFault, retryMs } = writer.options
  for (let attempt = 0; !writer.stop.signal.aborted; attempt += 1) {
    try {
      await cluster.refreshMetadataIfNecessary()
      const [nodeId = 0] = cluster.getNodeIds()
      const broker = await cluster.findBroker({ nodeId })
      const { producerId, producerEpoch } = await broker.initProducerId({ transactionTimeout: 60_000 })
      if (writer.id) writer.counts.newIds += 1
      writer.id = { producerId: BigInt(producerId), producerEpoch }
      for (const lane of writer.lanes.values()) {
        lane.sequence = 0
        if (lane.batch && lane.failures > 0) writer.counts.maybeTwice += recordsOf(lane.batch)
      }
      writer.renewing = false
      writer.doubtful = false
      return
    } catch (error) {
      if (!isSettling(error) || attempt > 5) onFault(error)
      forget(cluster, error)
      await sleep(retryMs(attempt), undefined, { signal: writer.stop.signal }).catch(() => undefined)
      await cluster.refreshMetadata().catch(onFault)
    }
  }
}

const isIdle = ({ lanes }: Writer): boolean => [...lanes.values()].every((lane) => lane.waiting.length === 0 && !lane.batch)

/** Who is sent what: to every leader at most one request, and none where one is on its way. */
function plan(writer: Writer) {
  const requests = new Map<number, { lanes: Lane[]; bytes: number }>()
  const orphans: Lane[] = []
  for (const lane of writer.ready) {
    const leader = leaderOf(writer.options.cluster, lane)
    if (leader < 0) orphans.push(lane)
    if (leader < 0 || writer.busy.has(leader)) continue
    const planned = requests.get(leader) ?? { lanes: [], bytes: 0 }
    if (planned.bytes > requestBytesMax - batchBytesMax) continue
    planned.lanes.push(lane)
    planned.bytes += nextBatch(lane).reduce((sum, piece) => sum + piece.bytes, 0)
    requests.set(leader, planned)
  }
  return { requests, orphans }
}

function pass(writer: Writer): void {
  if (writer.doubtful && isIdle(writer)) writer.renewing = true
  if (writer.renewing) {
    if (writer.busy.size > 0 || writer.fetchingId) return // the last one to end comes back here
    writer.fetchingId = true
    void renew(writer).finally(() => {
      writer.fetchingId = false
      schedulePass(writer)
    })
    return
  }
  const { requests, orphans } = plan(writer)
  for (const [leader, { lanes }] of requests) void request(writer, leader, lanes)
  if (orphans.length === 0) return
  for (const lane of orphans) writer.ready.delete(lane)
  retry(writer, orphans, new Error(`no leader for ${orphans.map(({ topic, partition }) => `${topic}/${partition}`).join(', ')}`))
}

/** A turn later, so that calls made together travel together. */
function schedulePass(writer: Writer): void {
  if (writer.scheduled || (writer.ready.size === 0 && !writer.doubtful) || writer.stop.signal.aborted) return
  writer.scheduled = true
  setImmediate(() => {
    writer.scheduled = false
    if (!writer.stop.signal.aborted) pass(writer)
  })
}

function enqueue(writer: Writer, lane: Lane, messages: readonly WireMessage[]): Promise<bigint> {
  return new Promise((resolve, reject) => {
    const bytes = messages.reduce((sum, message) => sum + sizeOf(message), 0)
    writer.counts.waitingBytes += bytes
    lane.waiting.push({ messages, bytes, done: resolve, failed: reject })
    if (!lane.batch) writer.ready.add(lane)
  })
}

async function close(writer: Writer): Promise<void> {
  const give = writer.options.now() + closeMsMax
  while (!isIdle(writer) && writer.options.now() < give) await sleep(5)
  writer.stop.abort()
  const fault = new Fault('BUS_CLOSED', 'closed before Kafka acknowledged')
  for (const lane of writer.lanes.values()) for (const piece of [...(lane.batch ?? []), ...lane.waiting]) piece.failed(fault)
  await writer.options.cluster.abandon()
}

export function createProducer(options: ProducerOptions): KafkaProducer {
  const writer: Writer = {
    ...{ options, lanes: new Map(), ready: new Set(), busy: new Set(), stop: new AbortController(), id: undefined },
    ...{ renewing: true, fetchingId: false, doubtful: false, scheduled: false },
    counts: { waitingBytes: 0, requests: 0, sentRecords: 0, retries: 0, newIds: 0, maybeTwice: 0 },
  }
  const laneOf = (topic: string, partition: number): Lane => {
    const id = `${topic}/${partition}`
    const lane = writer.lanes.get(id) ?? openLane(topic, partition)
    writer.lanes.set(id, lane)
    return lane
  }
  return {
    admit(topic, parts, share) {
      if (writer.stop.signal.aborted) throw new Fault('BUS_CLOSED', 'the bus is closed')
      const { bytesWaitingMax, now } = options
      const { waitingBytes } = writer.counts
      let bytes = 0
      for (const [partition, messages] of parts) {
        for (const message of messages) bytes += sizeOf(message)
        const { failingSinceMs } = laneOf(topic, partition)
        if (failingSinceMs !== undefined && now() - failingSinceMs > failingMsMax)
          throw new Fault('BUS_FULL', `${topic}/${partition} has not been acknowledged for ${now() - failingSinceMs} ms`)
      }
      if (waitingBytes > 0 && waitingBytes + bytes > bytesWaitingMax * share)
        throw new Fault('BUS_FULL', `${waitingBytes} bytes wait for Kafka already`)
    },
    async send(topic, partition, messages) {
      if (writer.stop.signal.aborted) throw new Fault('BUS_CLOSED', 'the bus is closed')
      const lane = laneOf(topic, partition)
      const pieces = cut(messages)
      const firsts = pieces.map((piece) => enqueue(writer, lane, piece))
      schedulePass(writer)
      const offsets = (await Promise.all(firsts)).map((first, i) => (pieces[i] ?? []).map((_, n) => first + BigInt(n)))
      return offsets.flat()
    },
    counts: () => ({ ...writer.counts }),
    close: () => close(writer),
  }
}
