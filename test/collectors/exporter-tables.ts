/** The tables of the Collector's ClickHouse exporter, and OTLP messages as the rows it writes: every value of a map is text. */
import type { ClickHouseClient } from '@clickhouse/client'
import type { Message } from './otlp-bodies.ts'

const map = 'Map(LowCardinality(String), String)'
export const createStatements = (database: string): readonly string[] => [
  `CREATE DATABASE IF NOT EXISTS ${database}`,
  `CREATE TABLE ${database}.otel_traces (
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)), TraceId String, SpanId String, ParentSpanId String, TraceState String,
    SpanName LowCardinality(String), SpanKind LowCardinality(String), ServiceName LowCardinality(String), ResourceAttributes ${map},
    ScopeName String, ScopeVersion String, SpanAttributes ${map}, Duration UInt64, StatusCode LowCardinality(String), StatusMessage String,
    Events Nested (Timestamp DateTime64(9), Name LowCardinality(String), Attributes ${map}),
    Links Nested (TraceId String, SpanId String, TraceState String, Attributes ${map}))
   ENGINE = MergeTree PARTITION BY toDate(Timestamp) ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))`,
  `CREATE TABLE ${database}.otel_logs (
    Timestamp DateTime64(9) CODEC(Delta, ZSTD(1)), TimestampTime DateTime DEFAULT toDateTime(Timestamp), TraceId String, SpanId String,
    TraceFlags UInt8, SeverityText LowCardinality(String), SeverityNumber UInt8, ServiceName LowCardinality(String), Body String,
    ResourceSchemaUrl LowCardinality(String), ResourceAttributes ${map}, ScopeSchemaUrl LowCardinality(String), ScopeName String,
    ScopeVersion LowCardinality(String), ScopeAttributes ${map}, LogAttributes ${map}, EventName String)
   ENGINE = MergeTree PARTITION BY toDate(TimestampTime) ORDER BY (ServiceName, TimestampTime, Timestamp)`,
]

/** As the Collector's `AsString` writes a value. */
function asText(value: Message | undefined): string {
  const plain = (any: Message | undefined): unknown => {
    if (!any) return null
    if ('arrayValue' in any) return (any['arrayValue'].values as Message[]).map(plain)
    if ('kvlistValue' in any)
      return Object.fromEntries((any['kvlistValue'].values as Message[]).map((one) => [one['key'], plain(one['value'])]))
    return 'intValue' in any ? Number(any['intValue']) : (any['stringValue'] ?? any['boolValue'] ?? any['doubleValue'] ?? null)
  }
  if (value && 'intValue' in value) return String(value['intValue'])
  const read = plain(value)
  return typeof read === 'string' ? read : read === null ? '' : JSON.stringify(read)
}
const mapOf = (attributes: Message[] = []): Record<string, string> =>
  Object.fromEntries(attributes.map((one) => [one['key'] as string, asText(one['value'])]))
const serviceOf = (resource: Message): string => mapOf(resource['attributes'])['service.name'] ?? ''
/** Text that ClickHouse reads as nanoseconds exactly. */
const timeOf = (ns: string): string => `${ns.slice(0, -9)}.${ns.slice(-9)}`

export const traceRows = (body: Message): Message[] =>
  (body['resourceSpans'] as Message[]).flatMap(({ resource, scopeSpans }) =>
    (scopeSpans as Message[]).flatMap(({ scope, spans }) =>
      (spans as Message[]).map((span) => ({
        Timestamp: timeOf(span['startTimeUnixNano']),
        ...{
          TraceId: span['traceId'],
          SpanId: span['spanId'],
          ParentSpanId: span['parentSpanId'] ?? '',
          TraceState: span['traceState'] ?? '',
        },
        SpanName: span['name'],
        SpanKind: ['Unspecified', 'Internal', 'Server', 'Client'][span['kind']],
        ServiceName: serviceOf(resource),
        ResourceAttributes: mapOf(resource.attributes),
        ...{ ScopeName: scope.name, ScopeVersion: scope.version ?? '', SpanAttributes: mapOf(span['attributes']) },
        Duration: String(BigInt(span['endTimeUnixNano']) - BigInt(span['startTimeUnixNano'])),
        StatusCode: ['Unset', 'Ok', 'Error'][span['status']?.code ?? 0],
        StatusMessage: span['status']?.message ?? '',
        'Events.Timestamp': ((span['events'] ?? []) as Message[]).map((event) => timeOf(event['timeUnixNano'])),
        'Events.Name': ((span['events'] ?? []) as Message[]).map((event) => event['name']),
        'Events.Attributes': ((span['events'] ?? []) as Message[]).map((event) => mapOf(event['attributes'])),
        'Links.TraceId': ((span['links'] ?? []) as Message[]).map((link) => link['traceId']),
        'Links.SpanId': ((span['links'] ?? []) as Message[]).map((link) => link['spanId']),
        'Links.TraceState': ((span['links'] ?? []) as Message[]).map(() => ''),
        'Links.Attributes': ((span['links'] ?? []) as Message[]).map(() => ({})),
      })),
    ),
  )

export const logRows = (body: Message): Message[] =>
  (body['resourceLogs'] as Message[]).flatMap(({ resource, scopeLogs }) =>
    (scopeLogs as Message[]).flatMap(({ scope, logRecords }) =>
      (logRecords as Message[]).map((log) => ({
        Timestamp: timeOf(log['timeUnixNano']),
        ...{ TraceId: log['traceId'] ?? '', SpanId: log['spanId'] ?? '', TraceFlags: log['flags'] ?? 0 },
        ...{ SeverityText: log['severityText'] ?? '', SeverityNumber: log['severityNumber'] ?? 0, Body: asText(log['body']) },
        ServiceName: serviceOf(resource),
        ResourceAttributes: mapOf(resource.attributes),
        ...{
          ScopeName: scope.name,
          ScopeVersion: scope.version ?? '',
          LogAttributes: mapOf(log['attributes']),
          EventName: log['eventName'] ?? '',
        },
      })),
    ),
  )

/** The server's own names of the columns → those that the reader gives. */
export function asRead(row: Message): Message {
  const ns = (text: string): string => text.replace('.', '')
  const names: Record<string, string> = {
    ...{ TraceId: 'trace_id', SpanId: 'span_id', ParentSpanId: 'parent_span_id', TraceState: 'trace_state', SpanName: 'span_name' },
    ...{ SpanKind: 'kind', ResourceAttributes: 'resource', ScopeName: 'scope_name', ScopeVersion: 'scope_version', Duration: 'duration' },
    ...{ SpanAttributes: 'attributes', LogAttributes: 'attributes', StatusCode: 'status', StatusMessage: 'status_message' },
    ...{
      'Events.Name': 'event_names',
      'Events.Attributes': 'event_attributes',
      'Links.TraceId': 'link_trace_ids',
      'Links.SpanId': 'link_span_ids',
    },
    ...{ TraceFlags: 'flags', SeverityText: 'severity_text', SeverityNumber: 'severity_number', Body: 'body', EventName: 'event_name' },
  }
  const read = Object.entries(row).flatMap(([column, value]) => (names[column] ? [[names[column], value]] : []))
  const times = ((row['Events.Timestamp'] ?? []) as string[]).map(ns)
  return { ...Object.fromEntries(read), time: ns(row['Timestamp']), event_times: times }
}

export async function fill(client: ClickHouseClient, database: string, spans: readonly Message[], logs: readonly Message[]): Promise<void> {
  for (const query of createStatements(database)) await client.command({ query })
  for (const [table, values] of [
    ['otel_traces', spans],
    ['otel_logs', logs],
  ] as const)
    if (values.length > 0) await client.insert({ table: `${database}.${table}`, values, format: 'JSONEachRow' })
}
