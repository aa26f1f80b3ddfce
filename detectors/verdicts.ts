/** Outputs of a detector → facts, signals and alerts with all that the subject in hand knows. */
import type { Alert, Mapping } from '../schemas/alert.ts'
import type { AnyDetector, Fact, FactOutput, Output, Signal, Subject } from '../schemas/detector.ts'
import { alertIdOf, hashId } from '../schemas/ids.ts'
import { remembered } from '../schemas/remembered.ts'

const REPEAT_WINDOW_NS = 24n * 3_600_000_000_000n
const EVENTS_PER_ALERT_MAX = 100

/** What every verdict of one subject shares. */
export type Origin = Pick<Signal, 'tenant' | 'time' | 'eventId' | 'actor' | 'serverKey' | 'serverAlias' | 'toolName' | 'threadId'>
export type EventSubject = Extract<Subject, { kind: 'event' }>

export const mappingOf = (detector: AnyDetector): Mapping => ({ family: [detector.family], ...detector.maps })

export function originOf(subject: Subject): Origin {
  const from = subject.kind === 'event' ? subject.event : subject.kind === 'fact' ? subject.fact : subject.signal
  const { tenant, time, eventId, actor, serverKey, serverAlias, toolName } = from
  const threadId =
    subject.kind === 'event' ? subject.thread.threadId : subject.kind === 'fact' ? subject.fact.threadId : subject.signal.threadId
  return { tenant, time, eventId, actor, serverKey, serverAlias, toolName, threadId }
}

/** `written` is the body as JSON. */
export function factOf({ fact, scope, key, body }: FactOutput, written: string, subject: EventSubject): Fact {
  const { actorSource, clientAddress, eventId } = subject.event
  const factId = hashId('fact', eventId, fact, key, written)
  return { fact, scope, key, body, ...originOf(subject), actorSource, clientAddress, factId }
}

const hashOf = remembered((text) => hashId('said', text), 10_000)
/** Equal for the same words of the same actor, whatever the event. */
export const statementOf = ({ fact, key }: FactOutput, written: string, actor: string): string =>
  hashOf(`${fact} ${key.length} ${actor.length} ${key}${actor}${written}`)

export function signalOf(detector: AnyDetector, output: Extract<Output, { signal: string }>, origin: Origin): Signal {
  const events = [...new Set([...(output.events ?? []), origin.eventId])]
  return {
    ...origin,
    detector: detector.id,
    family: detector.family,
    signal: output.signal,
    weight: output.weight,
    summary: output.summary,
    evidence: output.evidence,
    events,
  }
}

export function alertOf(detector: AnyDetector, output: Extract<Output, { finding: string }>, origin: Origin): Alert {
  const events = [...new Set([...(output.events ?? []).slice(-EVENTS_PER_ALERT_MAX), origin.eventId])]
  return {
    ...origin,
    alertId: alertIdOf(origin.tenant, detector.id, output.finding, origin.time, REPEAT_WINDOW_NS),
    detector: detector.id,
    detectorVersion: detector.version,
    severity: output.severity ?? detector.severity,
    confidence: output.confidence,
    title: detector.title,
    summary: output.summary,
    about: output.finding,
    evidence: output.evidence,
    maps: mappingOf(detector),
    events,
  }
}
