/** What a Collector writes to a real Kafka becomes events on ours; what is no OTLP becomes a letter with its original bytes. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { createReplay, originalOf, replayHeader } from '../../collectors/bus/dead-letters.ts'
import { openKafkaReader } from '../../collectors/bus/kafka-consume.ts'
import { openKeys } from '../../collectors/keys.ts'
import { createIntake } from '../../collectors/otlp/intake.ts'
import { openKafkaSource } from '../../collectors/otlp/kafka-source.ts'
import type { DeadLetter, StoredRec } from '../../schemas/bus.ts'
import { decodeEvent } from '../../schemas/codec.ts'
import { descending, encode, keyValues, logs, sdkCall, traceOf, traces } from '../collectors/otlp-bodies.ts'
import { startBrokers, whatIsMissing } from './broker.ts'
import { freshPrefix, openBus, shortTimes } from './kafka-tools.ts'

const skip = (await whatIsMissing()) ?? false

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await done())) await sleep(50)
}

it('Kafka: spans and logs of a Collector arrive once each over a restart, poison is buried whole, and replay keeps all', {
  skip,
  timeout: 120_000,
}, async () => {
  await using broker = await startBrokers()
  const { brokers } = broker
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-otlp-kafka-'))
  await using undo = new AsyncDisposableStack()
  undo.defer(() => rmSync(dir, { recursive: true, force: true }))
  const keys = openKeys(dir)
  const bus = undo.use(await openBus(brokers, freshPrefix(), { seal: keys.seal }))
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], clientId: 'collector', logLevel: kafkajs.logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    waitForLeaders: false,
    topics: ['otlp_spans', 'otlp_logs'].map((topic) => ({ topic, numPartitions: 2, replicationFactor: 1 })),
  })
  const isThere = () => admin.fetchTopicMetadata({ topics: ['otlp_spans', 'otlp_logs'] }).then(Boolean, () => false)
  await until(isThere)
  await admin.disconnect()
  const producer = kafka.producer()
  await producer.connect()
  undo.defer(() => producer.disconnect())
  const spanRecord = (n: number) => ({
    key: traceOf(n),
    value: Buffer.from(encode('Traces', traces('shop', { 'mcp-python-sdk': sdkCall(n, 'add') }), descending)),
  })
  const logRecord = (n: number) => {
    const record = {
      timeUnixNano: `${1_795_270_000 + n}000000000`,
      body: { stringValue: 'x' },
      attributes: keyValues({ 'event.name': 'tool_result' }),
    }
    return {
      key: Buffer.from([0xff, n, 0x80]),
      value: Buffer.from(encode('Logs', logs('com.anthropic.claude_code.events', [record]), descending)),
      headers: { tenant: 'acme' },
    }
  }
  const poison = Buffer.from([0xff, 0xfe, 0, 1])
  const letters: DeadLetter[] = []
  const open = async () => {
    const reader = openKafkaReader({
      ...{ brokers, clientId: 'lapwing-test', seal: keys.seal, onFault: () => undefined, times: shortTimes },
      publishDead: async (letter) => void letters.push(letter),
    })
    const intake = createIntake({ bus, protect: (event) => event, keyedHash: () => (text) => text, elementsMax: 1_000 })
    const running = await openKafkaSource({
      consume: reader.consume,
      intake,
      topics: ['otlp_spans', 'otlp_logs'],
      encoding: 'otlp_proto',
      tenant: 'default',
      source: 'kafka',
      bytesMax: 100_000,
    })
    return { running, [Symbol.asyncDispose]: () => reader[Symbol.asyncDispose]() }
  }
  const arrived: { topic: string; record: StoredRec }[] = []
  await bus.consume(['mcp.spans', 'mcp.events'], 'test', {
    batch: async ({ topic }, records) => void arrived.push(...records.map((record) => ({ topic, record }))),
  })
  const idsOf = (topic: string) =>
    new Set(
      arrived
        .filter((one) => one.topic === topic && !one.record.headers?.[replayHeader])
        .map(({ record }) => decodeEvent(record.bytes).eventId),
    )

  for (const half of [0, 1]) {
    await using source = await open()
    const numbers = Array.from({ length: 20 }, (_, n) => half * 20 + n + 1)
    const spans = [...numbers.map(spanRecord), { key: traceOf(half), value: poison }]
    await producer.send({ topic: 'otlp_spans', compression: kafkajs.CompressionTypes.GZIP, messages: spans })
    await producer.send({ topic: 'otlp_logs', messages: numbers.map(logRecord) })
    await until(
      () => idsOf('mcp.spans').size === 40 * (half + 1) && idsOf('mcp.events').size === 20 * (half + 1) && letters.length === half + 1,
    )
    await until(async () => [...(await source.running.lag()).values()].every((lag) => lag === 0n))
  }
  for (const [half, { topic, reason, detail, sealed }] of letters.entries()) {
    assert.deepEqual([topic, reason], ['otlp_spans', 'RECORD_INVALID'])
    assert.match(detail, /no OTLP protobuf/)
    const original = originalOf(keys.open(sealed))
    assert.deepEqual([original?.key, Buffer.from(original?.bytes ?? [])], [traceOf(half), poison])
  }
  const replay = createReplay({ publish: bus.publish, open: keys.open })
  await assert.rejects(replay({ id: 'x', ...(letters[0] as DeadLetter) }, false), /otlp_spans is not a topic of Lapwing/)

  const event = (arrived.find(({ topic }) => topic === 'mcp.events') as (typeof arrived)[number]).record
  const buried: DeadLetter[] = []
  await bus.consume(['mcp.dead'], 'letters', {
    batch: async (_part, records) =>
      void buried.push(...records.map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()) as DeadLetter)),
  })
  let broken = true
  await bus.consume(['mcp.events'], 'broken', {
    batch: async (_part, records) => {
      if (broken && records.some(({ offset, key }) => offset === event.offset && key === event.key)) throw new TypeError('on purpose')
    },
  })
  await until(() => buried.length === 1)
  broken = false
  await replay({ id: 'mcp.events:0:0', ...(buried[0] as DeadLetter) }, false)
  const back = () => arrived.find(({ record }) => record.headers?.[replayHeader] === 'mcp.events:0:0')?.record
  await until(() => back() !== undefined)
  assert.deepEqual([back()?.key, Buffer.from(back()?.bytes ?? [])], [event.key, Buffer.from(event.bytes)])
})
