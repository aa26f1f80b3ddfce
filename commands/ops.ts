/** /livez, /readyz and /metrics of a role that has no API: for orchestrators and scrapers. It holds no data and takes no body. */
import type { AddressInfo } from 'node:net'
import fastify, { type FastifyBaseLogger, LogController } from 'fastify'
import type { Logger } from 'pino'

export type OpsOptions = Readonly<{
  host: string
  port: number
  /** Why this role cannot work now; undefined: it can. */
  ready: () => Promise<string | undefined>
  /** Prometheus text. */
  metrics: () => string
  log: Logger
}>
export type Ops = AsyncDisposable & Readonly<{ url: string; port: number }>

const limits = { bodyLimit: 1_024, requestTimeout: 10_000, connectionTimeout: 0, keepAliveTimeout: 72_000 }
const headerBytesMax = 16 * 1024
const connectionsMax = 200
const readyMsMax = 2_000
const reasonCharsMax = 200

/** A check that hangs or throws is an answer too. */
async function reasonOf(ready: OpsOptions['ready']): Promise<string | undefined> {
  const { promise: late, resolve } = Promise.withResolvers<string>()
  const timer = setTimeout(() => resolve('no answer in time'), readyMsMax)
  try {
    return await Promise.race([ready(), late])
  } catch (error) {
    // The code alone: a message may hold an address or a path.
    return error instanceof Error && 'code' in error ? `failed: ${String(error.code)}` : 'failed'
  } finally {
    clearTimeout(timer)
  }
}

export async function openOps({ host, port, ready, metrics, log }: OpsOptions): Promise<Ops> {
  const app = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    http: { maxHeaderSize: headerBytesMax },
    forceCloseConnections: true,
    ...limits,
  })
  app.server.maxConnections = connectionsMax
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' })
  })
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ status: 'not found' }))
  app.setErrorHandler((error: { statusCode?: number }, _request, reply) => {
    const status = error.statusCode ?? 500
    if (status >= 500) log.error({ error }, 'ops request failed')
    return reply.code(status).send({ status: 'failed' })
  })
  app.get('/livez', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const reason = await reasonOf(ready)
    if (reason === undefined) return { status: 'ok' }
    return reply
      .code(503)
      .header('retry-after', '2')
      .send({ status: 'not ready', reason: reason.slice(0, reasonCharsMax) })
  })
  app.get('/metrics', async (_request, reply) => reply.type('text/plain; version=0.0.4; charset=utf-8').send(metrics()))
  await app.listen({ host, port })
  const { port: own } = app.server.address() as AddressInfo // safe: listening on TCP
  const name = host.includes(':') ? `[${host}]` : host
  return { url: `http://${name}:${own}`, port: own, [Symbol.asyncDispose]: () => app.close() }
}
