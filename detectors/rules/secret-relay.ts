/** Secrets where they have no business: in what a server returns, and from there on their way to another server or out. */
import { z } from 'zod'
import { type Severity, severityRank } from '../../schemas/alert.ts'
import { defineDetector, type Output } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { fieldKindOf, wordsOf } from '../signals/arguments.ts'
import { actOf } from '../signals/destinations.ts'
import { answeredAt, isLate } from '../signals/lateness.ts'
import { relayExamples } from '../signals/relay-examples.ts'
import { broughtOf, isPersonal, isVault, sentOf, type Token, takesCredential, tokensOf } from '../signals/secrets.ts'
import { walkStrings } from '../texts.ts'

const SEEN_MAX = 256
/** An answer may arrive after the call that passes on what it brought: so many calls are looked at again. */
const SENDS_MAX = 8
const POINTER_CHARS_MAX = 300
const NAME_CHARS_MAX = 200

type Sighting = { kind: string; serverKey: string; server: string; tool: string; vault: boolean; eventId: string }
/** When a secret was first held, and by which call; without one the user said it. */
type Given = { time: bigint; callId?: string }
/** A call and the secrets that it carries. */
type Send = {
  eventId: string
  callId: string
  time: bigint
  serverKey: string
  server: string
  tool: string
  sends: boolean
  tokens: Token[]
}
/** `given`: hashes that the user, or an argument of nobody knows where from, held first. `sends`: the last calls with secrets. */
type Memory = { seen: Map<string, Sighting>; given: Map<string, Given>; sends: Send[] }

/** Some keys are made to be public. */
const publicKinds = new Set(['google-api-key', 'stripe-publishable-key', 'mapbox-token', 'maxmind-key'])
/** Known by their place, not by their form: words of a login, codes and links that live for minutes. */
const placedKinds = new Set(['one-time-code', 'jwt', 'password', 'api-key', 'token', 'named-key', 'basic-auth', 'url-password'])
/** What mails bring by the dozen. */
const mailed = new Set(['one-time-code', 'token'])
/** So many at once are a store of secrets, whatever their kind. */
const STORE_MIN = 3

const callOf = (event: McpEvent): string => event.callId ?? event.eventId

function sendOf(event: McpEvent): Send | undefined {
  const tokens = sentOf(event).filter(({ kind }) => !isPersonal(kind))
  if (tokens.length === 0) return undefined
  const { eventId, time, serverKey, serverAlias: server = serverKey, toolName: tool = '' } = event
  return { eventId, callId: callOf(event), time, serverKey, server, tool, sends: actOf(event) === 'send', tokens }
}

const sightingGrade = (kind: string, vault: boolean): Severity =>
  vault || publicKinds.has(kind) || placedKinds.has(kind) ? 'low' : 'medium'

function relayGrade(token: Token, from: Sighting, send: Send): Severity | undefined {
  const crossing = from.serverKey !== send.serverKey
  const used = takesCredential(token)
  if (!crossing && (!send.sends || used)) return undefined
  if (publicKinds.has(token.kind)) return 'low'
  if (from.vault && used) return 'low'
  if (!placedKinds.has(token.kind)) return used ? 'high' : 'critical'
  // A link with its token is opened, a code is typed in: what a mail asks its reader to do.
  const field = fieldKindOf(token.name, send.tool)
  if (field === 'url' || token.kind === 'one-time-code') return send.sends && field === 'prose' ? 'high' : 'medium'
  return used || field === 'code' ? 'medium' : 'high'
}

/** Posted, mailed or searched for where others read it: a leak, whoever held it. A header or a login of an API is not. */
function argumentGrade(token: Token, { tool, sends }: Send): Severity {
  if (takesCredential(token) || token.kind === 'one-time-code') return 'low'
  const words = wordsOf(tool)
  if (words.some((word) => word === 'http' || word === 'request' || word === 'api' || word === 'curl' || word === 'fetch'))
    return token.kind === 'password' || token.kind === 'api-key' ? 'low' : 'medium'
  const searches = words.includes('search') && fieldKindOf(token.name, tool) === 'query'
  return searches || (sends && fieldKindOf(token.name, tool) === 'prose') ? 'medium' : 'low'
}

/** Held before `time`, by the user or another call. What only arrived before does not count. */
function wasGiven(given: Given | undefined, time: bigint, callId: string): boolean {
  return given !== undefined && (given.callId === callId || !isLate(time, given.time))
}

type Allowed = (from: Sighting, to: Send) => boolean

/**
 * At most one relay and one secret of unknown origin per call: the worst of each speaks for the others.
 * With `late`, the answer that arrived after the call, only a relay of what that answer brought is news.
 */
function* relaysOf(send: Send, memory: Memory, allowed: Allowed, late?: string): Generator<Output> {
  const { server, tool, serverKey } = send
  let relay: { token: Token; from: Sighting; severity: Severity } | undefined
  let alone: { token: Token; severity: Severity } | undefined
  const kinds = new Set<string>()
  for (const token of send.tokens) {
    if (wasGiven(memory.given.get(token.hash), send.time, send.callId)) continue
    const from = memory.seen.get(token.hash)
    const severity = from
      ? allowed(from, send)
        ? undefined
        : relayGrade(token, from, send)
      : publicKinds.has(token.kind)
        ? undefined
        : argumentGrade(token, send)
    if (!severity) continue
    kinds.add(token.kind)
    if (from && (!relay || severityRank(severity) > severityRank(relay.severity))) relay = { token, from, severity }
    if (!from && (!alone || severityRank(severity) > severityRank(alone.severity))) alone = { token, severity }
    if (!from) memory.given.set(token.hash, { time: send.time, callId: send.callId })
  }
  bounded(memory.given)
  const evidence = ({ kind, hash, pointer }: Token) => ({
    server,
    tool,
    pointer,
    secretKind: kind,
    secretHash: hash,
    secretKinds: [...kinds].slice(0, 20),
  })
  if (relay && (late === undefined || relay.from.eventId === late)) {
    const { token, from, severity } = relay
    yield {
      finding: `relay ${token.hash} ${from.serverKey} ${serverKey}`,
      confidence: 0.9,
      severity,
      summary: `A secret (${token.kind}) that ${from.tool} on ${from.server} returned goes to ${tool} on ${server}`,
      evidence: { ...evidence(token), sourceServer: from.server, sourceTool: from.tool, sourceEvent: from.eventId },
      events: [from.eventId, send.eventId],
    }
  }
  if (alone && late === undefined) {
    const { token, severity } = alone
    yield {
      finding: `argument ${serverKey} ${tool} ${token.hash}`,
      confidence: severity === 'low' ? 0.3 : 0.6,
      severity,
      summary: `${tool} on ${server} was given a secret (${token.kind})`,
      evidence: { ...evidence(token), sourceServer: server, sourceTool: 'arguments' },
    }
  }
}

/** The user's word holds for the thread: it takes the place of what a call was given. */
function hear(event: McpEvent, { given }: Memory): void {
  const tokens: Token[] = []
  walkStrings(event.params, '', (pointer, text) => tokensOf(text, pointer, '', tokens))
  for (const { hash } of tokens) {
    const known = given.get(hash)
    if (!known || known.callId !== undefined) given.set(hash, { time: event.time })
  }
  bounded(given)
}

/** Kept short: names and places in arguments are the sender's to choose. */
function keep(send: Send, { sends }: Memory): void {
  const tokens = send.tokens.map((token) => ({
    ...token,
    pointer: token.pointer.slice(0, POINTER_CHARS_MAX),
    name: token.name.slice(0, NAME_CHARS_MAX),
  }))
  sends.push({ ...send, tokens })
  if (sends.length > SENDS_MAX) sends.shift()
}

/** What the answer brought and nobody held before it. */
function freshOf(brought: readonly Token[], event: McpEvent, { seen, given }: Memory): Token[] {
  const fresh = brought.filter(({ hash }) => !seen.has(hash) && !wasGiven(given.get(hash), answeredAt(event), callOf(event)))
  // The call that seemed to hold it first had it from here.
  for (const { hash } of fresh) if (given.get(hash)?.callId !== undefined) given.delete(hash)
  return fresh
}

/** Calls after this answer that were looked at before it. */
const overtaking = (event: McpEvent, { sends }: Memory): Send[] =>
  sends.filter(({ time, callId }) => callId !== callOf(event) && isLate(answeredAt(event), time))

const bounded = <V>(map: Map<string, V>): void => {
  while (map.size > SEEN_MAX) map.delete(map.keys().next().value as string)
}

export default defineDetector({
  id: 'secret-relay',
  title: 'Secret in a result, or on its way to another server',
  why: 'A key that one server returns opens what the user’s other servers guard: its way into another call is how stolen credentials leave (mcp.json theft, Supabase integration_tokens).',
  family: 'D14',
  severity: 'medium',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1552', 'T1528', 'T1567'],
    atlas: ['AML.T0098', 'AML.T0055', 'AML.T0091.000'],
    cosai: ['MCP-T1', 'MCP-T5'],
    owaspMcp: ['MCP01', 'MCP10'],
    owaspAsi: ['ASI03', 'ASI02'],
    safeMcp: ['SAFE-T1304', 'SAFE-T1504', 'SAFE-T1706'],
  },
  needs: ['arguments', 'result'],
  blindSpots: [
    'Secrets that redaction does not know by form or place.',
    'A secret that is cut, encoded twice or encrypted before it is passed on.',
    'A relay from one thread into another.',
  ],
  playbook: [
    'Find out whose {secretKind} the answer of {sourceTool} on {sourceServer} held, and whether it is still valid.',
    'Revoke or rotate it when {server} or anybody behind {tool} was not meant to have it.',
    'Look for the text or definition that asked for it; keep secrets out of files and records that agents read.',
  ],
  settings: z.object({
    /** Aliases of servers between which secrets may pass, such as a vault and what deploys. */
    allowedPairs: z.array(z.object({ from: z.string(), to: z.string() })).default([]),
  }),
  scope: 'thread',
  reads: ['request', 'response', 'call', 'user_prompt'],
  memory: { version: 2, keysMax: 20_000, ttlMs: 24 * 3_600_000, initial: (): Memory => ({ seen: new Map(), given: new Map(), sends: [] }) },

  *inspect({ subject, memories: [memory], settings }) {
    if (subject.kind !== 'event' || !memory) return
    const { event } = subject
    if (event.kind === 'user_prompt') return hear(event, memory)
    const server = event.serverAlias ?? event.serverKey
    const tool = event.toolName ?? event.method ?? ''
    const allowed: Allowed = (from, to) => settings.allowedPairs.some((pair) => pair.from === from.server && pair.to === to.server)
    const send = sendOf(event)
    if (send) {
      yield* relaysOf(send, memory, allowed)
      keep(send, memory)
    }
    const brought = broughtOf(subject)
    if (brought.length === 0) return
    const vault = isVault(event)
    const fresh = freshOf(brought, event, memory)
    for (const { kind, hash } of fresh)
      memory.seen.set(hash, { kind, serverKey: event.serverKey, server, tool, vault, eventId: event.eventId })
    bounded(memory.seen)
    const kinds = [...new Set(fresh.map(({ kind }) => kind))].sort()
    const graded = fresh.find(({ kind }) => sightingGrade(kind, vault) === 'medium') ?? fresh[0]
    if (!graded) return
    for (const before of overtaking(event, memory)) yield* relaysOf(before, memory, allowed, event.eventId)
    yield {
      finding: `seen ${event.serverKey} ${tool} ${kinds.join(' ')}`,
      confidence: vault ? 0.4 : 0.7,
      severity: fresh.filter(({ kind }) => !mailed.has(kind)).length >= STORE_MIN && !vault ? 'medium' : sightingGrade(graded.kind, vault),
      summary: `${tool} on ${server} returned secrets: ${kinds.slice(0, 5).join(', ')}`,
      evidence: {
        server,
        tool,
        pointer: graded.pointer,
        secretKind: graded.kind,
        secretKinds: kinds.slice(0, 20),
        secrets: fresh.length,
        sourceServer: server,
        sourceTool: tool,
      },
    }
  },

  examples: relayExamples,
})
