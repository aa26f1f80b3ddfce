/** The OpenTelemetry MCP and GenAI conventions → event fields: what every dialect that follows them starts from. */
import type { Json, McpEvent } from '../../schemas/event.ts'
import { eraOfMethod, eraOfVersion } from '../jsonrpc/protocol.ts'
import { jsonInText } from './json-text.ts'
import { type Attributes, cutText, limits, type OtlpRecord } from './record.ts'

export type Loose = { -readonly [K in keyof McpEvent]?: McpEvent[K] | undefined }
/** An event in the making. Attributes that are not `taken` by a field end in `unmapped`, and after them what is `given` back. */
export type Draft = Readonly<{
  record: OtlpRecord
  attributes: Attributes
  taken: string[]
  given: [name: string, value: Json][]
  event: Loose
  facts: string[]
  keyedHash: (text: string) => string
}>

export const spanKind = { internal: 1, server: 2, client: 3 } as const

const asText = (value: Json | undefined): string | undefined =>
  typeof value === 'string' ? value : typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined

/** An attribute that no field has taken. */
export const left = ({ attributes, taken }: Draft, name: string): Json | undefined =>
  taken.includes(name) ? undefined : attributes.get(name)

/** An attribute for a field; one of another type, or an empty one, is not taken. */
export function take(draft: Draft, name: string): string | undefined {
  const value = asText(left(draft, name))
  if (value === undefined || value === '') return undefined
  draft.taken.push(name)
  return value
}
export function takeCount(draft: Draft, name: string): number | undefined {
  const value = left(draft, name)
  const number = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  if (typeof number !== 'number' || !Number.isSafeInteger(number) || number < 0) return undefined
  draft.taken.push(name)
  return number
}

/** Content is an object, or JSON in a string; other text stays text. */
export function takeContent(draft: Draft, name: string): Json | undefined {
  const value = left(draft, name)
  if (value === undefined || value === null) return undefined
  draft.taken.push(name)
  if (typeof value !== 'string') return value
  const text = cutText(value, limits.contentBytesMax)
  if (text.length === value.length) return jsonInText(text)
  draft.facts.push(`truncated:${name}`)
  return text
}

/** Requests and notifications of the server; progress, cancellation and tasks go both ways. */
const serverMethods: ReadonlySet<string> = new Set([
  'sampling/createMessage',
  'elicitation/create',
  'roots/list',
  'notifications/message',
  'notifications/tools/list_changed',
  'notifications/prompts/list_changed',
  'notifications/resources/list_changed',
  'notifications/resources/updated',
  'notifications/elicitation/complete',
  'notifications/subscriptions/acknowledged',
])
export const isNotification = (method: string): boolean => method.startsWith('notifications/')

function transportOf({ attributes }: Draft): McpEvent['transport'] {
  const transport = attributes.get('network.transport')
  const protocol = attributes.get('network.protocol.name')
  if (transport === 'pipe' || protocol === 'stdio') return 'stdio'
  if (transport === 'inproc') return 'in_process'
  if (protocol === 'websocket') return 'websocket'
  return protocol === 'http' || attributes.has('url.full') || attributes.has('http.request.method') ? 'streamable_http' : 'unknown'
}

/** Who observed it. A server that asks its client (sampling, elicitation) has a CLIENT span of its own. */
function setSides(event: Loose, kind: number | undefined, method: string): void {
  const fromServer = serverMethods.has(method)
  event.direction = fromServer ? 'server_to_client' : 'client_to_server'
  if (kind === spanKind.client) event.vantage = fromServer ? 'server' : 'client'
  else if (kind === spanKind.server) event.vantage = fromServer ? 'client' : 'server'
}

/** `tools/call` means a tool was run, `isError` that it said no; a JSON-RPC code that it was never reached. */
export function outcomeOfSpan(errorType: string | undefined, code: string | undefined, statusCode: number, result: Json | undefined) {
  const answer = result !== null && typeof result === 'object' && !Array.isArray(result) ? result : undefined
  if (errorType === 'tool_error' || answer?.isError === true || answer?.is_error === true) return 'tool_error'
  const said = (code ?? errorType ?? '').toLowerCase()
  if (/^-?\d+$/.test(said)) return outcomeOfCode(Number(said))
  if (/time_?d?_?out/.test(said)) return 'timeout'
  if (/cancel/.test(said)) return 'cancelled'
  if (errorType !== undefined || statusCode === 2) return 'transport_error'
  return answer?.resultType === 'input_required' ? 'input_required' : 'success'
}
function outcomeOfCode(code: number): NonNullable<McpEvent['outcome']> {
  if (code === 401 || code === 403) return 'denied'
  return code >= 500 || code === -32000 ? 'transport_error' : 'protocol_error'
}

/** Threshold of consistent probability sampling: `ot=th:c` keeps 1 − 0xc/16 of all traces. */
export function samplingRatioOf(traceState: string): number | undefined {
  const ours = traceState
    .slice(0, 512)
    .split(',')
    .find((member) => member.trimStart().startsWith('ot='))
  const threshold = /[=;]th:([0-9a-f]{1,14})(?:;|\s*$)/.exec(ours ?? '')?.[1]
  return threshold === undefined ? undefined : 1 - Number.parseInt(threshold, 16) / 16 ** threshold.length
}

export function mapConvention(draft: Draft): void {
  const { event, record } = draft
  const method = take(draft, 'mcp.method.name') ?? ''
  if (method) event.method = method
  event.kind = isNotification(method) ? 'notification' : 'call'
  setSides(event, record.span?.kind, method)
  event.transport = transportOf(draft)
  event.requestId = take(draft, 'jsonrpc.request.id')
  event.protocolVersion = take(draft, 'mcp.protocol.version')
  const byVersion = eraOfVersion(event.protocolVersion)
  event.era = byVersion === 'unknown' ? eraOfMethod(method) : byVersion
  const session = take(draft, 'mcp.session.id')
  if (session) event.sessionHash = draft.keyedHash(session)
  if (draft.attributes.get('gen_ai.operation.name') === 'execute_tool') draft.taken.push('gen_ai.operation.name')
  event.toolName = take(draft, 'gen_ai.tool.name')
  event.promptName = take(draft, 'gen_ai.prompt.name')
  event.resourceUri = take(draft, 'mcp.resource.uri')
  event.toolCallId = take(draft, 'gen_ai.tool.call.id')
  event.conversationId = take(draft, 'gen_ai.conversation.id')
  event.agentName = take(draft, 'gen_ai.agent.name')
  event.arguments = takeContent(draft, 'gen_ai.tool.call.arguments')
  event.result = takeContent(draft, 'gen_ai.tool.call.result')
  event.serverAddress = take(draft, 'server.address')
  event.serverPort = takeCount(draft, 'server.port')
  event.clientAddress = take(draft, 'client.address')
  event.principal = take(draft, 'user.id')
  event.errorType = take(draft, 'error.type')
  event.errorCode = take(draft, 'rpc.response.status_code')
  event.errorMessage = record.span?.statusMessage || undefined
  event.outcome = outcomeOfSpan(event.errorType, event.errorCode, record.span?.statusCode ?? 0, event.result)
}
