/** Alive, ready, and how the pipeline is: for orchestrators, Prometheus and people. */
import { z } from 'zod'
import { sendProblem } from '../problem.ts'
import type { App, Context } from './context.ts'

const pingMsMax = 2_000

export function healthRoutes(app: App, { store, health, metrics }: Context): void {
  const ok = { response: { 200: z.object({ status: z.literal('ok') }) } }
  app.get('/livez', { config: { access: 'open' }, schema: { summary: 'The process answers', ...ok } }, async () => ({
    status: 'ok' as const,
  }))
  app.get('/readyz', { config: { access: 'open' }, schema: { summary: 'The store answers', ...ok } }, async (_request, reply) => {
    const answered = await store.client
      .ping({ select: true, abort_signal: AbortSignal.timeout(pingMsMax) } as never)
      .catch(() => ({ success: false }))
    if (answered.success) return { status: 'ok' as const }
    reply.header('retry-after', '2')
    return sendProblem(reply, 503, { detail: 'the store does not answer' })
  })
  app.get(
    '/v1/health',
    { schema: { summary: 'Pipeline health: lag, counters', response: { 200: z.looseObject({}) } } },
    async () => health() as Record<string, unknown>,
  )
  app.get(
    '/metrics',
    { schema: { summary: 'Prometheus text', response: { 200: { content: { 'text/plain': { schema: z.string() } } } } } },
    async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').serializer(String).send(metrics()),
  )
}
