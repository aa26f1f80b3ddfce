/** Everything that can be configured, with defaults, in one literal. Reading flags, environment and file: commands/config.ts. */
import { z } from 'zod'

const port = z.number().int().min(0).max(65535)
const tier = z.enum(['none', 'shape', 'hash', 'redacted', 'full'])

export const roles = ['all', 'collect', 'detect', 'store', 'serve'] as const
export type Role = (typeof roles)[number]

const kafka = z
  .strictObject({
    brokers: z.array(z.string()).default([]).describe('host:port of Kafka brokers; none: the embedded log'),
    clientId: z.string().min(1).default('lapwing'),
    tls: z.boolean().default(false).describe('Connect with TLS'),
    caFile: z.string().default('').describe('PEM of the authority that signed the brokers’ certificates'),
    certFile: z.string().default('').describe('PEM of the client certificate'),
    keyFile: z.string().default('').describe('PEM of the client key'),
    saslMechanism: z.enum(['none', 'plain', 'scram-sha-256', 'scram-sha-512']).default('none'),
    saslUsername: z.string().default(''),
    saslPassword: z.string().optional().meta({ secret: true }),
    topicPrefix: z.string().default('').describe('Put before the name of every topic and group'),
    partitions: z.number().int().min(1).max(1_000).default(12).describe('Of topics that are made'),
    replicationFactor: z.number().int().min(1).max(9).default(3).describe('Of topics that are made'),
    retentionHours: z.number().int().positive().default(72).describe('Of topics that are made'),
    sessionMs: z.number().int().min(1_000).max(300_000).default(30_000).describe('A process not heard of for so long loses its partitions'),
    sourceTopics: z.array(z.string()).default([]).describe('Topics of an OpenTelemetry Collector to read, e.g. otlp_spans,otlp_logs'),
    sourceEncoding: z.string().default('otlp_proto').describe('Encoding of these topics: otlp_proto or otlp_json'),
  })
  .prefault({})

export const Config = z.strictObject({
  role: z.enum(roles).default('all').describe('What this process does: all, collect, detect, store or serve; one alone needs Kafka'),
  dataDir: z.string().default('').describe('Where log, store and keys live. Default: ${XDG_STATE_HOME:-~/.local/state}/lapwing'),
  keysDir: z.string().default('').describe('Folder of keys that several processes share. Default: keys/ in the data directory'),
  kafka,
  api: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: port.default(7878),
      token: z
        .string()
        .optional()
        .meta({ secret: true })
        .describe('Default: made at first start, kept in the data directory with mode 0600'),
      allowedHosts: z.array(z.string()).default([]).describe('Host headers accepted besides loopback'),
    })
    .prefault({}),
  otlp: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      httpPort: port.default(4318),
      grpcPort: port.default(4317),
      token: z
        .string()
        .optional()
        .meta({ secret: true })
        .describe('Required from senders when set; needed for a bind that is not loopback'),
      compressedBytesMax: z
        .number()
        .int()
        .positive()
        .default(20 * 1024 * 1024),
      decompressedBytesMax: z
        .number()
        .int()
        .positive()
        .default(64 * 1024 * 1024),
      elementsMax: z.number().int().positive().default(100_000),
    })
    .prefault({}),
  capture: z
    .strictObject({
      arguments: tier.default('redacted'),
      results: tier.default('redacted'),
      definitions: tier.default('redacted'),
      prompts: tier.default('redacted'),
    })
    .prefault({})
    .describe('Capture tier per kind of content: none, shape, hash, redacted, full'),
  store: z
    .strictObject({
      url: z.string().default('').describe('Of a ClickHouse server, http(s)://host:port; none: the embedded engine'),
      user: z.string().default('default'),
      password: z.string().optional().meta({ secret: true }),
      cluster: z.string().default('').describe('ClickHouse cluster: tables are replicated and made ON CLUSTER'),
      retentionDays: z.number().int().positive().default(30),
      batchRowsMax: z.number().int().positive().default(5_000),
      tickMs: z.number().int().positive().default(500),
      querySecondsMax: z.number().int().positive().default(20),
    })
    .prefault({}),
  log: z
    .strictObject({
      partitions: z.number().int().min(1).max(64).default(4),
      bytesMax: z
        .number()
        .int()
        .positive()
        .default(4 * 1024 ** 3),
    })
    .prefault({}),
  ops: z
    .strictObject({
      host: z.string().default('127.0.0.1'),
      port: port.default(9464).describe('/livez, /readyz and /metrics of a role without the API'),
    })
    .prefault({}),
  telemetry: z
    .strictObject({
      endpoint: z.string().default('').describe('OTLP/HTTP endpoint for Lapwing’s own traces and metrics; never Lapwing itself'),
      headers: z.string().optional().meta({ secret: true }).describe('name=value,… sent to that endpoint'),
      intervalMs: z.number().int().positive().default(30_000),
    })
    .prefault({}),
  monitor: z
    .strictObject({
      intervalMs: z.number().int().min(1_000).default(60_000).describe('How often the pipeline looks at itself'),
    })
    .prefault({}),
  outputs: z
    .strictObject({
      webhook: z
        .strictObject({
          url: z.url().optional(),
          secret: z.string().optional().meta({ secret: true }).describe('HMAC-SHA256 key'),
          severity: z.enum(['informational', 'low', 'medium', 'high', 'critical']).default('medium'),
          allowPrivate: z.boolean().default(false).describe('Allow a webhook on a private or loopback address'),
        })
        .prefault({}),
    })
    .prefault({}),
  detectors: z.record(z.string(), z.record(z.string(), z.unknown())).default({}).describe('Settings per detector id'),
})
export type Config = z.infer<typeof Config>
