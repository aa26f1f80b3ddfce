/** What the Kafka bus costs beside plain kafkajs, with the same bytes, on the same broker, in the same run; and what more partitions bring. */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs from 'kafkajs'
import { openKafka } from '../../collectors/bus/kafka.ts'
import { settled } from '../../collectors/bus/kafka-client.ts'
import type { Rec } from '../../schemas/bus.ts'
import { type Brokers, startBrokers, whatIsMissing } from '../kafka/broker.ts'
import { spans } from './events.ts'
import { cpuNow, type Figure, median, type Part, type Run } from './measure.ts'

const perSend = 500
const senders = 4
type Taken = Readonly<{ produceCpu: number; consumeCpu: number; ms: number }>

async function sendAll(records: readonly Rec[], send: (some: readonly Rec[]) => Promise<unknown>): Promise<void> {
  let at = 0
  const sender = async (): Promise<void> => {
    while (at < records.length) {
      const some = records.slice(at, at + perSend)
      at += perSend
      await send(some)
    }
  }
  await Promise.all(Array.from({ length: senders }, sender))
}
/** Produces all, then reads all: two shares of CPU that can be told apart. */
async function take(produce: () => Promise<void>, consume: () => Promise<void>): Promise<Taken> {
  const [from, before] = [performance.now(), cpuNow()]
  await produce()
  const between = cpuNow()
  await consume()
  return { produceCpu: between - before, consumeCpu: cpuNow() - between, ms: performance.now() - from }
}

/** `together`: whoever reads is there before the first event, and the time is from then on; else all is written before it is read. */
async function ours(
  brokers: readonly string[],
  records: readonly Rec[],
  partitions: number,
  members: number,
  together: boolean,
): Promise<Taken> {
  const topicPrefix = `${randomUUID().slice(0, 8)}.`
  const options = { brokers, clientId: 'bench', topicPrefix, partitions, replicationFactor: 1, retentionMs: 3_600_000 }
  const open = () => openKafka({ ...options, seal: () => '', onFault: () => undefined })
  const buses = await Promise.all(Array.from({ length: members }, open))
  const [first] = buses
  let seen = 0
  const all = Promise.withResolvers<void>()
  const batch = async (_: unknown, some: readonly unknown[]): Promise<void> => {
    seen += some.length
    if (seen >= records.length) all.resolve()
  }
  const held = new Set<number>()
  const consume = async (): Promise<void> => {
    const assigned = async (parts: readonly unknown[]) => {
      held.add(parts.length)
      return new Map()
    }
    for (const bus of buses) await bus.consume(['mcp.events'], 'g', { assigned, batch })
  }
  try {
    if (together) {
      await consume()
      while (!held.has(partitions / members)) await sleep(20)
      await sleep(500)
    }
    return await take(
      () => sendAll(records, async (some) => first?.publish('mcp.events', some)),
      async () => {
        if (!together) await consume()
        await all.promise
      },
    )
  } finally {
    for (const bus of buses) await bus[Symbol.asyncDispose]()
  }
}

/** Plain kafkajs: its own producer and consumer. */
export async function stock(brokers: readonly string[], records: readonly Rec[], partitions: number): Promise<Taken> {
  const [compress, decompress] = [promisify(zstdCompress), promisify(zstdDecompress)]
  kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ({
    compress: ({ buffer }: { buffer: Buffer }) => compress(buffer),
    decompress: (buffer: Buffer) => decompress(buffer),
  })
  const kafka = new kafkajs.Kafka({ brokers: [...brokers], clientId: 'stock', logLevel: kafkajs.logLevel.NOTHING })
  const topic = randomUUID()
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ waitForLeaders: false, topics: [{ topic, numPartitions: partitions, replicationFactor: 1 }] })
  await settled(() => admin.fetchTopicMetadata({ topics: [topic] }))
  await admin.disconnect()
  const producer = kafka.producer({ idempotent: true, createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  const consumer = kafka.consumer({ groupId: topic })
  await producer.connect()
  await consumer.connect()
  await consumer.subscribe({ topics: [topic], fromBeginning: true })
  let seen = 0
  const all = Promise.withResolvers<void>()
  try {
    return await take(
      () =>
        sendAll(records, (some) =>
          producer.send({
            ...{ topic, compression: kafkajs.CompressionTypes.ZSTD, acks: -1 },
            messages: some.map(({ key, bytes }) => ({ key, value: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) })),
          }),
        ),
      async () => {
        await consumer.run({
          partitionsConsumedConcurrently: partitions,
          eachBatch: async ({ batch }) => {
            seen += batch.messages.length
            if (seen >= records.length) all.resolve()
          },
        })
        await all.promise
      },
    )
  } finally {
    await consumer.disconnect()
    await producer.disconnect()
  }
}

async function measure(brokers: Brokers, { quick, say }: Run): Promise<readonly Figure[]> {
  const count = quick ? 20_000 : 40_000
  const rounds = quick ? 2 : 3
  const bodies = spans(5_000).map(({ message }) => Buffer.from(JSON.stringify(message)))
  const records = Array.from({ length: count }, (_, i) => ({ key: `actor-${i % 64}`, bytes: bodies[i % bodies.length] ?? Buffer.alloc(0) }))
  const size = Math.round(records.reduce((sum, { bytes }) => sum + bytes.byteLength, 0) / count)
  const taken = { stock: [] as Taken[], apart: [] as Taken[], four: [] as Taken[], one: [] as Taken[], members: [] as Taken[] }
  for (let round = 0; round <= rounds; round += 1) {
    const all = {
      stock: await stock(brokers.brokers, records, 4),
      apart: await ours(brokers.brokers, records, 4, 1, false),
      four: await ours(brokers.brokers, records, 4, 1, true),
      one: await ours(brokers.brokers, records, 1, 1, true),
      members: await ours(brokers.brokers, records, 4, 4, true),
    }
    // The first round warms up.
    if (round > 0) for (const name of ['stock', 'apart', 'four', 'one', 'members'] as const) taken[name].push(all[name])
    say(`round ${round} of ${rounds}`)
  }
  const of = (name: keyof typeof taken, field: keyof Taken): number => median(taken[name].map((one) => one[field])) / count
  const note = `events of ${size} bytes, ${perSend} a call, zstd`
  return [
    { name: 'Kafka bus: publish, CPU', value: of('apart', 'produceCpu'), unit: 'µs/event', note },
    { name: 'Kafka bus: consume, CPU', value: of('apart', 'consumeCpu'), unit: 'µs/event' },
    { name: 'plain kafkajs: publish, CPU', value: of('stock', 'produceCpu'), unit: 'µs/event' },
    { name: 'plain kafkajs: consume, CPU', value: of('stock', 'consumeCpu'), unit: 'µs/event' },
    {
      name: 'Kafka bus ÷ plain kafkajs, CPU',
      value: (of('apart', 'produceCpu') + of('apart', 'consumeCpu')) / (of('stock', 'produceCpu') + of('stock', 'consumeCpu')),
      unit: '×',
      aim: { atMost: 1 },
    },
    {
      name: 'Kafka bus: events a second, there and back',
      value: 1_000 / of('apart', 'ms'),
      unit: '/s',
      note: 'broker on the same machine',
    },
    { name: 'plain kafkajs: events a second', value: 1_000 / of('stock', 'ms'), unit: '/s' },
    { name: 'Kafka bus: 4 partitions ÷ 1', value: of('one', 'ms') / of('four', 'ms'), unit: '×', note: 'events a second, one process' },
    { name: 'Kafka bus: 4 members ÷ 1', value: of('four', 'ms') / of('members', 'ms'), unit: '×', note: 'events a second, one process' },
  ]
}

export const kafkaPart: Part = {
  name: 'kafka',
  about: 'the Kafka bus beside plain kafkajs, same bytes, same broker',
  async run(run) {
    const missing = await whatIsMissing()
    if (missing) return [{ name: 'Kafka bus ÷ plain kafkajs, CPU', value: undefined, unit: '×', note: missing }]
    await using brokers = await startBrokers()
    return await measure(brokers, run)
  },
}
