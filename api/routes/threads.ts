/** One thread as a timeline: its events in order, with the alerts and signals that touch each. */
import { z } from 'zod'
import { Severity } from '../../schemas/alert.ts'
import { limit, nanosecondsOf } from '../../schemas/query.ts'
import { ShownEvent, shownEvent } from '../event-row.ts'
import { notFound } from '../problem.ts'
import thread from '../queries/thread.ts'
import threadAlerts from '../queries/thread-alerts.ts'
import threadEvents from '../queries/thread-events.ts'
import threadSignals from '../queries/thread-signals.ts'
import { type App, type Context, page } from './context.ts'
import { Cursor, pageOf } from './cursor.ts'

const eventsMax = 1_000

const AlertOfThread = z.object({
  alert_id: z.string(),
  time: z.string(),
  detector: z.string(),
  severity: Severity,
  confidence: z.number(),
  title: z.string(),
  summary: z.string(),
})
const SignalOfThread = z.object({ detector: z.string(), signal: z.string(), family: z.string(), weight: z.number(), summary: z.string() })
const Moment = z.object({
  event: ShownEvent,
  link: z.object({ reason: z.string(), confidence: z.number() }),
  alerts: z.array(z.string()).describe('ids'),
  signals: z.array(SignalOfThread),
})
const Timeline = page(Moment)
  .extend({
    thread_id: z.string(),
    events: z.number(),
    first_seen: z.string(),
    last_seen: z.string(),
    alerts: z.array(AlertOfThread),
  })
  .meta({ id: 'Thread' })

function grouped<T>(pairs: Iterable<readonly [string, T]>): ReadonlyMap<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const [key, value] of pairs) groups.set(key, [...(groups.get(key) ?? []), value])
  return groups
}

export function threadRoutes(app: App, { tenancy }: Context): void {
  const schema = {
    summary: 'The timeline of a thread, oldest first',
    params: z.object({ id: z.string().max(300) }),
    querystring: z.object({ limit: limit(500, eventsMax), cursor: Cursor.optional() }),
    response: { 200: Timeline },
  }
  app.get('/v1/threads/:id', { schema }, async (request, reply) => {
    const ask = tenancy.ask(request)
    const thread_id = request.params.id
    const { cursor, limit: most } = request.query
    const after = { after_time: cursor?.time ?? '0', after_id: cursor?.id ?? '' }
    const [[known], rows, alerts, signals] = await Promise.all([
      ask(thread, { thread_id }),
      ask(threadEvents, { thread_id, ...after, limit: most + 1 }),
      ask(threadAlerts, { thread_id }),
      ask(threadSignals, { thread_id }),
    ])
    if (known === undefined || known.first_seen === null || known.last_seen === null) return notFound(reply, 'thread')
    const alertsOf = grouped(alerts.flatMap(({ alert_id, events }) => events.map((event) => [event, alert_id] as const)))
    const signalsOf = grouped(signals.map(({ event_id, time: _, ...signal }) => [event_id, signal] as const))
    const moments = pageOf(
      rows,
      most,
      ({ link_reason, link_confidence, ...event }) => ({
        event: shownEvent(event),
        link: { reason: link_reason, confidence: link_confidence },
        alerts: alertsOf.get(event['lapwing.event.id']) ?? [],
        signals: signalsOf.get(event['lapwing.event.id']) ?? [],
      }),
      (row) => ({ time: String(nanosecondsOf(row.time)), id: row['lapwing.event.id'] }),
    )
    const { events, first_seen, last_seen } = known
    return { thread_id, events, first_seen, last_seen, alerts: alerts.map(({ events: _, ...alert }) => alert), ...moments }
  })
}
