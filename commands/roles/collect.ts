/** Role collect: receives OTLP, and what an OpenTelemetry Collector wrote to Kafka, and publishes events. */
import { hostname, userInfo } from 'node:os'
import { createOtlpGrpc, type OtlpGrpc } from '../../collectors/otlp/grpc.ts'
import { createOtlpHttp, type OtlpHttp } from '../../collectors/otlp/http.ts'
import { createIntake, type Intake } from '../../collectors/otlp/intake.ts'
import { openKafkaSource } from '../../collectors/otlp/kafka-source.ts'
import { createSecretFinder } from '../../collectors/redact/find-secrets.ts'
import { createRedactor } from '../../collectors/redact/redactor.ts'
import type { Config } from '../../schemas/config.ts'
import { Fault } from '../../schemas/errors.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { one, type Sample } from '../health.ts'
import type { Base } from './base.ts'
import { bound } from './listen.ts'

export type Collect = Readonly<{ http: OtlpHttp; grpc: OtlpGrpc }>

export async function openCollect(base: Base): Promise<Collect> {
  const { config, keys, bus, log, opening, vitals } = base
  const intake = createIntake({
    bus,
    protect: protector(config, keys.keyedHash),
    keyedHash: keys.keyedHash,
    osUser: osUser(),
    elementsMax: config.otlp.elementsMax,
  })
  const receiver = { ...config.otlp, limits: config.otlp, intake, onFault: (error: unknown) => log.warn({ error }, 'intake fault') }
  const grpc = opening.use(
    await bound('otlp.grpcPort', { ...config.otlp, port: config.otlp.grpcPort }, (port) => createOtlpGrpc({ ...receiver, port })),
  )
  const http = opening.use(
    await bound('otlp.httpPort', { ...config.otlp, port: config.otlp.httpPort }, (port) =>
      createOtlpHttp({ ...receiver, port, tenantKey: keys.tenantKey }),
    ),
  )
  vitals.push(
    { name: 'intake', report: intake.stats, samples: () => samplesOf(intake, http, grpc) },
    { name: 'receivers', report: () => ({ otlp_http: http.stats(), otlp_grpc: grpc.stats() }), samples: () => [] },
  )
  await readTopics(base, intake)
  return { http, grpc }
}

/** What an OpenTelemetry Collector writes to Kafka is received like what it sends. */
async function readTopics({ config, kafka, groups }: Base, intake: Intake): Promise<void> {
  const { sourceTopics: topics, sourceEncoding: encoding } = config.kafka
  if (topics.length === 0) return
  if (!kafka) throw new Fault('CONFIG_INVALID', 'kafka.sourceTopics needs kafka.brokers')
  const bytesMax = config.otlp.decompressedBytesMax
  const source = { consume: kafka.reader.consume, intake, topics, encoding, tenant: 'default', source: 'kafka', bytesMax }
  groups.set('collect', await openKafkaSource(source))
}

function samplesOf(intake: Intake, http: OtlpHttp, grpc: OtlpGrpc): Sample[] {
  const { spans, logs, points, unclassified, rejected, own } = intake.stats()
  const refused = (
    [
      ['otlp_http', http],
      ['otlp_grpc', grpc],
    ] as const
  ).flatMap(([receiver, { stats }]) => Object.entries(stats().refused).map(([cause, count]) => [{ receiver, cause }, count] as const))
  return [
    {
      name: 'lapwing_intake_records_total',
      help: 'OTLP records taken, by signal',
      kind: 'counter',
      values: [
        [{ signal: 'span' }, spans],
        [{ signal: 'log' }, logs],
        [{ signal: 'metric_point' }, points],
      ],
    },
    one('lapwing_intake_unclassified_total', 'counter', 'Records of no known dialect, kept whole', unclassified),
    one('lapwing_intake_own_total', 'counter', 'Spans of Lapwing itself that came round, dropped', own),
    one('lapwing_intake_rejected_total', 'counter', 'Records refused for good', rejected),
    { name: 'lapwing_intake_refused_total', help: 'Requests refused, by cause', kind: 'counter', values: refused },
  ]
}

/** A container may run as a user that has no name. */
function osUser(): string {
  try {
    return `${userInfo().username}@${hostname()}`
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}@${hostname()}`
  }
}

const tenantsMax = 1_000

/** One redactor per tenant: hashes are keyed by tenant. */
function protector(config: Config, keyedHash: (tenant: string) => (text: string) => string): (event: McpEvent) => McpEvent {
  const redactors = new Map<string, (event: McpEvent) => McpEvent>()
  const find = createSecretFinder() // its tables are half a megabyte, and the same for all
  return (event) => {
    let redact = redactors.get(event.tenant)
    if (!redact) {
      redact = createRedactor({ keyedHash: keyedHash(event.tenant), tiers: config.capture, find })
      if (redactors.size >= tenantsMax) redactors.clear()
      redactors.set(event.tenant, redact)
    }
    return redact(event)
  }
}
