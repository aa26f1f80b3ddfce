/** A traced bus is the same bus, and its sends and batches are spans by the messaging conventions. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { OtlpRecord } from '../../collectors/otlp/record.ts'
import { startSelfTelemetry } from '../../commands/self-telemetry.ts'
import { tracedBus } from '../../commands/traced-bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { busConformance } from '../conformance/bus.ts'
import { numbered, rec, remember, temporaryDir, until } from '../conformance/bus-tools.ts'
import { open } from '../conformance/log-tools.ts'
import { openTelemetrySink } from './own-telemetry-sink.ts'

busConformance('traced log, no SDK', async (dir) => tracedBus(await open(dir)))

const about = { role: 'all', instance: 'a', version: '1', intervalMs: 60_000, samples: () => [] }
const factsOf = ({ span }: OtlpRecord) => Object.fromEntries([...(span?.attributes ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)))
const named = (spans: readonly OtlpRecord[], name: string) => spans.filter(({ span }) => span?.name === name)

describe('spans', () => {
  it('a send and its batches, with what was published inside a batch below it', async () => {
    await using sink = await openTelemetrySink()
    await using dir = await temporaryDir()
    await using log = await open(dir.path)
    const bus = tracedBus(log, 'kafka') // the SDK starts when the whole pipeline stands
    const telemetry = await startSelfTelemetry({ ...about, endpoint: sink.url })
    const { handler, seen } = remember(async () => void (await bus.publish('mcp.alerts', [rec('a', 'x')])))
    const running = await bus.consume(['mcp.events'], 'detect', handler)
    await bus.publish('mcp.events', [rec('one', '1'), rec('one', '2'), rec('one', '3')])
    await until(() => seen.length === 3)
    await running.stop()
    await telemetry.stop()
    const [send] = named(sink.spans, 'send mcp.events')
    const partition = send?.span?.attributes.get('messaging.destination.partition.id')
    assert.match(String(partition), /^[0-3]$/, 'one key is one partition')
    assert.deepEqual(send && factsOf(send), {
      'messaging.batch.message_count': 3,
      'messaging.destination.name': 'mcp.events',
      'messaging.destination.partition.id': partition,
      'messaging.operation.name': 'send',
      'messaging.operation.type': 'send',
      'messaging.system': 'kafka',
    })
    assert.equal(send?.span?.kind, 4, 'PRODUCER')
    const processed = named(sink.spans, 'process mcp.events')
    assert.equal(
      processed.reduce((sum, one) => sum + Number(factsOf(one)['messaging.batch.message_count']), 0),
      3,
    )
    for (const one of processed) {
      assert.equal(one.span?.kind, 5, 'CONSUMER')
      assert.equal(factsOf(one)['messaging.consumer.group.name'], 'detect')
      assert.equal(factsOf(one)['messaging.destination.partition.id'], partition)
    }
    const [within] = named(sink.spans, 'send mcp.alerts')
    assert.ok(
      processed.some(({ span }) => span?.spanId === within?.span?.parentSpanId),
      'an alert belongs to the batch that raised it',
    )
  })

  it('records over several partitions name none', async () => {
    await using sink = await openTelemetrySink()
    await using dir = await temporaryDir()
    await using log = await open(dir.path)
    const telemetry = await startSelfTelemetry({ ...about, endpoint: sink.url })
    await tracedBus(log).publish('mcp.events', numbered(64))
    await telemetry.stop()
    const [send] = named(sink.spans, 'send mcp.events')
    assert.equal(send?.span?.attributes.has('messaging.destination.partition.id'), false)
    assert.equal(send?.span?.attributes.get('messaging.system'), 'lapwing_log')
  })

  it('failures are recorded by their kind, without their words, and still thrown', async () => {
    await using sink = await openTelemetrySink()
    await using dir = await temporaryDir()
    await using log = await open(dir.path)
    const telemetry = await startSelfTelemetry({ ...about, endpoint: sink.url })
    const bus = tracedBus(log)
    let calls = 0
    const { handler, seen } = remember(() => {
      calls += 1
      if (calls === 1) throw new Fault('STORE_UNREACHABLE', 'SECRET words')
    })
    const running = await bus.consume(['mcp.events'], 'store', handler)
    await bus.publish('mcp.events', [rec('a', '1')])
    await until(() => seen.length === 1)
    await running.stop()
    await log[Symbol.asyncDispose]()
    await assert.rejects(bus.publish('mcp.events', [rec('a', '2')]))
    await telemetry.stop()
    const failed = sink.spans.filter(({ span }) => span?.statusCode === 2)
    assert.deepEqual(
      failed.map(({ span }) => [span?.name, span?.attributes.get('error.type'), span?.statusMessage]),
      [
        ['process mcp.events', 'STORE_UNREACHABLE', 'STORE_UNREACHABLE'],
        ['send mcp.events', 'BUS_CLOSED', 'BUS_CLOSED'],
      ],
    )
    assert.ok(!JSON.stringify(failed.map(({ span }) => [span?.events, factsOf({ span } as OtlpRecord)])).includes('SECRET'))
  })
})
