/**
 * One observation of MCP traffic: one message, or one call, as seen from one vantage. READ FIRST.
 * 1. An event is never edited: a stage passes it on, or buries it with a reason.
 * 2. The same observation sent again has the same `eventId`.
 * 3. `time` is when it happened; it is the only clock a detector has.
 * 4. Secrets never travel: collectors replace each with `⟦secret:kind:hash⟧` first (schemas/secret.ts).
 * 5. Nothing needs a session id: MCP 2026-07-28 has none.
 * External names (API, files, columns) are in schemas/semconv.ts.
 */
import { z } from 'zod'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export const Json: z.ZodType<Json> = z.json() as z.ZodType<Json>
export type JsonObject = { [key: string]: Json }
export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A member of its own, never one of the prototype; undefined where `value` is no object. */
export const member = (value: Json | undefined, key: string): Json | undefined =>
  isObject(value) && Object.hasOwn(value, key) ? value[key] : undefined

export const eventKinds = [
  'request',
  'response',
  'notification',
  'call',
  'connection',
  'decision',
  'definition',
  'auth',
  'prompt',
  'config',
  'finding',
  'user_prompt',
  'approval',
  'launch',
  'process',
  'egress',
  'http_request',
  'idp_grant',
  'pipeline',
  'malformed',
  'unclassified',
  'other',
] as const
export type EventKind = (typeof eventKinds)[number]

export const outcomes = [
  'success',
  'tool_error',
  'protocol_error',
  'transport_error',
  'denied',
  'cancelled',
  'timeout',
  'input_required',
  'task_created',
  'unknown',
] as const

/** How far an identity can be trusted: said by the party itself, seen by us, or verified by us or a gateway. */
export const identityGrades = ['declared', 'observed', 'attested'] as const

const text = z.string()
const nanoseconds = z.bigint()
const count = z.number().int().nonnegative()

export const McpEvent = z.readonly(
  z.object({
    // envelope
    eventId: text.describe('128-bit hex, deterministic: CONTRACTS "event_id"'),
    time: nanoseconds.describe('ns since the epoch'),
    durationNs: count.optional(),
    observedTime: nanoseconds.optional(),
    ingestedTime: nanoseconds.optional(),
    kind: z.enum(eventKinds),
    eventName: text.optional().describe('the emitter’s own name of a host event, kept when kind is "other"'),
    dialect: text,
    dialectVersion: text.optional(),
    signal: z.enum(['span', 'log', 'metric', 'hook', 'file', 'access_log', 'wire']),
    vantage: z.enum(['client', 'server', 'gateway', 'host', 'kernel', 'scanner']),
    direction: z.enum(['client_to_server', 'server_to_client']).optional(),
    contentLevel: z.enum(['none', 'metadata', 'shape', 'truncated', 'text', 'full']),
    captureTier: z.enum(['none', 'shape', 'hash', 'redacted', 'full']),
    samplingRatio: z.number().optional(),
    tenant: text,
    source: text.describe('the ingest credential’s source id'),
    callId: text.optional(),
    callObservation: count.optional().describe('1 is the first observation of this call'),
    // who
    actor: text.describe('whose behaviour: schemas/actor.ts; never the server'),
    actorGrade: z.enum(identityGrades),
    actorSource: text.describe('which evidence named the actor'),
    principal: text.optional(),
    serverKey: text.describe('our inventory id of the server'),
    serverAlias: text.optional().describe('the name in the host’s configuration'),
    serverName: text.optional().describe('self-reported'),
    serverTitle: text.optional(),
    serverVersion: text.optional(),
    serverCommand: text.optional(),
    serverOrigin: text.optional(),
    serverAddress: text.optional(),
    serverPort: count.optional(),
    serverGrade: z.enum(identityGrades).optional(),
    hostApp: text.optional().describe('the AI host application, as in alias@host'),
    clientName: text.optional().describe('self-reported'),
    clientVersion: text.optional(),
    clientAddress: text.optional(),
    serviceName: text.optional(),
    hostName: text.optional(),
    processPid: count.optional(),
    agentName: text.optional(),
    conversationId: text.optional(),
    authMethod: text.optional(),
    authSubject: text.optional(),
    authClientId: text.optional(),
    authIssuer: text.optional(),
    authAudience: text.optional(),
    authScopes: z.array(text).optional(),
    authTokenHash: text.optional(),
    // protocol
    method: text.optional().describe('JSON-RPC method; unknown ones are kept'),
    requestId: text.optional(),
    requestIdType: z.enum(['string', 'int', 'null', 'other']).optional(),
    protocolVersion: text.optional(),
    protocolVersionSource: z.enum(['negotiated', 'request_meta', 'header', 'sdk_constant', 'unknown']).optional(),
    era: z.enum(['legacy', 'modern', 'unknown']),
    sessionHash: text.optional().describe('keyed hash of the session id: evidence, never a key'),
    connectionId: text.optional(),
    transport: z.enum(['stdio', 'streamable_http', 'sse', 'websocket', 'in_process', 'unknown']),
    resultType: text.optional(),
    cacheTtlMs: z.number().optional(),
    cacheScope: text.optional(),
    headerMismatch: z.boolean().optional(),
    http: Json.optional().describe('HTTP facts that are not credentials'),
    // what
    toolName: text.optional(),
    toolNameRaw: text.optional(),
    toolCallId: text.optional(),
    promptName: text.optional(),
    resourceUri: text.optional(),
    arguments: Json.optional().describe('arguments of tools/call'),
    result: Json.optional().describe('result of tools/call'),
    params: Json.optional().describe('params of every other message, and of tools/call without its arguments'),
    body: Json.optional().describe('result of every other method'),
    argsBytes: count.optional(),
    argsHash: text.optional(),
    resultBytes: count.optional(),
    resultHash: text.optional(),
    requestStateHash: text.optional(),
    taskHash: text.optional(),
    argsFingerprints: z.array(count).optional().describe('only where the text itself is not kept'),
    resultFingerprints: z.array(count).optional(),
    secrets: z.array(text).optional().describe('kind:hash of each secret replaced in this event'),
    // outcome
    outcome: z.enum(outcomes).optional(),
    errorType: text.optional(),
    errorCode: text.optional(),
    errorMessage: text.optional(),
    decisionOutcome: z.enum(['allow', 'deny', 'ask', 'modify']).optional(),
    decisionSource: text.optional(),
    decisionReason: text.optional(),
    // raw bytes, which parsed JSON has lost
    rawBytes: count.optional(),
    rawHash: text.optional(),
    rawDepth: count.optional(),
    rawFacts: z.array(text).optional().describe('duplicate_key:method, case_variant:params, invalid_utf8, …'),
    // trace
    traceId: text.optional(),
    spanId: text.optional(),
    parentSpanId: text.optional(),
    links: z.array(text).optional().describe('traceId:spanId'),
    traceFlags: count.optional(),
    labels: Json.optional().describe('inventory labels'),
    unmapped: Json.optional().describe('every attribute not consumed: kept, never dropped'),
  }),
)
export type McpEvent = z.infer<typeof McpEvent>

/** The result of any response, whatever its method. */
export const resultOf = (event: McpEvent): Json | undefined => event.result ?? event.body

/** True for the observation that counting rules use. */
export const isFirstObservation = (event: McpEvent): boolean => (event.callObservation ?? 1) === 1

/**
 * Adds a member under a name that may be hostile. An assignment would take `__proto__` for the prototype; defining every member
 * would make slow objects of all.
 */
export function put<T>(members: Record<string, T>, name: string, value: T): void {
  if (name === '__proto__') Object.defineProperty(members, name, { value, enumerable: true, writable: true, configurable: true })
  else members[name] = value
}
