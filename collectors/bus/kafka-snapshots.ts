/**
 * Snapshots with the positions they are true at, in a compacted topic: in chunks, three slots in turn, the newest whole one wins.
 * Read without a consumer group, so that none is left behind.
 */
import { randomUUID } from 'node:crypto'
import v8 from 'node:v8'
import { crc32 } from 'node:zlib'
import type { Checkpoint, Checkpoints, Saving } from '../../schemas/checkpoint.ts'
import { Fault } from '../../schemas/errors.ts'
import { type Cluster, leaderOf, settled } from './kafka-client.ts'
import { endsOf } from './kafka-fetch.ts'
import type { KafkaProducer } from './kafka-produce.ts'
import type { FetchedMessage, WireMessage } from './kafka-records.ts'

const chunkBytesMax = 900_000
const chunksInFlightMax = 8
const slots = 3
const setsMax = 4
const fetchBytesMax = 8 * 1024 ** 2
const pollMs = 200
const chunksMax = 4_096

export type SnapshotsOptions = Readonly<{
  revision: string
  topic: string
  cluster: Cluster
  producer: KafkaProducer
  onFault: (error: unknown) => void
}>

/** `crc`: of this chunk; `whole`: of all of them. */
type Meta = Readonly<{ id: string; slot: number; index: number; count: number; crc: number; whole: number; revision: string }>
type Loose = { meta: Meta; chunks: (Buffer | undefined)[]; got: number }
type Found = Readonly<{ slot: number; count: number; snapshot: Checkpoint | undefined }>

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) < chunksMax
function metaOf({ headers }: FetchedMessage): Meta | undefined {
  const text = headers?.['checkpoint']
  if (text === undefined) return undefined
  try {
    const meta = JSON.parse(text) as Meta
    return isCount(meta.slot) && isCount(meta.index) && isCount(meta.count) && meta.index < meta.count ? meta : undefined
  } catch {
    return undefined
  }
}

function whole({ meta, chunks }: Loose): Checkpoint | undefined {
  const body = Buffer.concat(chunks.filter((chunk) => chunk !== undefined))
  if (crc32(body) !== meta.whole) return undefined
  const { positions, snapshot } = v8.deserialize(body) as Checkpoint
  return { positions, snapshot }
}

/** Puts chunks together as they come; a set that is damaged, foreign or never finished is passed over. */
function createAssembly(revision: string) {
  const sets = new Map<string, Loose>()
  let best: Checkpoint | undefined
  let last: Meta | undefined
  return {
    add(message: FetchedMessage): void {
      const meta = metaOf(message)
      if (!meta || !message.value) return
      last = meta
      if (meta.revision !== revision || crc32(message.value) !== meta.crc) return
      const set = sets.get(meta.id) ?? { meta, chunks: [], got: 0 }
      if (set.chunks[meta.index] === undefined) set.got += 1
      set.chunks[meta.index] = message.value
      sets.set(meta.id, set)
      if (set.got === meta.count) {
        best = whole(set) ?? best
        sets.delete(meta.id)
      }
      // What came before and is not whole by now was torn.
      for (const id of sets.keys()) {
        if (sets.size <= setsMax) break
        sets.delete(id)
      }
    },
    result: (): Found => ({ slot: last?.slot ?? 0, count: last?.count ?? 0, snapshot: best }),
  }
}

export function openSnapshots({ revision, topic, cluster, producer, onFault }: SnapshotsOptions): Checkpoints {
  /** Of each partition, the slot written last and how many chunks each slot has. */
  const known = new Map<number, { slot: number; counts: number[] }>()
  const turns = new Map<number, Promise<unknown>>()

  async function fetchFrom(partition: number, from: bigint) {
    const request = { waitMs: pollMs, bytesMax: fetchBytesMax, parts: [{ topic, partition, from, bytesMax: fetchBytesMax }] }
    await cluster.refreshMetadataIfNecessary()
    const [answer] = await cluster.fetch(leaderOf(cluster, { topic, partition }), request)
    if (answer && answer.errorCode === 0) return answer
    await cluster.refreshMetadata()
    throw cluster.errorOf(answer?.errorCode ?? -1)
  }
  async function scan(partition: number, from: bigint, high: bigint): Promise<Found> {
    const assembly = createAssembly(revision)
    for (let at = from; at < high; ) {
      const { messages, next } = await settled(() => fetchFrom(partition, at))
      for (const message of messages) assembly.add(message)
      at = next > at ? next : high
    }
    return assembly.result()
  }
  async function find(partition: number): Promise<Found> {
    const { low, high } = (await endsOf(cluster, [{ topic, partition }])).get(`${topic}/${partition}`) ?? { low: 0n, high: 0n }
    if (low >= high) return { slot: slots - 1, count: 0, snapshot: undefined }
    // The newest are at the end: the last record says how far back to look.
    const { count } = await scan(partition, high - 1n, high)
    const near = high - BigInt(slots + 1) * BigInt(count + 1)
    if (count > 0 && near > low) {
      const found = await scan(partition, near, high)
      if (found.snapshot) return found
    }
    return scan(partition, low, high)
  }
  async function load(partition: number): Promise<Checkpoint | undefined> {
    const { slot, count, snapshot } = await find(partition)
    const counts = [0, 0, 0]
    counts[slot] = count
    known.set(partition, { slot, counts })
    return snapshot
  }
  async function save(partition: number, { positions, pieces }: Saving): Promise<void> {
    const taken: Uint8Array[] = []
    for await (const piece of pieces) taken.push(piece)
    const snapshot = Buffer.concat(taken)
    if (!known.has(partition)) await load(partition)
    const state = known.get(partition) ?? { slot: 0, counts: [0, 0, 0] }
    const slot = (state.slot + 1) % slots
    const body = v8.serialize({ positions, snapshot })
    const count = Math.ceil(body.byteLength / chunkBytesMax)
    if (count >= chunksMax) throw new Fault('INPUT_TOO_LARGE', `a snapshot of ${body.byteLength} bytes`)
    const id = randomUUID()
    const key = (index: number): Buffer => Buffer.from(`${partition}/${slot}/${index}`)
    const sum = crc32(body)
    const messages: WireMessage[] = []
    for (let index = 0; index < count; index += 1) {
      const value = body.subarray(index * chunkBytesMax, (index + 1) * chunkBytesMax)
      const meta: Meta = { id, slot, index, count, crc: crc32(value), whole: sum, revision }
      messages.push({ key: key(index), value, headers: { checkpoint: JSON.stringify(meta) } })
    }
    for (let at = 0; at < messages.length; at += chunksInFlightMax) {
      const some = messages.slice(at, at + chunksInFlightMax)
      producer.admit(topic, new Map([[partition, some]]), 1)
      await producer.send(topic, partition, some)
    }
    // What a longer one has left in this slot would never be compacted away.
    const left = Array.from({ length: Math.max(0, (state.counts[slot] ?? 0) - count) }, (_, n) => ({ key: key(count + n), value: null }))
    if (left.length > 0) await producer.send(topic, partition, left).catch(onFault)
    state.counts[slot] = count
    known.set(partition, { ...state, slot })
  }
  /** One after the other within a partition. */
  function inTurn<T>(partition: number, work: () => Promise<T>): Promise<T> {
    const mine = (turns.get(partition) ?? Promise.resolve()).then(work)
    turns.set(
      partition,
      mine.catch(() => undefined),
    )
    return mine
  }
  return {
    load: (partition) => inTurn(partition, () => load(partition)),
    save: (partition, saving) => inTurn(partition, () => save(partition, saving)),
  }
}
