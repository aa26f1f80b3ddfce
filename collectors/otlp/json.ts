/** OTLP/JSON → the same neutral records as protobuf. Depth is scanned before JSON.parse; wrong shapes are refused. */
import { Fault } from '../../schemas/errors.ts'
import type { Json } from '../../schemas/event.ts'
import {
  addAttribute,
  type Budget,
  createBudget,
  noteFact,
  rejectAll,
  settle,
  spendAttribute,
  spendElement,
  takeRefusal,
} from './budget.ts'
import { parseBounded } from './json-text.ts'
import {
  type Attributes,
  cutText,
  type Decoded,
  type DecodeLimits,
  doubleValue,
  intValue,
  type Log,
  limits,
  type OtlpRecord,
  type OtlpSignal,
  refusalOf,
  type Span,
  valueBytesMax,
} from './record.ts'

type Members = Readonly<Record<string, unknown>>
const refuse = (reason: string): never => {
  throw new Fault('RECORD_INVALID', reason)
}

/** Only known names are ever read from it, and only its own. */
function members(value: unknown, what: string): Members {
  if (value === null || value === undefined) return {}
  return typeof value === 'object' && !Array.isArray(value) ? (value as Members) : refuse(`${what} is not an object`)
}
const own = (object: Members, name: string): unknown => (Object.hasOwn(object, name) ? object[name] : undefined)

function list(object: Members, name: string): readonly unknown[] {
  const value = own(object, name)
  if (value === null || value === undefined) return []
  return Array.isArray(value) ? value : refuse(`${name} is not an array`)
}

function textOf(object: Members, name: string): string {
  const value = own(object, name)
  if (value === null || value === undefined) return ''
  return typeof value === 'string' ? value.toWellFormed() : refuse(`${name} is not a string`)
}

/** int64, uint64 and fixed64: decimal text or a number. */
function wholeNumber(value: unknown, what: string, min: bigint, max: bigint): bigint {
  if (value === null || value === undefined) return 0n
  const whole =
    typeof value === 'string' && /^-?\d{1,20}$/.test(value)
      ? BigInt(value)
      : typeof value === 'number' && Number.isInteger(value)
        ? BigInt(value)
        : refuse(`${what} is not an integer`)
  return whole < min || whole > max ? refuse(`${what} is out of range`) : whole
}
const time = (object: Members, name: string): bigint => wholeNumber(own(object, name), name, 0n, 2n ** 64n - 1n)
const uint32 = (object: Members, name: string): number => Number(wholeNumber(own(object, name), name, 0n, 2n ** 32n - 1n))

/** Hand-written exporters send names where the specification wants numbers. Unknown numbers are kept, unknown names refused. */
function enumOf(value: unknown, names: readonly string[], prefix: string, what: string): number {
  if (typeof value === 'string' && !/^-?\d+$/.test(value)) {
    const index = names.indexOf(value.startsWith(prefix) ? value.slice(prefix.length) : value)
    return index >= 0 ? index : refuse(`${what} is unknown`)
  }
  return Number(BigInt.asIntN(32, wholeNumber(value, what, -(2n ** 63n), 2n ** 63n - 1n)))
}
const spanKinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER'] as const
const statusCodes = ['UNSET', 'OK', 'ERROR'] as const

/** Hex of any case; what is not hex is no id. */
function id(object: Members, name: string): string {
  const value = textOf(object, name)
  return value.length <= 32 && value.length % 2 === 0 && /^[0-9a-fA-F]*$/.test(value) ? value.toLowerCase() : ''
}

function cut(budget: Budget, key: string, value: string): string {
  const kept = cutText(value, valueBytesMax(key, value.length * 3))
  if (kept.length !== value.length) noteFact(budget, `truncated:${key}`)
  return kept
}

function double(value: unknown): Json {
  if (typeof value === 'number') return doubleValue(value)
  if (value === null) return 0
  if (value === 'NaN' || value === 'Infinity' || value === '-Infinity') return value
  const number = typeof value === 'string' && /^[-+0-9.eE]{1,64}$/.test(value) ? Number(value) : Number.NaN
  return Number.isNaN(number) ? refuse('doubleValue is not a number') : doubleValue(number)
}

function base64(budget: Budget, key: string, object: Members): string {
  const bytes = Buffer.from(textOf(object, 'bytesValue'), 'base64')
  const max = valueBytesMax(key)
  if (bytes.length > max) noteFact(budget, `truncated:${key}`)
  return bytes.toString('base64', 0, Math.min(bytes.length, max))
}

/** `intValue` keeps numbers that JSON.parse would round: parseBounded hands them on as text. */
function anyValue(budget: Budget, key: string, raw: unknown, depth: number): Json {
  const value = members(raw, 'value')
  if (Object.hasOwn(value, 'stringValue')) return cut(budget, key, textOf(value, 'stringValue'))
  if (Object.hasOwn(value, 'boolValue')) {
    const flag = value.boolValue ?? false
    return typeof flag === 'boolean' ? flag : refuse('boolValue is not a boolean')
  }
  if (Object.hasOwn(value, 'intValue')) return intValue(wholeNumber(value.intValue, 'intValue', -(2n ** 63n), 2n ** 63n - 1n))
  if (Object.hasOwn(value, 'doubleValue')) return double(value.doubleValue)
  if (Object.hasOwn(value, 'bytesValue')) return base64(budget, key, value)
  const array = Object.hasOwn(value, 'arrayValue')
  if (!array && !Object.hasOwn(value, 'kvlistValue')) return null
  if (depth >= limits.depthMax) {
    budget.refusal = `attribute nested deeper than ${limits.depthMax}`
    return null
  }
  const items = list(members(value[array ? 'arrayValue' : 'kvlistValue'], 'value'), 'values')
  for (let count = 0; count < items.length; count += 1) spendElement(budget)
  if (array) return items.map((item) => anyValue(budget, key, item, depth + 1))
  return Object.fromEntries(
    items.map((item) => {
      const entry = members(item, 'attribute')
      return [textOf(entry, 'key'), anyValue(budget, key, own(entry, 'value'), depth + 1)] as const
    }),
  )
}

function attributes(budget: Budget, object: Members): Map<string, Json> {
  const into = new Map<string, Json>()
  for (const item of list(object, 'attributes')) {
    spendAttribute(budget)
    const entry = members(item, 'attribute')
    const key = textOf(entry, 'key')
    addAttribute(budget, into, key, anyValue(budget, key, own(entry, 'value'), 0))
  }
  return into
}

function readSpan(budget: Budget, raw: unknown): Span {
  const span = members(raw, 'span')
  const status = members(own(span, 'status'), 'status')
  return {
    traceId: id(span, 'traceId'),
    spanId: id(span, 'spanId'),
    parentSpanId: id(span, 'parentSpanId'),
    traceState: cut(budget, 'trace_state', textOf(span, 'traceState')),
    flags: uint32(span, 'flags'),
    name: cut(budget, 'span.name', textOf(span, 'name')),
    kind: enumOf(own(span, 'kind'), spanKinds, 'SPAN_KIND_', 'kind'),
    start: time(span, 'startTimeUnixNano'),
    end: time(span, 'endTimeUnixNano'),
    attributes: attributes(budget, span),
    events: list(span, 'events').map((item) => {
      spendElement(budget)
      const event = members(item, 'event')
      return {
        time: time(event, 'timeUnixNano'),
        name: cut(budget, 'event.name', textOf(event, 'name')),
        attributes: attributes(budget, event),
      }
    }),
    links: list(span, 'links').map((item) => {
      spendElement(budget)
      const link = members(item, 'link')
      return { traceId: id(link, 'traceId'), spanId: id(link, 'spanId') }
    }),
    statusCode: enumOf(own(status, 'code'), statusCodes, 'STATUS_CODE_', 'status code'),
    statusMessage: cut(budget, 'status.message', textOf(status, 'message')),
  }
}

function readLog(budget: Budget, raw: unknown): Log {
  const log = members(raw, 'log record')
  return {
    time: time(log, 'timeUnixNano'),
    observedTime: time(log, 'observedTimeUnixNano'),
    severityNumber: enumOf(own(log, 'severityNumber'), [], 'SEVERITY_NUMBER_', 'severityNumber'),
    severityText: cut(budget, 'severity_text', textOf(log, 'severityText')),
    eventName: cut(budget, 'event.name', textOf(log, 'eventName')),
    body: anyValue(budget, 'lapwing.params', own(log, 'body'), 0),
    attributes: attributes(budget, log),
    traceId: id(log, 'traceId'),
    spanId: id(log, 'spanId'),
    flags: uint32(log, 'flags'),
  }
}

const groupNames = {
  traces: ['resourceSpans', 'scopeSpans', 'spans'],
  logs: ['resourceLogs', 'scopeLogs', 'logRecords'],
  metrics: ['resourceMetrics', 'scopeMetrics', 'metrics'],
} as const
const pointHolders = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const

function countPoints(metric: Members): number {
  let points = 0
  for (const holder of pointHolders) points += list(members(own(metric, holder), holder), 'dataPoints').length
  return points
}

type Walk = { budget: Budget; records: OtlpRecord[]; points: number }

function readScopeGroup(walk: Walk, signal: OtlpSignal, group: Members, resource: Attributes, refusal: string | undefined): void {
  const { budget } = walk
  const rawScope = members(own(group, 'scope'), 'scope')
  const scope = { name: textOf(rawScope, 'name'), version: textOf(rawScope, 'version') }
  for (const item of list(group, groupNames[signal][2])) {
    if (signal === 'metrics') {
      walk.points += countPoints(members(item, 'metric'))
      continue
    }
    spendElement(budget)
    const read = signal === 'traces' ? { span: readSpan(budget, item) } : { log: readLog(budget, item) }
    const { kept, facts } = settle(budget, refusalOf(read))
    if (!kept) continue
    if (refusal !== undefined) rejectAll(budget, 1, refusal)
    else walk.records.push({ resource, scope, facts, ...read })
  }
}

export function decodeOtlpJson(decodeLimits: DecodeLimits, signal: OtlpSignal, body: Uint8Array): Decoded {
  const walk: Walk = { budget: createBudget(decodeLimits), records: [], points: 0 }
  const root = parseBounded(body)
  if (root === null || typeof root !== 'object' || Array.isArray(root)) refuse('body is not an object')
  for (const item of list(root as Members, groupNames[signal][0])) {
    const group = members(item, 'resource group')
    const resource = signal === 'metrics' ? new Map<string, Json>() : attributes(walk.budget, members(own(group, 'resource'), 'resource'))
    const refusal = takeRefusal(walk.budget)
    for (const inner of list(group, groupNames[signal][1])) readScopeGroup(walk, signal, members(inner, 'scope group'), resource, refusal)
  }
  return { records: walk.records, points: walk.points, rejected: walk.budget.rejected, reason: walk.budget.reason }
}
