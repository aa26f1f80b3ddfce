/** Role serve: the API, the page, and the outputs that alerts leave through. */
import { fileURLToPath } from 'node:url'
import { openToken } from '../../api/auth.ts'
import { type Outbox, openOutbox } from '../../api/outputs/outbox.ts'
import { openWebhook } from '../../api/outputs/webhook.ts'
import { createApi } from '../../api/server.ts'
import type { Store } from '../../api/store/connect.ts'
import { createReplay } from '../../collectors/bus/dead-letters.ts'
import { dashboards } from '../../dashboards/catalog.ts'
import type { Catalog } from '../../detectors/catalog.ts'
import type { Config } from '../../schemas/config.ts'
import type { Health } from '../health.ts'
import type { Base } from './base.ts'
import { bound } from './listen.ts'

export type Serve = Readonly<{ url: string; token: string }>

export async function openServe(base: Base, store: Store, health: Health, catalog: Catalog): Promise<Serve> {
  const { bus, config, log, opening, groups, vitals, version } = base
  const outbox = opening.use(await openOutbox({ dataDir: config.dataDir, bus, log, outputs: outputsOf(config) }))
  groups.set('outputs', outbox.running)
  vitals.push({
    name: 'outputs',
    report: () => Object.fromEntries(outbox.status().map(({ name, ...status }) => [name, status])),
    samples: () => samplesOf(outbox),
  })
  // Who serves is asked about the whole cluster.
  const { kafka } = base
  if (kafka) vitals.push({ name: 'lag', report: () => kafka.lags().catch(() => 'the brokers do not answer'), samples: () => [] })
  const token = config.api.token ?? openToken(config.dataDir)
  const api = await createApi({
    store,
    outbox,
    desk: { replay: createReplay({ publish: bus.publish, open: base.keys.open }) },
    config,
    token,
    version,
    log,
    detectors: catalog.detectors,
    dashboards,
    pageDir: fileURLToPath(new URL('../../dashboards/dist/', import.meta.url)),
    health: health.report,
    metrics: health.metrics,
  })
  opening.defer(() => api.close())
  const url = await bound('api.port', config.api, () => api.listen({ host: config.api.host, port: config.api.port }))
  return { url, token }
}

function outputsOf({ outputs: { webhook } }: Config) {
  if (!webhook.url) return []
  const { url, secret, severity, allowPrivate } = webhook
  return [{ name: 'webhook', severity, sink: openWebhook({ url, allowPrivate, timeoutMs: 10_000, ...(secret ? { secret } : {}) }) }]
}

const samplesOf = (outbox: Outbox) => [
  {
    name: 'lapwing_output_pending',
    help: 'Alerts waiting for an output',
    kind: 'gauge' as const,
    values: outbox.status().map(({ name, pending }) => [{ output: name }, pending] as const),
  },
  {
    name: 'lapwing_output_dead',
    help: 'Alerts an output gave up on',
    kind: 'gauge' as const,
    values: outbox.status().map(({ name, dead }) => [{ output: name }, dead] as const),
  },
]
