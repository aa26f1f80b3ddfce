/** The tables the writer fills, besides events: their columns, and what makes a row of theirs the same row again. */
import { type Alert, severityRank } from '../../schemas/alert.ts'
import type { DeadLetter } from '../../schemas/bus.ts'
import type { AlertHit, ThreadLink } from '../../schemas/codec.ts'
import type { Signal } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { type Column, type ColumnType, eventTable, originColumns, type Row, type Table } from './columns.ts'

/** `key`: equal for the same row sent again, as one text here and as `keySql` in the store. `group` narrows the search. */
export type Kept<T> = Table<Row<T>> &
  Readonly<{
    key: (value: T) => string
    keySql: string
    /** The leading columns of the table's order: what the engine finds without reading everything. */
    group: Readonly<{ column: string; of: (value: T) => string }>
    /** Rows of the same key have the same time. */
    timed?: (value: T) => bigint
    tenant: Readonly<{ column: string; of: (value: T) => string }> | undefined
  }>

const column = <T>(name: string, type: ColumnType, of: (value: T) => unknown): Column<Row<T>> => ({
  name,
  type,
  of: ({ value }) => of(value),
})
const tenant = { column: 'tenant', of: (value: { tenant: string }) => value.tenant }
const named = <T extends object>(...columns: readonly (readonly [string, keyof T & string, ColumnType])[]): Column<Row<T>>[] =>
  columns.map(([name, field, type]) => column<T>(name, type, (value) => value[field]))

export const events: Kept<McpEvent> = {
  ...eventTable,
  key: (event) => event.eventId,
  keySql: '`lapwing.event.id`',
  group: { column: '`lapwing.event.id`', of: (event) => event.eventId },
  timed: (event) => event.time,
  tenant: { column: '`lapwing.tenant`', of: (event) => event.tenant },
}

export const alerts: Kept<Alert> = {
  name: 'alerts',
  columns: [
    ...named<Alert>(
      ['alert_id', 'alertId', 'string'],
      ['tenant', 'tenant', 'string'],
      ['time', 'time', 'time'],
      ['detector', 'detector', 'string'],
      ['detector_version', 'detectorVersion', 'uint'],
      ['severity', 'severity', 'string'],
      ['confidence', 'confidence', 'float'],
      ['title', 'title', 'string'],
      ['summary', 'summary', 'string'],
      ['about', 'about', 'string'],
      ['actor', 'actor', 'string'],
      ['server_key', 'serverKey', 'string'],
      ['server_alias', 'serverAlias', 'string'],
      ['tool_name', 'toolName', 'string'],
      ['thread_id', 'threadId', 'string'],
      ['event_id', 'eventId', 'string'],
      ['events', 'events', 'strings'],
    ),
    column('severity_rank', 'byte', (alert) => severityRank(alert.severity)),
    column('evidence', 'string', (alert) => JSON.stringify(alert.evidence)),
    column('maps', 'string', (alert) => JSON.stringify(alert.maps)),
    column('families', 'strings', (alert) => alert.maps.family),
    ...originColumns,
  ],
  key: (alert) => alert.alertId,
  keySql: 'alert_id',
  group: { column: 'alert_id', of: (alert) => alert.alertId },
  tenant,
}

export const hits: Kept<AlertHit> = {
  name: 'alert_hits',
  columns: [
    ...named<AlertHit>(
      ['tenant', 'tenant', 'string'],
      ['alert_id', 'alertId', 'string'],
      ['event_id', 'eventId', 'string'],
      ['time', 'time', 'time'],
      ['severity', 'severity', 'string'],
    ),
    ...originColumns,
  ],
  key: (hit) => `${hit.alertId}:${hit.eventId}`,
  keySql: "concat(alert_id, ':', event_id)",
  group: { column: 'alert_id', of: (hit) => hit.alertId },
  timed: (hit) => hit.time,
  tenant,
}

export const signals: Kept<Signal> = {
  name: 'signals',
  columns: [
    ...named<Signal>(
      ['tenant', 'tenant', 'string'],
      ['thread_id', 'threadId', 'string'],
      ['time', 'time', 'time'],
      ['event_id', 'eventId', 'string'],
      ['detector', 'detector', 'string'],
      ['signal', 'signal', 'string'],
      ['family', 'family', 'string'],
      ['weight', 'weight', 'float'],
      ['summary', 'summary', 'string'],
      ['events', 'events', 'strings'],
      ['actor', 'actor', 'string'],
      ['server_key', 'serverKey', 'string'],
      ['server_alias', 'serverAlias', 'string'],
      ['tool_name', 'toolName', 'string'],
    ),
    column('evidence', 'string', (signal) => JSON.stringify(signal.evidence)),
    ...originColumns,
  ],
  key: (signal) => `${signal.threadId}:${signal.eventId}:${signal.detector}:${signal.signal}`,
  keySql: "concat(thread_id, ':', event_id, ':', detector, ':', signal)",
  group: { column: 'thread_id', of: (signal) => signal.threadId },
  timed: (signal) => signal.time,
  tenant,
}

export const links: Kept<ThreadLink> = {
  name: 'thread_links',
  columns: [
    ...named<ThreadLink>(
      ['tenant', 'tenant', 'string'],
      ['thread_id', 'threadId', 'string'],
      ['time', 'time', 'time'],
      ['event_id', 'eventId', 'string'],
      ['reason', 'reason', 'string'],
      ['confidence', 'confidence', 'float'],
    ),
    ...originColumns,
  ],
  key: (link) => `${link.threadId}:${link.eventId}:${link.reason}`,
  keySql: "concat(thread_id, ':', event_id, ':', reason)",
  group: { column: 'thread_id', of: (link) => link.threadId },
  timed: (link) => link.time,
  tenant,
}

/** `log`: eight hex characters that name the log its offset is of. */
export type StoredLetter = DeadLetter & Readonly<{ time: bigint; log: string }>

export const deadLetters: Kept<StoredLetter> = {
  name: 'dead_letters',
  columns: [
    ...named<StoredLetter>(
      ['topic', 'topic', 'string'],
      ['partition', 'partition', 'uint'],
      ['reason', 'reason', 'string'],
      ['detail', 'detail', 'string'],
      ['sealed', 'sealed', 'string'],
      ['log', 'log', 'string'],
      ['at', 'time', 'time'],
    ),
    column('offset', 'long', (letter) => BigInt(letter.offset)),
    ...originColumns,
  ],
  key: (letter) => `${letter.topic}:${letter.partition}:${letter.offset}:${letter.log}`,
  keySql: "concat(topic, ':', toString(partition), ':', toString(offset), ':', log)",
  group: { column: 'topic', of: (letter) => letter.topic },
  tenant: undefined,
}
