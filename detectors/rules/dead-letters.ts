/** Events that no stage could take: kept sealed, but not judged. A few are a bug; many are a source that went wrong, or a way to hide. */
import { z } from 'zod'
import { defineDetector } from '../../schemas/detector.ts'
import { type Json, type McpEvent, member } from '../../schemas/event.ts'
import { calls, host, story } from '../../schemas/story.ts'

const MINUTE = 60_000_000_000n
const REASONS_MAX = 20

type Reason = Readonly<{ topic: string; reason: string; letters: number }>
type Report = Readonly<{ letters: number; events: number | undefined; reasons: readonly Reason[] }>
/** What was told of one minute: a report that comes late tells the same minute again, with more. */
type Memory = { minutes: Map<bigint, number> }

const countOf = (value: Json | undefined): number | undefined =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
const textOf = (value: Json | undefined): string => (typeof value === 'string' ? value.slice(0, 100) : '')

function reportOf({ kind, eventName, params }: McpEvent): Report | undefined {
  if (kind !== 'pipeline' || eventName !== 'pipeline.dead_letters') return undefined
  const listed = member(params, 'reasons')
  const reasons = (Array.isArray(listed) ? listed : []).slice(0, REASONS_MAX).flatMap((one): Reason[] => {
    const letters = countOf(member(one, 'letters')) ?? 0
    return letters === 0 ? [] : [{ topic: textOf(member(one, 'topic')), reason: textOf(member(one, 'reason')), letters }]
  })
  const letters = countOf(member(params, 'letters')) ?? 0
  return letters === 0 ? undefined : { letters, events: countOf(member(params, 'events')), reasons }
}

const percent = (share: number): string => `${(share * 100).toFixed(share < 0.01 ? 2 : 1)} %`
const letter = (count: number): string => `${count} dead letter${count === 1 ? '' : 's'}`

const dead = (letters: Json, events: Json, more: object = {}) =>
  host('pipeline.dead_letters', {
    letters,
    ...(events === null ? {} : { events }),
    reasons: [{ topic: 'mcp.events', reason: 'RECORD_INVALID', letters }],
    ...more,
  })

export default defineDetector({
  id: 'dead-letters',
  title: 'Events that no stage could take',
  why: 'A dead letter is kept but was not judged: whoever can make events that break a stage can act behind them, and a broken source blinds every rule that needs it.',
  family: 'D20',
  severity: 'low',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1562.006'],
    atlas: ['AML.T0107'],
    cosai: ['MCP-T12', 'MCP-T3'],
    owaspMcp: ['MCP08'],
    owaspAsi: ['ASI10'],
    safeMcp: ['SAFE-T1902'],
  },
  needs: ['eventName', 'params'],
  blindSpots: [
    'Dead letters show when the store has them: while the store is away nobody counts them.',
    'Bodies refused before they were events (a sender gets 400) are counted at the receiver, not here.',
    'A rate over few events says little: it is judged from ten letters on.',
  ],
  playbook: [
    'See why: `lapwing dead show` opens them. {letters} in that minute, for {reasons}.',
    'All from one source point to that source’s last change; from one actor, to what it sent.',
    'When the cause is mended, `lapwing dead replay` gives them back to the pipeline, and the rules judge them then.',
  ],
  settings: z.object({
    perMinuteMax: z.int().min(1).default(100),
    shareMax: z.number().positive().max(1).default(0.001),
    /** Below this many letters a share is chance. */
    shareLettersMin: z.int().min(1).default(10),
  }),
  scope: 'actor',
  reads: ['pipeline'],
  keys: (subject) => (subject.kind === 'event' && reportOf(subject.event) ? [subject.event.tenant] : []),
  memory: { version: 1, keysMax: 1_000, ttlMs: 24 * 3_600_000, initial: (): Memory => ({ minutes: new Map() }) },

  *inspect({ subject, memories: [memory], settings }) {
    const report = subject.kind === 'event' ? reportOf(subject.event) : undefined
    if (!report || !memory || subject.kind !== 'event') return
    const { letters, events, reasons } = report
    const minute = subject.event.time / MINUTE
    if (letters <= (memory.minutes.get(minute) ?? 0)) return
    memory.minutes.set(minute, letters)
    if (memory.minutes.size > 60) memory.minutes.delete(memory.minutes.keys().next().value as bigint)
    // Letters are not among the stored events: the share is of all that should have been.
    const share = events === undefined ? 0 : letters / (letters + events)
    const evidence = {
      letters,
      ...(events === undefined ? {} : { events, share: percent(share) }),
      reasons: reasons.map((one) => `${one.topic} ${one.reason}: ${one.letters}`),
    }
    if (letters > settings.perMinuteMax || (share > settings.shareMax && letters >= settings.shareLettersMin)) {
      yield {
        finding: 'many',
        confidence: 0.9,
        severity: 'high',
        summary: `${letter(letters)} in one minute${share > 0 ? `, ${percent(share)} of what arrived` : ''}`,
        evidence,
      }
    }
    for (const { topic, reason, letters: own } of reasons) {
      yield { finding: `${topic} ${reason}`, confidence: 0.9, severity: 'low', summary: `${letter(own)} of ${topic}: ${reason}`, evidence }
    }
  },

  examples: [
    { name: 'a single one', story: story(dead(1, 100_000)), fires: [0] },
    { name: 'more than a hundred in a minute', story: story(dead(101, 10_000_000)), fires: [0, 0] },
    { name: 'a share above one in a thousand', story: story(dead(20, 10_000)), fires: [0, 0] },
    {
      name: 'two reasons',
      story: story(dead(3, null, { reasons: ['a', 'b'].map((reason) => ({ topic: 'mcp.spans', reason, letters: 1 })) })),
      fires: [0, 0],
    },
    { name: 'many, whatever the number of events', story: story(dead(500, null)), fires: [0, 0] },
    { name: 'few at first, many later', story: story(dead(2, 50_000), dead(200, 50_000, { t: 60 })), fires: [0, 1] },
    {
      name: 'a minute that is told again with more',
      story: story(dead(90, 5_000_000, { t: 0 }), dead(190, 5_000_000, { t: 1 })),
      fires: [0, 1],
    },
    { name: 'the same minute told twice', story: story(dead(0, 9_000), dead(0, 9_000)), fires: [] },
    { name: 'none', story: story(dead(0, 9_000)), fires: [] },
    { name: 'a number that is none', story: story(dead(-1, 5), dead('300', 5), dead(1.5, 5)), fires: [] },
    { name: 'without a count', story: story(host('pipeline.dead_letters', {})), fires: [] },
    { name: 'another word of the pipeline', story: story(host('pipeline.lag', { letters: 500, group: 'detect' })), fires: [] },
    { name: 'a host that says so', story: story(host('dead_letters', { letters: 500 })), fires: [] },
    { name: 'a tool for dead letters', story: story(calls('queue', 'dead_letters', { letters: 500 }, '500 dead letters')), fires: [] },
  ],
})
