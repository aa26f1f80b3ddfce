/** Records ↔ bytes on the bus: JSON in UTF-8, times as decimal strings of nanoseconds. Decoding refuses what is not whole. */
import type { Alert, Severity } from './alert.ts'
import type { Fact, Signal } from './detector.ts'
import { Fault } from './errors.ts'
import type { McpEvent } from './event.ts'

/** The event belongs to this thread: a row of its own, because events are never edited. */
export type ThreadLink = Readonly<{ eventId: string; threadId: string; reason: string; confidence: number; time: bigint; tenant: string }>
/** The same alert again: the count of an alert is the number of its distinct hits (alert id, event id). */
export type AlertHit = Readonly<{ alertId: string; eventId: string; tenant: string; time: bigint; severity: Severity }>

/** What the detect role publishes to `mcp.alerts`. Every alert comes with its first hit. */
export type Verdict =
  | Readonly<{ type: 'alert'; alert: Alert }>
  | Readonly<{ type: 'hits'; hits: readonly AlertHit[] }>
  | Readonly<{ type: 'signals'; signals: readonly Signal[] }>
  | Readonly<{ type: 'links'; links: readonly ThreadLink[] }>

const bytesOf = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value))
const timed = <T extends { time: bigint }>(record: T) => ({ ...record, time: String(record.time) })

function parse(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'))
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (error) {
    throw new Fault('RECORD_INVALID', 'record is not JSON', error)
  }
  throw new Fault('RECORD_INVALID', 'record is not an object')
}

function nanoseconds(value: unknown): bigint {
  if (typeof value === 'string' && /^\d{1,19}$/.test(value)) return BigInt(value)
  throw new Fault('RECORD_INVALID', 'time is not nanoseconds')
}

export const encodeEvent = (event: McpEvent): Uint8Array =>
  bytesOf({
    ...event,
    time: String(event.time),
    ...(event.observedTime === undefined ? {} : { observedTime: String(event.observedTime) }),
    ...(event.ingestedTime === undefined ? {} : { ingestedTime: String(event.ingestedTime) }),
  })

/** `encodeEvent(after)`, where `bytes` are those of `before`: fields that were only added are appended, the content is not written again. */
export function encodeAdded(bytes: Uint8Array, before: McpEvent, after: McpEvent): Uint8Array {
  const added: Record<string, unknown> = {}
  for (const name in after) {
    const field = name as keyof McpEvent
    if (before[field] === after[field]) continue
    if (before[field] !== undefined || typeof after[field] === 'bigint') return encodeEvent(after)
    added[field] = after[field]
  }
  const text = JSON.stringify(added)
  if (text === '{}') return bytes
  const head = bytes.byteLength - 1 // without its closing brace
  const whole = Buffer.allocUnsafe(head + Buffer.byteLength(text))
  whole.set(bytes.subarray(0, head))
  whole.write(text, head)
  whole[head] = 0x2c
  return whole
}

/** Only our own stages write to the bus, so the fields were checked when the event was made; the envelope is checked again. */
export function decodeEvent(bytes: Uint8Array): McpEvent {
  const record = parse(bytes)
  for (const field of ['eventId', 'kind', 'tenant', 'actor', 'serverKey']) {
    if (typeof record[field] !== 'string') throw new Fault('RECORD_INVALID', `event without ${field}`)
  }
  record.time = nanoseconds(record.time)
  if (record.observedTime !== undefined) record.observedTime = nanoseconds(record.observedTime)
  if (record.ingestedTime !== undefined) record.ingestedTime = nanoseconds(record.ingestedTime)
  return record as unknown as McpEvent // safe: written by encodeEvent, envelope checked above
}

export const encodeFact = (fact: Fact): Uint8Array => bytesOf(timed(fact))
export function decodeFact(bytes: Uint8Array): Fact {
  const record = parse(bytes)
  if (typeof record.factId !== 'string' || typeof record.key !== 'string') throw new Fault('RECORD_INVALID', 'fact without id or key')
  return { ...record, time: nanoseconds(record.time) } as Fact
}

export function encodeVerdict(verdict: Verdict): Uint8Array {
  if (verdict.type === 'alert') return bytesOf({ ...verdict, alert: timed(verdict.alert) })
  if (verdict.type === 'hits') return bytesOf({ ...verdict, hits: verdict.hits.map(timed) })
  if (verdict.type === 'signals') return bytesOf({ ...verdict, signals: verdict.signals.map(timed) })
  return bytesOf({ ...verdict, links: verdict.links.map(timed) })
}

export function decodeVerdict(bytes: Uint8Array): Verdict {
  const record = parse(bytes) as Record<string, never>
  const untimed = <T>(value: { time: unknown }) => ({ ...value, time: nanoseconds(value.time) }) as T
  if (record.type === 'alert') return { type: 'alert', alert: untimed(record.alert as never) }
  const list = record[String(record.type)] as unknown
  if (!Array.isArray(list)) throw new Fault('RECORD_INVALID', 'verdict of unknown type')
  return { type: record.type, [String(record.type)]: list.map((value) => untimed(value)) } as unknown as Verdict
}
