/** Reads the tables that the Collector's ClickHouse exporter filled, on a server that is not ours: writes nothing, sets nothing. */
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import { Fault } from '../schemas/errors.ts'

export type TableKind = 'traces' | 'logs'
/** Nanoseconds since the epoch; `until` is not included. */
export type TimeRange = Readonly<{ since: bigint; until: bigint }>
export type ExporterRow = Readonly<Record<string, unknown>>
export type ExporterTables = AsyncDisposable &
  Readonly<{
    /** Rows of each interval of `stepNs` that has any, by the interval's start. */
    counts: (kind: TableKind, range: TimeRange, stepNs: bigint) => Promise<ReadonlyMap<bigint, number>>
    /** In order of time. What a table of another age does not have is absent. */
    rows: (kind: TableKind, range: TimeRange) => AsyncIterable<ExporterRow>
  }>
export type ExporterOptions = Readonly<{
  url: string
  user: string
  password: string
  database: string
  tables: Readonly<Record<TableKind, string>>
  /** Only of these services; none: of all. */
  services: readonly string[]
}>

const secondsMax = 300
const time = 'toString(toUnixTimestamp64Nano(Timestamp))'
const times = 'arrayMap(time -> toString(toUnixTimestamp64Nano(time)), `Events.Timestamp`)'

/** Column of the exporter, our name of it, and how it is read. */
const columns: Readonly<Record<TableKind, readonly (readonly [column: string, name: string, sql: string])[]>> = {
  traces: [
    ['Timestamp', 'time', time],
    ['TraceId', 'trace_id', 'TraceId'],
    ['SpanId', 'span_id', 'SpanId'],
    ['ParentSpanId', 'parent_span_id', 'ParentSpanId'],
    ['TraceState', 'trace_state', 'TraceState'],
    ['SpanName', 'span_name', 'SpanName'],
    ['SpanKind', 'kind', 'toString(SpanKind)'],
    ['ResourceAttributes', 'resource', 'ResourceAttributes'],
    ['ScopeName', 'scope_name', 'ScopeName'],
    ['ScopeVersion', 'scope_version', 'ScopeVersion'],
    ['SpanAttributes', 'attributes', 'SpanAttributes'],
    ['Duration', 'duration', 'toString(Duration)'],
    ['StatusCode', 'status', 'toString(StatusCode)'],
    ['StatusMessage', 'status_message', 'StatusMessage'],
    ['Events.Timestamp', 'event_times', times],
    ['Events.Name', 'event_names', '`Events.Name`'],
    ['Events.Attributes', 'event_attributes', '`Events.Attributes`'],
    ['Links.TraceId', 'link_trace_ids', '`Links.TraceId`'],
    ['Links.SpanId', 'link_span_ids', '`Links.SpanId`'],
  ],
  logs: [
    ['Timestamp', 'time', time],
    ['TraceId', 'trace_id', 'TraceId'],
    ['SpanId', 'span_id', 'SpanId'],
    ['TraceFlags', 'flags', 'toString(TraceFlags)'],
    ['SeverityText', 'severity_text', 'toString(SeverityText)'],
    ['SeverityNumber', 'severity_number', 'toString(SeverityNumber)'],
    ['Body', 'body', 'Body'],
    ['ResourceAttributes', 'resource', 'ResourceAttributes'],
    ['ScopeName', 'scope_name', 'ScopeName'],
    ['ScopeVersion', 'scope_version', 'ScopeVersion'],
    ['LogAttributes', 'attributes', 'LogAttributes'],
    ['EventName', 'event_name', 'EventName'],
  ],
}
/** Without these there is nothing to be made of a row. */
const needed: Readonly<Record<TableKind, readonly string[]>> = { traces: ['Timestamp', 'TraceId', 'SpanId'], logs: ['Timestamp'] }

const from = `FROM {database:Identifier}.{table:Identifier}
  WHERE Timestamp >= fromUnixTimestamp64Nano({since:Int64}) AND Timestamp < fromUnixTimestamp64Nano({until:Int64})`
const ofServices = 'AND (empty({services:Array(String)}) OR ServiceName IN {services:Array(String)})'

/** Refuses tables that are not there, or not the exporter's; a kind whose table is called '' is not read. */
export async function openExporterTables(options: ExporterOptions): Promise<ExporterTables> {
  const { url, user, password, database, tables, services } = options
  const application = 'lapwing-history'
  const client = createClient({ url, username: user, password, application, request_timeout: secondsMax * 1_000, log: { level: 127 } })
  try {
    const found = { traces: await probe(client, database, 'traces', tables), logs: await probe(client, database, 'logs', tables) }
    const ask = (sql: string, kind: TableKind, { since, until }: TimeRange, more: Record<string, unknown> = {}) =>
      stream(client, sql, { database, table: tables[kind], since: String(since), until: String(until), services, ...more })
    const whose = (kind: TableKind): string => (found[kind].has('ServiceName') ? ofServices : '')
    return {
      async counts(kind, range, stepNs) {
        const counts = new Map<bigint, number>()
        if (found[kind].size === 0) return counts
        const sql = `SELECT toString(intDiv(toUnixTimestamp64Nano(Timestamp), {step:Int64})) AS nth, toString(count()) AS rows
          ${from} ${whose(kind)} GROUP BY nth`
        for await (const { nth, rows } of ask(sql, kind, range, { step: String(stepNs) }))
          counts.set(BigInt(String(nth)) * stepNs, Number(rows))
        return counts
      },
      async *rows(kind, range) {
        const read = columns[kind].filter(([column]) => found[kind].has(column)).map(([, name, sql]) => `${sql} AS ${name}`)
        if (read.length > 0) yield* ask(`SELECT ${read.join(', ')} ${from} ${whose(kind)} ORDER BY Timestamp`, kind, range)
      },
      [Symbol.asyncDispose]: () => client.close(),
    }
  } catch (error) {
    await client.close()
    throw error
  }
}

async function probe(client: ClickHouseClient, database: string, kind: TableKind, tables: ExporterOptions['tables']): Promise<Set<string>> {
  const table = tables[kind]
  const found = new Set<string>()
  if (table === '') return found
  const sql = 'SELECT name FROM system.columns WHERE database = {database:String} AND table = {table:String}'
  for await (const { name } of stream(client, sql, { database, table })) found.add(String(name))
  const missing = needed[kind].filter((column) => !found.has(column))
  if (found.size === 0)
    throw new Fault('INPUT_UNREADABLE', `no table ${database}.${table}: name it with --${kind}-table, or "" to leave it out`)
  if (missing.length > 0) throw new Fault('INPUT_UNREADABLE', `${database}.${table} is not the exporter’s: it has no ${missing.join(', ')}`)
  return found
}

async function* stream(client: ClickHouseClient, query: string, params: Record<string, unknown>): AsyncGenerator<ExporterRow> {
  try {
    const answer = await client.query({ query, query_params: params, format: 'JSONEachRow' })
    for await (const rows of answer.stream<ExporterRow>()) for (const row of rows) yield row.json()
  } catch (error) {
    throw new Fault('INPUT_UNREADABLE', `ClickHouse: ${error instanceof Error ? error.message.slice(0, 300) : String(error)}`, error)
  }
}
