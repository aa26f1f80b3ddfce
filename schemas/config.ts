/** Everything that can be configured, with defaults, in one literal. Reading flags, environment and file: commands/config.ts. */
import { z } from 'zod'

const port = z.number().int().min(0).max(65535)
const tier = z.enum(['none', 'shape', 'hash', 'redacted', 'full'])

export const Config = z.strictObject({
  dataDir: z.string().default('').describe('Where log, store and keys live. Default: ${XDG_STATE_HOME:-~/.local/state}/lapwing'),
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
