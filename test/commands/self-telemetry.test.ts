/** Lapwing's own traces and metrics reach the endpoint that was set, no other, and never come back as events. */
import assert from 'node:assert/strict'
import { hostname, networkInterfaces } from 'node:os'
import { afterEach, describe, it } from 'node:test'
import { trace } from '@opentelemetry/api'
import type { Sample } from '../../commands/health.ts'
import { headersOf, type SelfTelemetry, startSelfTelemetry } from '../../commands/self-telemetry.ts'
import { Fault } from '../../schemas/errors.ts'
import { selfScope } from '../../schemas/otlp-event.ts'
import { openReceiver } from '../collectors/otlp-receiver.ts'
import { openTelemetrySink } from './own-telemetry-sink.ts'

const about = { role: 'detect', instance: 'host-1', version: '1.2.3', intervalMs: 60_000 }
const samples: Sample[] = [
  {
    name: 'lapwing_lag_records',
    help: 'waiting',
    kind: 'gauge',
    values: [
      [{ group: 'store' }, 7],
      [{ group: 'detect' }, 9],
    ],
  },
  { name: 'lapwing_events_total', help: 'events', kind: 'counter', values: [[{}, 1_234]] },
  { name: 'lapwing_odd', help: 'no number', kind: 'gauge', values: [[{}, Number.NaN]] },
]
const named = [
  'OTEL_EXPORTER_OTLP_ENDPOINT',
  'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT',
  'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT',
  'OTEL_TRACES_EXPORTER',
  'OTEL_METRICS_EXPORTER',
  'OTEL_LOGS_EXPORTER',
  'OTEL_EXPORTER_OTLP_PROTOCOL',
] as const
let running: SelfTelemetry | undefined
afterEach(async () => {
  for (const name of named) delete process.env[name]
  await running?.stop()
  running = undefined
})
const span = (name: string, attributes: Record<string, string> = {}) => trace.getTracer(selfScope).startSpan(name, { attributes }).end()

describe('what is sent', () => {
  it('every sample is an instrument, under the resource of this process, with the headers that were set', async () => {
    await using sink = await openTelemetrySink()
    const late: Sample = { name: 'lapwing_late_total', help: 'seen later', kind: 'counter', values: [[{}, 5]] }
    let list = samples
    running = await startSelfTelemetry({
      ...about,
      endpoint: `${sink.url}/`,
      headers: headersOf('X-Key=a%20b'),
      samples: () => list,
      intervalMs: 100,
    })
    await sink.until(() => sink.points.length >= 3)
    list = [...samples, late]
    await sink.until(() => sink.points.some(({ metric }) => metric === 'lapwing_late_total'))
    span('process mcp.events')
    await running.stop()
    const seen = (metric: string) =>
      new Set(sink.points.filter((one) => one.metric === metric).map(({ value, labels }) => `${labels} ${value}`))
    assert.deepEqual(seen('lapwing_lag_records'), new Set(['group=store 7', 'group=detect 9']))
    assert.deepEqual(seen('lapwing_events_total'), new Set([' 1234']))
    assert.deepEqual(seen('lapwing_odd'), new Set(), 'what is no number is left out')
    assert.deepEqual(new Set(sink.requests.map(({ path }) => path)), new Set(['/v1/metrics', '/v1/traces']), 'and no logs')
    for (const { headers } of sink.requests) assert.equal(headers['x-key'], 'a b')
    const [sent] = sink.spans
    assert.equal(sent?.span?.name, 'process mcp.events')
    assert.deepEqual(
      ['service.name', 'service.instance.id', 'lapwing.role', 'service.version'].map((name) => sent?.resource.get(name)),
      ['lapwing', 'host-1', 'detect', '1.2.3'],
    )
    assert.equal(sink.spans.length, 1, 'the end sends what is left')
  })

  it('the environment names no other endpoint, and a redirect is not followed', async () => {
    await using sink = await openTelemetrySink()
    await using decoy = await openTelemetrySink()
    for (const name of named) process.env[name] = name.endsWith('ENDPOINT') ? decoy.url : name.endsWith('PROTOCOL') ? 'grpc' : 'otlp'
    sink.answer = { status: 307, headers: { location: `${decoy.url}/v1/traces` } }
    running = await startSelfTelemetry({ ...about, endpoint: sink.url, samples: () => samples, intervalMs: 100 })
    span('send mcp.events')
    await sink.until(() => sink.requests.length > 0)
    await running.stop()
    assert.deepEqual(new Set(sink.requests.map(({ path }) => path)), new Set(['/v1/metrics', '/v1/traces']))
    assert.equal(decoy.requests.length, 0)
  })

  it('a receiver that is gone does not hold up the end', async () => {
    const sink = await openTelemetrySink()
    await sink[Symbol.asyncDispose]()
    running = await startSelfTelemetry({ ...about, endpoint: sink.url, samples: () => samples })
    span('send mcp.events')
    await running.stop()
  })

  it('after the end nothing is recorded', async () => {
    await using sink = await openTelemetrySink()
    running = await startSelfTelemetry({ ...about, endpoint: sink.url, samples: () => samples })
    await running.stop()
    const before = sink.requests.length
    const one = trace.getTracer(selfScope).startSpan('x')
    assert.equal(one.isRecording(), false)
    assert.equal(sink.requests.length, before)
  })
})

describe('what is refused', () => {
  const own = Object.values(networkInterfaces()).flatMap((each) =>
    (each ?? []).map(({ address, family }) => (family === 'IPv6' ? `[${address}]` : address)),
  )
  const hosts = [
    'localhost',
    '127.0.0.1',
    '127.9.9.9',
    '2130706433',
    '[::1]',
    '0.0.0.0',
    '[::ffff:127.0.0.1]',
    'LOCALHOST.',
    hostname(),
    ...own,
  ]
  for (const host of new Set(hosts)) {
    if (host.includes('%')) continue
    it(`our own receiver as ${host}`, async () => {
      const start = startSelfTelemetry({ ...about, endpoint: `http://${host}:4318`, samples: () => samples, ownPorts: [4317, 4318] })
      await assert.rejects(start, (error) => error instanceof Fault && error.code === 'START_REFUSED')
      assert.equal(trace.getTracer(selfScope).startSpan('x').isRecording(), false)
    })
  }
  for (const endpoint of ['', 'localhost:4318', 'grpc://a:4317', 'http://u:p@collector:4318', 'http://a/?x=1', 'file:///etc/passwd']) {
    it(`${endpoint || 'nothing'} is no endpoint`, async () => {
      const start = startSelfTelemetry({ ...about, endpoint, samples: () => samples, ownPorts: [] })
      await assert.rejects(start, (error) => error instanceof Fault && error.code === 'START_REFUSED')
    })
  }
  it('another port of this machine is somebody else', async () => {
    await using sink = await openTelemetrySink()
    running = await startSelfTelemetry({ ...about, endpoint: sink.url, samples: () => samples, ownPorts: [4317, 4318] })
  })
  it('headers that are none', () => {
    for (const text of ['key', '=v', 'a b=c']) assert.throws(() => headersOf(text), Fault)
    assert.deepEqual(headersOf(' Authorization = Bearer x=y , b=2,'), { authorization: 'Bearer x=y', b: '2' })
  })
})

describe('the loop', () => {
  it('our own spans that come round are dropped and counted; spans of others, and of MCP, are not', async () => {
    await using receiver = await openReceiver()
    running = await startSelfTelemetry({ ...about, endpoint: receiver.http.url, samples: () => samples })
    span('send mcp.events')
    span('process mcp.events')
    span('tools/call x', { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'x' })
    trace.getTracer('somebody').startSpan('work').end()
    await running.stop()
    assert.equal(receiver.intake.stats().own, 2)
    assert.equal(receiver.intake.stats().rejected, 0)
    assert.deepEqual(
      receiver
        .events()
        .map(({ kind }) => kind)
        .sort(),
      ['call', 'unclassified'],
    )
  })
})
