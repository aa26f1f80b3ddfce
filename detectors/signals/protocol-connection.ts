/** The state of a conversation with a server: who declared what, which question an answer belongs to, which version was agreed. */
import type { Severity } from '../../schemas/alert.ts'
import type { Output } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { capabilityFor, declaredBy, objectOf } from './protocol-claims.ts'

const IDS_MAX = 128
const BUILDS_MAX = 16

type Mismatch = { what: string; header: string; body: string; accepted: Severity; eventId: string }
type Refusal = { time: bigint; eventId: string }
/** One shape for an actor, an actor's server and one connection to it; each uses its own part, and has no map before it needs one. */
export type Memory = {
  mismatched: Map<string, Mismatch> | undefined
  refused: Map<string, Refusal[]> | undefined
  capabilities: string[] | undefined
  began: boolean
  paired: boolean
  legacy: boolean
  calls: number
  answered: Map<string, string> | undefined
  builds: Map<string, { version: string; server: string }> | undefined
}
export const initial = (): Memory => ({
  mismatched: undefined,
  refused: undefined,
  capabilities: undefined,
  began: false,
  paired: false,
  legacy: false,
  calls: 0,
  answered: undefined,
  builds: undefined,
})

export function bound<V>(map: Map<string, V>, entriesMax: number): void {
  if (map.size > entriesMax) map.delete(map.keys().next().value as string)
}
export const connectionOf = (event: McpEvent): string => event.connectionId ?? event.sessionHash ?? ''
export const serverOf = (event: McpEvent): string => event.serverAlias ?? event.serverKey
const revision = /^\d{4}-\d{2}-\d{2}$/

type Told = Readonly<{
  about: string
  what: string
  severity: Severity
  confidence: number
  summary: string
  more?: Record<string, string | number>
  events?: string[]
}>
export const tell = (event: McpEvent, { about, what, severity, confidence, summary, more, events }: Told): Output => ({
  finding: `${event.serverKey} ${about}`.slice(0, 1_000),
  confidence,
  severity,
  summary,
  evidence: {
    server: serverOf(event),
    what,
    direction: event.direction ?? 'unknown',
    method: event.method ?? 'unknown',
    ...(event.toolName ? { tool: event.toolName } : {}),
    ...(event.protocolVersion ? { version: event.protocolVersion } : {}),
    ...(event.rawHash ? { rawHash: event.rawHash } : {}),
    ...more,
  },
  ...(events ? { events } : {}),
})

/** `asked`: the methods a server asks for in this message. */
export function* questions(event: McpEvent, asked: readonly string[], server: Memory, link: Memory): Generator<Output> {
  const pushed = event.kind === 'request' && event.direction === 'server_to_client'
  const known = link.capabilities ?? server.capabilities
  for (const method of asked) {
    const capability = capabilityFor(method)
    const undeclared = capability !== undefined && known !== undefined && !known.includes(capability)
    const forbidden = pushed && event.era === 'modern'
    // One connection in two eras is two connections that we cannot tell apart.
    const certain = !link.legacy || connectionOf(event) !== ''
    if (forbidden) {
      const risky = capability === 'sampling' || capability === 'elicitation'
      const severity = method === 'ping' || !certain ? 'low' : undeclared && risky ? 'high' : 'medium'
      yield tell(event, {
        about: `pushed ${method}`,
        what: `the server sent a request (${method})`,
        severity,
        confidence: 0.8,
        summary: `${serverOf(event)} sent ${method}: in this version of the protocol a server sends no requests`,
      })
    } else if (undeclared) {
      // Half-ported servers ask for roots and confirmations blindly; a client without them simply cannot answer.
      const severity = capability === 'sampling' ? 'high' : capability === 'elicitation' && pushed ? 'medium' : 'low'
      yield tell(event, {
        about: `undeclared ${capability}`,
        what: `${capability} without the client having declared it`,
        severity,
        confidence: 0.8,
        summary: `${serverOf(event)} used ${capability}, which the client did not declare`,
        more: { capability },
      })
    }
  }
}

export function* orphans(event: McpEvent, link: Memory): Generator<Output> {
  if (event.kind !== 'response' || event.direction !== 'server_to_client' || event.requestId === undefined) return
  if (event.requestIdType === 'null' || (event.samplingRatio ?? 1) < 1) return
  const what = event.resultHash ?? event.errorCode ?? String(event.resultBytes ?? '')
  const before = link.answered?.get(event.requestId)
  if ((event.callObservation ?? 1) > 1) {
    link.paired = true
    link.answered ??= new Map()
    link.answered.set(event.requestId, what)
    bound(link.answered, IDS_MAX)
    return
  }
  if (!link.began || !link.paired || before === what) return
  const severity = connectionOf(event) === '' ? 'low' : 'high'
  const says = before === undefined ? 'an answer nobody asked for' : 'a second, different answer'
  yield tell(event, {
    about: `orphan ${connectionOf(event)} ${event.requestId.slice(0, 100)}`,
    what: says,
    severity,
    confidence: before === undefined ? 0.7 : 0.8,
    summary: `${serverOf(event)}: ${says} (id ${event.requestId.slice(0, 40)})`,
    more: { id: event.requestId.slice(0, 100) },
  })
}

/** What a request declares, and how many came on a connection that was not begun. */
export function learnRequest(event: McpEvent, server: Memory, link: Memory): void {
  if (event.kind !== 'request' || event.direction === 'server_to_client') return
  const declared = declaredBy(event)
  if (declared) {
    server.capabilities = declared
    link.capabilities = declared
  }
  if (event.method !== 'initialize' && event.method !== 'ping' && event.era !== 'modern') link.calls += 1
}

/** The start of a connection: what came too early, and whether the version went down. */
export function* handshake(event: McpEvent, server: Memory, link: Memory): Generator<Output> {
  link.legacy = true
  if (event.kind === 'request' && event.direction !== 'server_to_client') {
    // A handshake again on one connection is a restart: what was answered before says nothing now.
    if (link.calls > 0 && !link.began && event.connectionId)
      yield tell(event, {
        about: 'early',
        what: 'requests before initialize',
        severity: 'low',
        confidence: 0.5,
        summary: `${serverOf(event)}: ${link.calls} requests came before initialize`,
        more: { requests: link.calls },
      })
    link.began = true
    link.paired = false
    link.calls = 0
    link.answered?.clear()
  }
  if (event.kind !== 'response' || event.outcome !== 'success') return
  if (event.sessionHash && !event.connectionId) {
    link.began = true
    link.capabilities = server.capabilities
  }
  yield* downgrade(event, server)
}

function* downgrade(event: McpEvent, server: Memory): Generator<Output> {
  const agreed = objectOf(event.body)?.protocolVersion
  if (typeof agreed !== 'string' || !revision.test(agreed) || !event.clientName) return
  const build = `${event.clientName.slice(0, 100)} ${(event.clientVersion ?? '').slice(0, 50)}`
  const serverBuild = (event.serverVersion ?? '').slice(0, 100)
  const last = server.builds?.get(build)
  server.builds ??= new Map()
  server.builds.set(build, { version: agreed, server: serverBuild })
  bound(server.builds, BUILDS_MAX)
  // Another build of the server is a roll-back, which its owner did.
  if (!last || agreed >= last.version) return
  const severity = last.server === serverBuild ? 'medium' : 'low'
  yield tell(event, {
    about: `downgrade ${build} ${agreed}`,
    what: `version ${agreed} after ${last.version}`,
    severity,
    confidence: 0.6,
    summary: `${serverOf(event)} and ${event.clientName} went back from ${last.version} to ${agreed}`,
    more: { before: last.version },
  })
}
