/** What the steps of normalising share: the connection's memory, one message on its way to an event, small helpers. */
import type { Json, McpEvent } from '../../schemas/event.ts'
import type { HttpReading } from './http-facts.ts'
import type { Call, createPending, createTable, IdKey, Party } from './pending.ts'
import { type Direction, isObject, type JsonObject } from './protocol.ts'

/** An event that is not finished: fields may be undefined, none is missing in the end. */
export type Loose = { [K in keyof McpEvent]?: McpEvent[K] | undefined }

/** Parameters that a tool's schema copies into `Mcp-Param-*` headers: header name → argument name. */
export type ParamHeaders = ReadonlyMap<string, string>

/** What one connection has shown so far. */
export type State = {
  era: McpEvent['era']
  version: string | undefined
  client: JsonObject | undefined
  server: JsonObject | undefined
  readonly pending: ReturnType<typeof createPending>
  readonly states: ReturnType<typeof createTable<Call>>
  readonly tasks: ReturnType<typeof createTable<Call>>
  readonly paramHeaders: ReturnType<typeof createTable<ParamHeaders>>
}

export type Work = Readonly<{
  keyedHash: (text: string) => string
  state: State
  direction: Direction
  message: JsonObject
  http: HttpReading | undefined
  party: Party
  eventId: string
}>

export function idOf(id: Json | undefined): IdKey & { type: NonNullable<McpEvent['requestIdType']> } {
  if (typeof id === 'string') return { type: 'string', id }
  if (id === null || id === undefined) return { type: 'null', id: 'null' }
  if (typeof id === 'number') return { type: Number.isInteger(id) ? 'int' : 'other', id: String(id) }
  return { type: 'other', id: JSON.stringify(id).slice(0, 400) }
}

export const bytesOf = (value: Json | undefined): number | undefined =>
  value === undefined ? undefined : Buffer.byteLength(JSON.stringify(value))

/** The same text whatever the order of members. The depth was limited before parsing. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  const names = Object.keys(value).sort()
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name] as Json)}`).join(',')}}`
}

export const without = (value: JsonObject, name: string): JsonObject =>
  Object.fromEntries(Object.entries(value).filter(([other]) => other !== name))
