/** A text that speaks to the model comes in, and a later call does what only that text asked for: its address, its tool, its words. */
import { z } from 'zod'
import type { Severity } from '../../schemas/alert.ts'
import { defineDetector, type Output, type Signal, type TextPart } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { textHash } from '../../schemas/fingerprint.ts'
import { type Act, actOf, literalsOf } from '../signals/destinations.ts'
import { followedExamples } from '../signals/followed-examples.ts'
import { answeredAt, isLate } from '../signals/lateness.ts'
import { walkStrings } from '../texts.ts'

const ORDERS_MAX = 8
const WINDOW_BEFORE = 300
const WINDOW_AFTER = 1_500
const VALUES_MAX = 400
const TOOLS_MAX = 128
const PROMPT_CHARS_MAX = 2_000
const ARGUMENTS_MAX = 100
/** The text may arrive after the call that follows it: so many calls are looked at again. */
const CALLS_MAX = 4
const CALL_BYTES_MAX = 16_384

type Order = {
  eventId: string
  time: bigint
  /** When the text was there to be read. */
  came: bigint
  server: string
  serverKey: string
  tool: string
  grade: string
  pointer: string
  excerpt: string
  /** Lower case, one space between words: the part of the text that the marks stand in. */
  window: string
  literals: string[]
  whole: boolean
  told: string[]
}
/** What a rule asks of a call later: not what it answered, which may be large. */
type CallEvent = Pick<McpEvent, 'eventId' | 'time' | 'toolName' | 'serverAlias' | 'serverKey' | 'arguments'>
/** A call, and what it was the first to use: of which it does not know where it was from, should the text come late. */
type Call = { event: CallEvent; act: Act; tool: boolean; values: number[] }
/** What the thread did before any text could have asked for it: tools called, values used, words of the user. `calls`: the last. */
type Memory = { orders: Order[]; tools: Set<string>; values: Set<number>; prompt: string; calls: Call[] }
/** What any text may have asked for: the same, but for what was used first by calls that came after the text. */
type Known = Pick<Memory, 'prompt'> & { hasTool: (tool: string) => boolean; hasValue: (hash: number) => boolean }

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')
const uneven = /\\[nrt]|\s\s|[^\S ]/
const plain = (text: string): string => (uneven.test(text) ? text.replace(/\\[nrt]|\s+/g, ' ') : text).trim().toLowerCase()
const literalsIn = (text: string): string[] => literalsOf(text).map(({ kind, value }) => `${kind} ${value}`)

function orderOf(signal: Signal): Order {
  const excerpt = textOf(signal.evidence.excerpt).slice(0, 200)
  return {
    eventId: signal.eventId,
    time: signal.time,
    came: signal.time,
    server: signal.serverAlias ?? signal.serverKey,
    serverKey: signal.serverKey,
    tool: signal.toolName ?? '',
    grade: textOf(signal.evidence.grade),
    pointer: textOf(signal.evidence.pointer).slice(0, 300),
    excerpt,
    window: plain(excerpt),
    literals: literalsIn(excerpt),
    whole: false,
    told: [],
  }
}

/** The signal carries 200 characters; the event, which comes right after it, has what stands around them. */
function complete(order: Order, event: McpEvent, texts: readonly TextPart[]): void {
  order.whole = true
  order.came = answeredAt(event)
  for (const { pointer, text } of texts) {
    if (pointer !== order.pointer) continue
    const collapsed = text.replace(/\s+/g, ' ')
    const at = collapsed.indexOf(order.excerpt.trim().slice(0, 60))
    if (at < 0) continue
    const around = collapsed.slice(Math.max(0, at - WINDOW_BEFORE), at + WINDOW_AFTER)
    order.window = plain(around)
    order.literals = [...new Set([...order.literals, ...literalsIn(around)])]
    return
  }
}

type Followed = { kind: 'address' | 'tool' | 'value'; what: string; pointer: string }

const isDistinctName = (name: string): boolean => name.length >= 5 && /[a-z0-9][_.-][a-z0-9]|[a-z][A-Z]/i.test(name)
const letter = /[\p{L}\p{N}]/u

/** As a whole word of the window; short ones only in quotation marks. */
function stands(window: string, value: string): boolean {
  if (value.length < 4) return window.includes(`'${value}'`) || window.includes(`"${value}"`) || window.includes(`\`${value}\``)
  for (let at = window.indexOf(value); at >= 0; at = window.indexOf(value, at + 1)) {
    if (!letter.test(window[at - 1] ?? ' ') && !letter.test(window[at + value.length] ?? ' ')) return true
  }
  return false
}

/** Words that a text and a call share by chance. */
const isTelling = (value: string): boolean =>
  (value.length >= 8 || /\s|\d|[_@/.]/.test(value)) && !/^(?:\d{1,3}|\d{4}(?:-\d\d){0,2}|true|false|null|https?:\/\/)$/.test(value)

function followedBy(order: Order, event: CallEvent, act: Act, known: Known): Followed | undefined {
  const tool = event.toolName ?? ''
  let value: Followed | undefined
  let address: Followed | undefined
  let count = 0
  walkStrings(event.arguments, '/arguments', (pointer, text) => {
    count += 1
    if (address || count > ARGUMENTS_MAX) return
    const fresh = literalsIn(text.slice(0, 4_000)).find((literal) => order.literals.includes(literal) && !isKnown(known, literal))
    if (fresh) address = { kind: 'address', what: fresh.slice(fresh.indexOf(' ') + 1), pointer }
    const spoken = plain(text.slice(0, 300))
    const quoted = spoken.length < 4 && spoken !== '' && /\d/.test(spoken)
    if (value || act === 'read' || !(quoted || isTelling(spoken)) || isKnown(known, spoken)) return
    if (stands(order.window, spoken)) value = { kind: 'value', what: spoken, pointer }
  })
  if (address) return address
  if (isDistinctName(tool) && !known.hasTool(tool) && stands(order.window, tool.toLowerCase()))
    return { kind: 'tool', what: tool, pointer: '' }
  return value
}

/** Used before the text came, or said by the user. */
const isKnown = ({ hasValue, prompt }: Known, value: string): boolean =>
  hasValue(textHash(value)) || (value.length >= 4 && prompt.includes(value.replace(/^\w+ (?=\S+$)/, '')))

function gradeOf(order: Order, followed: Followed, act: Act): Severity {
  if (order.grade === 'high') return followed.kind === 'address' || followed.kind === 'tool' || act === 'send' ? 'high' : 'medium'
  // A milder text may be a task that the user wanted done.
  if (act === 'read' || order.grade === '') return 'low'
  return followed.kind !== 'value' || order.grade === 'medium' ? 'medium' : 'low'
}

/** The oldest go first. */
function bounded<T>(all: Set<T>, countMax: number): void {
  for (const oldest of all) {
    if (all.size <= countMax) return
    all.delete(oldest)
  }
}

/** What was known when the text came: less what calls after it were the first to use, which arrived before it. */
function knownBefore({ prompt, tools, values, calls }: Memory, order: Order): Known {
  const after = calls.filter(({ event }) => isLate(order.came, event.time))
  return {
    prompt,
    hasTool: (tool) => tools.has(tool) && !after.some((call) => call.tool && call.event.toolName === tool),
    hasValue: (hash) => values.has(hash) && !after.some((call) => call.values.includes(hash)),
  }
}

/** After an order nothing that is used says who wanted it. */
function use(memory: Memory, event: McpEvent): void {
  const { eventId, time, toolName, serverAlias, serverKey, arguments: given } = event
  const kept: CallEvent = { eventId, time, toolName, serverAlias, serverKey, arguments: given }
  const call: Call = { event: kept, act: actOf(event), tool: false, values: [] }
  const value = (text: string) => {
    const hash = textHash(text)
    const { size } = memory.values
    if (memory.values.add(hash).size > size) call.values.push(hash)
  }
  if (memory.orders.every(({ came }) => isLate(time, came))) {
    const tool = toolName ?? ''
    call.tool = !memory.tools.has(tool)
    memory.tools.add(tool)
    bounded(memory.tools, TOOLS_MAX)
    let count = 0
    walkStrings(given, '', (_, text) => {
      count += 1
      if (count > ARGUMENTS_MAX) return
      value(plain(text.slice(0, 300)))
      for (const literal of literalsIn(text.slice(0, 2_000)).slice(0, 10)) value(literal)
    })
    bounded(memory.values, VALUES_MAX)
  }
  keepRecent(memory, call, (event.argsBytes ?? 0) <= CALL_BYTES_MAX)
}

/** Calls that are not long before this one, and this one where there is room for it. */
function keepRecent(memory: Memory, call: Call, fits: boolean): void {
  const { time } = call.event
  const { calls } = memory
  if (calls.length > 0) memory.calls = calls.filter(({ event }) => event.time >= time || isLate(event.time, time))
  if (fits) memory.calls.push(call)
  if (memory.calls.length > CALLS_MAX) memory.calls.shift()
}

/** The first order that this call follows and that nothing was told of yet in this grade. */
function* following(
  memory: Memory,
  orders: readonly Order[],
  { event, act }: Pick<Call, 'event' | 'act'>,
  hours: number,
): Generator<Output> {
  const server = event.serverAlias ?? event.serverKey
  for (const order of orders) {
    if (order.eventId === event.eventId || event.time < order.time || Number(event.time - order.time) > hours * 3.6e12) continue
    const followed = followedBy(order, event, act, knownBefore(memory, order))
    if (!followed) continue
    const severity = gradeOf(order, followed, act)
    if (order.told.includes(severity)) continue
    order.told.push(severity)
    yield {
      finding: `${order.eventId} ${severity}`,
      confidence: order.grade === 'high' ? 0.9 : 0.5,
      severity,
      summary: `${event.toolName ?? ''} on ${server} takes ${followed.kind === 'tool' ? 'its place' : followed.what.slice(0, 100)} from a text that ${order.tool || 'a server'} had brought in`,
      evidence: {
        server,
        tool: event.toolName ?? '',
        followed: `${followed.kind}: ${followed.what.slice(0, 150)}`,
        pointer: followed.pointer,
        destination: followed.kind === 'address' ? followed.what.slice(0, 150) : '',
        excerpt: order.excerpt,
        grade: order.grade,
        sourceServer: order.server,
        sourceTool: order.tool,
        sourceEvent: order.eventId,
        sourcePointer: order.pointer,
        sinkEvent: event.eventId,
      },
      events: [order.eventId, event.eventId],
    }
    return
  }
}

export default defineDetector({
  id: 'order-followed',
  title: 'The agent did what a text in its data asked for',
  why: 'An injected order is only words until a call carries it out: the address, tool or name that no one but the text had said is the proof that it worked.',
  family: 'D5',
  severity: 'high',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1659', 'T1567', 'T1565'],
    atlas: ['AML.T0051.001', 'AML.T0053', 'AML.T0086'],
    cosai: ['MCP-T4', 'MCP-T6'],
    owaspMcp: ['MCP06', 'MCP10'],
    owaspAsi: ['ASI01', 'ASI02'],
    safeMcp: ['SAFE-T1102', 'SAFE-T1402', 'SAFE-T1703'],
  },
  needs: ['arguments', 'result'],
  blindSpots: [
    'Orders that no rule took for one: this rule starts from the signal on the text.',
    'An order that is carried out in the agent’s answer alone, without a call.',
    'An order without a literal (“delete the oldest file”) carried out by a tool it does not name.',
    'The user’s own words are seen only where the host reports prompts: a task that the user asked to take from a document looks alike.',
  ],
  playbook: [
    'Compare the order in {excerpt} (from {sourceTool} on {sourceServer}) with the call of {tool} on {server}: {followed}',
    'Undo the call where that is possible; stop the agent before it goes on.',
    'Remove the text at its source and find out who could write there.',
  ],
  settings: z.object({ hours: z.number().min(0.1).max(24).default(24) }),
  scope: 'thread',
  reads: ['request', 'response', 'call', 'notification', 'prompt', 'user_prompt', 'signal:instruction-in-content'],
  memory: {
    version: 4,
    keysMax: 10_000,
    ttlMs: 24 * 3_600_000,
    initial: (): Memory => ({ orders: [], tools: new Set(), values: new Set(), prompt: '', calls: [] }),
  },

  *inspect({ subject, memories: [memory], settings }) {
    if (!memory) return
    if (subject.kind === 'signal') {
      memory.orders.push(orderOf(subject.signal))
      if (memory.orders.length > ORDERS_MAX) memory.orders.shift()
      return
    }
    if (subject.kind !== 'event') return
    const { event, texts } = subject
    if (event.kind === 'user_prompt') {
      walkStrings(event.params, '', (_, text) => {
        memory.prompt = `${memory.prompt} ${plain(text.slice(0, PROMPT_CHARS_MAX))}`.slice(-PROMPT_CHARS_MAX)
      })
      return
    }
    const here = memory.orders.length > 0 ? memory.orders.filter(({ eventId }) => eventId === event.eventId) : memory.orders
    for (const order of here) if (!order.whole) complete(order, event, texts)
    for (const call of here.length > 0 ? memory.calls : [])
      if (isLate(answeredAt(event), call.event.time)) yield* following(memory, here, call, settings.hours)
    if (event.method !== 'tools/call' || event.arguments === undefined) return
    if (memory.orders.length > 0) yield* following(memory, memory.orders, { event, act: actOf(event) }, settings.hours)
    use(memory, event)
  },

  examples: followedExamples,
})
