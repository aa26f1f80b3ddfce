/** What is owed to each output, what went dead and why, and the button that sends it again. */
import { z } from 'zod'
import { Severity } from '../../schemas/alert.ts'
import { rfc3339 } from '../../schemas/semconv.ts'
import { notFound } from '../problem.ts'
import type { App, Context } from './context.ts'

const count = z.number().int()
const Status = z
  .object({
    name: z.string(),
    severity: Severity.describe('the least severe alert that is sent'),
    pending: count,
    delivered: count,
    dead: count,
    attempts: count,
    failures: count,
    overflowed: count,
  })
  .meta({ id: 'OutputStatus' })
const Dead = z.object({ alert_id: z.string(), severity: Severity, reason: z.string(), attempts: count, at: z.string() })
const deadShown = 50

export function outputRoutes(app: App, { outbox }: Context): void {
  const ItemsOf = z.object({ items: z.array(Status.extend({ dead_letters: z.array(Dead) })) })
  app.get('/v1/outputs', { schema: { summary: 'Outputs and what is owed to them', response: { 200: ItemsOf } } }, async () => ({
    items: (outbox?.status() ?? []).map((status) => ({
      ...status,
      dead_letters: (outbox?.dead(status.name, deadShown) ?? []).map(({ alertId, at, ...rest }) => ({
        alert_id: alertId,
        ...rest,
        at: rfc3339(BigInt(at) * 1_000_000n),
      })),
    })),
  }))
  app.post(
    '/v1/outputs/:name/replay',
    {
      schema: {
        summary: 'Send the dead letters of an output again',
        params: z.object({ name: z.string().max(100) }),
        response: { 200: z.object({ replayed: count }) },
      },
    },
    async (request, reply) => {
      const replayed = outbox?.replay(request.params.name)
      return replayed === undefined ? notFound(reply, 'output') : { replayed }
    },
  )
}
