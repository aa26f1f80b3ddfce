/** The pipeline of one process: opens the roles it was given over one bus and one store, and closes them in reverse. */
import { mkdir } from 'node:fs/promises'
import { hostname } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import type { Store } from '../api/store/connect.ts'
import { type Catalog, loadCatalog } from '../detectors/catalog.ts'
import type { Verdicts } from '../detectors/engine.ts'
import type { Running } from '../schemas/bus.ts'
import type { Config, Role } from '../schemas/config.ts'
import { Fault } from '../schemas/errors.ts'
import { createHealth, type Health, inOrder, type Sample } from './health.ts'
import { startMonitor } from './monitor.ts'
import { type Ops, openOps } from './ops.ts'
import { type Base, openBase } from './roles/base.ts'
import { type Collect, openCollect } from './roles/collect.ts'
import { openDetect } from './roles/detect.ts'
import { bound } from './roles/listen.ts'
import { openServe, type Serve } from './roles/serve.ts'
import { connectStore, openStoring } from './roles/store.ts'

export type Pipeline = AsyncDisposable &
  Readonly<{
    serve?: Serve
    /** Of a role without the API. */
    ops?: Readonly<{ url: string }>
    collect?: Readonly<{ httpUrl: string; grpcPort: number }>
    failedDetectors: readonly { id: string; reason: string }[]
    /** Resolves when everything accepted so far is detected and stored, by this process. */
    settled: () => Promise<void>
    health: Health['report']
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
const nothingLoaded: Catalog = { detectors: [], failed: [] }

export async function openPipeline({ config, version, log, onVerdicts, onFatal }: PipelineOptions): Promise<Pipeline> {
  refuseHalves(config)
  const has = (role: Role) => config.role === 'all' || config.role === role
  await mkdir(config.dataDir, { recursive: true, mode: 0o700 })
  await using opening = new AsyncDisposableStack()
  const base = await openBase({ config, version, log, opening, onFatal })
  const health = createHealth(base.vitals, base.groups)
  const store = has('store') || has('serve') ? await connectStore(base) : undefined
  if (store && has('store')) await openStoring(base, store)
  const catalog = has('serve') || has('detect') ? await loadCatalog() : nothingLoaded
  for (const failed of catalog.failed) log.error(failed, 'detector did not load')
  const serve = store && has('serve') ? await openServe(base, store, health, catalog) : undefined
  if (has('detect')) await openDetect(base, catalog, onVerdicts)
  const collect = has('collect') ? await openCollect(base) : undefined
  base.vitals.push({ name: 'connect', report: () => connectOf(collect), samples: () => [] })
  await watch(base, health, has('store') ? store : undefined, collect)
  const ops = serve ? undefined : await openOwnOps(base, health, store)
  const opened = opening.move()
  return {
    ...(serve ? { serve } : {}),
    ...(ops ? { ops: { url: ops.url } } : {}),
    ...(collect ? { collect: { httpUrl: collect.http.url, grpcPort: collect.grpc.port } } : {}),
    failedDetectors: catalog.failed,
    settled: () => settled(base.groups),
    health: health.report,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  }
}

/** The pipeline watches itself, and tells an endpoint of the operator's choice how it is. */
async function watch(
  { config, bus, log, opening, vitals, version, ages, onGap }: Base,
  health: Health,
  store: Store | undefined,
  collect?: Collect,
) {
  const { role, monitor, telemetry, otlp } = config
  const instance = hostname()
  const onError = (error: unknown) => log.warn({ error }, 'monitor')
  const lag = async () => {
    const oldest = ages()
    return Object.fromEntries(
      Object.entries(await health.lags()).map(([group, records]) => [group, { records, oldestMs: oldest.get(group) }]),
    )
  }
  const watching = startMonitor({ bus, role, instance, lag, store, intervalMs: monitor.intervalMs, onError })
  opening.defer(() => watching.stop())
  onGap(watching.reportGap)
  vitals.push({ name: 'monitor', report: watching.counts, samples: () => [agesOf(ages())] })
  if (!telemetry.endpoint) return
  const ownPorts = collect ? [Number(new URL(collect.http.url).port), collect.grpc.port] : [otlp.httpPort, otlp.grpcPort]
  const { endpoint, intervalMs } = telemetry
  const { headersOf, startSelfTelemetry } = await import('./self-telemetry.ts') // the SDK takes a quarter of a second to load
  const headers = headersOf(telemetry.headers ?? '')
  const own = await startSelfTelemetry({ endpoint, headers, role, instance, version, samples: health.samples, intervalMs, ownPorts })
  opening.defer(() => own.stop())
}

const agesOf = (ages: ReadonlyMap<string, number>): Sample => ({
  name: 'lapwing_lag_seconds',
  help: 'How long a consumer group has been at the batch it has in hand',
  kind: 'gauge',
  values: [...ages].map(([group, ms]) => [{ group }, ms / 1_000]),
})

/** A role without the API is asked here how it is. */
async function openOwnOps({ config, log, opening }: Base, health: Health, store: Store | undefined): Promise<Ops> {
  const { host, port } = config.ops
  const ready = async () => {
    await health.lags()
    return store && !(await store.client.ping({ select: true })).success ? 'the store does not answer' : undefined
  }
  const open = (port: number) => openOps({ host, port, ready, metrics: health.metrics, log })
  return opening.use(await bound('ops.port', { host, port }, open))
}

/** A role alone shares the bus and the store with others, so neither may be the embedded one. */
function refuseHalves({ role, kafka, store }: Config): void {
  if (role === 'all') return
  if (kafka.brokers.length === 0)
    throw new Fault('CONFIG_INVALID', `role ${role} alone needs kafka.brokers: the embedded log belongs to one process`)
  if (!store.url && (role === 'store' || role === 'serve'))
    throw new Fault('CONFIG_INVALID', `role ${role} alone needs store.url: the embedded engine belongs to one process`)
}

/** What the snippets that connect a source need: the command line of this installation, and where it listens. */
const connectOf = (collect: Collect | undefined) => ({
  command: [process.execPath, fileURLToPath(new URL('../main.ts', import.meta.url))],
  otlp_http: collect?.http.url,
})

/** In order of flow: what one stage publishes is waited for at the next. */
async function settled(groups: ReadonlyMap<string, Running>): Promise<void> {
  for (let quiet = 0; quiet < 2; ) {
    const lags = await Promise.all(inOrder(groups).map(([, group]) => group.lag()))
    quiet = lags.every((lag) => [...lag.values()].every((waiting) => waiting === 0n)) ? quiet + 1 : 0
    if (quiet < 2) await new Promise((resolve) => setTimeout(resolve, settlePollMs))
  }
}
