/** A Produce response that is lost costs nothing: what was acknowledged is there, once. The stock producer, in the same run, loses. */
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import kafkajs from 'kafkajs'
import { openAdmin, settled } from '../../collectors/bus/kafka-client.ts'
import { until } from '../conformance/bus-tools.ts'
import { type Brokers, whatIsMissing } from './broker.ts'
import { freshPrefix, openBus, readAll } from './kafka-tools.ts'
import { type KafkaProxy, startProxied } from './proxy.ts'

const repetitions = Number(process.env['LAPWING_LOST_RESPONSES'] ?? 1_000)
const senders = 50
const missing = await whatIsMissing()

const readBack = async (brokers: readonly string[], topic: string): Promise<readonly string[]> =>
  (await readAll(brokers, topic)).map(({ value }) => String(value))
function tally(acknowledged: readonly string[], stored: readonly string[]) {
  const there = new Set(stored)
  return {
    acknowledged: acknowledged.length,
    lost: acknowledged.filter((text) => !there.has(text)).length,
    twice: stored.length - there.size,
  }
}
const texts = (round: number): string[] => Array.from({ length: senders }, (_, i) => `${round}/${i}`)

if (missing) it('lost responses', { skip: missing })
else {
  describe('a lost Produce response', () => {
    let broker: Brokers
    let proxy: KafkaProxy
    before(async () => {
      ;({ broker, proxy } = await startProxied())
    })
    after(async () => {
      await broker[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
    })

    it(`${repetitions} times, under ${senders} concurrent senders: nothing is lost, nothing is there twice`, {
      timeout: 900_000,
    }, async (t) => {
      const prefix = freshPrefix()
      await using bus = await openBus(broker.brokers, prefix, { partitions: 1, retryMs: () => 5 })
      await bus.publish('mcp.events', [{ key: 'warm', bytes: Buffer.from('warm') }])
      const before = proxy.dropped()
      const acknowledged = ['warm']
      for (let round = 0; round < repetitions; round += 1) {
        proxy.drop(1)
        await Promise.all(
          texts(round).map(async (text, i) => {
            // Some together, some while the first are on their way.
            for (let turns = 0; turns < i % 7; turns += 1) await new Promise(setImmediate)
            await bus.publish('mcp.events', [{ key: text, bytes: Buffer.from(text) }])
            acknowledged.push(text)
          }),
        )
      }
      assert.equal(proxy.dropped() - before, repetitions)
      const counted = tally(acknowledged, await readBack(broker.brokers, `${prefix}mcp.events`))
      t.diagnostic(`ours: ${JSON.stringify({ ...counted, dropped: repetitions, ...bus.counts() })}`)
      assert.deepEqual(counted, { acknowledged: 1 + repetitions * senders, lost: 0, twice: 0 })
      assert.equal(bus.counts().maybeTwice, 0)
    })

    it('the same proxy makes the stock idempotent producer lose what it acknowledged', { timeout: 120_000 }, async (t) => {
      const rounds = 5
      const topic = `${freshPrefix()}stock`
      const admin = await openAdmin({ brokers: broker.brokers, clientId: 'stock' })
      await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: 1, replicationFactor: 1 }] })
      await settled(() => admin.fetchTopicMetadata({ topics: [topic] }))
      await admin.disconnect()
      const kafka = new kafkajs.Kafka({ brokers: [...broker.brokers], clientId: 'stock', logLevel: kafkajs.logLevel.NOTHING })
      const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, createPartitioner: () => () => 0 })
      await producer.connect()
      const acknowledged: string[] = []
      try {
        for (let round = 0; round < rounds; round += 1) {
          const before = proxy.dropped()
          proxy.drop(1)
          await Promise.all(
            texts(round).map(async (text) => {
              await producer.send({ topic, messages: [{ key: text, value: text }] })
              acknowledged.push(text)
            }),
          )
          await until(() => proxy.dropped() > before)
        }
      } finally {
        await producer.disconnect()
      }
      const counted = tally(acknowledged, await readBack(broker.brokers, topic))
      t.diagnostic(`stock: ${JSON.stringify(counted)}`)
      assert.ok(counted.lost > 0, 'it lost nothing: then this test proves nothing')
    })
  })
}
