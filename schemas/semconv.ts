/** Event field ↔ the name it has outside (API, files, columns, OTLP attributes). One table absorbs renames. */
import type { McpEvent } from './event.ts'

/** `time`: ns in OTLP and on the bus, RFC 3339 in the API. `json`: any JSON, as text in attributes and columns. */
export type FieldType = 'string' | 'time' | 'int' | 'float' | 'bool' | 'json' | 'strings' | 'ints'

export const semconv = {
  eventId: ['lapwing.event.id', 'string'],
  time: ['time', 'time'],
  durationNs: ['lapwing.duration_ns', 'int'],
  observedTime: ['lapwing.time.observed', 'time'],
  ingestedTime: ['lapwing.time.ingested', 'time'],
  kind: ['lapwing.event.kind', 'string'],
  eventName: ['lapwing.event.name', 'string'],
  dialect: ['lapwing.dialect', 'string'],
  dialectVersion: ['lapwing.dialect.version', 'string'],
  signal: ['lapwing.source.signal', 'string'],
  vantage: ['lapwing.vantage', 'string'],
  direction: ['lapwing.direction', 'string'],
  contentLevel: ['lapwing.content.level', 'string'],
  captureTier: ['lapwing.content.tier', 'string'],
  samplingRatio: ['lapwing.sampling.ratio', 'float'],
  tenant: ['lapwing.tenant', 'string'],
  source: ['lapwing.source', 'string'],
  callId: ['lapwing.call.id', 'string'],
  callObservation: ['lapwing.call.observation', 'int'],
  actor: ['lapwing.actor', 'string'],
  actorGrade: ['lapwing.actor.grade', 'string'],
  actorSource: ['lapwing.actor.source', 'string'],
  principal: ['user.id', 'string'],
  serverKey: ['lapwing.server.id', 'string'],
  serverAlias: ['lapwing.server.alias', 'string'],
  serverName: ['lapwing.server.name', 'string'],
  serverTitle: ['lapwing.server.title', 'string'],
  serverVersion: ['lapwing.server.version', 'string'],
  serverCommand: ['lapwing.server.command', 'string'],
  serverOrigin: ['lapwing.server.origin', 'string'],
  serverAddress: ['server.address', 'string'],
  serverPort: ['server.port', 'int'],
  serverGrade: ['lapwing.server.grade', 'string'],
  hostApp: ['lapwing.host.app', 'string'],
  clientName: ['lapwing.client.name', 'string'],
  clientVersion: ['lapwing.client.version', 'string'],
  clientAddress: ['client.address', 'string'],
  serviceName: ['service.name', 'string'],
  hostName: ['host.name', 'string'],
  processPid: ['process.pid', 'int'],
  agentName: ['gen_ai.agent.name', 'string'],
  conversationId: ['gen_ai.conversation.id', 'string'],
  authMethod: ['lapwing.auth.method', 'string'],
  authSubject: ['lapwing.auth.subject', 'string'],
  authClientId: ['lapwing.auth.client_id', 'string'],
  authIssuer: ['lapwing.auth.issuer', 'string'],
  authAudience: ['lapwing.auth.audience', 'string'],
  authScopes: ['lapwing.auth.scopes', 'strings'],
  authTokenHash: ['lapwing.auth.key_hash', 'string'],
  method: ['mcp.method.name', 'string'],
  requestId: ['jsonrpc.request.id', 'string'],
  requestIdType: ['lapwing.jsonrpc.id_type', 'string'],
  protocolVersion: ['mcp.protocol.version', 'string'],
  protocolVersionSource: ['lapwing.protocol.version_source', 'string'],
  era: ['lapwing.protocol.era', 'string'],
  sessionHash: ['lapwing.session.hash', 'string'],
  connectionId: ['lapwing.connection.id', 'string'],
  transport: ['lapwing.transport', 'string'],
  resultType: ['lapwing.result.type', 'string'],
  cacheTtlMs: ['lapwing.cache.ttl_ms', 'float'],
  cacheScope: ['lapwing.cache.scope', 'string'],
  headerMismatch: ['lapwing.http.header_mismatch', 'bool'],
  http: ['lapwing.http', 'json'],
  toolName: ['gen_ai.tool.name', 'string'],
  toolNameRaw: ['lapwing.tool.name_raw', 'string'],
  toolCallId: ['gen_ai.tool.call.id', 'string'],
  promptName: ['gen_ai.prompt.name', 'string'],
  resourceUri: ['mcp.resource.uri', 'string'],
  arguments: ['gen_ai.tool.call.arguments', 'json'],
  result: ['gen_ai.tool.call.result', 'json'],
  params: ['lapwing.params', 'json'],
  body: ['lapwing.result', 'json'],
  argsBytes: ['lapwing.args.bytes', 'int'],
  argsHash: ['lapwing.args.hash', 'string'],
  resultBytes: ['lapwing.result.bytes', 'int'],
  resultHash: ['lapwing.result.hash', 'string'],
  requestStateHash: ['lapwing.mrtr.request_state_hash', 'string'],
  taskHash: ['lapwing.task.hash', 'string'],
  argsFingerprints: ['lapwing.args.fingerprints', 'ints'],
  resultFingerprints: ['lapwing.result.fingerprints', 'ints'],
  secrets: ['lapwing.secrets', 'strings'],
  outcome: ['lapwing.outcome', 'string'],
  errorType: ['error.type', 'string'],
  errorCode: ['rpc.response.status_code', 'string'],
  errorMessage: ['lapwing.error.message', 'string'],
  decisionOutcome: ['lapwing.decision.outcome', 'string'],
  decisionSource: ['lapwing.decision.source', 'string'],
  decisionReason: ['lapwing.decision.reason', 'string'],
  rawBytes: ['lapwing.raw.bytes', 'int'],
  rawHash: ['lapwing.raw.hash', 'string'],
  rawDepth: ['lapwing.raw.depth', 'int'],
  rawFacts: ['lapwing.raw.facts', 'strings'],
  traceId: ['trace_id', 'string'],
  spanId: ['span_id', 'string'],
  parentSpanId: ['parent_span_id', 'string'],
  links: ['lapwing.links', 'strings'],
  traceFlags: ['lapwing.trace_flags', 'int'],
  labels: ['lapwing.labels', 'json'],
  unmapped: ['lapwing.unmapped', 'json'],
} as const satisfies Record<keyof McpEvent, readonly [string, FieldType]>

export type Field = keyof typeof semconv
export const fields = Object.keys(semconv) as readonly Field[]

/** External name → field. */
export const fieldByName: ReadonlyMap<string, Field> = new Map(fields.map((field) => [semconv[field][0], field]))

/** ns since the epoch → RFC 3339 UTC with nanoseconds. */
export function rfc3339(time: bigint): string {
  const seconds = new Date(Number(time / 1_000_000n)).toISOString().slice(0, 19)
  return `${seconds}.${String(time % 1_000_000_000n).padStart(9, '0')}Z`
}

/** The event under its external names; times as RFC 3339, absent fields left out. */
export function external(event: McpEvent): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  for (const field of fields) {
    const value = event[field]
    if (value === undefined) continue
    row[semconv[field][0]] = typeof value === 'bigint' ? rfc3339(value) : value
  }
  return row
}
