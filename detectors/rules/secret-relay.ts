/** Secrets where they have no business: in what a server returns, and from there on their way to another server or out. */
import { z } from 'zod'
import { type Severity, severityRank } from '../../schemas/alert.ts'
import { defineDetector, type Output, type Subject } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { secretTokenPattern } from '../../schemas/secret.ts'
import { fieldKindOf, wordsOf } from '../signals/arguments.ts'
import { actOf } from '../signals/destinations.ts'
import { relayExamples } from '../signals/relay-examples.ts'
import { walkStrings } from '../texts.ts'

const SEEN_MAX = 256
const PER_EVENT_MAX = 64

type Sighting = { kind: string; serverKey: string; server: string; tool: string; vault: boolean; eventId: string }
/** `given`: hashes that the user, or an argument of nobody knows where from, held first. */
type Memory = { seen: Map<string, Sighting>; given: Map<string, true> }
type Token = { kind: string; hash: string; pointer: string; name: string }

/** Numbers of people are not keys; some keys are made to be public. */
const isPersonal = (kind: string): boolean => kind.startsWith('pii-')
const publicKinds = new Set(['google-api-key', 'stripe-publishable-key', 'mapbox-token', 'maxmind-key'])
/** Known by their place, not by their form: words of a login, codes and links that live for minutes. */
const placedKinds = new Set(['one-time-code', 'jwt', 'password', 'api-key', 'token', 'named-key', 'basic-auth', 'url-password'])
/** What mails bring by the dozen. */
const mailed = new Set(['one-time-code', 'token'])
/** So many at once are a store of secrets, whatever their kind. */
const STORE_MIN = 3

/** Servers and tools whose business it is to hand out secrets. */
const vaultWords = new Set(
  'vault secret secrets secretsmanager secretmanager keyvault keychain password passwords 1password onepassword bitwarden lastpass doppler infisical credential credentials token tokens kms login auth oauth iam sts'.split(
    ' ',
  ),
)
const isVault = (event: McpEvent): boolean =>
  [event.toolName, event.serverAlias].some((name) => wordsOf(name ?? '').some((word) => vaultWords.has(word)))

/** Parameters that take a credential because the tool needs one. */
const credentialWords = new Set(
  'token key apikey password passwd pwd secret authorization auth credential credentials bearer header headers cookie cookies env environment dsn connection uri'.split(
    ' ',
  ),
)
const takesCredential = ({ name, pointer }: Token): boolean =>
  [...wordsOf(name), ...wordsOf(pointer.split('/').slice(2).join(' '))].some((word) => credentialWords.has(word))

function tokensOf(text: string, pointer: string, name: string, into: Token[]): void {
  if (!text.includes('⟦secret:')) return
  for (const [, kind = '', hash = ''] of text.matchAll(secretTokenPattern))
    if (into.length < PER_EVENT_MAX) into.push({ kind, hash, pointer, name })
}

/** Where the text was not kept, the event still lists its secrets. */
function listed(event: McpEvent, into: Token[]): void {
  for (const secret of (event.secrets ?? []).slice(0, PER_EVENT_MAX)) {
    const [kind = '', hash = ''] = secret.split(':')
    if (hash !== '') into.push({ kind, hash, pointer: '', name: '' })
  }
}

function sentOf(event: McpEvent): Token[] {
  const tokens: Token[] = []
  if (event.method !== 'tools/call') return tokens
  walkStrings(event.arguments, '/arguments', (pointer, text, name) => tokensOf(text, pointer, name, tokens))
  if (event.arguments === undefined && event.argsHash !== undefined && event.kind === 'request') listed(event, tokens)
  return tokens
}

const incoming = new Set(['result', 'resource', 'prompt', 'error'])

function broughtOf(subject: Extract<Subject, { kind: 'event' }>): Token[] {
  const { event, texts } = subject
  const tokens: Token[] = []
  for (const { position, pointer, text, layer } of texts)
    if (incoming.has(position) && layer === undefined) tokensOf(text, pointer, '', tokens)
  if (event.result === undefined && event.body === undefined && event.kind === 'response') listed(event, tokens)
  return tokens.filter(({ kind }) => !isPersonal(kind))
}

const sightingGrade = (kind: string, vault: boolean): Severity =>
  vault || publicKinds.has(kind) || placedKinds.has(kind) ? 'low' : 'medium'

function relayGrade(token: Token, from: Sighting, event: McpEvent): Severity | undefined {
  const crossing = from.serverKey !== event.serverKey
  const sent = actOf(event) === 'send'
  const used = takesCredential(token)
  if (!crossing && (!sent || used)) return undefined
  if (publicKinds.has(token.kind)) return 'low'
  if (from.vault && used) return 'low'
  if (!placedKinds.has(token.kind)) return used ? 'high' : 'critical'
  // A link with its token is opened, a code is typed in: what a mail asks its reader to do.
  const field = fieldKindOf(token.name, event.toolName ?? '')
  if (field === 'url' || token.kind === 'one-time-code') return sent && field === 'prose' ? 'high' : 'medium'
  return used || field === 'code' ? 'medium' : 'high'
}

/** Posted, mailed or searched for where others read it: a leak, whoever held it. A header or a login of an API is not. */
function argumentGrade(token: Token, event: McpEvent): Severity {
  if (takesCredential(token) || token.kind === 'one-time-code') return 'low'
  const words = wordsOf(event.toolName ?? '')
  if (words.some((word) => word === 'http' || word === 'request' || word === 'api' || word === 'curl' || word === 'fetch'))
    return token.kind === 'password' || token.kind === 'api-key' ? 'low' : 'medium'
  const searches = words.includes('search') && fieldKindOf(token.name, event.toolName ?? '') === 'query'
  return searches || (actOf(event) === 'send' && fieldKindOf(token.name, event.toolName ?? '') === 'prose') ? 'medium' : 'low'
}

/** At most one relay and one secret of unknown origin per call: the worst of each speaks for the others. */
function* relaysOf(event: McpEvent, memory: Memory, allowed: (from: Sighting) => boolean): Generator<Output> {
  const server = event.serverAlias ?? event.serverKey
  const tool = event.toolName ?? ''
  let relay: { token: Token; from: Sighting; severity: Severity } | undefined
  let alone: { token: Token; severity: Severity } | undefined
  const kinds = new Set<string>()
  for (const token of sentOf(event)) {
    const from = memory.seen.get(token.hash)
    if (isPersonal(token.kind) || memory.given.has(token.hash)) continue
    const severity = from
      ? allowed(from)
        ? undefined
        : relayGrade(token, from, event)
      : publicKinds.has(token.kind)
        ? undefined
        : argumentGrade(token, event)
    if (!severity) continue
    kinds.add(token.kind)
    if (from && (!relay || severityRank(severity) > severityRank(relay.severity))) relay = { token, from, severity }
    if (!from && (!alone || severityRank(severity) > severityRank(alone.severity))) alone = { token, severity }
    if (!from) memory.given.set(token.hash, true)
  }
  while (memory.given.size > SEEN_MAX) bounded(memory.given)
  const evidence = ({ kind, hash, pointer }: Token) => ({
    server,
    tool,
    pointer,
    secretKind: kind,
    secretHash: hash,
    secretKinds: [...kinds].slice(0, 20),
  })
  if (relay) {
    const { token, from, severity } = relay
    yield {
      finding: `relay ${token.hash} ${from.serverKey} ${event.serverKey}`,
      confidence: 0.9,
      severity,
      summary: `A secret (${token.kind}) that ${from.tool} on ${from.server} returned goes to ${tool} on ${server}`,
      evidence: { ...evidence(token), sourceServer: from.server, sourceTool: from.tool, sourceEvent: from.eventId },
      events: [from.eventId],
    }
  }
  if (alone) {
    const { token, severity } = alone
    yield {
      finding: `argument ${event.serverKey} ${tool} ${token.hash}`,
      confidence: severity === 'low' ? 0.3 : 0.6,
      severity,
      summary: `${tool} on ${server} was given a secret (${token.kind})`,
      evidence: { ...evidence(token), sourceServer: server, sourceTool: 'arguments' },
    }
  }
}

const bounded = <V>(map: Map<string, V>): void => {
  if (map.size > SEEN_MAX) map.delete(map.keys().next().value as string)
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
  memory: { version: 1, keysMax: 20_000, ttlMs: 24 * 3_600_000, initial: (): Memory => ({ seen: new Map(), given: new Map() }) },

  *inspect({ subject, memories: [memory], settings }) {
    if (subject.kind !== 'event' || !memory) return
    const { event } = subject
    if (event.kind === 'user_prompt') {
      const tokens: Token[] = []
      walkStrings(event.params, '', (pointer, text) => tokensOf(text, pointer, '', tokens))
      for (const { hash } of tokens) memory.given.set(hash, true)
      bounded(memory.given)
      return
    }
    const server = event.serverAlias ?? event.serverKey
    const tool = event.toolName ?? event.method ?? ''
    yield* relaysOf(event, memory, (from) => settings.allowedPairs.some((pair) => pair.from === from.server && pair.to === server))
    const brought = broughtOf(subject)
    if (brought.length === 0) return
    const vault = isVault(event)
    const fresh = brought.filter(({ hash }) => !memory.seen.has(hash) && !memory.given.has(hash))
    for (const { kind, hash } of fresh)
      memory.seen.set(hash, { kind, serverKey: event.serverKey, server, tool, vault, eventId: event.eventId })
    while (memory.seen.size > SEEN_MAX) bounded(memory.seen)
    const kinds = [...new Set(fresh.map(({ kind }) => kind))].sort()
    const graded = fresh.find(({ kind }) => sightingGrade(kind, vault) === 'medium') ?? fresh[0]
    if (!graded || kinds.length === 0) return
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
