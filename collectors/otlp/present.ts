/**
 * A copy of an event without the fields that are absent. Each field is named, because an object built by computed names is a
 * slow one: reading, copying and writing it out, which every later stage does, would cost ten times as much.
 */
import type { McpEvent } from '../../schemas/event.ts'
import type { Loose } from './convention.ts'

export function present(event: Loose): McpEvent {
  const out: Loose = {}
  envelope(event, out)
  parties(event, out)
  protocol(event, out)
  contentAndEnd(event, out)
  return out as McpEvent // safe: whoever made the event has set every required field
}

function envelope(from: Loose, to: Loose): void {
  if (from.eventId !== undefined) to.eventId = from.eventId
  if (from.time !== undefined) to.time = from.time
  if (from.durationNs !== undefined) to.durationNs = from.durationNs
  if (from.observedTime !== undefined) to.observedTime = from.observedTime
  if (from.ingestedTime !== undefined) to.ingestedTime = from.ingestedTime
  if (from.kind !== undefined) to.kind = from.kind
  if (from.eventName !== undefined) to.eventName = from.eventName
  if (from.dialect !== undefined) to.dialect = from.dialect
  if (from.dialectVersion !== undefined) to.dialectVersion = from.dialectVersion
  if (from.signal !== undefined) to.signal = from.signal
  if (from.vantage !== undefined) to.vantage = from.vantage
  if (from.direction !== undefined) to.direction = from.direction
  if (from.contentLevel !== undefined) to.contentLevel = from.contentLevel
  if (from.captureTier !== undefined) to.captureTier = from.captureTier
  if (from.samplingRatio !== undefined) to.samplingRatio = from.samplingRatio
  if (from.tenant !== undefined) to.tenant = from.tenant
  if (from.source !== undefined) to.source = from.source
  if (from.callId !== undefined) to.callId = from.callId
  if (from.callObservation !== undefined) to.callObservation = from.callObservation
  if (from.actor !== undefined) to.actor = from.actor
  if (from.actorGrade !== undefined) to.actorGrade = from.actorGrade
  if (from.actorSource !== undefined) to.actorSource = from.actorSource
}

function parties(from: Loose, to: Loose): void {
  if (from.principal !== undefined) to.principal = from.principal
  if (from.serverKey !== undefined) to.serverKey = from.serverKey
  if (from.serverAlias !== undefined) to.serverAlias = from.serverAlias
  if (from.serverName !== undefined) to.serverName = from.serverName
  if (from.serverTitle !== undefined) to.serverTitle = from.serverTitle
  if (from.serverVersion !== undefined) to.serverVersion = from.serverVersion
  if (from.serverCommand !== undefined) to.serverCommand = from.serverCommand
  if (from.serverOrigin !== undefined) to.serverOrigin = from.serverOrigin
  if (from.serverAddress !== undefined) to.serverAddress = from.serverAddress
  if (from.serverPort !== undefined) to.serverPort = from.serverPort
  if (from.serverGrade !== undefined) to.serverGrade = from.serverGrade
  if (from.hostApp !== undefined) to.hostApp = from.hostApp
  if (from.clientName !== undefined) to.clientName = from.clientName
  if (from.clientVersion !== undefined) to.clientVersion = from.clientVersion
  if (from.clientAddress !== undefined) to.clientAddress = from.clientAddress
  if (from.serviceName !== undefined) to.serviceName = from.serviceName
  if (from.hostName !== undefined) to.hostName = from.hostName
  if (from.processPid !== undefined) to.processPid = from.processPid
  if (from.agentName !== undefined) to.agentName = from.agentName
  if (from.conversationId !== undefined) to.conversationId = from.conversationId
  if (from.authMethod !== undefined) to.authMethod = from.authMethod
  if (from.authSubject !== undefined) to.authSubject = from.authSubject
  if (from.authClientId !== undefined) to.authClientId = from.authClientId
  if (from.authIssuer !== undefined) to.authIssuer = from.authIssuer
  if (from.authAudience !== undefined) to.authAudience = from.authAudience
  if (from.authScopes !== undefined) to.authScopes = from.authScopes
  if (from.authTokenHash !== undefined) to.authTokenHash = from.authTokenHash
}

function protocol(from: Loose, to: Loose): void {
  if (from.method !== undefined) to.method = from.method
  if (from.requestId !== undefined) to.requestId = from.requestId
  if (from.requestIdType !== undefined) to.requestIdType = from.requestIdType
  if (from.protocolVersion !== undefined) to.protocolVersion = from.protocolVersion
  if (from.protocolVersionSource !== undefined) to.protocolVersionSource = from.protocolVersionSource
  if (from.era !== undefined) to.era = from.era
  if (from.sessionHash !== undefined) to.sessionHash = from.sessionHash
  if (from.connectionId !== undefined) to.connectionId = from.connectionId
  if (from.transport !== undefined) to.transport = from.transport
  if (from.resultType !== undefined) to.resultType = from.resultType
  if (from.cacheTtlMs !== undefined) to.cacheTtlMs = from.cacheTtlMs
  if (from.cacheScope !== undefined) to.cacheScope = from.cacheScope
  if (from.headerMismatch !== undefined) to.headerMismatch = from.headerMismatch
  if (from.http !== undefined) to.http = from.http
  if (from.toolName !== undefined) to.toolName = from.toolName
  if (from.toolNameRaw !== undefined) to.toolNameRaw = from.toolNameRaw
  if (from.toolCallId !== undefined) to.toolCallId = from.toolCallId
  if (from.promptName !== undefined) to.promptName = from.promptName
  if (from.resourceUri !== undefined) to.resourceUri = from.resourceUri
}

function contentAndEnd(from: Loose, to: Loose): void {
  if (from.arguments !== undefined) to.arguments = from.arguments
  if (from.result !== undefined) to.result = from.result
  if (from.params !== undefined) to.params = from.params
  if (from.body !== undefined) to.body = from.body
  if (from.argsBytes !== undefined) to.argsBytes = from.argsBytes
  if (from.argsHash !== undefined) to.argsHash = from.argsHash
  if (from.resultBytes !== undefined) to.resultBytes = from.resultBytes
  if (from.resultHash !== undefined) to.resultHash = from.resultHash
  if (from.requestStateHash !== undefined) to.requestStateHash = from.requestStateHash
  if (from.taskHash !== undefined) to.taskHash = from.taskHash
  if (from.argsFingerprints !== undefined) to.argsFingerprints = from.argsFingerprints
  if (from.resultFingerprints !== undefined) to.resultFingerprints = from.resultFingerprints
  if (from.secrets !== undefined) to.secrets = from.secrets
  if (from.outcome !== undefined) to.outcome = from.outcome
  if (from.errorType !== undefined) to.errorType = from.errorType
  if (from.errorCode !== undefined) to.errorCode = from.errorCode
  if (from.errorMessage !== undefined) to.errorMessage = from.errorMessage
  if (from.decisionOutcome !== undefined) to.decisionOutcome = from.decisionOutcome
  if (from.decisionSource !== undefined) to.decisionSource = from.decisionSource
  if (from.decisionReason !== undefined) to.decisionReason = from.decisionReason
  if (from.rawBytes !== undefined) to.rawBytes = from.rawBytes
  if (from.rawHash !== undefined) to.rawHash = from.rawHash
  if (from.rawDepth !== undefined) to.rawDepth = from.rawDepth
  if (from.rawFacts !== undefined) to.rawFacts = from.rawFacts
  if (from.traceId !== undefined) to.traceId = from.traceId
  if (from.spanId !== undefined) to.spanId = from.spanId
  if (from.parentSpanId !== undefined) to.parentSpanId = from.parentSpanId
  if (from.links !== undefined) to.links = from.links
  if (from.traceFlags !== undefined) to.traceFlags = from.traceFlags
  if (from.labels !== undefined) to.labels = from.labels
  if (from.unmapped !== undefined) to.unmapped = from.unmapped
}
