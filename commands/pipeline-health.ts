/** What the pipeline says of itself: lags, counters and drops, as JSON for the page and as Prometheus text. */
import type { Outbox } from '../api/outputs/outbox.ts'
import type { Store } from '../api/store/connect.ts'
import type { StoreWriter } from '../api/store/writer.ts'
import type { Log } from '../collectors/bus/log.ts'
import type { OtlpGrpc } from '../collectors/otlp/grpc.ts'
import type { OtlpHttp } from '../collectors/otlp/http.ts'
import type { Intake } from '../collectors/otlp/intake.ts'
import type { Worker } from '../detectors/worker.ts'
import type { Running } from '../schemas/bus.ts'

export type HealthParts = Readonly<{
  groups: Readonly<Record<string, Running>>
  intake: Intake
  worker: Worker
  writer: StoreWriter
  outbox: Outbox
  store: Store
  bus: Log
  failedDetectors: readonly { id: string; reason: string }[]
  /** The command line of this installation, for the snippets that connect a source. */
  command: readonly string[]
}>

type Sample = Readonly<{
  name: string
  help: string
  kind: 'counter' | 'gauge'
  values: readonly (readonly [Record<string, string>, number])[]
}>

export function createPipelineHealth(parts: HealthParts) {
  const started = Date.now()
  let receivers: { http: OtlpHttp; grpc: OtlpGrpc } | undefined
  let lags: Record<string, number> = {}
  const refresh = async () => {
    const entries = await Promise.all(
      Object.entries(parts.groups).map(
        async ([group, running]) => [group, [...(await running.lag()).values()].reduce((sum, lag) => sum + Number(lag), 0)] as const,
      ),
    )
    lags = Object.fromEntries(entries)
  }
  const report = async () => {
    await refresh()
    return {
      connect: { command: parts.command, otlp_http: receivers?.http.url },
      uptime_seconds: Math.floor((Date.now() - started) / 1_000),
      lag: lags,
      intake: parts.intake.stats(),
      receivers: { otlp_http: receivers?.http.stats(), otlp_grpc: receivers?.grpc.stats() },
      log: parts.bus.counts(),
      detectors: detection(parts),
      store: { ...parts.writer.counts(), engine_restarts: parts.store.restarts() },
      outputs: Object.fromEntries(parts.outbox.status().map(({ name, ...status }) => [name, status])),
    }
  }
  return {
    report,
    receivers: (http: OtlpHttp, grpc: OtlpGrpc) => {
      receivers = { http, grpc }
    },
    metrics: () => {
      // Lags need the log's worker: the last known ones are shown, and asked for again.
      void refresh().catch(() => {})
      return prometheus(samples(parts, lags, receivers))
    },
  }
}

/** All engines together, and what did not load. */
function detection({ worker, failedDetectors }: HealthParts) {
  const engines = worker.stats()
  const sum = (of: (stats: (typeof engines)[number]) => number) => engines.reduce((total, stats) => total + of(stats), 0)
  return {
    partitions: engines.length,
    events: sum(({ events }) => events),
    duplicates: sum(({ duplicates }) => duplicates),
    facts: sum(({ facts }) => facts),
    facts_too_large: sum(({ factsTooLarge }) => factsTooLarge),
    errors: sum(({ errors }) => [...errors.values()].reduce((total, count) => total + count, 0)),
    windows_skipped: Math.max(0, ...engines.map(({ windowsSkipped }) => windowsSkipped)),
    not_loaded: failedDetectors.map(({ id, reason }) => `${id}: ${reason}`).join('; ') || 'none',
  }
}

function samples(parts: HealthParts, lags: Record<string, number>, receivers: { http: OtlpHttp; grpc: OtlpGrpc } | undefined): Sample[] {
  const intake = parts.intake.stats()
  const store = parts.writer.counts()
  const engines = parts.worker.stats()
  const sum = (of: (stats: (typeof engines)[number]) => number) => engines.reduce((total, stats) => total + of(stats), 0)
  const refused = [receivers?.http, receivers?.grpc].flatMap((receiver, index) =>
    Object.entries(receiver?.stats().refused ?? {}).map(
      ([cause, count]) => [{ receiver: index === 0 ? 'otlp_http' : 'otlp_grpc', cause }, count] as const,
    ),
  )
  return [
    {
      name: 'lapwing_intake_records_total',
      help: 'OTLP records taken, by signal',
      kind: 'counter',
      values: [
        [{ signal: 'span' }, intake.spans],
        [{ signal: 'log' }, intake.logs],
        [{ signal: 'metric_point' }, intake.points],
      ],
    },
    {
      name: 'lapwing_intake_unclassified_total',
      help: 'Records of no known dialect, kept whole',
      kind: 'counter',
      values: [[{}, intake.unclassified]],
    },
    { name: 'lapwing_intake_rejected_total', help: 'Records refused for good', kind: 'counter', values: [[{}, intake.rejected]] },
    { name: 'lapwing_intake_refused_total', help: 'Requests refused, by cause', kind: 'counter', values: refused },
    {
      name: 'lapwing_lag_records',
      help: 'Published and not yet handled, by consumer group',
      kind: 'gauge',
      values: Object.entries(lags).map(([group, lag]) => [{ group }, lag]),
    },
    { name: 'lapwing_detector_subjects_total', help: 'Events inspected', kind: 'counter', values: [[{}, sum(({ events }) => events)]] },
    {
      name: 'lapwing_detector_duplicates_total',
      help: 'Events seen before',
      kind: 'counter',
      values: [[{}, sum(({ duplicates }) => duplicates)]],
    },
    { name: 'lapwing_store_events_total', help: 'Events stored', kind: 'counter', values: [[{}, store.events]] },
    { name: 'lapwing_store_retries_total', help: 'Inserts tried again', kind: 'counter', values: [[{}, store.retries]] },
    {
      name: 'lapwing_store_engine_restarts_total',
      help: 'Engine child started again',
      kind: 'counter',
      values: [[{}, parts.store.restarts()]],
    },
    {
      name: 'lapwing_output_pending',
      help: 'Alerts waiting for an output',
      kind: 'gauge',
      values: parts.outbox.status().map(({ name, pending }) => [{ output: name }, pending]),
    },
    {
      name: 'lapwing_output_dead',
      help: 'Alerts an output gave up on',
      kind: 'gauge',
      values: parts.outbox.status().map(({ name, dead }) => [{ output: name }, dead]),
    },
  ]
}

const escaped = (text: string): string => text.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))

function prometheus(all: readonly Sample[]): string {
  const lines = all.flatMap(({ name, help, kind, values }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${kind}`,
    ...values.map(([labels, value]) => {
      const inner = Object.entries(labels)
        .map(([key, text]) => `${key}="${escaped(text)}"`)
        .join(',')
      return `${name}${inner ? `{${inner}}` : ''} ${value}`
    }),
  ])
  return `${lines.join('\n')}\n`
}
