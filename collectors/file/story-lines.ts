/** Lines of the `messages` kind → events: MCP messages through one normaliser per connection, host events as they are. */
import { actorOf } from '../../schemas/actor.ts'
import { Fault } from '../../schemas/errors.ts'
import type { EventKind, Json, McpEvent } from '../../schemas/event.ts'
import { hashId, serverKeyOf } from '../../schemas/ids.ts'
import { readHttp } from '../jsonrpc/http-facts.ts'
import { createNormaliser, finished, type Normaliser, type Seen } from '../jsonrpc/normaliser.ts'
import { isDeeper } from '../jsonrpc/parse.ts'
import { isObject, type JsonObject } from '../jsonrpc/protocol.ts'
import { depthMax } from '../jsonrpc/raw-facts.ts'

/** 2026-01-01T00:00:00Z: second 0 of files that carry offsets. */
const epochNs = 1_767_225_600_000_000_000n
/** Connections of one item whose state is held; the one unused for longest is forgotten. */
const connectionsMax = 1000
/** Times are nanoseconds since 1970 in at most 19 digits. */
const secondsMin = -1_767_225_600
const secondsMax = 7_000_000_000

export type ItemContext = Readonly<{ item: string; tenant: string; keyedHash: (text: string) => string }>

/** Host events that have a kind of their own; others are 'other' with their name. */
const hostKinds: ReadonlySet<string> = new Set<EventKind>([
  'connection',
  'decision',
  'auth',
  'prompt',
  'config',
  'user_prompt',
  'approval',
  'launch',
  'process',
  'egress',
  'http_request',
  'idp_grant',
])
const lineMembers: ReadonlySet<string> = new Set('t srv dir msg raw ev http labels principal tenant session peer conn'.split(' '))

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
const directions: ReadonlyMap<unknown, Seen['direction']> = new Map<unknown, Seen['direction']>([
  ['c2s', 'client_to_server'],
  ['s2c', 'server_to_client'],
])

function timeOf(seconds: unknown): bigint {
  if (seconds === undefined) return epochNs
  if (typeof seconds !== 'number' || !(seconds >= secondsMin && seconds <= secondsMax)) {
    throw new Fault('INPUT_UNREADABLE', 't is not a number of seconds')
  }
  return epochNs + BigInt(Math.round(seconds * 1e6)) * 1000n
}

/** `alias@host` names the host; the server is the alias, whatever the host. */
function placeOf(srv: unknown): { alias: string | undefined; hostApp: string | undefined } {
  const given = text(srv)
  const at = given?.lastIndexOf('@') ?? -1
  if (given === undefined || at <= 0) return { alias: given, hostApp: undefined }
  return { alias: given.slice(0, at), hostApp: text(given.slice(at + 1)) }
}

/** Members without a field. They go into an event as they are, so they may not be deeper than a message. */
function othersOf(line: JsonObject): [string, Json][] {
  const others = Object.entries(line).filter(([name]) => !lineMembers.has(name))
  for (const [name, value] of [...others, ['labels', line.labels ?? null], ['http', line.http ?? null]] as const) {
    if (isDeeper(value, depthMax)) throw new Fault('INPUT_UNREADABLE', `${name} is nested deeper than ${depthMax}`)
  }
  return others
}

const decisions: ReadonlyMap<unknown, NonNullable<McpEvent['decisionOutcome']>> = new Map([
  ['allow', 'allow'],
  ['allowed', 'allow'],
  ['approve', 'allow'],
  ['approved', 'allow'],
  ['accept', 'allow'],
  ['deny', 'deny'],
  ['denied', 'deny'],
  ['reject', 'deny'],
  ['rejected', 'deny'],
  ['ask', 'ask'],
  ['modify', 'modify'],
])

/** A host event keeps its own members in `params`; the few that have a field are there too. */
function hostEvent(line: JsonObject, number: number, { item, tenant, keyedHash }: ItemContext): McpEvent {
  const name = text(line.ev)
  if (name === undefined) throw new Fault('INPUT_UNREADABLE', 'ev is not a name')
  const { alias, hostApp } = placeOf(line.srv)
  const principal = text(line.principal)
  const session = text(line.session)
  const command = text(line.command)
  const args = Array.isArray(line.args) ? line.args.map((arg) => (typeof arg === 'string' ? arg : JSON.stringify(arg))) : []
  const others = othersOf(line)
  const app = name === 'egress' || name === 'http_request' ? undefined : text(line.host)
  const decision = decisions.get(line.decision ?? line.outcome)
  const known = hostKinds.has(name)
  // What the pipeline saw of itself has a name of its own within its kind: `pipeline.lag`.
  const own = name.startsWith('pipeline.')
  return finished({
    eventId: hashId('file', item, number, 0),
    time: timeOf(line.t),
    kind: own ? 'pipeline' : known ? (name as EventKind) : 'other',
    eventName: known ? undefined : name,
    dialect: 'story',
    signal: 'file',
    vantage: 'host',
    contentLevel: 'full',
    captureTier: 'full',
    tenant: text(line.tenant) ?? tenant,
    source: 'file',
    ...actorOf({ attested: principal, source: item }),
    principal,
    serverKey: alias === undefined ? '' : serverKeyOf('alias', alias),
    serverAlias: alias,
    hostApp: hostApp ?? app,
    serverCommand: command === undefined ? undefined : [command, ...args].join(' '),
    clientAddress: text(line.peer),
    sessionHash: session === undefined ? undefined : keyedHash(session),
    connectionId: text(line.conn),
    era: 'unknown',
    transport: 'unknown',
    toolName: text(line.tool),
    decisionOutcome: decision,
    params: others.some(([key]) => key !== 'ev') ? Object.fromEntries(others) : undefined,
    http: isObject(line.http) ? readHttp(line.http, keyedHash).kept : undefined,
    labels: isObject(line.labels) ? line.labels : undefined,
  })
}

/** Events of one item, in the order of its lines. The state starts empty. */
export function createStoryReader(context: ItemContext) {
  const connections = new Map<string, Normaliser>()

  function connectionOf(key: string): Normaliser {
    const known = connections.get(key)
    if (known) {
      connections.delete(key)
      connections.set(key, known)
      return known
    }
    const { keyedHash, tenant } = context
    const made = createNormaliser({
      source: 'file',
      dialect: 'jsonrpc',
      signal: 'file',
      vantage: 'client',
      transport: 'unknown',
      tenant,
      keyedHash,
    })
    connections.set(key, made)
    if (connections.size > connectionsMax) connections.delete(connections.keys().next().value as string)
    return made
  }

  function messages(line: JsonObject, number: number): McpEvent[] {
    const direction = directions.get(line.dir)
    if (!direction) throw new Fault('INPUT_UNREADABLE', 'dir is neither "c2s" nor "s2c"')
    const raw = typeof line.raw === 'string' ? line.raw : line.msg
    if (raw === undefined) throw new Fault('INPUT_UNREADABLE', 'raw is not a text')
    const { alias, hostApp } = placeOf(line.srv)
    const principal = text(line.principal)
    const http = isObject(line.http) ? line.http : undefined
    const conn = text(line.conn)
    const unmapped = othersOf(line)
    if (line.principal === null) unmapped.push(['principal', null]) // known to be nobody, which is not the same as unknown
    return connectionOf(JSON.stringify([alias, hostApp, conn])).message(raw, {
      time: timeOf(line.t),
      direction,
      eventId: hashId('file', context.item, number, 0),
      http,
      principal,
      tenant: text(line.tenant),
      session: text(line.session),
      peer: text(line.peer),
      connectionId: conn,
      labels: isObject(line.labels) ? line.labels : undefined,
      serverAlias: alias,
      hostApp,
      vantage: http || line.peer ? 'gateway' : 'client',
      transport: http ? 'streamable_http' : 'unknown',
      actor: actorOf({ attested: principal, source: context.item }),
      unmapped: unmapped.length ? Object.fromEntries(unmapped) : undefined,
    })
  }
  return (line: JsonObject, number: number): McpEvent[] =>
    line.ev === undefined ? messages(line, number) : [hostEvent(line, number, context)]
}
