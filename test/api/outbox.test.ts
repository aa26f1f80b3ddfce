/** The outbox: what was owed is delivered, in order, with one key, whatever breaks in between. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { openDeliveries } from '../../api/outputs/deliveries.ts'
import { backoffMs, deliveryKey, type OutboxOptions, openOutbox } from '../../api/outputs/outbox.ts'
import { openWebhook } from '../../api/outputs/webhook.ts'
import { Fault } from '../../schemas/errors.ts'
import { type Delivery, tryAgain } from '../../schemas/output.ts'
import { createFeed, openReceiver, sampleAlert, until } from './sample.ts'

const quiet = { warn: () => undefined, error: () => undefined }
const fast = { firstMs: 5, waitMsMax: 20 }

function openDir() {
  const path = mkdtempSync(join(tmpdir(), 'lapwing-outbox-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
const sinkOf = (deliver: (item: Delivery) => Promise<void>) => ({ deliver, [Symbol.asyncDispose]: async () => undefined })
const optionsOf = (dataDir: string, deliver: (item: Delivery) => Promise<void>, over: Partial<OutboxOptions> = {}) => {
  const { bus, feed } = createFeed()
  const outputs = [{ name: 'one', severity: 'low', sink: sinkOf(deliver) } as const]
  return { feed, options: { dataDir, bus, outputs, log: quiet, retry: fast, ...over } }
}
const alertsOf = (...ids: string[]) => ids.map((alertId) => ({ type: 'alert', alert: sampleAlert({ alertId }) }) as const)

test('sends each alert once, however often the bus repeats it; hits and signals are not sent', async () => {
  using dir = openDir()
  const sent: string[] = []
  const { feed, options } = optionsOf(dir.path, async ({ alert }) => void sent.push(alert.alertId))
  await using outbox = await openOutbox(options)
  const hit = { alertId: 'a', eventId: 'e', tenant: 'default', time: 1n, severity: 'high' } as const
  await feed(...alertsOf('a', 'b'), { type: 'hits', hits: [hit] }, { type: 'signals', signals: [] })
  await until(() => outbox.status()[0]?.delivered === 2)
  await feed(...alertsOf('a', 'b', 'c'), { type: 'hits', hits: [hit] })
  await until(() => outbox.status()[0]?.delivered === 3)
  assert.deepEqual(sent, ['a', 'b', 'c'])
})

test('is silent below the threshold and sends the most severe first, then the oldest', async () => {
  using dir = openDir()
  const sent: string[] = []
  const { feed, options } = optionsOf(dir.path, async ({ alert }) => void sent.push(alert.alertId))
  await using outbox = await openOutbox(options)
  await feed(
    ...(['informational', 'low', 'critical', 'medium', 'critical', 'high'] as const).map(
      (severity, index) => ({ type: 'alert', alert: sampleAlert({ alertId: `${severity}-${index}`, severity }) }) as const,
    ),
  )
  await until(() => outbox.status()[0]?.delivered === 5)
  assert.deepEqual(sent, ['critical-2', 'critical-4', 'high-5', 'medium-3', 'low-1'])
})

test('delivers everything, wherever a retriable failure strikes', async () => {
  for (let strike = 0; strike < 6; strike += 1) {
    using dir = openDir()
    const keys: string[] = []
    let call = 0
    const { feed, options } = optionsOf(dir.path, async ({ key }) => {
      if (call++ === strike) throw strike % 2 === 0 ? tryAgain('on purpose') : new Error('not even a fault')
      keys.push(key)
    })
    await using outbox = await openOutbox(options)
    await feed(...alertsOf('a', 'b', 'c', 'd', 'e'))
    await until(() => outbox.status()[0]?.delivered === 5)
    assert.deepEqual(keys.toSorted(), ['a', 'b', 'c', 'd', 'e'].map((id) => deliveryKey(id, 'created')).toSorted())
  }
})

test('what is refused for good goes dead with its reason, holds nobody up, and can be replayed with the same key', async () => {
  using dir = openDir()
  const seen: Delivery[] = []
  let refuse = true
  const { feed, options } = optionsOf(dir.path, async (item) => {
    seen.push(item)
    if (refuse && item.alert.alertId === 'bad') throw new Fault('OUTPUT_REFUSED', 'status 400')
  })
  await using outbox = await openOutbox(options)
  await feed(...alertsOf('bad', 'good'))
  await until(() => outbox.status()[0]?.delivered === 1 && outbox.status()[0]?.dead === 1)
  assert.deepEqual(
    outbox.dead('one').map(({ alertId, reason, attempts }) => ({ alertId, reason, attempts })),
    [{ alertId: 'bad', reason: 'status 400', attempts: 1 }],
  )
  refuse = false
  assert.equal(outbox.replay('nobody'), undefined)
  assert.equal(outbox.replay('one'), 1)
  await until(() => outbox.status()[0]?.delivered === 2)
  assert.equal(seen.filter(({ alert }) => alert.alertId === 'bad').length, 2)
  assert.equal(new Set(seen.filter(({ alert }) => alert.alertId === 'bad').map(({ key }) => key)).size, 1)
})

test('gives up after the promised time, not before', async () => {
  using dir = openDir()
  let clock = 1_000_000
  let calls = 0
  const fail = async () => {
    calls += 1
    clock += 3_600_000
    throw tryAgain('status 503')
  }
  const { feed, options } = optionsOf(dir.path, fail, { now: () => clock, retry: { firstMs: 0, waitMsMax: 0 } })
  await using outbox = await openOutbox(options)
  await feed(...alertsOf('a'))
  await until(() => outbox.status()[0]?.dead === 1)
  assert.equal(calls, 72)
  assert.equal(outbox.dead('one')[0]?.reason, 'status 503')
})

test('one output that never answers delays no other', async () => {
  using dir = openDir()
  const sent: string[] = []
  const hang = Promise.withResolvers<void>()
  const { feed, options } = optionsOf(dir.path, () => hang.promise)
  const other = { name: 'two', severity: 'low', sink: sinkOf(async ({ alert }) => void sent.push(alert.alertId)) } as const
  await using outbox = await openOutbox({ ...options, outputs: [...options.outputs, other] })
  await feed(...alertsOf('a', 'b'))
  await until(() => outbox.status()[1]?.delivered === 2)
  assert.deepEqual(sent, ['a', 'b'])
  assert.equal(outbox.status()[0]?.pending, 2)
  hang.resolve()
})

test('honours Retry-After: the whole output rests, not only the alert', async () => {
  using dir = openDir()
  await using receiver = await openReceiver()
  receiver.answer = (response, index) => response.writeHead(index === 0 ? 503 : 200, index === 0 ? { 'retry-after': '1' } : {}).end()
  const { bus, feed } = createFeed()
  const sink = openWebhook({ url: receiver.url, allowPrivate: true, timeoutMs: 2_000 })
  await using outbox = await openOutbox({
    dataDir: dir.path,
    bus,
    outputs: [{ name: 'one', severity: 'low', sink }],
    log: quiet,
    retry: fast,
  })
  const start = performance.now()
  await feed(...alertsOf('a', 'b'))
  await until(() => receiver.received.length > 1)
  assert.ok(performance.now() - start >= 950, 'the second attempt came before the receiver wanted it')
  await until(() => outbox.status()[0]?.delivered === 2)
})

test('loses nothing to kill -9, wherever it strikes; what is sent twice has the same key', { timeout: 60_000 }, async () => {
  using dir = openDir()
  await using receiver = await openReceiver()
  const count = 12
  receiver.answer = (response, index) => void setTimeout(() => response.writeHead(index % 5 === 3 ? 503 : 200).end(), 15)
  const program = join(import.meta.dirname, 'outbox-process.ts')
  for (let killAfter = 1; killAfter <= count; killAfter += 4) {
    const child = spawn(process.execPath, [program, dir.path, receiver.url, String(count)], { stdio: ['ignore', 'pipe', 'inherit'] })
    await once(child.stdout, 'data')
    await until(() => receiver.received.length >= killAfter)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  const { feed, options } = optionsOf(dir.path, async () => undefined)
  const sink = openWebhook({ url: receiver.url, allowPrivate: true, timeoutMs: 2_000 })
  await using outbox = await openOutbox({ ...options, outputs: [{ name: 'webhook', severity: 'low', sink }] })
  await feed()
  await until(() => outbox.status()[0]?.delivered === count)
  const idOfKey = new Map(receiver.received.map(({ headers, body }) => [String(headers['webhook-id']), JSON.parse(body).finding_info.uid]))
  assert.equal(idOfKey.size, count)
  assert.equal(new Set(idOfKey.values()).size, count)
})

test('a full outbox drops the least severe and youngest to dead, counts them, and keeps them for replay', () => {
  using dir = openDir()
  const rows = openDeliveries(dir.path, { pendingMax: 3, settledMax: 10 })
  const owed = (['low', 'critical', 'low', 'high', 'medium'] as const).map((severity, index) => ({
    output: 'o',
    alertId: `${severity}-${index}`,
    change: 'created' as const,
    key: 'k',
    severity,
    body: new Uint8Array(),
  }))
  assert.equal(rows.owe(owed, 1), 2)
  assert.deepEqual(rows.counts('o'), { pending: 3, delivered: 0, dead: 2 })
  assert.deepEqual(
    rows.dead('o', 10).map(({ alertId, reason }) => `${alertId} ${reason}`),
    ['low-2 outbox full', 'low-0 outbox full'],
  )
  rows.close()
})

test('waits ever longer, up to the bound, never longer', () => {
  const retry = { firstMs: 1_000, waitMsMax: 300_000, giveUpMs: 1 }
  fc.assert(
    fc.property(fc.nat(5_000), fc.double({ min: 0, max: 1, noNaN: true }), (failures, random) => {
      const waitMs = backoffMs(retry, failures, random)
      return waitMs >= 0 && waitMs <= 300_000 && waitMs <= Math.ceil(1_000 * 2 ** Math.min(failures, 30))
    }),
  )
})
