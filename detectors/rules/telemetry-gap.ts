/** Events that were never seen: records that left the log unread, bytes a tap could not observe, events it could not keep. */
import { z } from 'zod'
import type { Severity } from '../../schemas/alert.ts'
import { defineDetector } from '../../schemas/detector.ts'
import { type Json, type McpEvent, member } from '../../schemas/event.ts'
import { calls, host, story } from '../../schemas/story.ts'

/** How much is missing, of what, and where. `about` is the place: what is lost there adds up. */
type Loss = Readonly<{ about: string; where: string; unit: string; lost: number; from: string; severity: Severity; cause: string }>
type Memory = { lost: number; told: number }

/** Numbers come from outside: only whole ones that count something are believed. */
const countOf = (value: Json | undefined): number => (typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : 0)
const textOf = (value: Json | undefined): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 100) : ''
const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',')
const counted = (count: number, unit: string): string => `${grouped(count)} ${unit}${count === 1 ? '' : 's'}`

function inPipeline({ params }: McpEvent): Loss | undefined {
  const lost = countOf(member(params, 'lost'))
  const from = textOf(member(params, 'from'))
  const where = `${textOf(member(params, 'topic'))}/${textOf(member(params, 'partition'))}`
  // Each gap is its own: the exact place and number are what a search for the lost begins with.
  const about = `${where} from ${from} ${lost}`
  return lost === 0
    ? undefined
    : { about, where, unit: 'record', lost, from, severity: 'high', cause: 'they left the log before they were read' }
}

const causes: ReadonlyMap<string, string> = new Map([
  ['tap.gap', 'the tap could not follow the traffic'],
  ['tap.spool_overflow', 'the tap could not send them and had no room to keep them'],
  ['tap.refused', 'the receiver refused them'],
])

function atTap(event: McpEvent): Loss | undefined {
  const cause = causes.get(event.eventName ?? '')
  if (cause === undefined) return undefined
  const { params, serverAlias, serverKey, hostName } = event
  const server = serverAlias ?? serverKey
  const place = { where: hostName === undefined ? server : `${server} on ${hostName}`, from: '', cause }
  const about = (unit: string) => `${event.eventName} ${unit} ${serverKey} ${serverAlias ?? ''} ${hostName ?? ''}`.slice(0, 500)
  const events = countOf(member(params, 'events')) || countOf(member(params, 'messages'))
  if (events > 0) {
    const unit = event.eventName === 'tap.gap' ? 'message' : 'event'
    return { ...place, about: about(unit), unit, lost: events, severity: 'medium' }
  }
  const bytes = countOf(member(params, 'bytes'))
  return bytes === 0 ? undefined : { ...place, about: about('byte'), unit: 'byte', lost: bytes, severity: 'low' }
}

const lossOf = (event: McpEvent): Loss | undefined =>
  event.kind === 'pipeline' ? (event.eventName === 'pipeline.gap' ? inPipeline(event) : undefined) : atTap(event)

const gap = (topic: string, partition: number, from: string, lost: Json, more: object = {}) =>
  host('pipeline.gap', { topic, partition, from, lost, ...more })
const tapGap = (bytes: Json, messages: Json, more: object = {}) => host('tap.gap', { srv: 'gh', bytes, messages, ...more })

export default defineDetector({
  id: 'telemetry-gap',
  title: 'Events were lost before anybody saw them',
  why: 'What was lost was not judged: a flood that makes a tap or the log drop events is a way to act unseen, and silence about it would read as safety.',
  family: 'D20',
  severity: 'high',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1562.006', 'T1499'],
    atlas: ['AML.T0107'],
    cosai: ['MCP-T12', 'MCP-T10'],
    owaspMcp: ['MCP08'],
    owaspAsi: ['ASI10'],
    safeMcp: ['SAFE-T1902'],
  },
  needs: ['eventName', 'params'],
  blindSpots: [
    'Emitters that drop spans before they send them say nothing: compare their own counters of dropped spans.',
    'A tap that is ended, or goes on without its observer, tells of its loss only when it can send again.',
    'What was in the lost events is not known, only how many there were.',
  ],
  playbook: [
    'Missing: {lost} {unit}(s) of {where}, because {cause}. Note the time: nothing that ran then was judged.',
    'Compare with other records of that time: the server’s own log, the gateway, the host.',
    'Look for alerts of the same host shortly before and after. A loss next to an alert is an incident of its own.',
    'Give the stage that was behind more room or more workers, and see that the loss does not go on.',
  ],
  settings: z.object({ bytesMin: z.int().min(1).default(1) }),
  scope: 'actor',
  reads: ['pipeline', 'other'],
  keys: (subject) => {
    const loss = subject.kind === 'event' ? lossOf(subject.event) : undefined
    return loss && subject.kind === 'event' ? [`${subject.event.tenant}\0${loss.about}`] : []
  },
  memory: { version: 1, keysMax: 5_000, ttlMs: 24 * 3_600_000, initial: (): Memory => ({ lost: 0, told: -1 }) },

  *inspect({ subject, memories: [memory], settings }) {
    const loss = subject.kind === 'event' ? lossOf(subject.event) : undefined
    if (!loss || !memory || subject.kind !== 'event') return
    const { about, where, unit, lost, from, severity, cause } = loss
    if (unit === 'byte' && lost < settings.bytesMin) return
    memory.lost += lost
    // A loss that goes on is one alert with many hits, and a new one, with the new number, whenever it has become ten times as large.
    const size = Math.max(memory.told, Math.floor(Math.log10(memory.lost)))
    memory.told = size
    yield {
      finding: unit === 'record' ? about : `${about} 10^${size}`,
      confidence: 1,
      severity,
      summary: `${counted(memory.lost, unit)} of ${where} ${memory.lost === 1 ? 'was' : 'were'} lost: ${cause}`,
      evidence: { where, unit, lost: memory.lost, cause, ...(from === '' ? {} : { from }) },
    }
  },

  examples: [
    { name: 'records that left the log unread', story: story(gap('mcp.events', 2, '4711', 1_234)), fires: [0] },
    { name: 'one record', story: story(gap('mcp.facts', 0, '0', 1)), fires: [0] },
    {
      name: 'two gaps are two alerts, the same one again is not',
      story: story(
        gap('mcp.events', 2, '4711', 10),
        gap('mcp.events', 2, '9000', 10),
        gap('mcp.alerts', 2, '9000', 10),
        gap('mcp.events', 2, '4711', 10),
      ),
      fires: [0, 1, 2],
    },
    { name: 'messages a tap did not see', story: story(tapGap(65_536, 12)), fires: [0] },
    { name: 'bytes of unknown content', story: story(tapGap(100, 0)), fires: [0] },
    {
      name: 'a loss that goes on is told again when it is ten times as large',
      story: story(tapGap(500, 4), tapGap(500, 4), tapGap(500, 4), tapGap(500, 4)),
      fires: [0, 2],
    },
    { name: 'events a tap had no room for', story: story(host('tap.spool_overflow', { srv: 'gh', events: 512 })), fires: [0] },
    { name: 'events the receiver refused', story: story(host('tap.refused', { srv: 'gh', events: 3 })), fires: [0] },
    { name: 'nothing is missing', story: story(gap('mcp.events', 2, '4711', 0), tapGap(0, 0)), fires: [] },
    {
      name: 'numbers that are none',
      story: story(gap('mcp.events', 2, '1', -5), gap('mcp.events', 2, '1', 'many'), tapGap(1.5, [])),
      fires: [],
    },
    {
      name: 'a backlog that is only slow',
      story: story(host('pipeline.lag', { group: 'detect', records: 5_000, waitingSeconds: 30 })),
      fires: [],
    },
    {
      name: 'another event of a host',
      story: story(host('tap.started', { srv: 'gh', events: 5 }), host('compaction', { messages: 9 })),
      fires: [],
    },
    {
      name: 'a tool that talks of losses',
      story: story(calls('log', 'report', { lost: 500, ev: 'pipeline.gap' }, 'tap.gap: 500 lost')),
      fires: [],
    },
    { name: 'dead letters are not lost', story: story(host('pipeline.dead_letters', { letters: 9, lost: 9 })), fires: [] },
  ],
})
