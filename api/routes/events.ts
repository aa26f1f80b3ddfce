/** Events: what was seen, under the names of schemas/semconv.ts. */
import { z } from 'zod'
import { filter, filters, limit, nanosecondsOf, since, until } from '../../schemas/query.ts'
import { ShownEvent, shownEvent } from '../event-row.ts'
import { notFound } from '../problem.ts'
import listEvents from '../queries/events.ts'
import eventsById from '../queries/events-by-id.ts'
import { type App, type Context, page } from './context.ts'
import { beforeOf, Cursor, pageOf } from './cursor.ts'

const eventsMax = 1_000
const wordsMax = 8

const Filters = z.object({
  kind: filters.describe('event kinds, comma-separated'),
  method: filter,
  tool: filter,
  server: filter.describe('key or alias'),
  actor: filter,
  call: filter.describe('call id: the observations of one call'),
  thread: filter,
  q: filter.describe(
    'words, or phrases in double quotes; each must occur in names, arguments, results or errors, as part of a word too, in any case',
  ),
  since,
  until,
  limit: limit(100, eventsMax),
  cursor: Cursor.optional(),
})

/**
 * What is asked for. Payloads are stored as JSON, where quotes and backslashes stand escaped: they part words,
 * and a phrase is looked for in its escaped form.
 */
function wordsOf(text: string): string[] {
  const words = [...text.matchAll(/"([^"]*)"|[^\s"\\]+/g)].map(([word, phrase]) =>
    phrase === undefined ? word : JSON.stringify(phrase.trim()).slice(1, -1),
  )
  return words.filter((word) => word !== '').slice(0, wordsMax)
}

export function eventRoutes(app: App, { tenancy }: Context): void {
  const schema = { summary: 'Events, newest first', querystring: Filters, response: { 200: page(ShownEvent) } }
  app.get('/v1/events', { schema }, async (request) => {
    const { cursor, limit: most, q, ...rest } = request.query
    const rows = await tenancy.ask(request)(listEvents, { ...rest, ...beforeOf(cursor), words: wordsOf(q), limit: most + 1 })
    return pageOf(rows, most, shownEvent, (row) => ({ time: String(nanosecondsOf(row.time)), id: row['lapwing.event.id'] }))
  })
  app.get(
    '/v1/events/:id',
    { schema: { summary: 'One event', params: z.object({ id: z.string().max(100) }), response: { 200: ShownEvent } } },
    async (request, reply) => {
      const [row] = await tenancy.ask(request)(eventsById, { ids: [request.params.id] })
      return row === undefined ? notFound(reply, 'event') : shownEvent(row)
    },
  )
}
