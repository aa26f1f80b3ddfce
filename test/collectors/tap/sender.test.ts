/** Events reach the receiver once, wait on disk while it is away, and what is lost is counted and told. */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { retryAfterMs } from '../../../collectors/tap/post.ts'
import { createSender, type SenderOptions } from '../../../collectors/tap/sender.ts'
import { createSpool } from '../../../collectors/tap/spool.ts'
import type { McpEvent } from '../../../schemas/event.ts'
import { hashId } from '../../../schemas/ids.ts'
import { openSink } from '../../fixtures/otlp-sink.ts'

const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-test-'))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}
const event = (number: number, more: Partial<McpEvent> = {}): McpEvent => ({
  eventId: hashId('test', number),
  time: BigInt(number),
  kind: 'request',
  dialect: 'lapwing-tap',
  signal: 'wire',
  vantage: 'client',
  contentLevel: 'full',
  captureTier: 'redacted',
  tenant: 'default',
  source: 'tap',
  actor: 'ann',
  actorGrade: 'observed',
  actorSource: 'os_user',
  serverKey: 'srv_1',
  era: 'unknown',
  transport: 'stdio',
  ...more,
})
const lossEvent = (eventName: string, facts: Readonly<Record<string, number>>) =>
  event(1_000_000, { kind: 'other', eventName, params: { ...facts } })
const senderTo = (url: string, root: string, more: Partial<SenderOptions> = {}, bytesMax = 1 << 20) =>
  createSender({
    url: `${url}/v1/logs`,
    timeoutMs: 5_000,
    spool: createSpool({ root, instance: 'a', bytesMax }),
    resource: { hostName: 'here', pid: 1 },
    lossEvent,
    lingerMs: 5,
    backoffMsMax: 20,
    ...more,
  })
const ids = (events: readonly McpEvent[]) => events.map(({ eventId }) => eventId)
const all = (count: number) => Array.from({ length: count }, (_, number) => hashId('test', number))

test('events arrive whole, in order, in batches', async () => {
  using data = folder()
  await using sink = await openSink()
  const sender = senderTo(sink.url, data.dir, { batchEventsMax: 100, token: 'ingest' })
  for (let number = 0; number < 1_000; number += 1) sender.add(event(number))
  assert.deepEqual(await sender.close(5_000), { added: 1_000, sent: 1_000, spooled: 0, refused: 0, dropped: 0 })
  assert.deepEqual(sink.events[7], event(7))
  assert.deepEqual(ids(sink.events), all(1_000))
  assert.equal(sink.requests.length, 10)
  assert.equal(sink.requests[0]?.headers.authorization, 'Bearer ingest')
})

for (const status of [401, 404, 429, 502, 503, 504]) {
  test(`after HTTP ${status} events wait on disk and arrive once it is over`, async () => {
    using data = folder()
    await using sink = await openSink()
    sink.answer = { status, headers: { 'retry-after': '0' } }
    const first = senderTo(sink.url, data.dir)
    for (let number = 0; number < 20; number += 1) first.add(event(number))
    const { sent, spooled } = await first.close(50)
    assert.deepEqual([sent, spooled], [0, 20])
    sink.answer = { status: 200 }
    const second = createSender({
      url: `${sink.url}/v1/logs`,
      timeoutMs: 5_000,
      spool: createSpool({ root: data.dir, instance: 'b', isAlive: () => false }),
      resource: { hostName: 'here', pid: 1 },
      lossEvent,
    })
    await sink.until((events) => events.length >= 20)
    await second.close(1_000)
    // A request cut off at the deadline may have arrived all the same: then it is the same events again.
    assert.deepEqual([...new Set(ids(sink.events))].sort(), all(20).sort())
    assert.deepEqual(readdirSync(data.dir), [])
  })
}

test('a refused batch is not sent again; the loss is told', async () => {
  using data = folder()
  await using sink = await openSink()
  sink.answer = { status: 400 }
  const sender = senderTo(sink.url, data.dir)
  sender.add(event(0))
  while (sink.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  sink.answer = { status: 200 }
  while (sender.counts().refused === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  sender.add(event(1))
  await sink.until((events) => events.length === 2)
  const { refused, sent } = await sender.close(1_000)
  assert.deepEqual([refused, sent], [1, 2])
  assert.deepEqual(sink.events[1]?.params, { events: 1 })
  assert.equal(sink.events[1]?.eventName, 'tap.refused')
})

test('rejected records are counted', async () => {
  using data = folder()
  await using sink = await openSink()
  sink.answer = { status: 200, body: '{"partialSuccess":{"rejectedLogRecords":"2"}}' }
  const sender = senderTo(sink.url, data.dir)
  for (let number = 0; number < 5; number += 1) sender.add(event(number))
  const { sent, refused } = await sender.close(1_000)
  assert.deepEqual([sent, refused], [3, 2])
})

test('when the disk is full the oldest stay, and exactly what was dropped is told', async () => {
  using data = folder()
  await using sink = await openSink()
  sink.answer = { status: 503 }
  const sender = senderTo(sink.url, data.dir, { batchEventsMax: 10 }, 3 * 4096)
  for (let number = 0; number < 100; number += 1) sender.add(event(number))
  while (sender.counts().spooled + sender.counts().dropped < 100) await new Promise((resolve) => setTimeout(resolve, 5))
  assert.deepEqual([sender.counts().spooled, sender.counts().dropped], [30, 70])
  sink.answer = { status: 200 }
  await sink.until((events) => events.length === 31)
  await sender.close(1_000)
  assert.deepEqual(
    ids(sink.events)
      .filter((id) => id !== lossEvent('', {}).eventId)
      .sort(),
    all(30).sort(),
  )
  const told = sink.events.find(({ eventName }) => eventName === 'tap.spool_overflow')
  assert.deepEqual(told?.params, { events: 70 })
})

test('content that is far too large is left out, the event is not', async () => {
  using data = folder()
  await using sink = await openSink()
  const sender = senderTo(sink.url, data.dir)
  sender.add(event(0, { params: 'x'.repeat(5 * 1024 * 1024) }))
  await sender.close(2_000)
  assert.deepEqual([sink.events[0]?.params, sink.events[0]?.rawFacts], [undefined, ['content_dropped:size']])
})

test('a folder of a living tap is left alone', () => {
  using data = folder()
  mkdirSync(join(data.dir, '1-x'))
  writeFileSync(join(data.dir, '1-x', '000000000000001-000000000-3.json.gz'), gzipSync('{}'))
  const shy = createSpool({ root: data.dir, instance: 'a', isAlive: () => true })
  shy.adopt()
  assert.equal(shy.size(), 0)
  const heir = createSpool({ root: data.dir, instance: 'b', isAlive: () => false })
  heir.adopt()
  assert.equal(heir.oldest()?.events, 3)
})

test('Retry-After is seconds or a date, within reason', () => {
  assert.deepEqual(
    ['7', 'Thu, 01 Jan 1970 00:00:09 GMT', '99999999', 'soon', null].map((value) => retryAfterMs(value, 1_000)),
    [7_000, 8_000, 300_000, undefined, undefined],
  )
})
