/** Messages that two readers read differently, or that the protocol does not allow: judged by version, graded by what an attacker gains. */
import { z } from 'zod'
import { defineDetector, type Output, type Subject } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { askedBy, claimsOf, mayClaim, objectOf } from '../signals/protocol-claims.ts'
import {
  bound,
  connectionOf,
  handshake,
  initial,
  learnRequest,
  type Memory,
  orphans,
  questions,
  serverOf,
  tell,
} from '../signals/protocol-connection.ts'
import { conformanceExamples } from '../signals/protocol-examples.ts'
import { doubledHeadersOf, excerptOf, headerOdditiesOf, oddityOf } from '../signals/protocol-facts.ts'

const MINUTE = 60_000_000_000n
const CALLS_MAX = 100
const TIMES_MAX = 32
const callOf = (event: McpEvent): string => event.callId ?? `${connectionOf(event)} ${event.requestId ?? ''}`

/** Actor, actor's server, connection. */
function keysOf(subject: Subject): readonly string[] {
  if (subject.kind !== 'event') return []
  const { tenant, actor, serverKey, hostApp } = subject.event
  const server = `${tenant}\0${actor}\0${serverKey}\0${hostApp ?? ''}`
  return [`${tenant}\0${actor}`, server, `${server}\0${connectionOf(subject.event)}`]
}

const sizeOf = (event: McpEvent): number => event.rawBytes ?? Math.max(event.argsBytes ?? 0, event.resultBytes ?? 0)

function* bytes(event: McpEvent, bytesMax: number): Generator<Output> {
  const odd = oddityOf(event)
  if (odd) {
    const facts = odd.facts.join(', ').slice(0, 200)
    const name = event.kind === 'malformed' ? '' : (event.toolName ?? event.method ?? '')
    const excerpt = excerptOf(event)
    yield tell(event, {
      about: `bytes ${event.direction ?? ''} ${facts} ${name}`,
      what: odd.says,
      severity: odd.severity,
      confidence: odd.severity === 'high' ? 0.9 : 0.6,
      summary: `${serverOf(event)}: ${odd.says} (${facts})`,
      more: { facts, ...(excerpt ? { excerpt } : {}) },
    })
  }
  const size = sizeOf(event)
  if (size <= bytesMax) return
  const content = objectOf(event.result ?? event.body)
  const media = [content?.content, content?.contents].some(
    (blocks) =>
      Array.isArray(blocks) && blocks.slice(0, 100).some((one) => typeof (objectOf(one)?.data ?? objectOf(one)?.blob) === 'string'),
  )
  yield tell(event, {
    about: `size ${event.direction ?? ''} ${event.toolName ?? event.method ?? ''}`,
    what: 'a very large message',
    severity: media ? 'low' : 'medium',
    confidence: 0.5,
    summary: `${serverOf(event)}: a message of ${size} bytes`,
    more: { bytes: size },
  })
}

function* headers(event: McpEvent, actor: Memory): Generator<Output> {
  for (const { name, severity, values } of doubledHeadersOf(event)) {
    yield tell(event, {
      about: `doubled ${name}`,
      what: `the header ${name} twice`,
      severity,
      confidence: 0.85,
      summary: `${serverOf(event)}: ${name} came in ${values.length || 'several'} lines`,
      more: { header: values.join(' | ').slice(0, 200) },
    })
  }
  for (const { what, severity, accepted, header, body } of headerOdditiesOf(event)) {
    const done = event.kind === 'call' && event.outcome === 'success'
    const more = { header, body }
    yield tell(event, {
      about: `header ${done ? 'accepted ' : ''}${what} ${header} ${body}`,
      what: `header and body disagree on the ${what}`,
      severity: done ? accepted : severity,
      confidence: 0.8,
      summary: `${serverOf(event)}: header and body disagree on the ${what}${header ? ` (${header} against ${body})` : ''}`,
      more,
    })
    if (severity === 'low' || event.kind !== 'request') continue
    actor.mismatched ??= new Map()
    actor.mismatched.set(callOf(event), { what, header, body, accepted, eventId: event.eventId })
    bound(actor.mismatched, CALLS_MAX)
  }
  for (const fact of event.rawFacts ?? []) {
    if (fact.startsWith('header_missing:'))
      yield tell(event, {
        about: fact,
        what: `no header ${fact.slice(15)}`,
        severity: 'low',
        confidence: 0.5,
        summary: `${serverOf(event)}: a modern request without ${fact.slice(15)}`,
      })
  }
}

/** Remembers a refusal; true when there were `times` of them within ten minutes. */
function repeated(actor: Memory, key: string, event: McpEvent, times: number): string[] | undefined {
  const recent = (actor.refused?.get(key) ?? []).filter(({ time }) => event.time - time <= 10n * MINUTE).slice(-TIMES_MAX)
  recent.push({ time: event.time, eventId: event.eventId })
  actor.refused ??= new Map()
  actor.refused.set(key, recent)
  bound(actor.refused, CALLS_MAX)
  return recent.length >= times ? recent.map(({ eventId }) => eventId) : undefined
}

const isHeaderRefusal = ({ errorCode, errorMessage }: McpEvent): boolean =>
  errorCode === '-32020' || (errorCode === '-32001' && /header ?mismatch/i.test((errorMessage ?? '').slice(0, 300)))
const isVersionRefusal = ({ errorCode, errorMessage }: McpEvent): boolean =>
  errorCode === '-32022' || (errorCode === '-32004' && /version/i.test((errorMessage ?? '').slice(0, 300)))

/** What became of a message whose headers and body disagreed, and refusals that come in series. */
function* answers(event: McpEvent, actor: Memory, refusalsMax: number): Generator<Output> {
  const mismatch = actor.mismatched?.get(callOf(event))
  actor.mismatched?.delete(callOf(event))
  if (mismatch && (event.outcome === 'success' || event.outcome === 'input_required' || event.outcome === 'task_created')) {
    const { what, header, body, accepted, eventId } = mismatch
    yield tell(event, {
      about: `header accepted ${what} ${header} ${body}`,
      what: `a message whose header and body disagree on the ${what} was carried out`,
      severity: accepted,
      confidence: 0.9,
      summary: `${serverOf(event)} carried out a message whose header and body disagree on the ${what}`,
      more: { header, body },
      events: [eventId],
    })
  }
  const refusal =
    isHeaderRefusal(event) || (mismatch && event.outcome !== 'success') ? 'header' : isVersionRefusal(event) ? 'version' : undefined
  if (!refusal) return
  // Without the headers it cannot be told from a client that is not ready yet.
  const proven = refusal === 'header' && mismatch !== undefined
  const series = repeated(actor, `${refusal} ${proven} ${event.serverKey}`, event, refusal === 'version' ? refusalsMax + 2 : refusalsMax)
  if (!series && proven) return
  yield tell(event, {
    about: `refused ${refusal} ${series ? 'series' : 'once'}`,
    what: refusal === 'header' ? 'header and body disagree, refused' : 'an unsupported protocol version, refused',
    severity: series ? (proven ? 'high' : 'medium') : 'low',
    confidence: series ? 0.75 : 0.4,
    summary: `${serverOf(event)} refused ${series ? `${series.length} messages in ten minutes` : 'a message'}: ${refusal === 'header' ? 'header mismatch' : 'unsupported version'}`,
    ...(series ? { events: series } : {}),
  })
}

function* claims(event: McpEvent): Generator<Output> {
  for (const { key, value, severity, says } of claimsOf(event)) {
    if (severity === 'informational') continue
    yield tell(event, {
      about: `claim ${key} ${value}`,
      what: `${key}: ${says}`,
      severity,
      confidence: 0.7,
      summary: `${serverOf(event)}: a request says ${key} = ${value}: ${says}`,
      more: { key, value },
    })
  }
}

/** One by one: how many there are is the sender's to choose. */
function append(outputs: Output[], some: Iterable<Output>): void {
  for (const output of some) outputs.push(output)
}

export default defineDetector({
  id: 'protocol-conformance',
  title: 'Message that readers read differently, or that the protocol forbids',
  why: 'A gateway that checks one reading and a server that acts on another is a bypass (CVE-2026-27896, GHSA-q382-vc8q-7jhj); forged answers and undeclared questions ride on the same carelessness.',
  family: 'D15',
  severity: 'medium',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1190', 'T1557'],
    atlas: ['AML.T0107', 'AML.T0049'],
    cosai: ['MCP-T3', 'MCP-T7', 'MCP-T10'],
    owaspMcp: ['MCP05', 'MCP07'],
    owaspAsi: ['ASI03', 'ASI07'],
    safeMcp: ['SAFE-T1408', 'SAFE-T1706'],
  },
  needs: ['method'],
  blindSpots: [
    'Sources that give parsed JSON have lost the bytes: only headers, versions, capabilities and claims are judged there.',
    'An answer nobody asked for is judged only on a connection whose beginning was seen.',
    'Headers are compared only where headers and body were both seen.',
  ],
  playbook: [
    'Look at the message ({method}, {direction}) at {server}: {what}. Which reader (gateway, SDK, server) saw which reading?',
    'Find the sender’s build. A careless client does it on every message; an attacker on the one that matters.',
    'Let the gateway refuse such messages, and bring {server} to a version that does.',
  ],
  settings: z.object({
    bytesMax: z
      .int()
      .min(1_000)
      .default(4 * 1024 * 1024),
    refusalsMax: z.int().min(2).default(3),
  }),
  scope: 'actor',
  reads: ['request', 'response', 'notification', 'call', 'malformed'],
  keys: keysOf,
  memory: { version: 1, keysMax: 20_000, ttlMs: 24 * 3_600_000, initial },

  inspect({ subject, memories, settings }) {
    const outputs: Output[] = []
    const [actor, server, link] = memories
    if (subject.kind !== 'event' || !actor || !server || !link) return outputs
    const { event } = subject
    if (event.rawFacts !== undefined || sizeOf(event) > settings.bytesMax) append(outputs, bytes(event, settings.bytesMax))
    if (event.rawFacts !== undefined || event.headerMismatch === true) append(outputs, headers(event, actor))
    if (event.kind === 'response') append(outputs, answers(event, actor, settings.refusalsMax))
    learnRequest(event, server, link)
    if (event.method === 'initialize') append(outputs, handshake(event, server, link))
    const asked = askedBy(event)
    if (asked.length > 0) append(outputs, questions(event, asked, server, link))
    if (event.kind === 'response') append(outputs, orphans(event, link))
    if (mayClaim(event)) append(outputs, claims(event))
    return outputs
  },

  examples: conformanceExamples,
})
