/** Alerts: list, read with everything that explains them, acknowledge. */
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { Severity } from '../../schemas/alert.ts'
import type { AnyDetector } from '../../schemas/detector.ts'
import { hashId } from '../../schemas/ids.ts'
import { filter, filters, limit, nanosecondsOf, since, until } from '../../schemas/query.ts'
import { type AlertRow, ShownAlert, shownAlert } from '../alert-row.ts'
import { ShownEvent, shownEvent } from '../event-row.ts'
import { notFound } from '../problem.ts'
import oneAlert from '../queries/alert.ts'
import alertHistory from '../queries/alert-history.ts'
import listAlerts from '../queries/alerts.ts'
import definitionsByHash from '../queries/definitions-by-hash.ts'
import eventsById from '../queries/events-by-id.ts'
import type { Ask } from '../tenant.ts'
import { type App, type Context, page } from './context.ts'
import { beforeOf, Cursor, pageOf } from './cursor.ts'
import { fillPlaybook } from './playbook.ts'

const alertsMax = 1_000
const eventsShownMax = 200

const Filters = z.object({
  severity: filters.pipe(z.array(Severity)).describe('exactly these, comma-separated'),
  detector: filters.describe('detector ids, comma-separated'),
  server: filter.describe('key or alias'),
  actor: filter,
  status: z.enum(['', 'new', 'acknowledged']).default(''),
  since,
  until,
  limit: limit(100, alertsMax),
  cursor: Cursor.optional(),
})
const Id = z.object({ id: z.string().max(100) })
const Definition = z.looseObject({ definition_hash: z.string(), first_seen: z.string(), definition: z.unknown() })
const Act = z.object({ time: z.string(), who: z.string(), what: z.string(), comment: z.string().optional() })
const WholeAlert = ShownAlert.extend({
  event_list: z.array(ShownEvent).describe('the events it is made of, oldest first'),
  history: z.array(Act),
  playbook: z.array(z.string()),
  definition_diff: z.object({ before: Definition.nullable(), after: Definition.nullable() }).optional(),
  taint_path: z.array(ShownEvent.extend({ role: z.enum(['source', 'sink']) })).optional(),
}).meta({ id: 'WholeAlert' })

const namesOf = (row: AlertRow): Record<string, string> => ({
  server: row.server_alias || row.server_key,
  tool: row.tool_name,
  actor: row.actor,
  thread: row.thread_id,
  detector: row.detector,
})

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Before and after, where the evidence names two definitions by their hashes. */
async function definitionDiff(ask: Ask, { evidence, server_key }: AlertRow) {
  const [before, after] = [evidence.beforeHash, evidence.afterHash].map((hash) => (typeof hash === 'string' ? hash : undefined))
  if (before === undefined && after === undefined) return undefined
  const found = await ask(definitionsByHash, { hashes: [before, after].filter((hash) => hash !== undefined) })
  const named = (hash: string | undefined) => {
    const rows = found.filter(({ definition_hash }) => definition_hash === hash)
    const row = rows.find((candidate) => candidate.server_key === server_key) ?? rows[0]
    return row === undefined ? null : { ...row, definition: parsed(row.definition) }
  }
  const diff = { before: named(before), after: named(after) }
  return diff.before === null && diff.after === null ? undefined : diff
}

const eventIdsIn = ({ evidence }: AlertRow, name: string): string[] => {
  const value = evidence[name]
  return typeof value === 'string' ? [value] : Array.isArray(value) ? value : []
}

async function whole(ask: Ask, detectors: ReadonlyMap<string, AnyDetector>, row: AlertRow): Promise<z.infer<typeof WholeAlert>> {
  const [sources, sinks] = [eventIdsIn(row, 'sourceEvent'), eventIdsIn(row, 'sinkEvent')]
  const ids = [...new Set([...row.events.slice(-eventsShownMax), row.event_id, ...sources, ...sinks])]
  const [events, history, diff] = await Promise.all([
    ask(eventsById, { ids }),
    ask(alertHistory, { alert_id: row.alert_id }),
    definitionDiff(ask, row),
  ])
  const own = new Set([...row.events, row.event_id])
  const roleOf = (id: string) => (sources.includes(id) ? ('source' as const) : sinks.includes(id) ? ('sink' as const) : undefined)
  const path = events.flatMap((event) => {
    const role = roleOf(event['lapwing.event.id'])
    return role === undefined ? [] : [{ ...shownEvent(event), role }]
  })
  return {
    ...shownAlert(row),
    event_list: events.filter((event) => own.has(event['lapwing.event.id'])).map(shownEvent),
    history: history.map(({ detail, ...act }) => ({ ...act, ...(detail.comment ? { comment: detail.comment } : {}) })),
    playbook: fillPlaybook(detectors.get(row.detector)?.playbook ?? [], row.evidence, namesOf(row)),
    ...(diff === undefined ? {} : { definition_diff: diff }),
    ...(path.length === 0 ? {} : { taint_path: path }),
  }
}

function listRoute(app: App, { tenancy }: Context): void {
  const schema = { summary: 'Alerts, newest first', querystring: Filters, response: { 200: page(ShownAlert) } }
  app.get('/v1/alerts', { schema }, async (request) => {
    const { cursor, limit: most, ...rest } = request.query
    const rows = await tenancy.ask(request)(listAlerts, { ...rest, ...beforeOf(cursor), limit: most + 1 })
    return pageOf(rows, most, shownAlert, ({ time, alert_id }) => ({ time: String(nanosecondsOf(time)), id: alert_id }))
  })
}

function acknowledgeRoute(app: App, { tenancy }: Context): void {
  const Body = z.object({ by: z.string().min(1).max(200).optional(), comment: z.string().max(4_000).optional() }).nullish()
  const read = async (request: FastifyRequest, id: string) => (await tenancy.ask(request)(oneAlert, { alert_id: id }))[0]
  app.post(
    '/v1/alerts/:id/acknowledge',
    { schema: { summary: 'Acknowledge; again changes nothing', params: Id, body: Body, response: { 200: ShownAlert } } },
    async (request, reply) => {
      const { id } = request.params
      const row = await read(request, id)
      if (row === undefined) return notFound(reply, 'alert')
      const alert = shownAlert(row)
      if (alert.status === 'acknowledged') return alert
      const { by = request.identity?.by ?? 'unknown', comment = '' } = request.body ?? {}
      // Two at the same moment make two rows: the history shows both, the first counts.
      const time = new Date().toISOString()
      const act = { alert_id: id, id: hashId('acknowledged', id, by, time), time, who: by, what: 'acknowledged' }
      await tenancy.record(request, { ...act, detail: JSON.stringify({ comment }) })
      const after = await read(request, id)
      return after === undefined ? notFound(reply, 'alert') : shownAlert(after)
    },
  )
}

export function alertRoutes(app: App, context: Context): void {
  const detectors = new Map(context.detectors.map((detector) => [detector.id, detector]))
  listRoute(app, context)
  acknowledgeRoute(app, context)
  app.get(
    '/v1/alerts/:id',
    { schema: { summary: 'One alert, with everything that explains it', params: Id, response: { 200: WholeAlert } } },
    async (request, reply) => {
      const ask = context.tenancy.ask(request)
      const [row] = await ask(oneAlert, { alert_id: request.params.id })
      return row === undefined ? notFound(reply, 'alert') : whole(ask, detectors, row)
    },
  )
}
