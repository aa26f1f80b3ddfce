/** Records ↔ the bytes of one log row: each record is framed with its length and a CRC32, so that a damaged one is found and its neighbours live. */
import { crc32 } from 'node:zlib'
import type { Rec } from '../../schemas/bus.ts'

// crc32 of all that follows · length of the whole record · length of the key · length of the headers; then key, headers, bytes.
const headBytes = 16
type Headers = NonNullable<Rec['headers']>

const textBytes = (text: string): number => 4 + Buffer.byteLength(text)
function headersBytes(headers: Headers | undefined): number {
  let sum = 0
  if (headers) for (const [name, value] of Object.entries(headers)) sum += textBytes(name) + textBytes(value)
  return sum
}
export const framedBytes = (rec: Rec): number => headBytes + Buffer.byteLength(rec.key) + headersBytes(rec.headers) + rec.bytes.byteLength

function writeRecord(into: Buffer, from: number, rec: Rec): number {
  const keyLength = into.write(rec.key, from + headBytes)
  let at = from + headBytes + keyLength
  if (rec.headers) {
    for (const text of Object.entries(rec.headers).flat()) {
      const length = into.write(text, at + 4)
      into.writeUInt32LE(length, at)
      at += 4 + length
    }
  }
  const headersLength = at - from - headBytes - keyLength
  into.set(rec.bytes, at)
  const end = at + rec.bytes.byteLength
  into.writeUInt32LE(end - from, from + 4)
  into.writeUInt32LE(keyLength, from + 8)
  into.writeUInt32LE(headersLength, from + 12)
  into.writeUInt32LE(crc32(into.subarray(from + 4, end)), from)
  return end
}

/** Its memory is its own (never the shared pool), so that it can be handed to another thread without a copy. */
export function frame(records: readonly Rec[]): Uint8Array<ArrayBuffer> {
  let sum = 0
  for (const rec of records) sum += framedBytes(rec)
  const into = Buffer.from(new ArrayBuffer(sum))
  let at = 0
  for (const rec of records) at = writeRecord(into, at, rec)
  return into
}

function readHeaders(from: Buffer): Headers {
  const texts: string[] = []
  for (let at = 0; at < from.length; ) {
    const length = from.readUInt32LE(at)
    texts.push(from.toString('utf8', at + 4, at + 4 + length))
    at += 4 + length
  }
  const pairs: [string, string][] = []
  for (let i = 0; i + 1 < texts.length; i += 2) pairs.push([texts[i] ?? '', texts[i + 1] ?? ''])
  return Object.fromEntries(pairs) // defines own properties: a header may be called __proto__
}

/** `damaged`: the nth record of the row, and the ones after it where its length cannot be believed either. */
export type Damage = Readonly<{ index: number; count: number; bytes: Uint8Array }>
export type Unframed = Readonly<{ records: readonly (Rec | undefined)[]; damaged: readonly Damage[] }>

/** Never throws, whatever the bytes: `expected` records come back, `undefined` where one is damaged. */
export function unframe(row: Uint8Array, expected: number): Unframed {
  const from = Buffer.from(row.buffer, row.byteOffset, row.byteLength)
  const records: (Rec | undefined)[] = []
  const damaged: Damage[] = []
  let at = 0
  while (records.length < expected) {
    const left = from.length - at
    const length = left >= headBytes ? from.readUInt32LE(at + 4) : 0
    const last = records.length === expected - 1
    if (length < headBytes || length > left || (last && length !== left)) {
      damaged.push({ index: records.length, count: expected - records.length, bytes: from.subarray(at) })
      while (records.length < expected) records.push(undefined)
      break
    }
    const whole = from.subarray(at, at + length)
    const keyEnd = headBytes + whole.readUInt32LE(8)
    const headersEnd = keyEnd + whole.readUInt32LE(12)
    if (crc32(whole.subarray(4)) !== whole.readUInt32LE(0) || headersEnd > length) {
      damaged.push({ index: records.length, count: 1, bytes: whole })
      records.push(undefined)
    } else {
      const key = whole.toString('utf8', headBytes, keyEnd)
      const bytes = whole.subarray(headersEnd)
      records.push(headersEnd === keyEnd ? { key, bytes } : { key, bytes, headers: readHeaders(whole.subarray(keyEnd, headersEnd)) })
    }
    at += length
  }
  return { records, damaged }
}
