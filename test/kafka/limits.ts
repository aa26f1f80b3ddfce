/** Bounds, foreign topics, idle cost, a client that stands still: what the Kafka bus promises beside the suite. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { settled } from '../../collectors/bus/kafka-client.ts'
import { openKafkaReader } from '../../collectors/bus/kafka-consume.ts'
import type { DeadLetter, StoredRec } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { numbered, rec, remember, sealForTest, until } from '../conformance/bus-tools.ts'
import { freshPrefix, openBus, shortTimes } from './kafka-tools.ts'

const timeout = 60_000

export function limitPromises(brokers: () => readonly string[]): void {
  describe('Kafka: limits', () => {
    it('refuses to start where topics have another number of partitions', { timeout }, async () => {
      const prefix = freshPrefix()
      await (await openBus(brokers(), prefix))[Symbol.asyncDispose]()
      await assert.rejects(openBus(brokers(), prefix, { partitions: 6 }), {
        code: 'START_REFUSED',
        message: /6 partitions .*mcp\.events has 4/,
      })
    })

    it('refuses to start where there is no broker', { timeout }, async () => {
      await assert.rejects(openBus(['127.0.0.1:9'], freshPrefix()), { code: 'START_REFUSED', message: /127\.0\.0\.1:9 cannot be used/ })
    })

    it('refuses with BUS_FULL at the bound, later for what is further down the stream, and takes records again after', {
      timeout,
    }, async () => {
      await using bus = await openBus(brokers(), freshPrefix(), { bytesWaitingMax: 1_000_000 })
      const large = (key: string) => ({ key, bytes: Buffer.alloc(450_000) })
      const first = [bus.publish('mcp.spans', [large('a')]), bus.publish('mcp.spans', [large('b')])]
      await assert.rejects(Promise.all(first), { code: 'BUS_FULL' })
      await Promise.allSettled(first)
      // All or nothing, over however many partitions: what was refused is not there.
      const waiting = bus.publish('mcp.spans', [large('a')])
      await assert.rejects(bus.publish('mcp.spans', [rec('a', '0'), rec('b', '1'), rec('c', '2'), rec('d', '3'), large('e')]), {
        code: 'BUS_FULL',
      })
      const [{ offset } = { offset: 0n }] = await waiting
      const [after] = await bus.publish('mcp.spans', [rec('a', 'after')])
      assert.equal(after?.offset, offset + 1n)
      const second = [bus.publish('mcp.dead', [large('a')]), bus.publish('mcp.dead', [large('b')])]
      await Promise.all(second)
      await assert.rejects(bus.publish('mcp.events', [{ key: 'a', bytes: Buffer.alloc(33 * 1024 ** 2) }]), { code: 'INPUT_TOO_LARGE' })
      assert.equal(bus.counts().waitingBytes, 0)
    })

    it('its id is the cluster’s and the prefix’s', { timeout }, async () => {
      const [one, two] = [freshPrefix(), freshPrefix()]
      await using a = await openBus(brokers(), one)
      await using b = await openBus(brokers(), one)
      await using c = await openBus(brokers(), two)
      assert.equal(a.id, b.id)
      assert.notEqual(a.id, c.id)
    })

    it('an idle bus that publishes and reads costs less than 2 % of a core', { timeout }, async (t) => {
      await using bus = await openBus(brokers(), freshPrefix(), { times: {} })
      const { handler, seen } = remember()
      await bus.consume(['mcp.events', 'mcp.facts'], 'g', handler)
      await bus.publish('mcp.events', numbered(10))
      await until(() => seen.length === 10)
      await sleep(500)
      const [from, cpu] = [performance.now(), process.cpuUsage()]
      await sleep(5_000)
      const { user, system } = process.cpuUsage(cpu)
      const share = (user + system) / 1_000 / (performance.now() - from)
      t.diagnostic(`${(100 * share).toFixed(2)} % of a core`)
      assert.ok(share < 0.02)
    })
  })
}

export function foreignPromises(brokers: () => readonly string[]): void {
  it('Kafka: reads topics of others, and buries what cannot be handled with its original bytes', { timeout }, async () => {
    const topic = `${freshPrefix()}otlp_spans`
    const kafka = new kafkajs.Kafka({ brokers: [...brokers()], clientId: 'collector', logLevel: kafkajs.logLevel.NOTHING })
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 2, replicationFactor: 1 }] })
    await settled(() => admin.fetchTopicMetadata({ topics: [topic] }))
    await admin.disconnect()
    const producer = kafka.producer({ createPartitioner: () => () => 1 })
    await producer.connect()
    const values = Array.from({ length: 30 }, (_, i) => `${i}`)
    await producer.send({ topic, compression: kafkajs.CompressionTypes.GZIP, messages: values.map((value) => ({ value })) })
    await producer.send({ topic, messages: [{ value: 'named', headers: { constructor: 'x', twice: ['y', 'z'] } }] })
    await producer.disconnect()
    const letters: DeadLetter[] = []
    const seen: StoredRec[] = []
    await using reader = openKafkaReader({
      ...{ brokers: brokers(), clientId: 'lapwing-test', seal: sealForTest, onFault: () => undefined, times: shortTimes },
      publishDead: async (letter) => void letters.push(letter),
    })
    const running = await reader.consume([topic], 'foreign', async (from, partition, records) => {
      assert.deepEqual([from, partition], [topic, 1])
      for (const { bytes } of records) if (Buffer.from(bytes).toString() === '17') throw new Fault('RECORD_INVALID', 'not 17')
      seen.push(...records)
    })
    await until(async () => [...(await running.lag()).values()].every((lag) => lag === 0n))
    assert.deepEqual(
      seen.map(({ bytes }) => Buffer.from(bytes).toString()),
      [...values.filter((value) => value !== '17'), 'named'],
    )
    assert.deepEqual(seen.at(-1)?.headers, { constructor: 'x', twice: 'y' })
    assert.deepEqual(
      letters.map(({ topic: from, partition, offset, detail }) => [from, partition, offset, detail]),
      [[topic, 1, '17', 'not 17']],
    )
    assert.ok(Buffer.from(letters[0]?.sealed.slice(7) ?? '', 'base64').includes('17'))
    await running.stop()
  })
}

/** `proxied`: brokers behind a proxy whose fetches can be swallowed. */
export function stallPromises(proxied: () => readonly string[], swallow: () => void): void {
  it('Kafka: a client that gets no answer and no error is opened again', { timeout }, async () => {
    await using bus = await openBus(proxied(), freshPrefix(), { times: { ...shortTimes, stallMsMax: 1_000 } })
    const { handler, texts } = remember()
    await bus.consume(['mcp.events'], 'g', handler)
    await bus.publish('mcp.events', [rec('a', '0')])
    await until(() => texts().length === 1)
    swallow()
    await bus.publish('mcp.events', [rec('a', '1')])
    await until(() => texts().length === 2)
    assert.deepEqual(texts(), ['0', '1'])
    assert.ok(bus.counts().reopened > 0)
  })
}
