/** OTLP attribute values on the protobuf wire → JSON values, within the limits of the body. */
import type { Json } from '../../schemas/event.ts'
import { addAttribute, type Budget, noteFact, spendAttribute, spendElement } from './budget.ts'
import { doubleValue, intValue, limits, utf8End, valueBytesMax } from './record.ts'
import { double, each, enter, expectType, leave, lengthOf, skip, tag, text, varint, type Wire } from './wire.ts'

const LENGTH = 2

export function stringValue(wire: Wire, budget: Budget, key: string): string {
  const length = lengthOf(wire)
  const start = wire.pos
  wire.pos += length
  const end = utf8End(wire.bytes, start, wire.pos, valueBytesMax(key, length))
  if (end === wire.pos) return wire.intern(wire.bytes, wire.view, start, end)
  noteFact(budget, `truncated:${key}`)
  return wire.bytes.toString('utf8', start, end)
}

function bytesValue(wire: Wire, budget: Budget, key: string): string {
  const length = lengthOf(wire)
  const start = wire.pos
  wire.pos += length
  const kept = Math.min(length, valueBytesMax(key))
  if (kept < length) noteFact(budget, `truncated:${key}`)
  return wire.bytes.toString('base64', start, start + kept)
}

function signed64(wire: Wire): bigint {
  const low = varint(wire)
  return BigInt.asIntN(64, (BigInt(wire.high) << 32n) | BigInt(low))
}

/** The AnyValue up to the end of the current message. The last field of the oneof wins. */
export function anyValue(wire: Wire, budget: Budget, key: string, depth: number): Json {
  let value: Json = null
  while (wire.pos < wire.end) {
    const seen = tag(wire)
    const field = seen >>> 3
    if (field === 1) {
      expectType(seen, LENGTH)
      value = stringValue(wire, budget, key)
    } else if (field === 2) {
      expectType(seen, 0)
      value = varint(wire) !== 0 || wire.high !== 0
    } else if (field === 3) {
      expectType(seen, 0)
      value = intValue(signed64(wire))
    } else if (field === 4) {
      expectType(seen, 1)
      value = doubleValue(double(wire))
    } else if (field === 5 || field === 6) {
      expectType(seen, LENGTH)
      const outer = enter(wire)
      if (depth >= limits.depthMax) {
        budget.refusal = `attribute nested deeper than ${limits.depthMax}`
      } else value = field === 5 ? arrayValue(wire, budget, key, depth + 1) : kvlistValue(wire, budget, key, depth + 1)
      leave(wire, outer)
    } else if (field === 7) {
      expectType(seen, LENGTH)
      value = bytesValue(wire, budget, key)
    } else skip(wire, seen & 7)
  }
  return value
}

function arrayValue(wire: Wire, budget: Budget, key: string, depth: number): Json[] {
  const values: Json[] = []
  each(wire, 1, () => {
    spendElement(budget)
    values.push(anyValue(wire, budget, key, depth))
  })
  return values
}

function kvlistValue(wire: Wire, budget: Budget, key: string, depth: number): Json {
  const entries = new Map<string, Json>()
  each(wire, 1, () => {
    spendElement(budget)
    keyValue(wire, budget, key, depth, entries)
  })
  return Object.fromEntries(entries) // defines own properties: `__proto__` is a key like any other
}

/** Key and value in either order: the bound of the value depends on the key, so both are located first. */
function keyValue(wire: Wire, budget: Budget, limitKey: string | undefined, depth: number, into: Map<string, Json>): void {
  let key = ''
  let valueStart = -1
  let valueEnd = -1
  while (wire.pos < wire.end) {
    const seen = tag(wire)
    if (seen === ((1 << 3) | LENGTH)) key = text(wire)
    else if (seen === ((2 << 3) | LENGTH)) {
      const length = lengthOf(wire)
      valueStart = wire.pos
      wire.pos += length
      valueEnd = wire.pos
    } else if (seen >>> 3 <= 2) expectType(seen, LENGTH)
    else skip(wire, seen & 7)
  }
  let value: Json = null
  if (valueStart >= 0) {
    const { pos, end } = wire
    wire.pos = valueStart
    wire.end = valueEnd
    value = anyValue(wire, budget, limitKey ?? key, depth)
    wire.pos = pos
    wire.end = end
  }
  if (depth > 0) into.set(key, value)
  else addAttribute(budget, into, key, value)
}

/** One KeyValue of a record, its span event or its resource. */
export function readAttribute(wire: Wire, budget: Budget, seen: number, into: Map<string, Json>): void {
  expectType(seen, LENGTH)
  spendAttribute(budget)
  const outer = enter(wire)
  keyValue(wire, budget, undefined, 0, into)
  leave(wire, outer)
}
