/** Builds the API: limits, guard, errors, OpenAPI and routes. Listening is for whoever asked for it. */
import cookie from '@fastify/cookie'
import files from '@fastify/static'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { jsonSchemaTransform, serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Logger } from 'pino'
import type { Config } from '../schemas/config.ts'
import { createAuth } from './auth.ts'
import { docsPolicy, guard, securityHeaders } from './guard.ts'
import { transformObject } from './openapi.ts'
import { answerProblems, sendProblem } from './problem.ts'
import { loadQueries } from './queries/catalog.ts'
import { alertRoutes } from './routes/alerts.ts'
import type { App, Context } from './routes/context.ts'
import { dashboardRoutes } from './routes/dashboards.ts'
import { deadLetterRoutes } from './routes/dead-letters.ts'
import { detectorRoutes } from './routes/detectors.ts'
import { eventRoutes } from './routes/events.ts'
import { healthRoutes } from './routes/health.ts'
import { outputRoutes } from './routes/outputs.ts'
import { queryRoutes } from './routes/queries.ts'
import { serverRoutes } from './routes/servers.ts'
import { sessionRoutes } from './routes/session.ts'
import { threadRoutes } from './routes/threads.ts'
import { createTenancy } from './tenant.ts'

export type ApiOptions = Omit<Context, 'tenancy' | 'auth' | 'queries'> &
  Readonly<{
    config: Readonly<{ api: Pick<Config['api'], 'allowedHosts'>; store: Pick<Config['store'], 'querySecondsMax'> }>
    token: string
    version: string
    log: Logger
    /** The built page, served at /; without it there is only the API. */
    pageDir?: string | undefined
  }>
export type Api = Awaited<ReturnType<typeof createApi>>

const limits = {
  bodyLimit: 64 * 1024,
  requestTimeout: 30_000,
  connectionTimeout: 0,
  keepAliveTimeout: 72_000,
  routerOptions: { maxParamLength: 300 },
}
const headerBytesMax = 16 * 1024

const allRoutes = [
  sessionRoutes,
  healthRoutes,
  alertRoutes,
  eventRoutes,
  threadRoutes,
  serverRoutes,
  detectorRoutes,
  queryRoutes,
  dashboardRoutes,
  outputRoutes,
  deadLetterRoutes,
]

async function describe(app: App, version: string): Promise<void> {
  const license = { name: 'Apache-2.0', identifier: 'Apache-2.0' }
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Lapwing', description: 'Alerts, events and health of MCP traffic.', version, license },
      servers: [{ url: '/' }],
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
    transformObject,
  })
  await app.register(swaggerUi, { routePrefix: '/docs', staticCSP: docsPolicy })
}

/** The built page: files without data, so that a browser can show where to enter the token. */
function page(scope: FastifyInstance, { pageDir }: { pageDir: string }, done: () => void): void {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, access: 'page' }
  })
  void scope.register(files, { root: pageDir, wildcard: false, cacheControl: false }) // awaited by ready()
  done()
}

export async function createApi(options: ApiOptions) {
  const { log, config, token, version, pageDir, ...handed } = options
  const app: App = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, _request, reply) => void sendProblem(reply.headers(securityHeaders), error.statusCode ?? 400),
    http: { maxHeaderSize: headerBytesMax },
    ...limits,
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  const auth = createAuth(token)
  answerProblems(app as never)
  await app.register(cookie)
  guard(app as never, auth, config.api.allowedHosts)
  await describe(app, version)
  const tenancy = createTenancy(handed.store, config.store.querySecondsMax)
  const context: Context = { ...handed, auth, tenancy, queries: await loadQueries() }
  for (const add of allRoutes) add(app, context)
  if (pageDir !== undefined) await app.register(page, { pageDir })
  await app.ready()
  return app
}
