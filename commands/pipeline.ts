/** The embedded pipeline: opens log, store and keys, then detectors, writer, outputs, API and collectors; closes in reverse. */
import { mkdir } from 'node:fs/promises'
import { hostname, userInfo } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import { openToken } from '../api/auth.ts'
import { openOutbox } from '../api/outputs/outbox.ts'
import { openWebhook } from '../api/outputs/webhook.ts'
import { createApi } from '../api/server.ts'
import { openStore } from '../api/store/connect.ts'
import { migrate } from '../api/store/migrate.ts'
import { createWriter } from '../api/store/writer.ts'
import { openLog } from '../collectors/bus/log.ts'
import { createJoiner, runJoiner } from '../collectors/joiner.ts'
import { type Keys, openKeys } from '../collectors/keys.ts'
import { createOtlpGrpc } from '../collectors/otlp/grpc.ts'
import { createOtlpHttp } from '../collectors/otlp/http.ts'
import { createIntake, type Intake } from '../collectors/otlp/intake.ts'
import { createRedactor } from '../collectors/redact/redactor.ts'
import { dashboards } from '../dashboards/catalog.ts'
import { loadCatalog } from '../detectors/catalog.ts'
import { openCheckpoints } from '../detectors/checkpoint.ts'
import { prepareDetectors, type Verdicts } from '../detectors/engine.ts'
import { runWorker } from '../detectors/worker.ts'
import type { Config } from '../schemas/config.ts'
import { Fault } from '../schemas/errors.ts'
import type { McpEvent } from '../schemas/event.ts'
import { hashId } from '../schemas/ids.ts'
import { createPipelineHealth } from './pipeline-health.ts'

export type Pipeline = AsyncDisposable &
  Readonly<{
    api: string
    otlpHttp: string
    otlpGrpcPort: number
    token: string
    failedDetectors: readonly { id: string; reason: string }[]
    /** Resolves when everything accepted so far is detected and stored. */
    settled: () => Promise<void>
    health: () => unknown
  }>
export type PipelineOptions = Readonly<{
  config: Config
  version: string
  log: Logger
  onVerdicts?: (verdicts: Verdicts) => void
  /** The log can take nothing more: whoever runs the pipeline should end it and start it anew. */
  onFatal?: (error: unknown) => void
}>

const settlePollMs = 25

/** A container may run as a user that has no name. */
function osUser(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}@${hostname()}`
  }
}

export async function openPipeline({ config, version, log, onVerdicts, onFatal }: PipelineOptions): Promise<Pipeline> {
  const { dataDir } = config
  await mkdir(dataDir, { recursive: true, mode: 0o700 })
  await using opening = new AsyncDisposableStack()
  const keys = openKeys(dataDir)
  const busFault = (error: unknown) => {
    log.warn({ error }, 'bus fault')
    if (error instanceof Fault && error.code === 'BUS_IO') onFatal?.(error)
  }
  const bus = opening.use(await openLog({ dir: join(dataDir, 'log'), ...config.log, seal: keys.seal, onFault: busFault }))
  const store = opening.use(
    await openStore({ kind: 'embedded', dir: join(dataDir, 'store'), querySecondsMax: config.store.querySecondsMax }),
  )
  await migrate(store, { retentionDays: config.store.retentionDays })
  const catalog = await loadCatalog()
  for (const failed of catalog.failed) log.error(failed, 'detector did not load')

  const writer = await createWriter({ bus, store, batchRowsMax: config.store.batchRowsMax, tickMs: config.store.tickMs })
  opening.defer(() => writer.stop())
  const outbox = opening.use(await openOutbox({ dataDir, bus, log, outputs: outputsOf(config) }))
  const revision = hashId(
    version,
    bus.id ?? '',
    ...catalog.detectors.map(({ id, version: own, memory }) => `${id} ${own} ${memory?.version ?? 0}`),
  )
  const worker = await runWorker({
    bus,
    prepared: prepareDetectors(catalog.detectors, new Map(Object.entries(config.detectors))),
    checkpoints: openCheckpoints(join(dataDir, 'checkpoints'), revision),
    onError: (detector, error) => log.error({ detector, error }, 'detector failed'),
    ...(onVerdicts ? { onVerdicts } : {}),
  })
  opening.defer(() => worker.stop())
  const joining = await runJoiner(bus, createJoiner())
  opening.defer(() => joining.stop())

  const intake = createIntake({
    bus,
    protect: protector(config, keys.keyedHash),
    keyedHash: keys.keyedHash,
    osUser: osUser(),
    elementsMax: config.otlp.elementsMax,
  })
  const groups = { joiner: joining, detect: worker, store: writer, outputs: outbox.running }
  const command = [process.execPath, fileURLToPath(new URL('../main.ts', import.meta.url))]
  const health = createPipelineHealth({ groups, intake, worker, writer, outbox, store, bus, failedDetectors: catalog.failed, command })
  const token = config.api.token ?? openToken(dataDir)
  const pageDir = fileURLToPath(new URL('../dashboards/dist/', import.meta.url))
  const api = await createApi({
    store,
    outbox,
    config,
    token,
    version,
    log,
    detectors: catalog.detectors,
    dashboards,
    pageDir,
    health: health.report,
    metrics: health.metrics,
  })
  opening.defer(() => api.close())
  const apiUrl = await bound('api.port', config.api, () => api.listen({ host: config.api.host, port: config.api.port }))

  const { http, grpc } = await openReceivers(opening, config, intake, keys, log)
  health.receivers(http, grpc)
  const opened = opening.move()
  return {
    api: apiUrl,
    otlpHttp: http.url,
    otlpGrpcPort: grpc.port,
    token,
    failedDetectors: catalog.failed,
    settled: () => settled(groups),
    health: health.report,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

async function openReceivers(opening: AsyncDisposableStack, config: Config, intake: Intake, { tenantKey }: Keys, log: Logger) {
  const receiver = { ...config.otlp, limits: config.otlp, intake, onFault: (error: unknown) => log.warn({ error }, 'intake fault') }
  const grpc = opening.use(
    await bound('otlp.grpcPort', { ...config.otlp, port: config.otlp.grpcPort }, (port) => createOtlpGrpc({ ...receiver, port })),
  )
  const http = opening.use(
    await bound('otlp.httpPort', { ...config.otlp, port: config.otlp.httpPort }, (port) =>
      createOtlpHttp({ ...receiver, port, tenantKey }),
    ),
  )
  return { http, grpc }
}

/** A port that is taken is the operator's to change: the message names the setting. */
async function bound<T>(setting: string, { host, port }: { host: string; port: number }, listen: (port: number) => Promise<T>): Promise<T> {
  try {
    return await listen(port)
  } catch (error) {
    const inner = error instanceof Fault && error.cause !== undefined ? error.cause : error
    const text = inner instanceof Error ? inner.message : String(inner)
    const code = (inner as { code?: unknown }).code
    const network = code === 'EADDRINUSE' || code === 'EACCES' || code === 'EADDRNOTAVAIL' || /EADDRINUSE|No address added/.test(text)
    if (!network) throw error
    const why = code === 'EACCES' ? 'not allowed' : code === 'EADDRNOTAVAIL' ? 'no such address' : 'the port is in use'
    throw new Fault('START_REFUSED', `cannot listen on ${host}:${port}: ${why}; set ${setting} to another`, error)
  }
}

/** One redactor per tenant: hashes are keyed by tenant. */
function protector(config: Config, keyedHash: (tenant: string) => (text: string) => string): (event: McpEvent) => McpEvent {
  const tenantsMax = 1_000
  const redactors = new Map<string, (event: McpEvent) => McpEvent>()
  return (event) => {
    let redact = redactors.get(event.tenant)
    if (!redact) {
      redact = createRedactor({ keyedHash: keyedHash(event.tenant), tiers: config.capture })
      if (redactors.size >= tenantsMax) redactors.clear()
      redactors.set(event.tenant, redact)
    }
    return redact(event)
  }
}

function outputsOf({ outputs: { webhook } }: Config) {
  if (!webhook.url) return []
  const { url, secret, severity, allowPrivate } = webhook
  return [{ name: 'webhook', severity, sink: openWebhook({ url, allowPrivate, timeoutMs: 10_000, ...(secret ? { secret } : {}) }) }]
}

/** In order of flow: what one stage publishes is waited for at the next. */
async function settled(groups: Readonly<Record<string, { lag: () => Promise<ReadonlyMap<string, bigint>> }>>): Promise<void> {
  for (let quiet = 0; quiet < 2; ) {
    const lags = await Promise.all(Object.values(groups).map((group) => group.lag()))
    quiet = lags.every((lag) => [...lag.values()].every((waiting) => waiting === 0n)) ? quiet + 1 : 0
    if (quiet < 2) await new Promise((resolve) => setTimeout(resolve, settlePollMs))
  }
}
