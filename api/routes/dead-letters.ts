/**
 * Dead letters: listed, given out sealed, and put back. Plaintext never leaves this process: `show` opens the sealed bytes with
 * the key where it lies, and replay goes through here because the log and the key belong to the process that serves.
 */
import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import { Fault } from '../../schemas/errors.ts'
import { limit, nanosecondsOf } from '../../schemas/query.ts'
import { deadLetter, deadLetters, placeOf } from '../dead-letters.ts'
import { notFound, sendProblem } from '../problem.ts'
import type { Ask } from '../tenant.ts'
import { type App, type Context, type Desk, page } from './context.ts'
import { beforeOf, Cursor, pageOf } from './cursor.ts'

const lettersMax = 1_000
const replayMax = 100
const Id = z.string().min(1).max(300)

const Letter = z
  .object({
    id: z.string(),
    topic: z.string(),
    partition: z.number().int(),
    offset: z.string(),
    reason: z.string(),
    detail: z.string(),
    at: z.string(),
    size: z.number().int().describe('bytes of the record with its key and headers'),
  })
  .meta({ id: 'DeadLetter' })
const Sealed = Letter.omit({ size: true }).extend({ sealed: z.string() }).meta({ id: 'SealedDeadLetter' })
const Replayed = z
  .object({
    id: z.string(),
    outcome: z.enum(['replayed', 'would_replay', 'not_found', 'refused', 'later']),
    detail: z.string().optional(),
    bytes: z.number().int().optional(),
  })
  .meta({ id: 'ReplayedDeadLetter' })
type Replayed = z.infer<typeof Replayed>

const named = <T extends { position: string }>({ position, ...row }: T) => ({ ...row, offset: position })

/** The session of a browser is a hunter's: letters are for whoever shows the token itself. */
const isOperator = (request: FastifyRequest): boolean => request.headers.authorization !== undefined

async function replayOne(ask: Ask, desk: Desk, id: string, dryRun: boolean): Promise<Replayed> {
  const place = placeOf(id)
  const [letter] = place ? await ask(deadLetter, place) : []
  if (!letter) return { id, outcome: 'not_found' }
  try {
    return { id, outcome: dryRun ? 'would_replay' : 'replayed', ...(await desk.replay(letter, dryRun)) }
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    return { id, outcome: error.retry ? 'later' : 'refused', detail: error.message }
  }
}

/** As they came: of one partition the earlier record goes back first. */
function inOrder(ids: readonly string[]): string[] {
  const key = (id: string): bigint => BigInt(placeOf(id)?.offset ?? 0)
  return [...new Set(ids)].sort((a, b) => (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
}

export function deadLetterRoutes(app: App, { tenancy, desk }: Context): void {
  const { topic, reason, since, until } = deadLetters.params.shape
  const querystring = z.object({ topic, reason, since, until, limit: limit(100, lettersMax), cursor: Cursor.optional() })
  app.get('/v1/dead-letters', { schema: { summary: 'Dead letters', querystring, response: { 200: page(Letter) } } }, async (request) => {
    const { cursor, limit: most, ...filters } = request.query
    const rows = await tenancy.ask(request)(deadLetters, { ...filters, ...beforeOf(cursor), limit: most + 1 })
    return pageOf(rows, most, named, ({ at, id }) => ({ time: String(nanosecondsOf(at)), id }))
  })

  const single = { summary: 'A dead letter with its sealed original', params: z.object({ id: Id }), response: { 200: Sealed } }
  app.get('/v1/dead-letters/:id', { schema: single }, async (request, reply) => {
    if (!isOperator(request)) return sendProblem(reply, 403, { detail: 'needs the API token itself' })
    const place = placeOf(request.params.id)
    const [letter] = place ? await tenancy.ask(request)(deadLetter, place) : []
    return letter ? named(letter) : notFound(reply, 'dead letter')
  })

  const again = {
    summary: 'Put dead letters back on their topics',
    description: 'Their bytes are the same, so nothing is stored twice. `later`: the bus is full, ask again.',
    body: z.object({ ids: z.array(Id).min(1).max(replayMax), dry_run: z.boolean().default(false) }),
    response: { 200: z.object({ items: z.array(Replayed) }) },
  }
  app.post('/v1/dead-letters/replay', { schema: again }, async (request, reply) => {
    if (!isOperator(request)) return sendProblem(reply, 403, { detail: 'needs the API token itself' })
    if (!desk) return sendProblem(reply, 501, { detail: 'this process has no bus' })
    const { ids, dry_run: dryRun } = request.body
    const ask = tenancy.ask(request)
    const items: Replayed[] = []
    for (const id of inOrder(ids)) items.push(await replayOne(ask, desk, id, dryRun))
    if (!dryRun) request.log.warn({ letters: items.filter(({ outcome }) => outcome === 'replayed').length }, 'dead letters put back')
    return { items }
  })
}
