/**
 * Lapwing's own traces and metrics, sent by the OpenTelemetry SDK to an endpoint that was set for them and to no other.
 * The SDK's default endpoint is localhost:4318, which is our own receiver: each of its ways to choose one is closed here.
 */
import { lookup } from 'node:dns/promises'
import { hostname, networkInterfaces } from 'node:os'
import { type BatchObservableResult, context, type Meter, metrics, type Observable, propagation, trace } from '@opentelemetry/api'
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import { NodeSDK } from '@opentelemetry/sdk-node'
import { Fault } from '../schemas/errors.ts'
import { selfScope, selfService } from '../schemas/otlp-event.ts'
import type { Sample } from './health.ts'

export type SelfTelemetryOptions = Readonly<{
  /** Base URL of an OTLP/HTTP receiver; `/v1/traces` and `/v1/metrics` are added. */
  endpoint: string
  headers?: Readonly<Record<string, string>>
  role: string
  instance: string
  version: string
  samples: () => readonly Sample[]
  intervalMs: number
  /** Ports on which this installation receives OTLP, whatever the address. */
  ownPorts?: readonly number[]
}>
export type SelfTelemetry = Readonly<{
  /** Sends what is left, for a short while. */
  stop: () => Promise<void>
}>

const sendMsMax = 5_000
const stopMsMax = 3_000
const headersMax = 32
const labelsMax = 2_000

/** `name=value,name=value` as in the setting; values may be percent-encoded. */
export function headersOf(text: string): Record<string, string> {
  const pairs = text.split(',').filter((pair) => pair.trim() !== '')
  if (pairs.length > headersMax) throw new Fault('CONFIG_INVALID', `telemetry.headers: more than ${headersMax}`)
  return Object.fromEntries(
    pairs.map((pair) => {
      const [, name, value] = /^\s*([A-Za-z0-9!#$%&'*+.^_`|~-]+)\s*=\s*(.*?)\s*$/.exec(pair) ?? []
      if (name === undefined || value === undefined) throw new Fault('CONFIG_INVALID', 'telemetry.headers: not name=value,…')
      return [name.toLowerCase(), decoded(value)]
    }),
  )
}
function decoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

/** An address without its brackets; an IPv4 one that is written as IPv6 (`::ffff:7f00:1`) as what it is. */
function plain(address: string): string {
  const bare = address.replace(/^\[|\]$/g, '')
  const [, high, low] = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(bare) ?? []
  if (high === undefined || low === undefined) return bare.replace(/^::ffff:/i, '')
  return [high, low].flatMap((part) => [Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 0xff]).join('.')
}
const isUnspecified = (address: string): boolean => address === '0.0.0.0' || address === '::'
const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.')

/** Throws START_REFUSED for what is no endpoint, and for one that would bring our telemetry back to us. */
export async function checkEndpoint(endpoint: string, ownPorts: readonly number[]): Promise<URL> {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.search !== '' || url.hash !== '') {
    throw new Fault('START_REFUSED', 'telemetry.endpoint is not the address of an OTLP/HTTP receiver, http(s)://host:port')
  }
  if (url.username !== '' || url.password !== '')
    throw new Fault('START_REFUSED', 'telemetry.endpoint holds a password: use telemetry.headers')
  const port = Number(url.port || (url.protocol === 'https:' ? 443 : 80))
  if (!ownPorts.includes(port)) return url
  const host = plain(url.hostname)
  const own = new Set(Object.values(networkInterfaces()).flatMap((each) => (each ?? []).map(({ address }) => plain(address))))
  const isOurs = (address: string) => isUnspecified(address) || isLoopback(address) || own.has(address)
  // A collector that is not up yet has no address: only a name that is ours by itself counts then. What comes round is dropped anyway.
  const addresses = await lookup(host, { all: true }).then(
    (found) => found.map(({ address }) => plain(address)),
    () => [],
  )
  if (addresses.some(isOurs) || /(?:^|\.)localhost\.?$/i.test(host) || host === hostname().toLowerCase()) {
    throw new Fault(
      'START_REFUSED',
      `telemetry.endpoint ${url.host} is Lapwing’s own receiver: it would be told of its own telling, for ever`,
    )
  }
  return url
}

export async function startSelfTelemetry(options: SelfTelemetryOptions): Promise<SelfTelemetry> {
  const { role, instance, version, samples, intervalMs, headers = {}, ownPorts = [] } = options
  const base = (await checkEndpoint(options.endpoint, ownPorts)).href.replace(/\/+$/, '')
  // With an address in code the SDK asks no OTEL_EXPORTER_OTLP_* for one; its HTTP client follows no redirect.
  const sender = (signal: string) => ({ url: `${base}/v1/${signal}`, headers: { ...headers }, timeoutMillis: sendMsMax })
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(sender('metrics')),
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(sendMsMax, intervalMs),
  })
  const sdk = new NodeSDK({
    autoDetectResources: false,
    resource: resourceFromAttributes({
      'service.name': selfService,
      'service.version': version,
      'service.instance.id': instance,
      'lapwing.role': role,
    }),
    traceExporter: new OTLPTraceExporter(sender('traces')),
    metricReaders: [reader],
    // Given and empty: absent, each would be made from the environment.
    logRecordProcessors: [],
    instrumentations: [],
    textMapPropagator: null,
  })
  sdk.start()
  const forget = observeSamples(metrics.getMeter(selfScope, version), samples)
  const end = async () => {
    const late = new Promise<void>((resolve) => setTimeout(resolve, stopMsMax).unref())
    // The receiver may be gone: that must not hold up the end.
    await Promise.race([sdk.shutdown().catch(() => undefined), late])
    forget()
    for (const api of [trace, metrics, context, propagation]) api.disable()
  }
  let ended: Promise<void> | undefined
  return {
    stop() {
      ended ??= end()
      return ended
    },
  }
}

/** One observable instrument per sample, from the list that Prometheus gets; samples that come later get theirs when they are seen. */
function observeSamples(meter: Meter, samples: () => readonly Sample[]): () => void {
  const instruments = new Map<string, Observable>()
  const make = ({ name, help, kind }: Sample) => {
    const about = { description: help }
    instruments.set(name, kind === 'counter' ? meter.createObservableCounter(name, about) : meter.createObservableGauge(name, about))
  }
  let watched: Observable[] = []
  const watch = () => {
    meter.removeBatchObservableCallback(observe, watched)
    watched = [...instruments.values()]
    if (watched.length > 0) meter.addBatchObservableCallback(observe, watched)
  }
  const observe = (result: BatchObservableResult) => {
    const known = instruments.size
    for (const sample of samples()) {
      const instrument = instruments.get(sample.name)
      if (!instrument) make(sample)
      else
        for (const [labels, value] of sample.values.slice(0, labelsMax))
          if (Number.isFinite(value)) result.observe(instrument, value, labels)
    }
    if (instruments.size > known) queueMicrotask(watch)
  }
  for (const sample of samples()) make(sample)
  watch()
  return () => meter.removeBatchObservableCallback(observe, watched)
}
