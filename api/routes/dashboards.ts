/** The screens, as data: each panel names the query that fills it. */
import { z } from 'zod'
import { notFound } from '../problem.ts'
import type { App, Context } from './context.ts'

const Dashboard = z
  .looseObject({ id: z.string(), title: z.string(), panels: z.array(z.looseObject({ id: z.string() })) })
  .meta({ id: 'Dashboard' })

export function dashboardRoutes(app: App, { dashboards }: Context): void {
  const known = new Map(dashboards.map((dashboard) => [dashboard.id, Dashboard.parse(dashboard)]))
  const items = dashboards.map(({ id, title }) => ({ id, title }))
  app.get(
    '/v1/dashboards',
    {
      schema: {
        summary: 'All dashboards',
        response: { 200: z.object({ items: z.array(z.object({ id: z.string(), title: z.string() })) }) },
      },
    },
    async () => ({ items }),
  )
  app.get(
    '/v1/dashboards/:name',
    { schema: { summary: 'One dashboard', params: z.object({ name: z.string().max(100) }), response: { 200: Dashboard } } },
    async (request, reply) => known.get(request.params.name) ?? notFound(reply, 'dashboard'),
  )
}
