/** What an OTLP body becomes, whatever its encoding: one neutral record per span or log record, with its limits. */
import type { Json } from '../../schemas/event.ts'
import { fields, semconv } from '../../schemas/semconv.ts'

/** Names come from outside: a Map, never an object. */
export type Attributes = ReadonlyMap<string, Json>
export type Scope = Readonly<{ name: string; version: string }>
export type SpanEvent = Readonly<{ time: bigint; name: string; attributes: Attributes }>
export type SpanLink = Readonly<{ traceId: string; spanId: string }>

/** Ids are lower-case hex, '' when absent. `kind` and `statusCode` are OTLP's numbers. */
export type Span = Readonly<{
  traceId: string
  spanId: string
  parentSpanId: string
  traceState: string
  flags: number
  name: string
  kind: number
  start: bigint
  end: bigint
  attributes: Attributes
  events: readonly SpanEvent[]
  links: readonly SpanLink[]
  statusCode: number
  statusMessage: string
}>
export type Log = Readonly<{
  time: bigint
  observedTime: bigint
  severityNumber: number
  severityText: string
  eventName: string
  body: Json
  attributes: Attributes
  traceId: string
  spanId: string
  flags: number
}>
/** `facts` are what decoding had to change: `truncated:<key>`, `duplicate_key:<key>`. */
type Frame = Readonly<{ resource: Attributes; scope: Scope; facts: readonly string[] }>
export type OtlpRecord = Frame & Readonly<{ span: Span; log?: undefined } | { log: Log; span?: undefined }>

export type OtlpSignal = 'traces' | 'logs' | 'metrics'
/** `rejected` records can never be taken; their neighbours are. Metrics are counted, not kept. */
export type Decoded = Readonly<{ records: readonly OtlpRecord[]; points: number; rejected: number; reason: string }>

export type DecodeLimits = Readonly<{ elementsMax: number }>
export const limits = {
  /** Nesting of attribute values. */
  depthMax: 32,
  /** Per record; a record with more is refused. */
  attributesMax: 1_024,
  /** All attributes of a body, as a multiple of `elementsMax`: what keeps a body of tiny attributes from filling memory. */
  attributesPerElement: 5,
  /** Of one attribute value; content has its own bound. */
  valueBytesMax: 64 * 1024,
  /** Kept of the content of a foreign emitter. */
  contentBytesMax: 1024 * 1024,
  /** Read of a content attribute, before it is known whose it is. */
  jsonBytesMax: 16 * 1024 * 1024,
  factsMax: 16,
} as const

/** Nanoseconds that fit the store's signed 64 bits. */
export const timeMax = 2n ** 63n - 1n

/** Content fields, those of our own taps among them: JSON that cutting would break. */
const contentKeys: ReadonlySet<string> = new Set([
  ...fields.filter((field) => semconv[field][1] === 'json').map((field) => semconv[field][0]),
  'gen_ai.tool.definitions',
  'gen_ai.input.messages',
  'gen_ai.output.messages',
  'gen_ai.system_instructions',
])
/** Of the value of this key, which is at most `length` long: which key it is matters to long values only. */
export const valueBytesMax = (key: string, length: number = Number.POSITIVE_INFINITY): number =>
  length > limits.valueBytesMax && contentKeys.has(key) ? limits.jsonBytesMax : limits.valueBytesMax

/** The longest prefix of at most `bytesMax` bytes that does not split a UTF-8 sequence. */
export function utf8End(bytes: Uint8Array, start: number, end: number, bytesMax: number): number {
  if (end - start <= bytesMax) return end
  let cut = start + bytesMax
  while (cut > start && ((bytes[cut] ?? 0) & 0xc0) === 0x80) cut -= 1
  return cut
}

export function cutText(text: string, bytesMax: number): string {
  if (text.length * 3 <= bytesMax) return text
  const bytes = Buffer.from(text)
  return bytes.length <= bytesMax ? text : bytes.toString('utf8', 0, utf8End(bytes, 0, bytes.length, bytesMax))
}

/** JSON has no NaN, no infinities and no -0: the same value whatever the encoding. */
export const doubleValue = (value: number): Json => (Number.isFinite(value) ? value + 0 : String(value))
/** 64-bit integers beyond 2^53 stay exact as decimal text. */
export const intValue = (value: bigint): Json =>
  value >= -9_007_199_254_740_991n && value <= 9_007_199_254_740_991n ? Number(value) : String(value)

const hexOfLength = (length: number) => (id: string) => id.length === length && !/^0*$/.test(id)
export const isTraceId = hexOfLength(32)
export const isSpanId = hexOfLength(16)

/** Why this record can never be taken, or undefined. Without ids a span can be neither joined nor deduplicated. */
export function refusalOf(record: { span?: Span | undefined; log?: Log | undefined }): string | undefined {
  if (record.span) {
    const { traceId, spanId, start, end } = record.span
    if (!isTraceId(traceId) || !isSpanId(spanId)) return 'span without a valid trace id and span id'
    return start > timeMax || end > timeMax ? 'time out of range' : undefined
  }
  return record.log && (record.log.time > timeMax || record.log.observedTime > timeMax) ? 'time out of range' : undefined
}
