/** Column types and how a value of ours becomes one: the newest state of the tables, in the order rows are written. */
import type { McpEvent } from '../../schemas/event.ts'
import { type Field, type FieldType, fields, rfc3339, semconv } from '../../schemas/semconv.ts'

export type ColumnType =
  | 'string'
  | 'strings'
  | 'time'
  | 'time?'
  | 'seconds'
  | 'int?'
  | 'uint'
  | 'long'
  | 'float'
  | 'float?'
  | 'bool?'
  | 'byte'
export type Column<R> = Readonly<{ name: string; type: ColumnType; of: (row: R) => unknown }>
export type Table<R> = Readonly<{
  name: string
  columns: readonly Column<R>[]
}>

/** Where on the bus a row came from, and when it is stored (seconds). */
export type Origin = Readonly<{ topic: string; partition: number; offset: bigint; stored: number }>
export type Row<T> = Readonly<{ value: T; origin: Origin }>

export const originColumns: readonly Column<Row<unknown>>[] = [
  { name: 'bus_topic', type: 'string', of: ({ origin }) => origin.topic },
  { name: 'bus_partition', type: 'uint', of: ({ origin }) => origin.partition },
  { name: 'bus_offset', type: 'long', of: ({ origin }) => origin.offset },
  { name: 'stored', type: 'seconds', of: ({ origin }) => origin.stored },
]

const eventTypes: Readonly<Record<FieldType, ColumnType>> = {
  string: 'string',
  time: 'time?',
  int: 'int?',
  float: 'float?',
  bool: 'bool?',
  json: 'string',
  strings: 'string',
  ints: 'string',
}
const asText = (value: unknown): string => (value === undefined ? '' : JSON.stringify(value))

function eventColumn(field: Field): Column<Row<McpEvent>> {
  const [name, type] = semconv[field]
  if (field === 'time') return { name, type: 'time', of: ({ value }) => value.time }
  const text = type === 'json' || type === 'strings' || type === 'ints'
  return { name, type: eventTypes[type], of: text ? ({ value }) => asText(value[field]) : ({ value }) => value[field] }
}

export const eventTable: Table<Row<McpEvent>> = { name: 'events', columns: [...fields.map(eventColumn), ...originColumns] }

/** The last instant a DateTime64(9) can hold (year 2262). Hostile times may lie beyond. */
export const nanosecondsMax = 2n ** 63n - 1n
export const bounded = (time: bigint): bigint => (time > nanosecondsMax ? nanosecondsMax : time < 0n ? 0n : time)
/** As ClickHouse reads a DateTime64(9, 'UTC') in a parameter or in JSON. */
export const dateTime = (time: bigint): string => rfc3339(bounded(time)).replace('T', ' ').slice(0, -1)
