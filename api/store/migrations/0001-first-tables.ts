/** The first tables. A migration that has run anywhere is never edited: what changes later is another file. */
import type { Migration } from '../migrate.ts'

/**
 * Columns have the external names of schemas/semconv.ts. An absent string is '', JSON and lists are JSON text:
 * Array columns that share the prefix `lapwing.` would be one Nested, and all of the same length.
 *
 * ORDER BY tenant, time, id: nearly every question has a tenant and a time range; the id makes the key of one event
 * unique, so that a second copy collapses. PARTITION BY the day of storing, not of the event: hostile or historic
 * times would scatter one insert over hundreds of partitions, and retention counts from when we took the event.
 * ZSTD only where it pays: its start costs half a millisecond a column and block, and most columns are nearly empty.
 * A part below 128 MB is one file, not one for each of a hundred columns: each file is synced before an insert returns.
 */
const eventColumns = `
  \`lapwing.event.id\` String CODEC(ZSTD(1)),
  \`time\` DateTime64(9, 'UTC') CODEC(DoubleDelta, ZSTD(1)),
  \`lapwing.duration_ns\` Nullable(Int64),
  \`lapwing.time.observed\` Nullable(DateTime64(9, 'UTC')),
  \`lapwing.time.ingested\` Nullable(DateTime64(9, 'UTC')),
  \`lapwing.event.kind\` LowCardinality(String),
  \`lapwing.event.name\` LowCardinality(String),
  \`lapwing.dialect\` LowCardinality(String),
  \`lapwing.dialect.version\` LowCardinality(String),
  \`lapwing.source.signal\` LowCardinality(String),
  \`lapwing.vantage\` LowCardinality(String),
  \`lapwing.direction\` LowCardinality(String),
  \`lapwing.content.level\` LowCardinality(String),
  \`lapwing.content.tier\` LowCardinality(String),
  \`lapwing.sampling.ratio\` Nullable(Float64),
  \`lapwing.tenant\` LowCardinality(String),
  \`lapwing.source\` LowCardinality(String),
  \`lapwing.call.id\` String CODEC(ZSTD(1)),
  \`lapwing.call.observation\` Nullable(Int64),
  \`lapwing.actor\` LowCardinality(String),
  \`lapwing.actor.grade\` LowCardinality(String),
  \`lapwing.actor.source\` LowCardinality(String),
  \`user.id\` LowCardinality(String),
  \`lapwing.server.id\` LowCardinality(String),
  \`lapwing.server.alias\` LowCardinality(String),
  \`lapwing.server.name\` LowCardinality(String),
  \`lapwing.server.title\` LowCardinality(String),
  \`lapwing.server.version\` LowCardinality(String),
  \`lapwing.server.command\` LowCardinality(String),
  \`lapwing.server.origin\` LowCardinality(String),
  \`server.address\` LowCardinality(String),
  \`server.port\` Nullable(Int64),
  \`lapwing.server.grade\` LowCardinality(String),
  \`lapwing.host.app\` LowCardinality(String),
  \`lapwing.client.name\` LowCardinality(String),
  \`lapwing.client.version\` LowCardinality(String),
  \`client.address\` String,
  \`service.name\` LowCardinality(String),
  \`host.name\` LowCardinality(String),
  \`process.pid\` Nullable(Int64),
  \`gen_ai.agent.name\` LowCardinality(String),
  \`gen_ai.conversation.id\` String,
  \`lapwing.auth.method\` LowCardinality(String),
  \`lapwing.auth.subject\` String,
  \`lapwing.auth.client_id\` String,
  \`lapwing.auth.issuer\` LowCardinality(String),
  \`lapwing.auth.audience\` LowCardinality(String),
  \`lapwing.auth.scopes\` String,
  \`lapwing.auth.key_hash\` String,
  \`mcp.method.name\` LowCardinality(String),
  \`jsonrpc.request.id\` String,
  \`lapwing.jsonrpc.id_type\` LowCardinality(String),
  \`mcp.protocol.version\` LowCardinality(String),
  \`lapwing.protocol.version_source\` LowCardinality(String),
  \`lapwing.protocol.era\` LowCardinality(String),
  \`lapwing.session.hash\` String,
  \`lapwing.connection.id\` String,
  \`lapwing.transport\` LowCardinality(String),
  \`lapwing.result.type\` LowCardinality(String),
  \`lapwing.cache.ttl_ms\` Nullable(Float64),
  \`lapwing.cache.scope\` LowCardinality(String),
  \`lapwing.http.header_mismatch\` Nullable(Bool),
  \`lapwing.http\` String,
  \`gen_ai.tool.name\` LowCardinality(String),
  \`lapwing.tool.name_raw\` String,
  \`gen_ai.tool.call.id\` String,
  \`gen_ai.prompt.name\` String,
  \`mcp.resource.uri\` String,
  \`gen_ai.tool.call.arguments\` String CODEC(ZSTD(3)),
  \`gen_ai.tool.call.result\` String CODEC(ZSTD(3)),
  \`lapwing.params\` String CODEC(ZSTD(3)),
  \`lapwing.result\` String CODEC(ZSTD(3)),
  \`lapwing.args.bytes\` Nullable(Int64),
  \`lapwing.args.hash\` String CODEC(ZSTD(1)),
  \`lapwing.result.bytes\` Nullable(Int64),
  \`lapwing.result.hash\` String CODEC(ZSTD(1)),
  \`lapwing.mrtr.request_state_hash\` String,
  \`lapwing.task.hash\` String,
  \`lapwing.args.fingerprints\` String CODEC(ZSTD(3)),
  \`lapwing.result.fingerprints\` String CODEC(ZSTD(3)),
  \`lapwing.secrets\` String,
  \`lapwing.outcome\` LowCardinality(String),
  \`error.type\` LowCardinality(String),
  \`rpc.response.status_code\` LowCardinality(String),
  \`lapwing.error.message\` String,
  \`lapwing.decision.outcome\` LowCardinality(String),
  \`lapwing.decision.source\` LowCardinality(String),
  \`lapwing.decision.reason\` String,
  \`lapwing.raw.bytes\` Nullable(Int64),
  \`lapwing.raw.hash\` String CODEC(ZSTD(1)),
  \`lapwing.raw.depth\` Nullable(Int64),
  \`lapwing.raw.facts\` String,
  \`trace_id\` String CODEC(ZSTD(1)),
  \`span_id\` String CODEC(ZSTD(1)),
  \`parent_span_id\` String CODEC(ZSTD(1)),
  \`lapwing.links\` String,
  \`lapwing.trace_flags\` Nullable(Int64),
  \`lapwing.labels\` String,
  \`lapwing.unmapped\` String CODEC(ZSTD(3)),
`
/** Where on the bus a row came from, and when it was stored. */
const origin = `
  bus_topic LowCardinality(String),
  bus_partition UInt32,
  bus_offset UInt64 CODEC(Delta, LZ4),
  stored DateTime('UTC')`

// Payload words are found by whole tokens; 32 kB of bloom filter a granule costs about 3 % of the disk.
const eventIndexes = `
  INDEX by_event \`lapwing.event.id\` TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX by_call \`lapwing.call.id\` TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX by_trace trace_id TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX by_actor \`lapwing.actor\` TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX by_server \`lapwing.server.id\` TYPE bloom_filter(0.01) GRANULARITY 1,
  INDEX arguments_words \`gen_ai.tool.call.arguments\` TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 1,
  INDEX result_words \`gen_ai.tool.call.result\` TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 1`

const time = "DateTime64(9, 'UTC')"

export const migration: Migration = {
  number: 1,
  name: 'first tables',
  statements: ({ engine, lasting, expiring, durable }) => {
    const days = (table: string) => `PARTITION BY toDate(stored) ${expiring(table)}`
    return [
      `CREATE TABLE IF NOT EXISTS events (${eventColumns}${origin},${eventIndexes})
       ENGINE = ${engine('Replacing')} ${days('events')}
       ORDER BY (\`lapwing.tenant\`, time, \`lapwing.event.id\`) ${durable}, min_bytes_for_wide_part = 134217728`,

      // Read by id or by time; few rows, kept for good like the triage beside them.
      `CREATE TABLE IF NOT EXISTS alerts (
        alert_id String, tenant LowCardinality(String), time ${time}, detector LowCardinality(String), detector_version UInt32,
        severity LowCardinality(String), severity_rank UInt8, confidence Float64, title String, summary String, about String,
        evidence String CODEC(ZSTD(3)), maps String CODEC(ZSTD(3)), families Array(LowCardinality(String)), actor String,
        server_key LowCardinality(String), server_alias LowCardinality(String), tool_name LowCardinality(String),
        thread_id String, event_id String, events Array(String), ${origin},
        INDEX by_time time TYPE minmax GRANULARITY 1, INDEX by_thread thread_id TYPE bloom_filter(0.01) GRANULARITY 1)
       ENGINE = ${engine('Replacing')} ${lasting} ORDER BY (tenant, alert_id) ${durable}`,

      // The count of an alert is the number of its distinct event ids.
      `CREATE TABLE IF NOT EXISTS alert_hits (
        tenant LowCardinality(String), alert_id String, event_id String, time ${time}, severity LowCardinality(String), ${origin})
       ENGINE = ${engine('Replacing')} ${lasting} ORDER BY (tenant, alert_id, event_id) ${durable}`,

      // Triage: who did what to an alert, when. Rows are only ever added; \`id\` makes a repeated request one row.
      `CREATE TABLE IF NOT EXISTS alert_events (
        tenant LowCardinality(String), alert_id String, id String, time ${time}, who String, what LowCardinality(String),
        detail String CODEC(ZSTD(3)))
       ENGINE = ${engine('Replacing')} ${lasting} ORDER BY (tenant, alert_id, time, id) ${durable}`,

      // Read by thread.
      `CREATE TABLE IF NOT EXISTS signals (
        tenant LowCardinality(String), thread_id String, time ${time}, event_id String, detector LowCardinality(String),
        signal LowCardinality(String), family LowCardinality(String), weight Float64, summary String,
        evidence String CODEC(ZSTD(3)), events Array(String), actor String, server_key LowCardinality(String),
        server_alias LowCardinality(String), tool_name LowCardinality(String), ${origin})
       ENGINE = ${engine('Replacing')} ${days('signals')} ORDER BY (tenant, thread_id, time, event_id, detector, signal) ${durable}`,

      // Read by thread, which lists its events in order; the other way round through the filter.
      `CREATE TABLE IF NOT EXISTS thread_links (
        tenant LowCardinality(String), thread_id String, time ${time}, event_id String, reason LowCardinality(String),
        confidence Float64, ${origin}, INDEX by_event event_id TYPE bloom_filter(0.01) GRANULARITY 1)
       ENGINE = ${engine('Replacing')} ${days('thread_links')} ORDER BY (tenant, thread_id, time, event_id, reason) ${durable}`,

      // Each definition a server ever offered. Read with FINAL, or grouped with min and max.
      `CREATE TABLE IF NOT EXISTS definitions (
        tenant LowCardinality(String), server_key LowCardinality(String), tool_name String, definition_hash String,
        definition SimpleAggregateFunction(any, String) CODEC(ZSTD(3)),
        first_seen SimpleAggregateFunction(min, ${time}), last_seen SimpleAggregateFunction(max, ${time}),
        server_alias SimpleAggregateFunction(anyLast, String), server_version SimpleAggregateFunction(anyLast, String),
        event_id SimpleAggregateFunction(any, String))
       ENGINE = ${engine('Aggregating')} ORDER BY (tenant, server_key, tool_name, definition_hash) ${durable}`,

      // Who sends what: from this the ledger of what can fire is computed. \`events\` is a hint; the exact number is count() of events.
      `CREATE TABLE IF NOT EXISTS sources (
        tenant LowCardinality(String), source LowCardinality(String), dialect LowCardinality(String), vantage LowCardinality(String),
        content_level LowCardinality(String), first_seen SimpleAggregateFunction(min, ${time}),
        last_seen SimpleAggregateFunction(max, ${time}), events SimpleAggregateFunction(sum, UInt64))
       ENGINE = ${engine('Aggregating')} ORDER BY (tenant, source, dialect, vantage, content_level) ${durable}`,

      // What no stage could take, sealed.
      `CREATE TABLE IF NOT EXISTS dead_letters (
        topic LowCardinality(String), partition UInt32, offset UInt64, reason LowCardinality(String), detail String,
        sealed String CODEC(NONE), at ${time}, ${origin})
       ENGINE = ${engine('Replacing')} ${days('dead_letters')} ORDER BY (topic, partition, offset) ${durable}`,

      // The last offset of which every row is stored: the rows themselves expire.
      `CREATE TABLE IF NOT EXISTS positions (
        topic LowCardinality(String), partition UInt32, consumer LowCardinality(String),
        high_water SimpleAggregateFunction(max, UInt64), updated SimpleAggregateFunction(max, ${time}))
       ENGINE = ${engine('Aggregating')} ORDER BY (topic, partition, consumer) ${durable}`,
    ]
  },
}
