/** JSON-RPC messages of one connection → events: answers learn their request, retries their call, handles become hashes. */
import { type Actor, type ActorEvidence, actorOf } from '../../schemas/actor.ts'
import type { Json, McpEvent } from '../../schemas/event.ts'
import { hashId, serverKeyOf } from '../../schemas/ids.ts'
import { type Compared, compareHeaders, type HttpFacts, type HttpReading, readHttp } from './http-facts.ts'
import { type ParsedMessage, parseMessages } from './parse.ts'
import { type Call, createPending, createTable, type Party } from './pending.ts'
import * as protocol from './protocol.ts'
import { type Direction, isObject, type JsonObject, metaOf, objectOf, textOf } from './protocol.ts'
import type { ScanLimits } from './raw-facts.ts'
import { ofRequest } from './request.ts'
import { methodByShape, ofResponse, requestOf } from './response.ts'
import type { Loose, ParamHeaders, State, Work } from './work.ts'

export type NormaliserContext = Readonly<{
  source: string
  dialect: string
  signal: McpEvent['signal']
  vantage: McpEvent['vantage']
  transport: McpEvent['transport']
  tenant: string
  /** HMAC with the tenant's key: 16 hex characters. */
  keyedHash: (text: string) => string
  /** What is known of the actor beside the message's own evidence. */
  actor?: Omit<ActorEvidence, 'source'> | undefined
  serverAlias?: string | undefined
  /** Without it the alias makes the key. */
  serverKey?: string | undefined
  hostApp?: string | undefined
  connectionId?: string | undefined
  /** Fields every event of this connection carries: command, address, service, … */
  fixed?: Partial<McpEvent> | undefined
  waitingMax?: number | undefined
  limits?: ScanLimits | undefined
}>

/** What was seen beside one message. */
export type Seen = Readonly<{
  time: bigint
  direction: Direction
  eventId: string
  http?: HttpFacts | undefined
  principal?: string | undefined
  tenant?: string | undefined
  /** The session id itself; only its keyed hash is kept. */
  session?: string | undefined
  peer?: string | undefined
  connectionId?: string | undefined
  labels?: Json | undefined
  serverAlias?: string | undefined
  hostApp?: string | undefined
  vantage?: McpEvent['vantage'] | undefined
  transport?: McpEvent['transport'] | undefined
  /** Already decided: overrides the order of evidence. */
  actor?: Actor | undefined
  unmapped?: JsonObject | undefined
}>

/** Requests without an answer, issued states, tasks: each at most so many. */
const waitingMaxDefault = 10_000

/** The era and version of this message, by the strongest evidence it carries; else by what the connection showed before. */
function versionOf({ state, message, http, party }: Work, method: string | undefined): Loose {
  const meta = metaOf(message.params)
  const said = meta.version ?? http?.version
  const asked = method === 'initialize' ? textOf(objectOf(message.params)?.protocolVersion) : undefined
  let era = protocol.eraOfVersion(said)
  if (era === 'unknown' && typeof objectOf(message.result)?.resultType === 'string') era = 'modern'
  if (era === 'unknown' && party.session !== undefined) era = 'legacy'
  if (era === 'unknown' && protocol.decidesEra(method)) era = protocol.eraOfMethod(method)
  if (era !== 'unknown') state.era = era
  else era = state.era === 'unknown' ? protocol.eraOfMethod(method) : state.era
  if (said !== undefined) return { era, protocolVersion: said, protocolVersionSource: meta.version ? 'request_meta' : 'header' }
  if (asked === undefined && era !== 'modern' && state.version) {
    return { era, protocolVersion: state.version, protocolVersionSource: 'negotiated' }
  }
  return asked === undefined ? { era } : { era, protocolVersion: asked, protocolVersionSource: 'unknown' }
}

/** Remembers what both sides say of themselves. */
function learnPeople({ state, message }: Work, method: string | undefined): void {
  const params = objectOf(message.params)
  const result = objectOf(message.result)
  const started = method === 'initialize'
  state.client = metaOf(params).client ?? (started ? objectOf(params?.clientInfo) : undefined) ?? state.client
  const told = started || method === 'server/discover' ? objectOf(result?.serverInfo) : undefined
  state.server = metaOf(result).server ?? told ?? state.server
  if (started && result) state.version = textOf(result.protocolVersion) ?? state.version
}

const people = ({ state }: Work): Loose => ({
  clientName: textOf(state.client?.name),
  clientVersion: textOf(state.client?.version),
  serverName: textOf(state.server?.name),
  serverTitle: textOf(state.server?.title),
  serverVersion: textOf(state.server?.version),
})

/** Only a client's requests have headers and a body that say the same thing twice. */
function compared({ http, message, direction, state }: Work, method: string | undefined): Compared {
  if (!http || !method || direction !== 'client_to_server') return { mismatch: undefined, facts: [] }
  const names = protocol.namedBy(method, message.params)
  return compareHeaders(http, {
    method,
    named: names.toolName ?? names.promptName ?? names.resourceUri,
    hasName: method === 'tools/call' || method === 'prompts/get' || method === 'resources/read',
    version: metaOf(message.params).version,
    isRequest: Object.hasOwn(message, 'id'),
    arguments: objectOf(objectOf(message.params)?.arguments),
    paramHeaders: names.toolName === undefined ? undefined : state.paramHeaders.get(names.toolName),
  })
}

const spoken: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error'])
const rest = (value: JsonObject, known: (name: string, value: Json) => boolean): JsonObject | undefined => {
  const entries = Object.entries(value).filter(([name, given]) => !known(name, given))
  return entries.length ? Object.fromEntries(entries) : undefined
}

/** What no field holds: unknown members, an error's data, what trails the message. */
function leftOver(message: JsonObject | undefined, more: JsonObject | undefined, trailing: string | undefined): JsonObject | undefined {
  const error = message?.error
  const asRequest = typeof message?.method === 'string'
  const errorRest = isObject(error) ? rest(error, (name, value) => (name === 'code' || name === 'message') && !isObject(value)) : error
  const left: [string, Json | undefined][] = [
    ...Object.entries(more ?? {}),
    ['members', message && rest(message, (name) => spoken.has(name))],
    ['error', typeof error === 'string' && !asRequest ? undefined : (errorRest ?? undefined)],
    ['params', asRequest ? undefined : message?.params],
    ['result', asRequest ? message?.result : undefined],
    ['trailing', trailing],
  ]
  const kept = left.filter((entry): entry is [string, Json] => entry[1] !== undefined)
  return kept.length ? Object.fromEntries(kept) : undefined
}

function whoOf(context: NormaliserContext, seen: Seen, http: HttpReading | undefined): Loose {
  const tokenHash = http?.token && context.keyedHash(http.token.value)
  const evidence: ActorEvidence = {
    ...context.actor,
    ...(seen.principal ? { attested: seen.principal } : {}),
    ...(tokenHash ? { tokenHash } : {}),
    ...(seen.peer && !context.actor?.address ? { address: seen.peer } : {}),
    source: context.source,
  }
  return { ...(seen.actor ?? actorOf(evidence)), principal: seen.principal, authMethod: http?.token?.scheme, authTokenHash: tokenHash }
}

function envelope(context: NormaliserContext, seen: Seen, http: HttpReading | undefined, session: string | undefined): Loose {
  const alias = seen.serverAlias ?? context.serverAlias
  return {
    ...context.fixed,
    time: seen.time,
    dialect: context.dialect,
    signal: context.signal,
    vantage: seen.vantage ?? context.vantage,
    direction: seen.direction,
    contentLevel: 'full',
    captureTier: 'full',
    tenant: seen.tenant ?? context.tenant,
    source: context.source,
    ...whoOf(context, seen, http),
    serverKey: context.serverKey ?? (alias === undefined ? '' : serverKeyOf('alias', alias)),
    serverAlias: alias,
    hostApp: seen.hostApp ?? context.hostApp,
    clientAddress: seen.peer ?? context.fixed?.clientAddress,
    sessionHash: session === undefined ? undefined : context.keyedHash(session),
    connectionId: seen.connectionId ?? context.connectionId,
    transport: seen.transport ?? context.transport,
    http: http && Object.keys(http.kept).length ? http.kept : undefined,
    labels: seen.labels,
  }
}

/** Absent fields are left out. The one place where loose fields become an event: kind, era and envelope are always set. */
export function finished(event: Loose): McpEvent {
  const whole: Record<string, unknown> = {}
  for (const [field, value] of Object.entries(event)) if (value !== undefined) whole[field] = value
  return whole as McpEvent
}

function fieldsOf(work: Work, parsed: ParsedMessage): Loose {
  const { state, message } = work
  if (!parsed.value) {
    const contentLevel = parsed.cut ? 'truncated' : 'full'
    return { kind: 'malformed', era: state.era, params: { text: parsed.text ?? '' }, contentLevel, rawFacts: [...parsed.facts] }
  }
  const method = textOf(message.method)
  const call = method === undefined ? requestOf(work) : undefined
  const about = method ?? call?.method ?? methodByShape(work)
  learnPeople(work, about)
  const version = versionOf(work, about)
  const header = compared(work, method)
  const own = method === undefined ? ofResponse(work, call, about, version) : ofRequest(work, method, version)
  const facts = [...parsed.facts, ...header.facts]
  return { ...people(work), ...version, ...own, headerMismatch: header.mismatch, rawFacts: facts.length ? facts : undefined }
}

/** One per connection, or per stdio process. */
export function createNormaliser(context: NormaliserContext) {
  const entriesMax = context.waitingMax ?? waitingMaxDefault
  const { keyedHash } = context
  const state: State = {
    era: 'unknown',
    version: undefined,
    client: undefined,
    server: undefined,
    pending: createPending(entriesMax),
    states: createTable<Call>(entriesMax),
    tasks: createTable<Call>(entriesMax),
    paramHeaders: createTable<ParamHeaders>(entriesMax),
  }

  /** A text as it was sent, or a message somebody parsed already: then nothing can be said of its bytes. */
  function message(raw: string | Uint8Array | Json, seen: Seen): McpEvent[] {
    const parsed = parseMessages(raw, context.limits)
    const http = seen.http ? readHttp(seen.http, keyedHash) : undefined
    const session = seen.session ?? http?.session
    const party: Party = { principal: seen.principal, peer: seen.peer, session }
    const shared = envelope(context, seen, http, session)
    const bytes: Loose = parsed.asSent ? { rawBytes: parsed.bytes, rawHash: keyedHash(parsed.text) } : {}
    return parsed.messages.map((one, index) => {
      const eventId = index === 0 ? seen.eventId : hashId(seen.eventId, index)
      const work: Work = { keyedHash, state, direction: seen.direction, message: one.value ?? {}, http, party, eventId }
      const unmapped = leftOver(one.value, seen.unmapped, index === 0 ? parsed.trailing : undefined)
      return finished({ ...shared, ...fieldsOf(work, one), ...bytes, eventId, rawDepth: parsed.depth, unmapped })
    })
  }
  const stats = () => ({ pending: state.pending.stats(), states: state.states.stats(), tasks: state.tasks.stats() })
  return { message, stats }
}
export type Normaliser = ReturnType<typeof createNormaliser>
