/** A neutral OTLP record → an event. What no dialect knows becomes `unclassified` and keeps everything: visible, never lost. */
import { actorOf } from '../../schemas/actor.ts'
import { type Json, type JsonObject, type McpEvent, put } from '../../schemas/event.ts'
import { hashId, serverKeyOf } from '../../schemas/ids.ts'
import { eventScope, fromAttributes } from '../../schemas/otlp-event.ts'
import { type Draft, type Loose, left, samplingRatioOf, spanKind } from './convention.ts'
import { dialectOf, jsonOf } from './dialects.ts'
import { present } from './present.ts'
import { isSpanId, isTraceId, type OtlpRecord } from './record.ts'

/** What the receiver knows of a request: none of it can be said by an attribute. */
export type IngestContext = Readonly<{
  tenant: string
  source: string
  /** The sender's address, unless it is this machine. */
  peerAddress?: string | undefined
  /** Set for the ingest credential by whoever gave it out. */
  configuredActor?: string | undefined
  /** user@host of a sender on this machine, where it is known. */
  osUser?: string | undefined
  now: bigint
  keyedHash: (text: string) => string
}>

const linksMax = 128
const resourceConsumed: ReadonlySet<string> = new Set(['service.name', 'host.name', 'process.pid'])

/** All senders whose server is not named share one key per source. */
export const unknownServerKey = (source: string): string => serverKeyOf('unknown', source)

/** Throws nothing: a string says why the record can never be an event. */
export function toEvent(record: OtlpRecord, context: IngestContext): McpEvent | string {
  if (record.scope.name === eventScope && record.log) return fromTap(record, record.log, context)
  const dialect = dialectOf(record)
  const { span, log } = record
  const draft: Draft = {
    record,
    attributes: (span ?? log).attributes,
    taken: [],
    given: [],
    event: envelope(record, context),
    facts: record.facts.length > 0 ? [...record.facts] : [],
    keyedHash: context.keyedHash,
  }
  const { event } = draft
  if (dialect) {
    event.dialect = dialect.id
    dialect.map(draft)
    event.contentLevel = contentLevelOf(draft)
  }
  identifyServer(event, record, context)
  const { actor, actorGrade, actorSource } = whose(draft, context)
  event.actor = actor
  event.actorGrade = actorGrade
  event.actorSource = actorSource
  event.unmapped = unmapped(draft)
  if (draft.facts.length > 0) event.rawFacts = draft.facts
  return present(event)
}

function envelope(record: OtlpRecord, context: IngestContext): Loose {
  const { span, log, resource, scope } = record
  const event: Loose = {
    kind: 'unclassified',
    dialect: 'unknown',
    dialectVersion: scope.version || undefined,
    signal: span ? 'span' : 'log',
    vantage: span?.kind === spanKind.client ? 'client' : span?.kind === spanKind.server ? 'server' : 'host',
    contentLevel: 'metadata',
    captureTier: 'redacted',
    era: 'unknown',
    transport: 'unknown',
    tenant: context.tenant,
    source: context.source,
    ingestedTime: context.now,
    serviceName: textOf(resource.get('service.name')),
    hostName: textOf(resource.get('host.name')),
  }
  const pid = resource.get('process.pid')
  if (typeof pid === 'number' && Number.isSafeInteger(pid) && pid >= 0) event.processPid = pid
  if (span) {
    event.eventId = hashId('span', context.tenant, context.source, span.traceId, span.spanId)
    event.time = span.start || span.end || context.now
    if (span.end >= span.start && span.start > 0n) event.durationNs = Number(bounded(span.end - span.start))
    event.parentSpanId = isSpanId(span.parentSpanId) ? span.parentSpanId : undefined
    event.samplingRatio = samplingRatioOf(span.traceState)
    const links = span.links.filter((link) => isTraceId(link.traceId) && isSpanId(link.spanId))
    if (links.length > 0) event.links = links.slice(0, linksMax).map((link) => `${link.traceId}:${link.spanId}`)
  } else {
    event.eventId = logId(record, context)
    event.time = log.time || log.observedTime || context.now
    if (log.observedTime > 0n) event.observedTime = log.observedTime
    event.eventName = log.eventName || textOf(log.attributes.get('event.name'))
  }
  const { traceId, spanId, flags } = span ?? log
  if (isTraceId(traceId)) event.traceId = traceId
  if (isSpanId(spanId)) event.spanId = spanId
  event.traceFlags = flags & 0xff
  return event
}

const textOf = (value: Json | undefined): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined)
const bounded = (value: bigint): bigint => (value > 9_007_199_254_740_991n ? 9_007_199_254_740_991n : value)

/** A sender's retry is the same body, so the same id; two logs that differ in anything are two events. */
function logId({ resource, scope, log }: OtlpRecord, { tenant, source }: IngestContext): string {
  if (!log) return ''
  const identity = ['service.namespace', 'service.name', 'service.instance.id', 'host.name', 'process.pid'].map((name) =>
    String(resource.get(name) ?? ''),
  )
  const content = JSON.stringify([log.body, log.severityNumber, [...log.attributes].sort(([a], [b]) => (a < b ? -1 : 1))])
  return hashId(
    'log',
    tenant,
    source,
    ...identity,
    scope.name,
    log.eventName,
    log.time || log.observedTime,
    log.traceId,
    log.spanId,
    content,
  )
}

function contentLevelOf({ event, facts }: Draft): McpEvent['contentLevel'] {
  if (event.arguments === undefined && event.result === undefined) return 'metadata'
  return facts.some((fact) => fact.startsWith('truncated:gen_ai.tool.call.')) ? 'truncated' : 'full'
}

/** How the server is reached, else what a server says of itself; never the client's own service name. */
function identifyServer(event: Loose, record: OtlpRecord, { source }: IngestContext): void {
  const named = event.serverName ?? (event.vantage === 'server' && event.kind !== 'unclassified' ? event.serviceName : undefined)
  if (event.vantage === 'server') event.serverAlias ??= named
  if (event.serverAddress && event.vantage !== 'server') {
    event.serverKey = serverKeyOf('address', event.serverAddress, String(event.serverPort ?? ''))
    event.serverGrade = 'observed'
  } else if (event.serverOrigin) {
    event.serverKey = serverKeyOf('origin', event.serverOrigin)
    event.serverGrade = 'observed'
  } else if (named !== undefined) {
    event.serverKey = serverKeyOf('service', String(record.resource.get('service.namespace') ?? ''), event.serviceName ?? '', named)
    event.serverGrade = 'declared'
  } else event.serverKey = unknownServerKey(source)
}

/** A server sees its client's address; a user named by attributes is what the sender says. */
function whose(draft: Draft, context: IngestContext) {
  const { event, record } = draft
  const said = (name: string): string | undefined => textOf(left(draft, name)) ?? textOf(record.resource.get(name))
  return actorOf({
    configured: context.configuredActor,
    osUser: context.osUser,
    address: event.vantage === 'server' ? (event.clientAddress ?? context.peerAddress) : context.peerAddress,
    declared: event.principal ?? said('user.id') ?? said('enduser.id') ?? said('user.email') ?? said('user.name'),
    source: context.source,
  })
}

/** Every attribute that became no field, the resource's among them, and what the span says beside its attributes. */
function unmapped({ record, attributes, taken, given, event }: Draft): Json | undefined {
  const all = besideAttributes(record, event)
  // An attribute may bear the name of one of ours; neither replaces the other.
  const add = (value: Json, name: string): void => put(all, Object.hasOwn(all, name) ? `attribute.${name}` : name, value)
  attributes.forEach((value, name) => {
    if (!taken.includes(name)) add(value, name)
  })
  for (const [name, value] of given) add(value, name)
  record.resource.forEach((value, name) => {
    if (!resourceConsumed.has(name)) put(all, `resource.${name}`, value)
  })
  return Object.keys(all).length > 0 ? all : undefined
}
function besideAttributes({ span, log, scope }: OtlpRecord, event: Loose): JsonObject {
  const all: JsonObject = {}
  if (scope.name && scope.name !== event.dialect) all['scope.name'] = scope.name
  if (log) {
    if (log.body !== null) all['log.body'] = log.body
    if (log.severityText || log.severityNumber !== 0) all['log.severity'] = log.severityText || log.severityNumber
    return all
  }
  all['span.name'] = span.name
  if (span.kind !== 0) all['span.kind'] = span.kind
  if (span.statusCode !== 0) all['span.status.code'] = span.statusCode
  if (span.statusMessage && event.errorMessage !== span.statusMessage) all['span.status.message'] = span.statusMessage
  if (span.events.length > 0)
    all['span.events'] = span.events.map(({ name, time, attributes }) => ({ name, time: String(time), attributes: jsonOf(attributes) }))
  return all
}

/** Our own taps: attributes are an event's fields. Who and whose are the receiver's to say, and nobody attests himself. */
function fromTap(record: OtlpRecord, log: NonNullable<OtlpRecord['log']>, context: IngestContext): McpEvent | string {
  const read = fromAttributes(log.attributes)
  if (typeof read === 'string') return read
  const { tenant, source } = context
  return {
    ...read,
    tenant,
    source,
    eventId: hashId('tap', tenant, source, read.eventId),
    ingestedTime: context.now,
    ...(read.actorGrade === 'attested' ? { actorGrade: 'observed' as const } : {}),
    ...(context.configuredActor === undefined ? {} : actorOf({ configured: context.configuredActor, source })),
    ...(read.serviceName === undefined ? serviceOf(record) : {}),
  }
}
function serviceOf({ resource }: OtlpRecord): Pick<McpEvent, 'serviceName'> {
  const name = textOf(resource.get('service.name'))
  return name === undefined ? {} : { serviceName: name }
}
