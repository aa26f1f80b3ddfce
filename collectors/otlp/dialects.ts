/** Which emitter wrote a record, and how its records differ from the conventions. First match wins; append new emitters in order. */
import { type JsonObject, put } from '../../schemas/event.ts'
import { type Draft, mapConvention, spanKind, take } from './convention.ts'
import { jsonInText } from './json-text.ts'
import type { Attributes, OtlpRecord } from './record.ts'

export type Dialect = Readonly<{ id: string; matches: (record: OtlpRecord) => boolean; map: (draft: Draft) => void }>

const attributesOf = (record: OtlpRecord) => (record.span ?? record.log).attributes
const hasMethod = (record: OtlpRecord): boolean => typeof attributesOf(record).get('mcp.method.name') === 'string'
const isKind = (record: OtlpRecord, kind: number): boolean => record.span?.kind === kind

/** Not a call of its own, but a link between calls: it keeps its ids, so that the joiner can see through it. */
function setAside(draft: Draft, eventName: string): void {
  const { event } = draft
  event.kind = 'other'
  event.eventName = eventName
  if (event.method !== undefined) draft.given.push(['mcp.method.name', event.method])
  event.method = undefined
  event.outcome = undefined
  event.direction = undefined
}

/** The text of an exception stands in a span event; the status often has none. */
function exceptionMessage({ record }: Draft): string | undefined {
  const message = record.span?.events.find(({ name }) => name === 'exception')?.attributes.get('exception.message')
  return typeof message === 'string' ? message : undefined
}

function mapPythonSdk(draft: Draft): void {
  mapConvention(draft)
  const { event, record } = draft
  if (event.protocolVersion) event.protocolVersionSource = 'negotiated'
  event.errorMessage ??= exceptionMessage(draft)
  if (!isKind(record, spanKind.client)) return
  const start = `MCP send ${event.method} `
  const name = record.span?.name ?? ''
  const target = name.startsWith(start) ? name.slice(start.length) : undefined
  if (event.method === 'tools/call') event.toolName ??= target
  if (event.method === 'prompts/get') event.promptName ??= target
  // This span stays unset when the tool failed (isError): its silence is not success.
  if (event.outcome === 'success') event.outcome = 'unknown'
}

/** The status description of a failed tool is the JSON of its content blocks. */
function mapCsharpSdk(draft: Draft): void {
  mapConvention(draft)
  const { event } = draft
  if (event.protocolVersion) event.protocolVersionSource = 'negotiated'
  if (event.errorType === '_OTHER') event.outcome = 'tool_error'
  if (event.outcome !== 'tool_error' || !event.errorMessage) return
  const content = jsonInText(event.errorMessage)
  if (Array.isArray(content)) event.result ??= { content, isError: true }
}

function mapFastmcp(draft: Draft): void {
  mapConvention(draft)
  const { event, record, attributes } = draft
  if (event.protocolVersion) event.protocolVersionSource = 'negotiated'
  event.serverName = take(draft, 'fastmcp.server.name')
  event.authClientId = take(draft, 'enduser.id') // an OAuth client, not a person
  const scopes = take(draft, 'enduser.scope')
  if (scopes) event.authScopes = scopes.split(' ').filter(Boolean)
  event.serverAlias = take(draft, 'fastmcp.proxy.backend_name')
  event.serverOrigin = take(draft, 'fastmcp.proxy.backend_uri')
  if (event.toolName !== undefined && attributes.has('fastmcp.component.key')) event.toolNameRaw = take(draft, 'fastmcp.component.key')
  event.errorMessage ??= exceptionMessage(draft)
  if (isKind(record, spanKind.internal)) setAside(draft, 'delegate')
  else if (isImplicitList(draft)) setAside(draft, 'implicit_list')
}

/** Over HTTP in the modern era each tools/call makes the server list its own tools: a root span of a trace of its own, and no reconnaissance. */
const isImplicitList = ({ event, record }: Draft): boolean =>
  isKind(record, spanKind.server) &&
  event.method === 'tools/list' &&
  event.era === 'modern' &&
  !/[^0]/.test(record.span?.parentSpanId ?? '')

/** A tool run by an agent framework. Whether it is MCP is known only once it is joined to a span that says so. */
function mapExecuteTool(draft: Draft): void {
  mapConvention(draft)
  draft.event.direction = undefined
  draft.event.vantage = 'client'
}

const fromScope = (name: string) => (record: OtlpRecord) => record.scope.name === name

export const dialects: readonly Dialect[] = [
  { id: 'mcp-python-sdk', matches: (record) => fromScope('mcp-python-sdk')(record) && hasMethod(record), map: mapPythonSdk },
  {
    id: 'mcp-csharp-sdk',
    matches: (record) => fromScope('Experimental.ModelContextProtocol')(record) && hasMethod(record),
    map: mapCsharpSdk,
  },
  {
    id: 'fastmcp',
    matches: (record) => fromScope('fastmcp')(record) && (hasMethod(record) || record.span?.name.startsWith('delegate ') === true),
    map: mapFastmcp,
  },
  { id: 'otel-semconv', matches: hasMethod, map: mapConvention },
  {
    id: 'otel-genai',
    matches: (record) => record.span !== undefined && attributesOf(record).get('gen_ai.operation.name') === 'execute_tool',
    map: mapExecuteTool,
  },
]

export const dialectOf = (record: OtlpRecord): Dialect | undefined => dialects.find(({ matches }) => matches(record))

/** Attributes as JSON. */
export function jsonOf(attributes: Attributes): JsonObject {
  const members: JsonObject = {}
  attributes.forEach((value, name) => {
    put(members, name, value)
  })
  return members
}
