/** A stage that stays behind: what it has not read is not judged yet, and in the end leaves the log unread. */
import { z } from 'zod'
import { defineDetector } from '../../schemas/detector.ts'
import { type Json, type McpEvent, member } from '../../schemas/event.ts'
import { calls, host, type StoryLine, story } from '../../schemas/story.ts'

const MINUTE = 60_000_000_000n
const SEEN_MAX = 64

type Seen = { time: bigint; records: number; waitingSeconds: number | undefined; eventId: string }
type Memory = { seen: Seen[] }
type Backlog = Readonly<{ group: string; place: string; records: number; waitingSeconds: number | undefined }>

const countOf = (value: Json | undefined): number | undefined =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? Math.round(value) : undefined
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value.slice(0, 100) : '')

function backlogOf({ kind, eventName, params, actor }: McpEvent): Backlog | undefined {
  if (kind !== 'pipeline' || eventName !== 'pipeline.lag') return undefined
  const group = textOf(member(params, 'group'))
  const records = countOf(member(params, 'records'))
  if (group === '' || records === undefined) return undefined
  return { group, place: textOf(member(params, 'instance')) || actor, records, waitingSeconds: countOf(member(params, 'waitingSeconds')) }
}

/** Old records, where their age is known; else a heap of them that does not shrink. */
function isBehind(seen: readonly Seen[], secondsMin: number, recordsMin: number): boolean {
  if (seen.every(({ waitingSeconds }) => waitingSeconds !== undefined)) {
    return seen.every(({ waitingSeconds }) => (waitingSeconds ?? 0) >= secondsMin)
  }
  const [first] = seen
  const last = seen.at(-1)
  return first !== undefined && last !== undefined && last.records >= first.records && seen.every(({ records }) => records >= recordsMin)
}

const lag = (group: string, records: Json, waitingSeconds: Json, more: object = {}) =>
  host('pipeline.lag', { group, instance: 'a', records, ...(waitingSeconds === null ? {} : { waitingSeconds }), ...more })
/** One observation a minute. */
const minutes = (count: number, of: (minute: number) => StoryLine): StoryLine[] =>
  Array.from({ length: count }, (_, minute) => ({ ...of(minute), t: minute * 60 }))

export default defineDetector({
  id: 'pipeline-lag',
  title: 'A stage of the pipeline stays behind',
  why: 'Alerts come late while a stage is behind, and what outlives the log’s bound is lost unread: the time in between is what an attacker needs.',
  family: 'D20',
  severity: 'medium',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1562.006', 'T1499'],
    atlas: ['AML.T0107'],
    cosai: ['MCP-T12', 'MCP-T10'],
    owaspMcp: ['MCP08'],
    owaspAsi: ['ASI08'],
    safeMcp: ['SAFE-T1902'],
  },
  needs: ['eventName', 'params'],
  blindSpots: [
    'When detection itself is behind, this alert is late as well: the health page and /metrics show the lag at once.',
    'A stage that does not run at all reports nothing; only those beside it show that its group is behind.',
    'Where the age of waiting records is not known, only a heap that grows is told.',
  ],
  playbook: [
    '{group} has been behind for {minutes} minutes: {records} records wait. Alerts for that time come late.',
    'Look at what this stage waits for: the store, the disk, one partition with a very busy actor.',
    'Add workers where there are partitions to share; a single hot actor needs its source slowed down.',
  ],
  settings: z.object({
    observations: z.int().min(2).max(60).default(5),
    withinMinutes: z.int().min(1).default(10),
    waitingSecondsMin: z.int().min(1).default(120),
    recordsMin: z.int().min(1).default(10_000),
    highAfterMinutes: z.int().min(1).default(30),
  }),
  scope: 'actor',
  reads: ['pipeline'],
  keys: (subject) => {
    const backlog = subject.kind === 'event' ? backlogOf(subject.event) : undefined
    return backlog && subject.kind === 'event' ? [`${subject.event.tenant}\0${backlog.group}\0${backlog.place}`] : []
  },
  memory: { version: 1, keysMax: 1_000, ttlMs: 24 * 3_600_000, initial: (): Memory => ({ seen: [] }) },

  *inspect({ subject, memories: [memory], settings }) {
    const backlog = subject.kind === 'event' ? backlogOf(subject.event) : undefined
    if (!backlog || !memory || subject.kind !== 'event') return
    const { group, place, records, waitingSeconds } = backlog
    const { time, eventId } = subject.event
    // Silence between two observations is a stage that had caught up.
    const pause = BigInt(settings.withinMinutes) * MINUTE
    const last = memory.seen.at(-1)
    if (last !== undefined && time - last.time > pause) memory.seen = []
    memory.seen.push({ time, records, waitingSeconds, eventId })
    if (memory.seen.length > SEEN_MAX) memory.seen.shift()
    const recent = memory.seen.slice(-settings.observations)
    const [first] = recent
    const enough = recent.length >= settings.observations && first !== undefined && time - first.time <= pause
    if (!enough || !isBehind(recent, settings.waitingSecondsMin, settings.recordsMin)) {
      if (records === 0 || waitingSeconds === 0) memory.seen = []
      return
    }
    const age = waitingSeconds ?? Number((time - (memory.seen[0]?.time ?? time)) / 1_000_000_000n)
    const minutesBehind = Math.max(1, Math.floor(age / 60))
    const long = minutesBehind >= settings.highAfterMinutes
    yield {
      finding: `${group} ${place}${long ? ' long' : ''}`,
      confidence: 0.9,
      severity: long ? 'high' : 'medium',
      summary: `${group} has been behind for ${minutesBehind} minutes: ${records} records wait`,
      evidence: { group, instance: place, records, minutes: minutesBehind, observations: recent.length },
      events: recent.map((one) => one.eventId),
    }
  },

  examples: [
    {
      name: 'five minutes with records that are older each time',
      story: story(minutes(5, (n) => lag('detect', 5_000, 130 + 60 * n))),
      fires: [4],
    },
    { name: 'few records, but old ones', story: story(minutes(6, (n) => lag('store', 3, 200 + 60 * n))), fires: [4] },
    { name: 'a heap that grows, of unknown age', story: story(minutes(5, (n) => lag('detect', 20_000 + n, null))), fires: [4] },
    {
      name: 'half an hour behind is told again, as high',
      story: story(minutes(32, (n) => lag('detect', 900, 121 + 60 * n))),
      fires: [4, 28],
    },
    {
      name: 'two groups, each its own alert',
      story: story(minutes(10, (n) => lag(n % 2 === 0 ? 'detect' : 'store', 900, 300))),
      fires: [8, 9],
    },
    { name: 'a busy minute', story: story(minutes(2, () => lag('detect', 90_000, 100))), fires: [] },
    { name: 'always a few, always young', story: story(minutes(30, () => lag('detect', 500, 2))), fires: [] },
    { name: 'a heap that shrinks, of unknown age', story: story(minutes(9, (n) => lag('detect', 90_000 - 5_000 * n, null))), fires: [] },
    {
      name: 'behind now and then',
      story: story(Array.from({ length: 9 }, (_, n) => lag('outputs', 700, 300, { t: n * 1_200 }))),
      fires: [],
    },
    { name: 'behind, caught up, behind', story: story(minutes(9, (n) => lag('store', n === 4 ? 0 : 700, n === 4 ? 0 : 300))), fires: [] },
    { name: 'four observations', story: story(minutes(4, () => lag('detect', 900_000, 900))), fires: [] },
    {
      name: 'several instances, none of them for long',
      story: story(minutes(8, (n) => lag('detect', 900, 300, { instance: `i${n}` }))),
      fires: [],
    },
    { name: 'numbers that are none', story: story(minutes(6, () => lag('detect', 'many', 900))), fires: [] },
    {
      name: 'a tool that reports lag',
      story: story(calls('kafka', 'lag', { group: 'detect', records: 90_000 }, 'pipeline.lag 90000')),
      fires: [],
    },
  ],
})
