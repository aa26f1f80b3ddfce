/**
 * What a detector is: one file in detectors/rules/, found by folder, proved by test/detectors.test.ts.
 * 1. `inspect` is synchronous and pure but for its memories: no I/O, no clock, no chance. Time is the event's.
 * 2. A memory is plain data (Map, Set, arrays, numbers, strings, bigint): cloned by v8, one value per key.
 *    Names from outside are Map keys, never object keys.
 * 3. At least 4 examples fire and 6 stay quiet.
 */
import type { ZodType } from 'zod'
import type { Evidence, Mapping, Severity } from './alert.ts'
import type { EventKind, Json, McpEvent } from './event.ts'
import type { Field } from './semconv.ts'
import type { StoryLine } from './story.ts'
import type { ThreadRef } from './thread.ts'

export type Scope = 'event' | 'thread' | 'actor' | 'server' | 'tenant'

/** Where a text stands: words are judged by their position, never alone. */
export const textPositions = [
  'definition.name', // of a tool, prompt, resource, template
  'definition.description', // its description or title
  'definition.schema', // any string inside inputSchema / outputSchema / annotations
  'definition.key', // a property name inside a schema
  'instructions', // server instructions (initialize, server/discover)
  'argument', // a string inside tools/call arguments
  'result', // a string inside a tools/call result, isError or not
  'resource', // text of resources/read
  'prompt', // messages of prompts/get
  'elicitation', // message and schema of elicitation
  'sampling', // messages and system prompt of sampling
  'error', // JSON-RPC error message
] as const
export type TextPosition = (typeof textPositions)[number]

/**
 * One string of an event. `pointer` is its RFC 6901 JSON pointer; `tool` the definition or call it belongs to.
 * `layer`: the text was found inside the string at that pointer, under this encoding.
 */
export type TextPart = Readonly<{
  position: TextPosition
  pointer: string
  text: string
  tool?: string | undefined
  layer?: string | undefined
}>

/**
 * A content pattern of the one shared pass. `literals` (lower case) gate it; `verify` (RE2 syntax, case-insensitive,
 * linear time) then decides on a window of `windowMax` characters around the literal. A pattern without a literal does not load.
 */
export type Pattern = Readonly<{
  id: string
  literals: readonly string[]
  verify?: string
  windowMax?: number
  positions: readonly TextPosition[]
}>
export type Hit = Readonly<{
  pattern: string
  part: TextPart
  start: number
  end: number
  /** The matched text, at most 200 characters. */
  excerpt: string
}>

/** A small statement for another scope's worker: hashes, destinations, never payloads. Body at most 1 kB as JSON. */
export type Fact = Readonly<{
  factId: string
  fact: string
  scope: 'server' | 'tenant'
  key: string
  body: Json
  tenant: string
  time: bigint
  eventId: string
  actor: string
  actorSource: string
  clientAddress?: string | undefined
  serverKey: string
  serverAlias?: string | undefined
  toolName?: string | undefined
  threadId: string
}>
/** What one detector noticed and another may weigh: informational by itself. */
export type Signal = Readonly<{
  signal: string
  detector: string
  family: string
  weight: number
  summary: string
  evidence: Evidence
  tenant: string
  time: bigint
  eventId: string
  events: readonly string[]
  actor: string
  serverKey: string
  serverAlias?: string | undefined
  toolName?: string | undefined
  threadId: string
}>

export type Subject =
  | Readonly<{ kind: 'event'; event: McpEvent; thread: ThreadRef; texts: readonly TextPart[] }>
  | Readonly<{ kind: 'fact'; fact: Fact }>
  | Readonly<{ kind: 'signal'; signal: Signal }>

export type Output =
  | Readonly<{
      /** What it is about; with tenant, detector and time window it makes the alert id. */
      finding: string
      confidence: number
      severity?: Severity
      summary: string
      evidence: Evidence
      /** Earlier events of the finding; the event in hand is added by the engine. */
      events?: readonly string[]
    }>
  | Readonly<{ signal: string; weight: number; summary: string; evidence: Evidence; events?: readonly string[] }>

/** `fires` lists, in order, the 0-based line of the story at which each alert (or signal) of this detector comes. */
/** `once`: the same statement of the same actor again is not repeated while it is remembered. */
export type FactOutput = Readonly<{ fact: string; scope: 'server' | 'tenant'; key: string; body: Json; once?: true }>

export type Example = Readonly<{ name: string; story: readonly StoryLine[]; fires: readonly number[] }>

export type Inspection<S, M> = Readonly<{ subject: Subject; hits: readonly Hit[]; memories: readonly M[]; settings: S }>

export type Detector<S, M> = Readonly<{
  id: string
  title: string
  why: string
  family: `D${number}`
  severity: Severity
  state: 'shadow' | 'stable'
  version: number
  maps: Omit<Mapping, 'family'>
  /** Fields it cannot work without: from these the can-it-fire ledger is computed. */
  needs: readonly Field[]
  blindSpots: readonly string[]
  playbook: readonly string[]
  settings: ZodType<S>
  scope: Scope
  /** The cheap gate: event kinds, `fact:<kind>`, `signal:<name>` or `signal:*`. Server and tenant scope: facts only. */
  reads: readonly (EventKind | `fact:${string}` | `signal:${string}`)[]
  /** A second gate on events: JSON-RPC methods. */
  methods?: readonly string[]
  patterns?: readonly Pattern[]
  /** Memory keys within the scope; [] = not ours. Without it: [''] of the scope itself (thread, actor, server, tenant). */
  keys?: (subject: Subject) => readonly string[]
  memory?: Readonly<{ version: number; keysMax: number; ttlMs: number; initial: () => M }>
  /** A generator, or a list where nearly all subjects give nothing. */
  inspect: (inspection: Inspection<S, M>) => Iterable<Output>
  /** Runs on events in the actor's worker, for detectors of server or tenant scope: what they will read as facts. */
  facts?: (subject: Extract<Subject, { kind: 'event' }>, settings: S, hits: readonly Hit[]) => Iterable<FactOutput>
  examples: readonly Example[]
}>

// biome-ignore lint/suspicious/noExplicitAny: a catalogue holds detectors of every settings and memory type
export type AnyDetector = Detector<any, any>

/** Checks the shape at compile time and infers settings and memory. */
export const defineDetector = <S, M = undefined>(detector: Detector<S, M>): Detector<S, M> => detector
