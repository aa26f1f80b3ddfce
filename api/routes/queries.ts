/** Every named query, checked both ways: parameters before the SQL runs, rows before they leave. */
import { z } from 'zod'
import type { AnyQuery } from '../../schemas/query.ts'
import { notFound, sendProblem } from '../problem.ts'
import type { App, Context } from './context.ts'

const schemaOf = (schema: AnyQuery['params']): unknown => {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
  return rest
}

const Params = z.object({ name: z.string().max(100) })
const Values = z.record(z.string().max(100), z.union([z.string(), z.array(z.string()).max(20)]))
const Listed = z.object({ name: z.string(), about: z.string(), params: z.unknown() })

export function queryRoutes(app: App, { queries, tenancy }: Context): void {
  const items = [...queries.values()].map(({ name, about, params }) => ({ name, about, params: schemaOf(params) }))
  app.get(
    '/v1/queries',
    { schema: { summary: 'All named queries', response: { 200: z.object({ items: z.array(Listed) }) } } },
    async () => ({ items }),
  )
  app.get(
    '/v1/queries/:name',
    {
      schema: {
        summary: 'The answer to a named query',
        description: 'Parameters as the query lists them at /v1/queries.',
        params: Params,
        querystring: Values,
        response: { 200: z.object({ items: z.array(z.looseObject({})) }) },
      },
    },
    async (request, reply) => {
      const query = queries.get(request.params.name)
      if (query === undefined) return notFound(reply, 'query')
      const params = query.params.strict().safeParse(request.query)
      if (!params.success) {
        const errors = params.error.issues.slice(0, 20).map(({ path, message }) => ({ pointer: `/${path.join('/')}`, detail: message }))
        return sendProblem(reply, 400, { detail: 'querystring is not valid', errors })
      }
      return { items: await tenancy.ask(request)(query, params.data) }
    },
  )
}
