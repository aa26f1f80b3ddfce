/** A bounds-checked reader of the protobuf wire format over one buffer, with short strings interned. */
import { Fault } from '../../schemas/errors.ts'

/** `end` is the end of the message being read; `high` the upper half of the last varint. */
export type Wire = { readonly bytes: Buffer; readonly view: DataView; readonly intern: Intern; pos: number; end: number; high: number }
/** The text of so many bytes of a body, of which `view` is another view. */
export type Intern = (bytes: Buffer, view: DataView, start: number, end: number) => string

export const refuse = (reason: string): never => {
  throw new Fault('RECORD_INVALID', reason)
}

const internBytesMax = 40
const internSlots = 4_096

/** Keys and repeated values are a few hundred strings: comparing bytes is cheaper than decoding them again. Kept is what comes a second time. */
export function createIntern(): Intern {
  const slots: ({ bytes: Uint8Array; text: string } | undefined)[] = new Array(internSlots)
  const missed = new Int32Array(internSlots)
  return (bytes, view, start, end) => {
    const length = end - start
    if (length > internBytesMax) return bytes.toString('utf8', start, end)
    let hash = length
    let at = start
    for (; at + 4 <= end; at += 4) hash = Math.imul(hash ^ (hash >>> 15) ^ view.getInt32(at, true), 0x2c1b3c6d)
    for (; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193)
    const slot = (hash ^ (hash >>> 16)) & (internSlots - 1)
    const known = slots[slot]
    if (known !== undefined && known.bytes.length === length && sameBytes(known.bytes, bytes, start)) return known.text
    const text = bytes.toString('utf8', start, end)
    if (missed[slot] === hash) slots[slot] = { bytes: Uint8Array.prototype.slice.call(bytes, start, end), text }
    missed[slot] = hash
    return text
  }
}

function sameBytes(known: Uint8Array, bytes: Buffer, start: number): boolean {
  for (let at = 0; at < known.length; at += 1) if (known[at] !== bytes[start + at]) return false
  return true
}

export const openWire = (bytes: Buffer, intern: Intern): Wire => ({
  bytes,
  view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
  intern,
  pos: 0,
  end: bytes.length,
  high: 0,
})

/** Low 32 bits of a varint; the upper ones are in `high`. */
export function varint(wire: Wire): number {
  let low = 0
  let high = 0
  for (let shift = 0; shift < 70; shift += 7) {
    if (wire.pos >= wire.end) return refuse('varint is cut off')
    const byte = wire.bytes[wire.pos++] as number
    const bits = byte & 0x7f
    if (shift < 28) low |= bits << shift
    else if (shift === 28) {
      low |= bits << 28
      high = bits >>> 4
    } else high |= bits << (shift - 32)
    if (byte < 0x80) {
      if (shift === 63 && byte > 1) return refuse('varint is longer than 64 bits')
      wire.high = high >>> 0
      return low >>> 0
    }
  }
  return refuse('varint is longer than 10 bytes')
}

export function tag(wire: Wire): number {
  const value = varint(wire)
  if (wire.high !== 0 || value >>> 3 === 0) return refuse('field number out of range')
  return value
}

/** Length of what follows, checked against the message it stands in. */
export function lengthOf(wire: Wire): number {
  const length = varint(wire)
  if (wire.high !== 0 || length > wire.end - wire.pos) return refuse('length runs past the end of its message')
  return length
}

/** Narrows the reader to the embedded message that follows; answers the end to give back to `leave`. */
export function enter(wire: Wire): number {
  const outer = wire.end
  const length = lengthOf(wire)
  wire.end = wire.pos + length
  return outer
}
export function leave(wire: Wire, outer: number): void {
  wire.pos = wire.end
  wire.end = outer
}

export function fixed64(wire: Wire): bigint {
  if (wire.end - wire.pos < 8) return refuse('fixed64 is cut off')
  const value = wire.view.getBigUint64(wire.pos, true)
  wire.pos += 8
  return value
}
export function fixed32(wire: Wire): number {
  if (wire.end - wire.pos < 4) return refuse('fixed32 is cut off')
  const value = wire.view.getUint32(wire.pos, true)
  wire.pos += 4
  return value
}
export function double(wire: Wire): number {
  if (wire.end - wire.pos < 8) return refuse('double is cut off')
  const value = wire.view.getFloat64(wire.pos, true)
  wire.pos += 8
  return value
}
export function text(wire: Wire): string {
  const length = lengthOf(wire)
  wire.pos += length
  return wire.intern(wire.bytes, wire.view, wire.pos - length, wire.pos)
}
export function hex(wire: Wire): string {
  const length = lengthOf(wire)
  wire.pos += length
  if (length > 16) return '' // no id at all, rather than half of one: the record decides what that means
  return wire.bytes.toString('hex', wire.pos - length, wire.pos)
}

export function skip(wire: Wire, wireType: number): void {
  if (wireType === 0) varint(wire)
  else if (wireType === 1) fixed64(wire)
  else if (wireType === 2) {
    const length = lengthOf(wire)
    wire.pos += length
  } else if (wireType === 5) fixed32(wire)
  else refuse(`wire type ${wireType} is not supported`)
}

/** A known field must have the wire type of its definition. */
export function expectType(seen: number, wireType: number): void {
  if ((seen & 7) !== wireType) refuse(`field ${seen >>> 3} has wire type ${seen & 7}`)
}

/** Every embedded message of one repeated field, narrowed to; other fields go to `other` or are skipped. */
export function each(wire: Wire, field: number, read: () => void, other?: (seen: number) => void): void {
  while (wire.pos < wire.end) {
    const seen = tag(wire)
    if (seen >>> 3 === field) {
      expectType(seen, 2)
      const outer = enter(wire)
      read()
      leave(wire, outer)
    } else if (other) other(seen)
    else skip(wire, seen & 7)
  }
}
