/**
 * An event ↔ the attributes of one OTLP log record, exactly both ways. Names and types are those of schemas/semconv.ts.
 * Who receives one stamps tenant and source from the credential and doubts an `attested` grade: attributes are claims.
 */
import { z } from 'zod'
import { type Json, McpEvent } from './event.ts'
import { type Field, type FieldType, fieldByName, fields, semconv } from './semconv.ts'

export type AnyValue =
  | Readonly<{ stringValue: string }>
  | Readonly<{ intValue: string }>
  | Readonly<{ boolValue: boolean }>
  | Readonly<{ doubleValue: number }>
  | Readonly<{ arrayValue: Readonly<{ values: readonly AnyValue[] }> }>
export type KeyValue = Readonly<{ key: string; value: AnyValue }>

/** The scope name that says: these attributes are an event of ours. */
export const eventScope = 'lapwing'
/** The scope and service of what Lapwing tells of its own running: never an event, lest telling of it be told of in turn. */
export const selfScope = 'lapwing.pipeline'
export const selfService = 'lapwing'

export const attributeLimits = {
  textCharsMax: 64 * 1024,
  jsonCharsMax: 16 * 1024 * 1024,
  jsonDepthMax: 512,
  listItemsMax: 10_000,
  unknownMax: 256,
} as const
const limits = attributeLimits

const shape: Record<string, z.ZodType> = McpEvent.unwrap().shape
const bare = (type: z.ZodType): z.ZodType => (type instanceof z.ZodOptional ? (type.unwrap() as z.ZodType) : type)
const required: readonly Field[] = fields.filter((field) => !(shape[field] instanceof z.ZodOptional))
const allowed: ReadonlyMap<string, ReadonlySet<unknown>> = new Map(
  fields.flatMap((field) => {
    const type = bare(shape[field] as z.ZodType)
    return type instanceof z.ZodEnum ? [[field, new Set<unknown>(type.options)] as const] : []
  }),
)
/** What the receiver knows better; the sender's word is only a default. */
const defaults = { tenant: 'default', source: 'otlp' } as const

const text = (value: unknown): AnyValue => ({ stringValue: String(value).toWellFormed().slice(0, limits.textCharsMax) })

function anyValue(value: unknown, type: FieldType): AnyValue | undefined {
  if (type === 'string') return text(value)
  if (type === 'time' || type === 'int') return { intValue: String(value) }
  if (type === 'bool') return { boolValue: Boolean(value) }
  if (type === 'float') return Number.isFinite(value) ? { doubleValue: Number(value) } : undefined
  if (type === 'json') return { stringValue: JSON.stringify(value) }
  const items = (value as readonly unknown[]).slice(0, limits.listItemsMax)
  return { arrayValue: { values: items.map((item) => (type === 'strings' ? text(item) : { intValue: String(item) })) } }
}

/** Strings and lists over their limit are cut; JSON is the caller's to keep small, because cutting would break it. */
export function toLogAttributes(event: McpEvent): KeyValue[] {
  const attributes: KeyValue[] = []
  for (const field of fields) {
    const value = event[field]
    if (value === undefined) continue
    const [key, type] = semconv[field]
    const any = anyValue(value, type)
    if (any) attributes.push({ key, value: any })
  }
  return attributes
}

type Read = Readonly<{ value: unknown }> | string

function integer(value: unknown): Read {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : typeof value === 'bigint' ? Number(value) : value
  return Number.isSafeInteger(number) && (number as number) >= 0 ? { value: number } : 'not a non-negative integer'
}

function nanoseconds(value: unknown): Read {
  if (typeof value === 'bigint') return value >= 0n ? { value } : 'negative time'
  if (typeof value === 'string' && /^\d{1,19}$/.test(value)) return { value: BigInt(value) }
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? { value: BigInt(value) } : 'not nanoseconds'
}

/** Depth of the brackets outside strings: known before anything is parsed, in one pass. */
function depthOf(json: string): number {
  let depth = 0
  let deepest = 0
  let quoted = false
  for (let at = 0; at < json.length; at += 1) {
    const code = json.charCodeAt(at)
    if (quoted) {
      if (code === 92) at += 1
      else if (code === 34) quoted = false
    } else if (code === 34) quoted = true
    else if (code === 123 || code === 91) deepest = Math.max(deepest, ++depth)
    else if (code === 125 || code === 93) depth -= 1
  }
  return deepest
}

function json(value: unknown): Read {
  if (typeof value !== 'string') return 'not JSON text'
  if (value.length > limits.jsonCharsMax) return 'too long'
  if (depthOf(value) > limits.jsonDepthMax) return 'too deep'
  try {
    return { value: JSON.parse(value) as Json }
  } catch {
    return 'not JSON text'
  }
}

function list(value: unknown, item: (value: unknown) => Read): Read {
  if (!Array.isArray(value)) return 'not a list'
  if (value.length > limits.listItemsMax) return 'too many items'
  const items: unknown[] = []
  for (const one of value) {
    const read = item(one)
    if (typeof read === 'string') return read
    items.push(read.value)
  }
  return { value: items }
}

function string(value: unknown): Read {
  if (typeof value !== 'string') return 'not a string'
  return value.length > limits.textCharsMax ? 'too long' : { value }
}

const readers: Record<FieldType, (value: unknown) => Read> = {
  string,
  time: nanoseconds,
  int: integer,
  float: (value) => (typeof value === 'number' && Number.isFinite(value) ? { value } : 'not a number'),
  bool: (value) => (typeof value === 'boolean' ? { value } : 'not a boolean'),
  json,
  strings: (value) => list(value, string),
  ints: (value) => list(value, integer),
}

/** Values of unknown attributes as JSON: what has no JSON form becomes text. */
function plain(value: unknown): Json | undefined {
  const written = JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner))
  if (written === undefined || written.length > limits.textCharsMax || depthOf(written) > limits.jsonDepthMax) return undefined
  return JSON.parse(written) as Json
}

function withUnknown(known: Json | undefined, unknown: readonly (readonly [string, unknown])[]): Json | undefined {
  if (unknown.length === 0) return known
  const rest: [string, Json][] = []
  for (const [name, value] of unknown.slice(0, limits.unknownMax)) {
    const kept = plain(value)
    if (kept !== undefined) rest.push([name, kept])
  }
  const dropped = unknown.length - rest.length
  if (dropped > 0) rest.push(['lapwing.unmapped.dropped', dropped])
  const before = known !== null && typeof known === 'object' && !Array.isArray(known) ? Object.entries(known) : []
  return Object.fromEntries([...before, ...rest])
}

/** The event, or why it is none. `get` holds decoded values: string, number or bigint, boolean, array. */
export function fromAttributes(get: ReadonlyMap<string, unknown>): McpEvent | string {
  const event: Partial<Record<Field, unknown>> = { ...defaults }
  const unknown: [string, unknown][] = []
  for (const [name, value] of get) {
    const field = fieldByName.get(name)
    if (field === undefined) {
      unknown.push([name, value])
      continue
    }
    const read = readers[semconv[field][1]](value)
    if (typeof read === 'string') return `${name}: ${read}`
    if (allowed.get(field)?.has(read.value) === false) return `${name}: unknown value`
    event[field] = read.value
  }
  const missing = required.find((field) => event[field] === undefined)
  if (missing) return `${semconv[missing][0]}: missing`
  if (!/^[0-9a-f]{32}$/.test(event.eventId as string)) return `${semconv.eventId[0]}: not 32 hex digits`
  const unmapped = withUnknown(event.unmapped as Json | undefined, unknown)
  if (unmapped !== undefined) event.unmapped = unmapped
  return event as McpEvent // safe: every field was read by its type, and the required ones are there
}
