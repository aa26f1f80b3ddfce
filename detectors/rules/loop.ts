/** An agent that runs in circles: the same call again and again, two tools taking turns, one failure after another. */
import { z } from 'zod'
import { defineDetector, type Output, type Subject } from '../../schemas/detector.ts'
import { isFirstObservation, type McpEvent } from '../../schemas/event.ts'
import { textHash } from '../../schemas/fingerprint.ts'
import { hashId } from '../../schemas/ids.ts'
import { calls, exchange, story } from '../../schemas/story.ts'

const RING_MAX = 64
const TOOLS_MAX = 64
const MINUTE = 60_000_000_000n

/** The last calls, oldest first. `whats`: a number for each with its arguments, equal for equal calls; alone, as it is all that most looks need. */
type Ring = { whats: number[]; times: bigint[]; eventIds: string[]; failures: Map<string, number> }
type Call = { time: bigint; eventId: string }

/** Methods whose nature is to be repeated. */
const polling = new Set(['tasks/get', 'tasks/result', 'ping', 'server/discover', 'subscriptions/listen'])

const partsOf = (event: McpEvent): [string, string, string] => [
  event.serverKey,
  event.toolName ?? event.method ?? '',
  event.argsHash ?? JSON.stringify(event.arguments ?? event.params ?? null),
]

/** Asking how far something is, with pauses: what waiting looks like. */
const waiting =
  /status|state|progress|health|poll|wait|watch|logs?\b|tail|(?:get|check|read|list|show|describe|view)\w*(?:run|job|build|task|pipeline|deploy|rollout|queue|workflow|operation)/i
const PAUSE_NS = 3_000_000_000n

function isWaiting(tool: string, same: readonly Call[], failures: number): boolean {
  const [first] = same
  const last = same.at(-1)
  if (!first || !last || failures > 0 || !waiting.test(tool)) return false
  return last.time - first.time >= PAUSE_NS * BigInt(same.length - 1)
}

const isCall = (event: McpEvent): boolean =>
  isFirstObservation(event) &&
  (event.kind === 'request' || event.kind === 'call') &&
  event.method === 'tools/call' &&
  !polling.has(event.method)

/** The shortest cycle of 2 to 4 different calls that the ring ends with, repeated at least `times`. */
function cycleOf({ whats }: Ring, times: number): number | undefined {
  for (let length = 2; length <= 4; length += 1) {
    const first = whats.length - length * times
    if (first < 0) continue
    let at = whats.length - 1
    while (at >= first + length && whats[at] === whats[at - length]) at -= 1
    if (at >= first + length) continue
    if (new Set(whats.slice(-length)).size > 1) return length
  }
  return undefined
}

function learn(ring: Ring, what: number, { time, eventId }: McpEvent): void {
  ring.whats.push(what)
  ring.times.push(time)
  ring.eventIds.push(eventId)
  if (ring.whats.length <= RING_MAX) return
  ring.whats.shift()
  ring.times.shift()
  ring.eventIds.shift()
}

/** How many calls in the ring are the same as the last, whenever they were. */
function timesOf(what: number, { whats }: Ring): number {
  let times = 0
  for (let at = 0; at < whats.length; at += 1) if (whats[at] === what) times += 1
  return times
}

/** The calls in the ring that are the same as the last, and not long before it. */
function sameAsLast({ whats, times, eventIds }: Ring, event: McpEvent, what: number, minutes: number): Call[] {
  const from = event.time - BigInt(minutes) * MINUTE
  const same: Call[] = []
  for (const [at, time] of times.entries()) if (whats[at] === what && time >= from) same.push({ time, eventId: eventIds[at] as string })
  return same
}

const failed = (event: McpEvent): boolean | undefined =>
  event.outcome === undefined
    ? undefined
    : event.outcome === 'tool_error' || event.outcome === 'protocol_error' || event.outcome === 'transport_error'

const asEvent = (subject: Subject): McpEvent | undefined => (subject.kind === 'event' ? subject.event : undefined)

export default defineDetector({
  id: 'loop',
  title: 'Agent runs in a loop',
  why: 'A loop burns money and quota, hammers a backend, and is how cost-amplifying servers and runaway agents show.',
  family: 'D9',
  severity: 'medium',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1499'],
    atlas: ['AML.T0034', 'AML.T0029'],
    cosai: ['MCP-T10'],
    owaspMcp: [],
    owaspAsi: ['ASI08', 'ASI10'],
    safeMcp: ['SAFE-T1106'],
  },
  needs: ['method', 'toolName', 'arguments'],
  blindSpots: [
    'A loop whose arguments change every round.',
    'Without arguments the calls of one tool look alike: such sources are not judged.',
  ],
  playbook: [
    'Look at the thread: {calls} calls of {tool} on {server}; is anything changing between them?',
    'If nobody waits for the result, stop the agent or take the server out of its host.',
    'Look for text in the results that asks for another round ("next segment", "calibration").',
  ],
  settings: z.object({
    sameMax: z.int().min(3).default(10),
    minutes: z.int().min(1).default(5),
    cyclesMax: z.int().min(3).default(6),
    failuresMax: z.int().min(3).default(15),
  }),
  scope: 'thread',
  reads: ['request', 'response', 'call'],
  methods: ['tools/call'],
  memory: {
    version: 3,
    keysMax: 20_000,
    ttlMs: 24 * 3_600_000,
    initial: (): Ring => ({ whats: [], times: [], eventIds: [], failures: new Map() }),
  },

  inspect({ subject, memories, settings }) {
    const outputs: Output[] = []
    const event = asEvent(subject)
    const [ring] = memories
    if (!event || !ring) return outputs
    const tool = event.toolName ?? 'unknown'
    const evidence = { tool, server: event.serverAlias ?? event.serverKey }
    const wentWrong = failed(event)
    if (wentWrong !== undefined) {
      const key = `${event.serverKey}\0${tool}`
      const before = ring.failures.get(key)
      const count = wentWrong ? (before ?? 0) + 1 : 0
      if (count !== before) ring.failures.set(key, count)
      if (ring.failures.size > TOOLS_MAX) ring.failures.delete(ring.failures.keys().next().value as string)
      if (count >= settings.failuresMax) {
        outputs.push({
          finding: `failures ${key}`,
          confidence: 0.7,
          summary: `${tool} failed ${count} times in a row`,
          evidence: { ...evidence, calls: count },
        })
      }
    }
    if (!isCall(event) || (event.arguments === undefined && event.argsHash === undefined)) return outputs
    const [server, name, given] = partsOf(event)
    const what = textHash(`${server}\0${name}\0${given}`)
    learn(ring, what, event)
    const cycle = cycleOf(ring, settings.cyclesMax)
    if (cycle === undefined && timesOf(what, ring) < settings.sameMax) return outputs
    const same = sameAsLast(ring, event, what, settings.minutes)
    if (same.length >= settings.sameMax) {
      const waits = isWaiting(tool, same, ring.failures.get(`${event.serverKey}\0${tool}`) ?? 0)
      outputs.push({
        ...(waits ? { severity: 'low' as const } : {}),
        finding: `same ${hashId(...partsOf(event))}`,
        confidence: 0.8,
        summary: `${tool} was called ${same.length} times with the same arguments`,
        evidence: { ...evidence, calls: same.length },
        events: same.map(({ eventId }) => eventId),
      })
      return outputs
    }
    if (cycle) {
      const count = cycle * settings.cyclesMax
      outputs.push({
        finding: `cycle ${hashId(...partsOf(event))}`,
        confidence: 0.7,
        summary: `${cycle} calls take turns, ${settings.cyclesMax} rounds`,
        evidence: { ...evidence, calls: count },
        events: same.map(({ eventId }) => eventId),
      })
    }
    return outputs
  },

  examples: [
    {
      name: 'the same call ten times',
      story: story(...Array.from({ length: 10 }, () => calls('web', 'fetch', { url: 'https://a.example/' }))),
      fires: [18],
    },
    {
      name: 'the same call ten times within five minutes, slowly',
      story: story(...Array.from({ length: 10 }, (_, i) => calls('db', 'query', { sql: 'select 1' }, 'ok', { t: i * 20 }))),
      fires: [18],
    },
    {
      name: 'two tools take turns',
      story: story(...Array.from({ length: 6 }, () => [...calls('a', 'plan', { step: 1 }), ...calls('a', 'check', { step: 1 })])),
      fires: [22],
    },
    {
      name: 'fifteen failures in a row',
      story: story(
        ...Array.from({ length: 15 }, (_, i) =>
          calls('a', 'build', { n: i }, { isError: true, content: [{ type: 'text', text: 'failed' }] }),
        ),
      ),
      fires: [29],
    },
    {
      name: 'nine times the same',
      story: story(...Array.from({ length: 9 }, () => calls('web', 'fetch', { url: 'https://a.example/' }))),
      fires: [],
    },
    {
      name: 'paging: the cursor changes',
      story: story(...Array.from({ length: 30 }, (_, i) => calls('gh', 'list_issues', { after: `c${i}` }))),
      fires: [],
    },
    {
      name: 'polling a task',
      story: story(...Array.from({ length: 30 }, () => exchange('pay', 'tasks/get', { taskId: 't1' }, { status: 'working' }))),
      fires: [],
    },
    {
      name: 'the same call once an hour',
      story: story(...Array.from({ length: 12 }, (_, i) => calls('ci', 'status', { run: 1 }, 'ok', { t: i * 3_600 }))),
      fires: [],
    },
    {
      name: 'failures with a success between',
      story: story(
        ...Array.from({ length: 14 }, (_, i) => calls('a', 'build', { n: i }, { isError: true, content: [] })),
        calls('a', 'build', { n: 99 }),
        ...Array.from({ length: 14 }, (_, i) => calls('a', 'build', { n: i }, { isError: true, content: [] })),
      ),
      fires: [],
    },
    {
      name: 'different tools in a row',
      story: story(...['a', 'b', 'c', 'd', 'e', 'f', 'g'].flatMap((tool) => [calls('s', tool, {}), calls('s', `${tool}2`, {})])),
      fires: [],
    },
  ],
})
