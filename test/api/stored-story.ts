/** A stored story: events at the same instants, hostile text, two definitions of one tool, alerts, a thread, another tenant. */
import { z } from 'zod'
import type { AlertHit, ThreadLink } from '../../schemas/codec.ts'
import { definitionHash } from '../../schemas/definition.ts'
import { type AnyDetector, defineDetector } from '../../schemas/detector.ts'
import type { openApi } from './open.ts'
import { sampleAlert, sampleEvent } from './sample.ts'

export const start = 1_767_225_600_000_000_000n
const second = 1_000_000_000n
/** Many at one instant: a page must be able to end between them. */
export const timeOf = (index: number) => start + BigInt(Math.floor(index / 5)) * second + 7n
export const hostile = '<img src=x onerror=alert(1)></script>\u202e\u0000\u2028\n\u001b[31m"\'`{{x}} ; DROP TABLE events --'
const tool = (description: string) => ({ name: 'read_file', description, inputSchema: { type: 'object' } })
export const before_ = tool('Reads a file.')
export const after_ = tool(`Reads a file. ${hostile}`)

export const detector = defineDetector({
  ...{ id: 'tool-definition-changed', title: 'Changed', why: 'because', family: 'D1', severity: 'high', state: 'stable', version: 1 },
  maps: { attack: [], atlas: [], cosai: [], owaspMcp: [], owaspAsi: [], safeMcp: [] },
  needs: ['body', 'toolName'],
  blindSpots: ['none'],
  playbook: ['Look at {tool} on {server}: {before} → {nothing} {constructor}'],
  settings: z.object({ most: z.int().default(3) }),
  scope: 'event',
  reads: ['response'],
  inspect: function* () {},
  examples: [{ name: 'x', story: [], fires: [] }],
} as never) as AnyDetector

export const events = Array.from({ length: 57 }, (_, index) =>
  sampleEvent({
    eventId: `event-${String(index).padStart(3, '0')}`,
    time: timeOf(index),
    arguments: { path: `/srv/file-${index}`, ['__proto__']: { polluted: true }, note: index === 3 ? hostile : 'plain' },
    secrets: ['github-token:0123456789abcdef'],
    ...(index % 2 === 0 ? { actor: 'bob@laptop' } : {}),
  }),
)
const lists = [before_, after_].map((definition, index) =>
  sampleEvent({
    eventId: `list-${index}`,
    time: start + BigInt(index) * 10n * second,
    kind: 'response',
    method: 'tools/list',
    toolName: undefined,
    body: { tools: [definition] },
  }),
)
const alerts = Array.from({ length: 23 }, (_, index) =>
  sampleAlert({
    alertId: `alert-${String(index).padStart(3, '0')}`,
    time: timeOf(index),
    severity: (['low', 'medium', 'high'] as const)[index % 3] ?? 'low',
    eventId: 'event-003',
    events: ['event-001', 'event-003'],
    threadId: 'thread-1',
    ...(index === 0
      ? {
          summary: hostile,
          evidence: {
            server: hostile,
            before: 'Reads a file.',
            beforeHash: definitionHash(before_),
            afterHash: definitionHash(after_),
            sourceEvent: 'event-002',
            sinkEvent: 'event-003',
          },
        }
      : {}),
  }),
)
const hit = (alertId: string, eventId: string): AlertHit => ({ alertId, eventId, tenant: 'default', time: start, severity: 'low' })
const link = (eventId: string, index: number): ThreadLink => ({
  eventId,
  threadId: 'thread-1',
  reason: 'session',
  confidence: 0.85,
  time: timeOf(index),
  tenant: 'default',
})
export const foreign = { tenant: 'other', actor: 'mallory' }

export async function feedStory(open: Pick<Awaited<ReturnType<typeof openApi>>, 'feed' | 'feedEvents'>): Promise<void> {
  await open.feedEvents(...events, ...lists, sampleEvent({ ...foreign, eventId: 'foreign', serverKey: 'srv_other' }))
  await open.feed(
    ...alerts.map((alert) => ({ type: 'alert', alert }) as const),
    { type: 'alert', alert: sampleAlert({ ...foreign, alertId: 'foreign', eventId: 'foreign', threadId: 'thread-1' }) },
    { type: 'hits', hits: [hit('alert-000', 'event-003'), hit('alert-000', 'event-004'), hit('alert-000', 'event-004')] },
    { type: 'links', links: events.slice(0, 20).map(({ eventId }, index) => link(eventId, index)) },
    {
      type: 'signals',
      signals: [
        {
          ...{
            signal: 'odd',
            detector: 'd',
            family: 'D4',
            weight: 0.5,
            summary: hostile,
            evidence: {},
            tenant: 'default',
            time: timeOf(3),
          },
          ...{ eventId: 'event-003', events: [], actor: 'ana@laptop', serverKey: 'srv_1', threadId: 'thread-1' },
        },
      ],
    },
  )
}
