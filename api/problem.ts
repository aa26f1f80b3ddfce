/** What a caller is told when something is wrong: RFC 9457, and never what happened inside. */
import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { Fault } from '../schemas/errors.ts'

export const Problem = z
  .object({
    type: z.literal('about:blank'),
    title: z.string(),
    status: z.number().int(),
    detail: z.string().optional(),
    errors: z.array(z.object({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .meta({ id: 'Problem' })
type Problem = z.infer<typeof Problem>
type Extra = Pick<Problem, 'detail' | 'errors'>

export function sendProblem(reply: FastifyReply, status: number, extra: Extra = {}) {
  const problem: Problem = { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, ...extra }
  if (status === 401) reply.header('www-authenticate', 'Bearer realm="lapwing"')
  // Already text: a route's schema speaks of its answers, not of its failures.
  return reply.code(status).type('application/problem+json').serializer(String).send(JSON.stringify(problem))
}

export const notFound = (reply: FastifyReply, what: string) => sendProblem(reply, 404, { detail: `no such ${what}` })

function answer(error: FastifyError | Fault, request: FastifyRequest, reply: FastifyReply) {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const errors = error.validation.slice(0, 20).map(({ instancePath, message }) => ({ pointer: instancePath, detail: String(message) }))
    return sendProblem(reply, 400, { detail: `${error.validationContext ?? 'request'} is not valid`, errors })
  }
  if (error instanceof Fault && error.retry) {
    request.log.warn({ code: error.code, error }, 'not available')
    reply.header('retry-after', '2')
    return sendProblem(reply, 503, { detail: 'the store is not available; try again' })
  }
  const status = error instanceof Fault ? 500 : (error.statusCode ?? 500)
  // Below 500 the message is the framework's own, about the request: body too large, unknown media type.
  if (status >= 400 && status < 500) return sendProblem(reply, status, { detail: error.message.slice(0, 200) })
  request.log.error({ error }, 'request failed')
  return sendProblem(reply, 500)
}

export function answerProblems(app: FastifyInstance): void {
  app.setErrorHandler<FastifyError>((error, request, reply) => answer(error, request, reply))
  app.setNotFoundHandler((_request, reply) => notFound(reply, 'page'))
}
