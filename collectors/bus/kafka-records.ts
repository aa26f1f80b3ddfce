/** Kafka’s record batches (magic 2) ↔ messages, into one buffer and by reference out of it: several times cheaper than a reader per field. */
import { promisify } from 'node:util'
import { constants, gunzip, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib'
import { Fault } from '../../schemas/errors.ts'

export type WireMessage = Readonly<{
  key: Buffer | null
  value: Buffer | null
  headers?: Readonly<Record<string, string>>
}>
export type FetchedMessage = Readonly<{
  key: Buffer | null
  value: Buffer | null
  headers?: Readonly<Record<string, string>>
  offset: bigint
}>
/** `next`: the offset after the last batch that is whole, which may lie beyond its last message. */
export type Batches = Readonly<{ messages: readonly FetchedMessage[]; next: bigint; damaged: number }>
export type ProducerId = Readonly<{ producerId: bigint; producerEpoch: number }>

const headBytes = 61
const crcAt = 17
const attributesAt = 21
const zstd = 4
const gzip = 1
const controlBit = 0x20
/** A batch that says it is larger than this is damage, or an attack on our memory. */
const inflatedBytesMax = 256 * 1024 ** 2
/** Below this a thread costs more than the work. */
const threadBytesMin = 256 * 1024
const compressed = promisify(zstdCompress)
const inflated = promisify(zstdDecompress)
const gunzipped = promisify(gunzip)

/** Node reads its answer in pieces of 16 KiB if it is not told better, and comes back for each. */
const chunkBytes = (bytes: number): number => Math.min(4 * 1024 ** 2, Math.max(16 * 1024, bytes))
const packing = (bytes: number) => ({
  chunkSize: chunkBytes(bytes / 2),
  // The level above costs half as much again, for a twentieth less.
  params: { [constants.ZSTD_c_compressionLevel]: 1 },
})

export type Checksum = (bytes: Uint8Array) => number
/** CRC32C, which is not the CRC32 of zlib; the tables are made once, by whoever opens a client. */
export function createChecksum(): Checksum {
  const tables = Array.from({ length: 4 }, () => new Int32Array(256))
  const [t0, t1, t2, t3] = tables as [Int32Array, Int32Array, Int32Array, Int32Array]
  for (let n = 0; n < 256; n += 1) {
    let crc = n
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    t0[n] = crc
  }
  const at = (table: Int32Array, index: number): number => table[index] ?? 0
  for (let n = 0; n < 256; n += 1) {
    for (let i = 1; i < 4; i += 1) {
      const before = at(tables[i - 1] ?? t0, n)
      const table = tables[i] ?? t0
      table[n] = (before >>> 8) ^ at(t0, before & 0xff)
    }
  }
  return (bytes) => {
    let crc = -1
    let i = 0
    for (const end = bytes.length - 3; i < end; i += 4) {
      crc ^=
        at(bytes as never, i) | (at(bytes as never, i + 1) << 8) | (at(bytes as never, i + 2) << 16) | (at(bytes as never, i + 3) << 24)
      crc = at(t3, crc & 0xff) ^ at(t2, (crc >>> 8) & 0xff) ^ at(t1, (crc >>> 16) & 0xff) ^ at(t0, crc >>> 24)
    }
    for (; i < bytes.length; i += 1) crc = at(t0, (crc ^ at(bytes as never, i)) & 0xff) ^ (crc >>> 8)
    return (crc ^ -1) >>> 0
  }
}

const zigzag = (value: number): number => (value < 0 ? -2 * value - 1 : 2 * value)
function varintBytes(value: number): number {
  let rest = zigzag(value)
  let count = 1
  for (; rest >= 128; rest = Math.floor(rest / 128)) count += 1
  return count
}
function writeVarint(into: Buffer, at: number, value: number): number {
  let rest = zigzag(value)
  let next = at
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    into[next] = (rest % 128) | 128
    next += 1
  }
  into[next] = rest
  return next + 1
}
const bytesBytes = (bytes: Buffer | null): number => (bytes ? varintBytes(bytes.byteLength) + bytes.byteLength : 1)
function writeBytes(into: Buffer, at: number, bytes: Buffer | null): number {
  if (!bytes) return writeVarint(into, at, -1)
  const from = writeVarint(into, at, bytes.byteLength)
  into.set(bytes, from)
  return from + bytes.byteLength
}

/** How long the body of a record is: all but its own length. */
function bodyBytes({ key, value }: WireMessage, index: number, headers: readonly Buffer[]): number {
  let sum = 2 + varintBytes(index) + bytesBytes(key) + bytesBytes(value) + varintBytes(headers.length / 2)
  for (const text of headers) sum += bytesBytes(text)
  return sum
}

const flat = (headers: WireMessage['headers']): readonly Buffer[] =>
  headers ? Object.entries(headers).flatMap(([name, text]) => [Buffer.from(name), Buffer.from(text)]) : []

function encodeRecords(messages: readonly WireMessage[]): Buffer {
  const headers = messages.map((message) => flat(message.headers))
  const lengths = messages.map((message, i) => bodyBytes(message, i, headers[i] ?? []))
  const into = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + varintBytes(length) + length, 0))
  let at = 0
  for (const [i, { key, value }] of messages.entries()) {
    at = writeVarint(into, at, lengths[i] ?? 0)
    into[at] = 0 // attributes, of which there are none
    into[at + 1] = 0 // all of a batch have its time
    at = writeVarint(into, at + 2, i)
    at = writeBytes(into, at, key)
    at = writeBytes(into, at, value)
    const mine = headers[i] ?? []
    at = writeVarint(into, at, mine.length / 2)
    for (const text of mine) at = writeBytes(into, at, text)
  }
  return into
}

export async function encodeBatch(
  messages: readonly WireMessage[],
  { producerId, producerEpoch }: ProducerId,
  sequence: number,
  atMs: number,
  checksum: Checksum,
): Promise<Buffer> {
  const records = encodeRecords(messages)
  const how = packing(records.byteLength)
  const body = records.byteLength < threadBytesMin ? zstdCompressSync(records, how) : await compressed(records, how)
  const batch = Buffer.allocUnsafe(headBytes + body.byteLength)
  batch.writeBigInt64BE(0n, 0)
  batch.writeInt32BE(batch.byteLength - 12, 8)
  batch.writeInt32BE(-1, 12)
  batch[16] = 2
  batch.writeInt16BE(zstd, attributesAt)
  batch.writeInt32BE(messages.length - 1, 23)
  batch.writeBigInt64BE(BigInt(atMs), 27)
  batch.writeBigInt64BE(BigInt(atMs), 35)
  batch.writeBigInt64BE(producerId, 43)
  batch.writeInt16BE(producerEpoch, 51)
  batch.writeInt32BE(sequence, 53)
  batch.writeInt32BE(messages.length, 57)
  batch.set(body, headBytes)
  batch.writeUInt32BE(checksum(batch.subarray(attributesAt)), crcAt)
  return batch
}

/** Reads what others wrote: every length is checked against what is there. */
type Cursor = { readonly from: Buffer; at: number }
function readVarint(cursor: Cursor): number {
  let value = 0
  let scale = 1
  for (let i = 0; i < 10; i += 1) {
    const byte = cursor.from[cursor.at]
    if (byte === undefined) throw new RangeError('a record ends early')
    cursor.at += 1
    value += (byte & 127) * scale
    if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    scale *= 128
  }
  throw new RangeError('a number without an end')
}
function readBytes(cursor: Cursor): Buffer | null {
  const length = readVarint(cursor)
  if (length < 0) return null
  const end = cursor.at + length
  if (end > cursor.from.byteLength) throw new RangeError('a record ends early')
  const bytes = cursor.from.subarray(cursor.at, end)
  cursor.at = end
  return bytes
}
function readHeaders(cursor: Cursor): Readonly<Record<string, string>> | undefined {
  const count = readVarint(cursor)
  if (count <= 0) return undefined
  const pairs = new Map<string, string>()
  for (let i = 0; i < count; i += 1) {
    const name = String(readBytes(cursor) ?? '')
    const text = String(readBytes(cursor) ?? '')
    if (!pairs.has(name)) pairs.set(name, text) // one may come twice: the first counts
  }
  return Object.fromEntries(pairs) // defines own properties: a header may be called __proto__
}
function readRecord(cursor: Cursor, base: bigint): FetchedMessage {
  const end = readVarint(cursor) + cursor.at
  cursor.at += 1
  readVarint(cursor) // its time, which is not ours
  const offset = base + BigInt(readVarint(cursor))
  const key = readBytes(cursor)
  const value = readBytes(cursor)
  const headers = readHeaders(cursor)
  cursor.at = end
  return headers ? { key, value, headers, offset } : { key, value, offset }
}

async function inflate(body: Buffer, codec: number): Promise<Buffer> {
  if (codec === 0) return body
  const limit = { maxOutputLength: inflatedBytesMax, chunkSize: chunkBytes(4 * body.byteLength) }
  if (codec === zstd) return body.byteLength < threadBytesMin / 4 ? zstdDecompressSync(body, limit) : inflated(body, limit)
  if (codec === gzip) return gunzipped(body, limit)
  throw new Fault(
    'RECORD_INVALID',
    `records compressed with ${codec === 2 ? 'snappy' : codec === 3 ? 'lz4' : `codec ${codec}`}: use zstd, gzip or none`,
  )
}

/** The messages of one batch from `next` on; undefined: it is not what it says it is. */
async function readBatch(batch: Buffer, base: bigint, next: bigint): Promise<readonly FetchedMessage[] | undefined> {
  const attributes = batch.readInt16BE(attributesAt)
  if ((attributes & controlBit) !== 0) return []
  try {
    const cursor = { from: await inflate(batch.subarray(headBytes), attributes & 7), at: 0 }
    const messages: FetchedMessage[] = []
    const count = batch.readInt32BE(57)
    for (let i = 0; i < count; i += 1) {
      const message = readRecord(cursor, base)
      if (message.offset >= next) messages.push(message)
    }
    return messages
  } catch (error) {
    if (error instanceof Fault) throw error
    return undefined
  }
}

/** `from`: the offset that was asked for; brokers send whole batches, of which the first may begin before it and the last be cut off. */
export async function decodeBatches(bytes: Buffer, from: bigint, checksum: Checksum): Promise<Batches> {
  const messages: FetchedMessage[] = []
  let damaged = 0
  let next = from
  for (let at = 0; at + headBytes <= bytes.byteLength; ) {
    const length = bytes.readInt32BE(at + 8) + 12
    if (length < headBytes || at + length > bytes.byteLength) break
    const batch = bytes.subarray(at, at + length)
    at += length
    const base = batch.readBigInt64BE(0)
    const last = base + BigInt(batch.readInt32BE(23))
    if (last < next) continue
    const isWhole = batch[16] === 2 && checksum(batch.subarray(attributesAt)) === batch.readUInt32BE(crcAt)
    const found = isWhole ? await readBatch(batch, base, next) : undefined
    if (found) for (const message of found) messages.push(message)
    else damaged += Number(last - next) + 1
    next = last + 1n
  }
  return { messages, next, damaged }
}
