/** The two requests that carry records, as bytes: Produce version 7 and Fetch version 11. Answers have an error per partition, not one for all. */
import { type Batches, type Checksum, decodeBatches, encodeBatch, type ProducerId, type WireMessage } from './kafka-records.ts'

export type ProducePart = Readonly<{ topic: string; partition: number; sequence: number; messages: readonly WireMessage[] }>
/** `errorCode` 0 is none. `fault`: the broker has answered, but with what we cannot read. */
export type Produced = Readonly<{ topic: string; partition: number; errorCode: number; baseOffset: bigint }>
export type FetchPart = Readonly<{ topic: string; partition: number; from: bigint; bytesMax: number }>
export type FetchedPart = Batches & Readonly<{ topic: string; partition: number; errorCode: number; end: bigint; fault?: unknown }>
export type ProduceRequest = Readonly<{ id: ProducerId; timeoutMs: number; atMs: number; parts: readonly ProducePart[] }>
export type FetchRequest = Readonly<{ waitMs: number; bytesMax: number; parts: readonly FetchPart[] }>

const int16 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeInt16BE(value)
  return bytes
}
const int32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}
const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.allocUnsafe(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
const text = (value: string): Buffer => Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)])
const byTopic = <P extends { topic: string }>(parts: readonly P[]) => [...Map.groupBy(parts, ({ topic }) => topic)]

export async function encodeProduce({ id, timeoutMs, atMs, parts }: ProduceRequest, checksum: Checksum): Promise<Buffer> {
  const topics = byTopic(parts)
  const pieces: Buffer[] = [int16(-1), int16(-1), int32(timeoutMs), int32(topics.length)]
  for (const [topic, some] of topics) {
    pieces.push(text(topic), int32(some.length))
    for (const { partition, sequence, messages } of some) {
      const batch = await encodeBatch(messages, id, sequence, atMs, checksum)
      pieces.push(int32(partition), int32(batch.byteLength), batch)
    }
  }
  return Buffer.concat(pieces)
}

/** Throws where the answer ends early, as a buffer does. */
function reader(bytes: Buffer) {
  let at = 0
  const skip = (count: number): number => {
    at += count
    return at - count
  }
  const count = (): number => bytes.readInt32BE(skip(4))
  return {
    skip,
    int16: () => bytes.readInt16BE(skip(2)),
    int32: count,
    int64: () => bytes.readBigInt64BE(skip(8)),
    text: () => {
      const length = bytes.readInt16BE(skip(2))
      return bytes.toString('utf8', at, skip(length) + length)
    },
    slice: () => {
      const length = Math.max(0, count())
      return bytes.subarray(skip(length), at)
    },
    *times(): Generator<number> {
      const all = count()
      for (let i = 0; i < all; i += 1) yield i
    },
  }
}

export function decodeProduced(bytes: Buffer): readonly Produced[] {
  const from = reader(bytes)
  const parts: Produced[] = []
  for (const _ of from.times()) {
    const topic = from.text()
    for (const __ of from.times()) {
      const [partition, errorCode, baseOffset] = [from.int32(), from.int16(), from.int64()]
      from.skip(16) // the time it was appended, and where the log starts
      parts.push({ topic, partition, errorCode, baseOffset })
    }
  }
  return parts
}

export function encodeFetch({ waitMs, bytesMax, parts }: FetchRequest): Buffer {
  const topics = byTopic(parts)
  const minBytes = 1
  const [noReplica, uncommittedToo, noSession] = [int32(-1), Buffer.from([0]), [int32(0), int32(-1)]]
  const pieces: Buffer[] = [noReplica, int32(waitMs), int32(minBytes), int32(bytesMax), uncommittedToo, ...noSession, int32(topics.length)]
  for (const [topic, some] of topics) {
    pieces.push(text(topic), int32(some.length))
    for (const { partition, from, bytesMax: partMax } of some) {
      const [anyEpoch, noStart] = [int32(-1), int64(-1n)]
      pieces.push(int32(partition), anyEpoch, int64(from), noStart, int32(partMax))
    }
  }
  const [nothingForgotten, noRack] = [int32(0), text('')]
  return Buffer.concat([...pieces, nothingForgotten, noRack])
}

export async function decodeFetched(bytes: Buffer, { parts: asked }: FetchRequest, checksum: Checksum) {
  const froms = new Map(asked.map(({ topic, partition, from }) => [`${topic}/${partition}`, from]))
  const from = reader(bytes)
  from.int32() // how long to wait: brokers wait themselves
  const errorCode = from.int16()
  from.int32()
  const parts: FetchedPart[] = []
  for (const _ of from.times()) {
    const topic = from.text()
    for (const __ of from.times()) {
      const [partition, code, end] = [from.int32(), from.int16(), from.int64()]
      from.skip(16)
      from.skip(16 * Math.max(0, from.int32())) // transactions that were aborted: what we read has none
      from.int32()
      const at = froms.get(`${topic}/${partition}`) ?? 0n
      const batches = await decodeBatches(from.slice(), at, checksum).catch((fault: unknown) => ({
        messages: [],
        next: at,
        damaged: 0,
        fault,
      }))
      parts.push({ topic, partition, errorCode: code, end, ...batches })
    }
  }
  return { errorCode, parts }
}
