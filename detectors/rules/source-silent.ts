/** A source that always speaks and now says nothing: switched off, cut off, or made to be silent. */
import { z } from 'zod'
import { defineDetector } from '../../schemas/detector.ts'
import { type Json, type McpEvent, member } from '../../schemas/event.ts'
import { calls, host, story } from '../../schemas/story.ts'

/** What the store knows of a source: how long it is silent, how long it usually is, and how regularly it spoke in the last week. */
type Silence = Readonly<{
  source: string
  owner: string
  dialect: string
  lastSeen: string
  silentSeconds: number
  usualSeconds: number
  activeHours: number
  knownHours: number
}>

const numberOf = (value: Json | undefined): number =>
  typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : Number.NaN
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value.slice(0, 200) : '')

function silenceOf({ kind, eventName, params }: McpEvent): Silence | undefined {
  if (kind !== 'pipeline' || eventName !== 'pipeline.sources') return undefined
  const [silentSeconds, usualSeconds, activeHours, knownHours] = ['silentSeconds', 'usualSeconds', 'activeHours', 'knownHours'].map(
    (name) => numberOf(member(params, name)),
  ) as [number, number, number, number]
  const [source, owner, dialect, lastSeen] = ['source', 'owner', 'dialect', 'lastSeen'].map((name) => textOf(member(params, name))) as [
    string,
    string,
    string,
    string,
  ]
  const known = ![silentSeconds, usualSeconds, activeHours, knownHours].some(Number.isNaN) && source !== ''
  return known ? { source, owner, dialect, lastSeen, silentSeconds, usualSeconds, activeHours, knownHours } : undefined
}

const spanOf = (seconds: number): string =>
  seconds < 120
    ? `${Math.round(seconds)} seconds`
    : seconds < 7_200
      ? `${Math.round(seconds / 60)} minutes`
      : `${Math.round(seconds / 3_600)} hours`

/** Around the clock for a week, something every minute. */
const steady = { source: 'gateway', owner: 'default', dialect: 'otel-semconv', usualSeconds: 60, activeHours: 168, knownHours: 168 }
const silent = (seconds: Json, more: object = {}) =>
  host('pipeline.sources', { ...steady, silentSeconds: seconds, lastSeen: '2025-12-31T23:00:00Z', ...more })

export default defineDetector({
  id: 'source-silent',
  title: 'A source that always speaks has fallen silent',
  why: 'Who turns the sensor off acts unseen, and no rule can fire on what does not arrive: silence against a source’s own habit is the only sign.',
  family: 'D20',
  severity: 'medium',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1562.006', 'T1562.008'],
    atlas: ['AML.T0107'],
    cosai: ['MCP-T12'],
    owaspMcp: ['MCP08'],
    owaspAsi: ['ASI10'],
    safeMcp: ['SAFE-T1902'],
  },
  needs: ['eventName', 'params'],
  blindSpots: [
    'Sources that do not speak around the clock (laptops, offices at night) have no silence that stands out.',
    'One of several senders behind the same credential can fall silent unnoticed: give each its own.',
    'A source that goes on sending harmless events is not silent.',
  ],
  playbook: [
    'Ask who runs {source}: was it stopped, moved or updated? It last spoke at {lastSeen}.',
    'If nobody did, look at the host: is the emitter running, is its endpoint unchanged, does the network let it through?',
    'Find out what ran there since {lastSeen} from the server’s own logs: none of it was judged here.',
  ],
  settings: z.object({
    silentSecondsMin: z.int().min(60).default(900),
    times: z.number().min(1).default(5),
    /** Heard in at least this share of the hours it has been known. */
    regularShareMin: z.number().min(0).max(1).default(0.9),
    knownHoursMin: z.int().min(1).default(24),
    highAfterHours: z.number().positive().default(4),
  }),
  scope: 'event',
  reads: ['pipeline'],
  keys: (subject) => (subject.kind === 'event' && silenceOf(subject.event) ? [subject.event.tenant] : []),

  *inspect({ subject, settings }) {
    const silence = subject.kind === 'event' ? silenceOf(subject.event) : undefined
    if (!silence) return
    const { source, owner, dialect, lastSeen, silentSeconds, usualSeconds, activeHours, knownHours } = silence
    const regular = knownHours >= settings.knownHoursMin && activeHours >= knownHours * settings.regularShareMin
    if (!regular || silentSeconds < settings.silentSecondsMin || silentSeconds < usualSeconds * settings.times) return
    const long = silentSeconds >= settings.highAfterHours * 3_600
    yield {
      // Since when: the next silence of the same source is another alert.
      finding: `${owner} ${source} ${dialect} ${lastSeen}${long ? ' long' : ''}`,
      confidence: long ? 0.9 : 0.7,
      severity: long ? 'high' : 'medium',
      summary: `${source} (${dialect}) has been silent for ${spanOf(silentSeconds)}; it usually speaks within ${spanOf(usualSeconds)}`,
      evidence: { source, owner, dialect, lastSeen, silentSeconds, usualSeconds, activeHours, knownHours },
    }
  },

  examples: [
    { name: 'a steady gateway, silent for twenty minutes', story: story(silent(1_200)), fires: [0] },
    {
      name: 'and on: one alert, high after hours',
      story: story([900, 1_800, 3_600, 14_400, 18_000].map((seconds) => silent(seconds))),
      fires: [0, 3],
    },
    { name: 'a slow source, silent for five times its longest pause', story: story(silent(9_000, { usualSeconds: 1_800 })), fires: [0] },
    { name: 'known for a day', story: story(silent(1_000, { activeHours: 23, knownHours: 24 })), fires: [0] },
    {
      name: 'two silences of one source',
      story: story(silent(1_000), silent(1_000, { lastSeen: '2026-01-01T05:00:00Z' })),
      fires: [0, 1],
    },
    { name: 'a pause of some minutes', story: story(silent(600)), fires: [] },
    { name: 'an office at night', story: story(silent(30_000, { activeHours: 55 })), fires: [] },
    { name: 'a source known since this morning', story: story(silent(3_000, { activeHours: 5, knownHours: 5 })), fires: [] },
    { name: 'a slow source between two words', story: story(silent(3_000, { usualSeconds: 2_400 })), fires: [] },
    { name: 'a source that speaks now and then', story: story(silent(80_000, { usualSeconds: 40_000, activeHours: 12 })), fires: [] },
    { name: 'without what is usual', story: story(host('pipeline.sources', { source: 'gateway', silentSeconds: 90_000 })), fires: [] },
    { name: 'numbers that are none', story: story(silent('long'), silent(-5), silent(null)), fires: [] },
    { name: 'a host that says so', story: story(host('sources', { ...steady, silentSeconds: 90_000 })), fires: [] },
    { name: 'a tool about sources', story: story(calls('ops', 'sources', { ...steady, silentSeconds: 90_000 })), fires: [] },
  ],
})
