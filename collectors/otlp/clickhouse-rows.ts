/** Rows of the Collector's ClickHouse exporter → OTLP/JSON records: words back to numbers, parallel arrays back to lists. */
import { fieldByName, semconv } from '../../schemas/semconv.ts'
import { isSpanId, isTraceId } from './record.ts'

export type Row = Readonly<Record<string, unknown>>
export type AnyValue = Readonly<Record<string, unknown>>
type KeyValue = Readonly<{ key: string; value: AnyValue }>
/** `group` is the JSON of resource and scope: records of one group share them. */
export type Item = Readonly<{ kind: 'traces' | 'logs'; time: bigint; group: string; record: string }>

const depthMax = 32
const kinds = ['UNSPECIFIED', 'INTERNAL', 'SERVER', 'CLIENT', 'PRODUCER', 'CONSUMER']
const statuses = ['UNSET', 'OK', 'ERROR']

const text = (value: unknown): string => (typeof value === 'string' ? value : value === null || value === undefined ? '' : String(value))
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const whole = (value: unknown): bigint => (/^\d{1,19}$/.test(text(value)) ? BigInt(text(value)) : 0n)

/** `Client` as well as `SPAN_KIND_CLIENT`, which older exporters wrote. */
function numberOf(words: readonly string[], prefix: string, value: unknown): number {
  const word = text(value).toUpperCase()
  return Math.max(0, words.indexOf(word.startsWith(prefix) ? word.slice(prefix.length) : word))
}

function parsedList(value: string): readonly unknown[] | undefined {
  try {
    const parsed: unknown = JSON.parse(value)
    return Array.isArray(parsed) ? parsed : undefined
  } catch {
    return undefined
  }
}

/** In a map all values are text. Of the attributes we know, we know what they were; the others stay text. */
function typed(key: string, value: string): AnyValue {
  const field = fieldByName.get(key)
  const type = field === undefined ? 'string' : semconv[field][1]
  if ((type === 'int' || type === 'time') && /^-?\d{1,18}$/.test(value)) return { intValue: value }
  if (type === 'bool' && /^(true|false)$/.test(value)) return { boolValue: value === 'true' }
  if (type === 'float' && value !== '' && Number.isFinite(Number(value))) return { doubleValue: Number(value) }
  const items = type === 'strings' || type === 'ints' ? parsedList(value) : undefined
  return items ? anyValue(key, items, 0) : { stringValue: value }
}

/** Columns of type JSON keep types. */
function anyValue(key: string, value: unknown, depth: number): AnyValue {
  if (typeof value === 'string') return depth === 0 ? typed(key, value) : { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number') return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  if (value === null || value === undefined || depth >= depthMax) return {}
  if (Array.isArray(value)) return { arrayValue: { values: value.map((item) => anyValue(key, item, depth + 1)) } }
  const entries = Object.entries(value).map(([name, inner]) => ({ key: name, value: anyValue(name, inner, depth + 1) }))
  return { kvlistValue: { values: entries } }
}

/** A column of type JSON makes `{"mcp":{"method":…}}` of a dotted name: the leaves get their whole names back. */
function attributes(map: unknown, prefix = '', into: KeyValue[] = [], depth = 0): KeyValue[] {
  if (typeof map !== 'object' || map === null || depth > depthMax) return into
  for (const [name, value] of Object.entries(map)) {
    const key = `${prefix}${name}`
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) attributes(value, `${key}.`, into, depth + 1)
    else into.push({ key, value: anyValue(key, value, 0) })
  }
  return into
}

function groupOf(row: Row): string {
  const scope = { name: text(row['scope_name']), version: text(row['scope_version']) }
  return `"resource":${JSON.stringify({ attributes: attributes(row['resource']) })},"scope":${JSON.stringify(scope)}`
}
const ifAny = (name: string, value: string): Record<string, string> => (value === '' ? {} : { [name]: value })

/** Why there can be no record of this row, or the record. */
export function spanOf(row: Row): Item | string {
  const traceId = text(row['trace_id']).toLowerCase()
  const spanId = text(row['span_id']).toLowerCase()
  if (!isTraceId(traceId) || !isSpanId(spanId)) return 'a span without trace id and span id'
  const time = whole(row['time'])
  const names = list(row['event_names'])
  const linked = list(row['link_trace_ids'])
  const span = {
    traceId,
    spanId,
    ...ifAny('parentSpanId', text(row['parent_span_id'])),
    ...ifAny('traceState', text(row['trace_state'])),
    name: text(row['span_name']),
    kind: numberOf(kinds, 'SPAN_KIND_', row['kind']),
    startTimeUnixNano: String(time),
    endTimeUnixNano: String(time + whole(row['duration'])),
    attributes: attributes(row['attributes']),
    events: names.map((name, at) => ({
      timeUnixNano: String(whole(list(row['event_times'])[at])),
      name: text(name),
      attributes: attributes(list(row['event_attributes'])[at]),
    })),
    links: linked.map((id, at) => ({ traceId: text(id), spanId: text(list(row['link_span_ids'])[at]) })),
    status: { code: numberOf(statuses, 'STATUS_CODE_', row['status']), ...ifAny('message', text(row['status_message'])) },
  }
  return { kind: 'traces', time, group: groupOf(row), record: JSON.stringify(span) }
}

export function logOf(row: Row): Item {
  const time = whole(row['time'])
  const log = {
    timeUnixNano: String(time),
    severityNumber: Number(whole(row['severity_number'])),
    ...ifAny('severityText', text(row['severity_text'])),
    ...ifAny('eventName', text(row['event_name'])),
    body: typeof row['body'] === 'string' ? { stringValue: row['body'] } : anyValue('', row['body'], 1),
    attributes: attributes(row['attributes']),
    ...ifAny('traceId', text(row['trace_id'])),
    ...ifAny('spanId', text(row['span_id'])),
    flags: Number(whole(row['flags']) & 0xffffffffn),
  }
  return { kind: 'logs', time, group: groupOf(row), record: JSON.stringify(log) }
}

const frames = { traces: ['resourceSpans', 'scopeSpans', 'spans'], logs: ['resourceLogs', 'scopeLogs', 'logRecords'] } as const

/** One export request, in the order of the items: only neighbours share a resource and scope. All items are of `kind`. */
export function requestOf(kind: Item['kind'], items: readonly Item[]): Uint8Array {
  const [outer, middle, inner] = frames[kind]
  const runs: { group: string; records: string[] }[] = []
  for (const { group, record } of items) {
    const last = runs.at(-1)
    if (last?.group === group) last.records.push(record)
    else runs.push({ group, records: [record] })
  }
  const groups = runs.map(({ group, records }) => {
    const scopeAt = group.lastIndexOf(',"scope":') // inside of a text the quotes would be escaped
    return `{${group.slice(0, scopeAt)},"${middle}":[{${group.slice(scopeAt + 1)},"${inner}":[${records.join(',')}]}]}`
  })
  return Buffer.from(`{"${outer}":[${groups.join(',')}]}`)
}
