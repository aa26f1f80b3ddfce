/** What the two protocol eras say about themselves: versions, `_meta`, names by method, outcome of an answer. */
import type { Json, McpEvent } from '../../schemas/event.ts'

export type JsonObject = { [key: string]: Json }
export type Direction = NonNullable<McpEvent['direction']>

export const isObject = (value: unknown): value is JsonObject => value !== null && typeof value === 'object' && !Array.isArray(value)
export const objectOf = (value: unknown): JsonObject | undefined => (isObject(value) ? value : undefined)
export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

const prefix = 'io.modelcontextprotocol/'
/** First revision without a handshake. Revisions are dates, so text order is time order. */
const modernSince = '2026-07-28'
const revision = /^\d{4}-\d{2}-\d{2}$/
const modernMethods: ReadonlySet<string> = new Set([
  'server/discover',
  'subscriptions/listen',
  'notifications/subscriptions/acknowledged',
  'tasks/update',
])
const legacyMethods: ReadonlySet<string> = new Set([
  'initialize',
  'notifications/initialized',
  'ping',
  'resources/subscribe',
  'resources/unsubscribe',
  'logging/setLevel',
  'sampling/createMessage',
  'elicitation/create',
  'roots/list',
])
const serverMethods: ReadonlySet<string> = new Set(['sampling/createMessage', 'elicitation/create', 'roots/list'])

export const eraOfVersion = (version: string | undefined): McpEvent['era'] => {
  if (version === undefined || !revision.test(version)) return 'unknown'
  return version >= modernSince ? 'modern' : 'legacy'
}
/** What a method alone says; a request of the server says nothing on a connection known to be modern. */
export const eraOfMethod = (method: string | undefined): McpEvent['era'] => {
  if (method === undefined) return 'unknown'
  if (modernMethods.has(method)) return 'modern'
  return legacyMethods.has(method) ? 'legacy' : 'unknown'
}
/** Only these are strong enough to change what is known of the connection. */
export const decidesEra = (method: string | undefined): boolean => method !== undefined && !serverMethods.has(method) && method !== 'ping'

export type Meta = Readonly<{
  version: string | undefined
  client: JsonObject | undefined
  server: JsonObject | undefined
  traceparent: string | undefined
}>
export function metaOf(holder: Json | undefined): Meta {
  const meta = objectOf(objectOf(holder)?._meta)
  return {
    version: textOf(meta?.[`${prefix}protocolVersion`]),
    client: objectOf(meta?.[`${prefix}clientInfo`]),
    server: objectOf(meta?.[`${prefix}serverInfo`]),
    traceparent: textOf(meta?.traceparent),
  }
}

export type Trace = Pick<McpEvent, 'traceId' | 'parentSpanId' | 'traceFlags'>
/** W3C trace context; said by the client, so a hint and no proof. */
export function traceOf(traceparent: string | undefined): Trace {
  const parts = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-|$)/.exec(traceparent?.trim() ?? '')
  if (!parts || parts[1] === 'ff' || /^0+$/.test(parts[2] ?? '') || /^0+$/.test(parts[3] ?? '')) return {}
  return { traceId: parts[2] as string, parentSpanId: parts[3] as string, traceFlags: Number.parseInt(parts[4] as string, 16) }
}

export type Named = Readonly<{ toolName?: string | undefined; promptName?: string | undefined; resourceUri?: string | undefined }>
/** What a request is about. */
export function namedBy(method: string, params: Json | undefined): Named {
  const fields = objectOf(params)
  if (!fields) return {}
  if (method === 'tools/call') return { toolName: textOf(fields.name) }
  if (method === 'prompts/get') return { promptName: textOf(fields.name) }
  if (/^(resources\/(read|subscribe|unsubscribe)|notifications\/resources\/updated)$/.test(method))
    return { resourceUri: textOf(fields.uri) }
  if (method !== 'completion/complete') return {}
  const ref = objectOf(fields.ref)
  return { promptName: textOf(ref?.name), resourceUri: textOf(ref?.uri) }
}

export type Outcome = NonNullable<McpEvent['outcome']>
/** HTTP speaks before JSON-RPC: a refused request never reached the tool. */
export function outcomeOfStatus(status: number | undefined): Outcome | undefined {
  if (status === 401 || status === 403) return 'denied'
  return status !== undefined && status >= 500 ? 'transport_error' : undefined
}

/** -32000…-32019 belong to implementations: SDK transports use them for lost connections and time-outs. */
function outcomeOfError(error: JsonObject): Outcome {
  const code = typeof error.code === 'number' ? error.code : 0
  const message = (textOf(error.message) ?? '').slice(0, 200)
  if (code === -32002 || /header ?mismatch/i.test(message)) return 'protocol_error'
  if (code > -32000 || code < -32019) return 'protocol_error'
  return code === -32001 && /time[d ]?-? ?out/i.test(message) ? 'timeout' : 'transport_error'
}

export function outcomeOf(result: Json | undefined, error: Json | undefined, status: number | undefined): Outcome {
  const refused = outcomeOfStatus(status)
  if (refused) return refused
  if (error !== undefined) return isObject(error) ? outcomeOfError(error) : 'protocol_error'
  const fields = objectOf(result)
  if (fields?.isError === true) return 'tool_error'
  if (fields?.resultType === 'input_required') return 'input_required'
  if (fields?.resultType === 'task' || isObject(fields?.task)) return 'task_created'
  return 'success'
}
