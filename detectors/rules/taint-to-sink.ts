/** Content that came in at one place and goes out at another, followed by fingerprints: also when encoded, cut or put into a longer text. */
import { z } from 'zod'
import { type Severity, severityRank } from '../../schemas/alert.ts'
import { defineDetector, type Output, type TextPart } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { argumentsOf } from '../signals/arguments.ts'
import { actOf, type Destination, destinationsOf, literalsOf, repoOf } from '../signals/destinations.ts'
import { answeredAt, isLate } from '../signals/lateness.ts'
import { askedFor, calculates, type Flow, judge, mayMatter, type Named, type Verdict } from '../signals/outflow.ts'
import { type Carried, carriedBy } from '../signals/payload.ts'
import { visibilityOf } from '../signals/sources.ts'
import { expect, hear, holdsGuarded, learn, type Match, matchesOf, noSources, type Said, type Sources } from '../signals/taint.ts'
import { taintExamples } from '../signals/taint-examples.ts'
import { walkStrings } from '../texts.ts'

const NAMED_MAX = 256
const FLAGGED_MAX = 16
const PROMPTS_MAX = 4
const PROMPT_CHARS_MAX = 2_000
const FAILED_MAX = 32
const RETRY_NS = 300_000_000_000n
/** What came in may arrive after what went out: so many calls are looked at again. */
const SINKS_MAX = 4
const SINK_BYTES_MAX = 16_384

/** `told`: the worst grade of each finding of this call. */
type Sink = { event: McpEvent; carried?: Carried; told: Map<string, Severity> }
type Memory = {
  sources: Sources
  named: Map<string, Named>
  /** Events whose text another rule found to speak to the model. */
  flagged: string[]
  prompts: string[]
  said: Said
  /** Tools that failed, and when. */
  failed: Map<string, bigint>
  /** The last calls with arguments, for what arrives late. */
  sinks: Sink[]
}
const initial = (): Memory => ({
  sources: noSources(),
  named: new Map(),
  flagged: [],
  prompts: [],
  said: new Map(),
  failed: new Map(),
  sinks: [],
})

const sendingVerb =
  /\b(?:send|post|upload|forward|report|sync|deliver|submit|copy|push|transmit|mirror|backup|log|relay|pass|share|notify|register|call)\w{0,3}\b/i
const VERB_REACH = 120

function name(memory: Memory, text: string, by: Omit<Named, 'kind' | 'ordered'>): void {
  for (const { kind, value, written } of literalsOf(text)) {
    if (memory.named.size >= NAMED_MAX) memory.named.delete(memory.named.keys().next().value as string)
    const at = text.indexOf(written)
    const ordered = sendingVerb.test(text.slice(Math.max(0, at - VERB_REACH), Math.max(0, at)))
    // Who said it first said it: a server that repeats an address has not named it.
    if (!memory.named.has(`${kind} ${value}`)) memory.named.set(`${kind} ${value}`, { ...by, kind, ordered })
  }
}

const namer = (event: McpEvent, tool: string, where: Named['where']): Omit<Named, 'kind' | 'ordered'> => ({
  serverKey: event.serverKey,
  server: event.serverAlias ?? event.serverKey,
  tool,
  where,
  eventId: event.eventId,
})

const isDefinition = ({ position }: TextPart): boolean => position.startsWith('definition.') || position === 'instructions'

function remember(memory: Memory, event: McpEvent, texts: readonly TextPart[]): void {
  for (const part of texts) if (isDefinition(part)) name(memory, part.text, namer(event, part.tool ?? '', 'definition'))
  if (/\/list$|^initialize$|^server\/discover$/.test(event.method ?? '')) return
  const source = learn(memory.sources, event)
  if (!source) return
  if (memory.flagged.includes(event.eventId)) source.outsider = true
  if (source.outsider)
    for (const { position, text } of texts)
      if (position === 'result' || position === 'resource') name(memory, text, namer(event, source.tool, 'content'))
}

function listen(memory: Memory, event: McpEvent): void {
  const parts: string[] = []
  walkStrings(event.params, '', (_, text) => {
    if (parts.length < 20) parts.push(text.slice(0, PROMPT_CHARS_MAX))
  })
  const text = parts.join('\n').slice(0, PROMPT_CHARS_MAX)
  if (text === '') return
  memory.prompts.push(text)
  if (memory.prompts.length > PROMPTS_MAX) memory.prompts.shift()
  memory.said = hear(memory.said, text)
}

const toolKey = (event: McpEvent): string => `${event.serverKey}\0${event.toolName ?? ''}`

type Told = Extract<Output, { finding: string }> & { severity: Severity }
type Found = { match: Match; verdict: Verdict; named: Named | undefined }

function worst(memory: Memory, sink: Sink, destinations: readonly Destination[]): Found | undefined {
  const { event } = sink
  const { sources, prompts } = memory
  const act = actOf(event)
  const literal = destinations.map(({ kind, value }) => memory.named.get(`${kind} ${value}`)).find((named) => named !== undefined)
  const failedAt = memory.failed.get(toolKey(event))
  const guarded = holdsGuarded(sources)
  if (sources.total === 0 || !mayMatter({ act, named: literal, failedAt, guarded, given: argumentsOf(event) })) return undefined
  sink.carried ??= carriedBy(event)
  const matches = matchesOf(sources, event, sink.carried, memory.said)
  if (matches.length === 0) return undefined
  const all = [...sources.byCall.values()]
  let best: Found | undefined
  for (const match of matches) {
    const others = all.filter(({ eventId }) => eventId !== match.source.eventId)
    const flow: Flow = {
      match,
      act,
      sinkKey: event.serverKey,
      sinkTool: event.toolName ?? '',
      sinkServer: event.serverAlias ?? '',
      sinkPlace: repoOf(event.arguments),
      sinkVisibility: visibilityOf(event) ?? sources.places.get(repoOf(event.arguments)),
      named: literal,
      asked: askedFor(prompts, destinations),
      outsideText: others.some(({ untrusted }) => untrusted),
      outsider: others.some(({ outsider }) => outsider),
      calculates: calculates(event),
      retried: failedAt !== undefined && event.time - failedAt < RETRY_NS && match.source.time >= failedAt,
    }
    const verdict = judge(flow)
    if (verdict && (!best || severityRank(verdict.severity) > severityRank(best.verdict.severity)))
      best = { match, verdict, named: literal }
  }
  return best
}

/** A person or account that another server’s definition names is a finding even where the content is not recognised. */
function steered(
  memory: Memory,
  event: McpEvent,
  destinations: readonly Destination[],
): { named: Named; destination: Destination } | undefined {
  if (actOf(event) !== 'send' || askedFor(memory.prompts, destinations)) return undefined
  for (const destination of destinations) {
    const named = destination.kind === 'host' ? undefined : memory.named.get(`${destination.kind} ${destination.value}`)
    if (named?.where === 'definition' && named.serverKey !== event.serverKey) return { named, destination }
  }
  return undefined
}

function findingOf({ match, verdict, named }: Found, event: McpEvent, destinations: readonly Destination[]): Told {
  const { source, field, transform, matched, tokens, shingles } = match
  const sinkServer = event.serverAlias ?? event.serverKey
  const sinkTool = event.toolName ?? ''
  const destination = destinations[0]?.value ?? sinkServer
  return {
    finding: `${source.serverKey} ${source.tool} ${event.serverKey} ${sinkTool} ${destination}`,
    confidence: verdict.confidence,
    severity: verdict.severity,
    summary: `${source.tool} on ${source.server} → ${sinkTool} on ${sinkServer}: ${verdict.reason}`,
    evidence: {
      sourceEvent: source.eventId,
      sinkEvent: event.eventId,
      sourceServer: source.server,
      sourceTool: source.tool,
      sinkServer,
      sinkTool,
      destination,
      transform,
      matched: matched().slice(0, 200),
      pointer: field?.pointer ?? '/arguments',
      reason: verdict.reason,
      content: source.why,
      tokens,
      shingles,
    },
    events: [...(named ? [named.eventId] : []), source.eventId, event.eventId],
  }
}

function steeredFinding({ named, destination }: { named: Named; destination: Destination }, event: McpEvent): Told {
  const sinkServer = event.serverAlias ?? event.serverKey
  const sinkTool = event.toolName ?? ''
  const reason = `the recipient stands in a definition of ${named.server}, not in the request`
  return {
    finding: `named ${named.serverKey} ${event.serverKey} ${sinkTool} ${destination.value}`,
    confidence: 0.85,
    severity: 'high',
    summary: `${sinkTool} on ${sinkServer}: ${reason}`,
    evidence: {
      sourceEvent: named.eventId,
      sinkEvent: event.eventId,
      sourceServer: named.server,
      sourceTool: named.tool,
      sinkServer,
      sinkTool,
      destination: destination.value,
      transform: 'none',
      matched: destination.value,
      pointer: destination.pointer,
      reason,
      content: 'an address',
    },
    events: [named.eventId, event.eventId],
  }
}

/** At most one per call: the worst flow, or the recipient that a definition named where that says more. */
function* findings(memory: Memory, sink: Sink, destinations: readonly Destination[]): Generator<Told> {
  const { event } = sink
  const found = worst(memory, sink, destinations)
  const grave = found !== undefined && severityRank(found.verdict.severity) >= severityRank('high')
  const led = grave ? undefined : steered(memory, event, destinations)
  if (led) yield steeredFinding(led, event)
  else if (found) yield findingOf(found, event, destinations)
}

/**
 * What one call has to say now. An alert keeps the grade that it was first told with: where something that came late
 * makes the same flow graver, that is an alert of its own.
 */
function* news(memory: Memory, sink: Sink, destinations: readonly Destination[]): Generator<Output> {
  const { told } = sink
  for (const output of findings(memory, sink, destinations)) {
    const before = told.get(output.finding)
    const raised = before !== undefined && severityRank(output.severity) > severityRank(before)
    if (before === undefined || raised) told.set(output.finding, output.severity)
    yield raised ? { ...output, finding: `${output.finding} raised` } : output
  }
}

export default defineDetector({
  id: 'taint-to-sink',
  title: 'Content of one place leaves through another',
  why: 'What a steered agent steals goes out as an argument: to a number that a description names, to a public repository, in a parameter nobody needs (GitHub MCP 2025, WhatsApp MCP, CVE-2025-32711).',
  family: 'D5',
  severity: 'medium',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1567', 'T1048', 'T1132'],
    atlas: ['AML.T0086', 'AML.T0057', 'AML.T0053'],
    cosai: ['MCP-T4', 'MCP-T5', 'MCP-T9'],
    owaspMcp: ['MCP06', 'MCP10', 'MCP03'],
    owaspAsi: ['ASI01', 'ASI02'],
    safeMcp: ['SAFE-T1703', 'SAFE-T1910', 'SAFE-T1911', 'SAFE-T1914'],
  },
  needs: ['arguments', 'result'],
  blindSpots: [
    'Content that was put into other words, translated or summed up.',
    'Encodings beyond base64, hex, gzip, percent and the like, or encryption.',
    'What a server does with content by itself (copies, blind copies) never shows in MCP.',
    'Fewer than some 50 characters without a number, address or key in them.',
    'Without labels a private record is told from a public one by the names of tools only.',
  ],
  playbook: [
    'Compare {matched} with what {sourceTool} on {sourceServer} had returned: was it meant to leave?',
    'Look at {sinkTool} on {sinkServer} and its destination {destination}: who named it, the user or a text? ({reason})',
    'If nobody wanted it: take it back where that is possible, rotate what was in it, and stop the server or text that asked for it.',
  ],
  settings: z.object({ ownDestinations: z.array(z.string()).default([]) }),
  scope: 'thread',
  reads: ['request', 'response', 'call', 'user_prompt', 'signal:instruction-in-content'],
  memory: { version: 3, keysMax: 5_000, ttlMs: 24 * 3_600_000, initial },

  *inspect({ subject, memories: [memory], settings }) {
    if (!memory) return
    if (subject.kind === 'signal') {
      memory.flagged.push(subject.signal.eventId)
      if (memory.flagged.length > FLAGGED_MAX) memory.flagged.shift()
      return
    }
    if (subject.kind !== 'event') return
    const { event } = subject
    // Only what the host reports as the user’s words can excuse a call: prompts of other kinds may hold what was read.
    if (event.kind === 'user_prompt') return listen(memory, event)
    if (event.method === 'tools/call' && (event.arguments !== undefined || event.argsFingerprints)) {
      const destinations = destinationsOf(event)
      const own = destinations.some(({ value }) =>
        settings.ownDestinations.some((end) => value === end || value.endsWith(`@${end}`) || value.endsWith(`.${end}`)),
      )
      const sink: Sink = { event, told: new Map() }
      if (!own) yield* news(memory, sink, destinations)
      if (!own && (event.argsBytes ?? 0) <= SINK_BYTES_MAX) memory.sinks.push(sink)
      if (memory.sinks.length > SINKS_MAX) memory.sinks.shift()
      expect(memory.sources, event)
    } else if (event.method === 'resources/read' && event.kind !== 'response') expect(memory.sources, event)
    if (event.outcome === 'tool_error' && event.method === 'tools/call') {
      memory.failed.set(toolKey(event), event.time)
      if (memory.failed.size > FAILED_MAX) memory.failed.delete(memory.failed.keys().next().value as string)
    }
    remember(memory, event, subject.texts)
    for (const sink of memory.sinks) if (isLate(answeredAt(event), sink.event.time)) yield* news(memory, sink, destinationsOf(sink.event))
  },

  examples: taintExamples,
})
