/** The page exchanges the token for a cookie that scripts cannot read. */
import { z } from 'zod'
import { sessionCookie, sessionMsMax } from '../auth.ts'
import { sendProblem } from '../problem.ts'
import type { App, Context } from './context.ts'

export function sessionRoutes(app: App, { auth }: Context): void {
  app.post(
    '/v1/session',
    {
      config: { access: 'open' },
      bodyLimit: 4_096,
      schema: {
        summary: 'Exchange the token for a cookie',
        body: z.object({ token: z.string().max(512) }),
        response: { 204: z.undefined() },
      },
    },
    async (request, reply) => {
      const id = auth.startSession(request.body.token)
      if (id === undefined) return sendProblem(reply, 401)
      const maxAge = sessionMsMax / 1_000
      reply.setCookie(sessionCookie, id, { path: '/', httpOnly: true, sameSite: 'strict', secure: request.protocol === 'https', maxAge })
      return reply.code(204).send()
    },
  )
  app.delete('/v1/session', { schema: { summary: 'End the session', response: { 204: z.undefined() } } }, async (request, reply) => {
    const id = request.cookies[sessionCookie]
    if (id !== undefined) auth.endSession(id)
    reply.clearCookie(sessionCookie, { path: '/' })
    return reply.code(204).send()
  })
}
