/** The inventory: servers, the tools they offer and ever offered, and who told us. */
import { z } from 'zod'
import { limit } from '../../schemas/query.ts'
import { notFound } from '../problem.ts'
import serverTools from '../queries/server-tools.ts'
import servers from '../queries/servers.ts'
import sources from '../queries/sources.ts'
import { type App, type Context, page } from './context.ts'
import { Cursor, pageOf } from './cursor.ts'

const serversMax = 1_000

const Server = servers.row.meta({ id: 'Server' })
const Version = z.object({
  definition_hash: z.string(),
  definition: z.unknown(),
  first_seen: z.string(),
  last_seen: z.string(),
  server_version: z.string(),
  event_id: z.string(),
})
const Tool = z
  .object({
    tool: z.string(),
    versions: z.number(),
    first_seen: z.string(),
    last_seen: z.string(),
    current: Version.describe('the one offered last'),
    history: z.array(Version).describe('oldest first'),
  })
  .meta({ id: 'Tool' })

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

function toolsOf(rows: readonly z.output<typeof serverTools.row>[]): z.infer<typeof Tool>[] {
  return [...Map.groupBy(rows, ({ tool }) => tool)].flatMap(([tool, versions]) => {
    const history = versions.map(({ tool: _, ...version }) => ({ ...version, definition: parsed(version.definition) }))
    const current = history.toSorted((a, b) => (a.last_seen < b.last_seen ? -1 : a.last_seen > b.last_seen ? 1 : 0)).at(-1)
    const first = history[0]
    if (current === undefined || first === undefined) return []
    return [{ tool, versions: history.length, first_seen: first.first_seen, last_seen: current.last_seen, current, history }]
  })
}

export function serverRoutes(app: App, { tenancy }: Context): void {
  const querystring = z.object({ limit: limit(100, serversMax), cursor: Cursor.optional() })
  app.get('/v1/servers', { schema: { summary: 'Servers', querystring, response: { 200: page(Server) } } }, async (request) => {
    const { cursor, limit: most } = request.query
    const rows = await tenancy.ask(request)(servers, { server: '', after: cursor?.id ?? '', limit: most + 1 })
    return pageOf(
      rows,
      most,
      (row) => row,
      ({ server_id }) => ({ time: '0', id: server_id }),
    )
  })
  app.get(
    '/v1/servers/:key/tools',
    {
      schema: {
        summary: 'The tools of a server, with every definition they ever had',
        params: z.object({ key: z.string().max(300) }),
        response: { 200: z.object({ items: z.array(Tool) }) },
      },
    },
    async (request, reply) => {
      const ask = tenancy.ask(request)
      const server = request.params.key
      const rows = await ask(serverTools, { server, limit: 5_000 })
      if (rows.length === 0 && (await ask(servers, { server, after: '', limit: 1 })).length === 0) return notFound(reply, 'server')
      return { items: toolsOf(rows) }
    },
  )
  const Source = sources.row.meta({ id: 'Source' })
  const schema = { summary: 'Who sends events, and how much they let us see', response: { 200: z.object({ items: z.array(Source) }) } }
  app.get('/v1/sources', { schema }, async (request) => ({ items: await tenancy.ask(request)(sources, {}) }))
}
