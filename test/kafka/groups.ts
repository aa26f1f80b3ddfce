/** What a group promises when its members come and go: co-partitions, nothing lost, no partition in two hands, exact counts of what is gone. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KafkaBus } from '../../collectors/bus/kafka.ts'
import { openAdmin } from '../../collectors/bus/kafka-client.ts'
import { type Handler, type PartId, partId, type Running } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { numbered, numbers, rec, remember, sorted, textOf, until } from '../conformance/bus-tools.ts'
import { freshPrefix, openBus } from './kafka-tools.ts'

const timeout = 60_000
type Brokers = () => readonly string[]

/** A member of the group ‘g’ with a bus of its own, as another process would have. */
async function joinGroup(brokers: readonly string[], prefix: string, handler: Handler, partitions: number) {
  const bus = await openBus(brokers, prefix, { partitions })
  const held = new Set<PartId>()
  const running = await bus.consume(['mcp.events', 'mcp.facts'], 'g', {
    ...handler,
    async assigned(parts) {
      for (const part of parts) held.add(partId(part))
      return new Map()
    },
    async revoked(parts) {
      for (const part of parts) held.delete(partId(part))
    },
  })
  return { bus, running, held, leave: () => bus[Symbol.asyncDispose]() }
}
const indexes = (held: ReadonlySet<PartId>, topic: string): number[] =>
  [...held]
    .filter((id) => id.startsWith(topic))
    .map((id) => Number(id.split('/')[1]))
    .sort((a, b) => a - b)
const isQuiet = async (running: Running, parts: number): Promise<boolean> => {
  const lags = [...(await running.lag()).values()]
  return lags.length === parts && lags.every((lag) => lag === 0n)
}

export function groupPromises(brokers: Brokers): void {
  describe('Kafka: groups', () => {
    it('three members share all partitions, and partition i of every topic is with the same', { timeout }, async () => {
      const prefix = freshPrefix()
      const members: Awaited<ReturnType<typeof joinGroup>>[] = []
      for (let i = 0; i < 3; i += 1) members.push(await joinGroup(brokers(), prefix, remember().handler, 6))
      await until(() => members.every(({ held }) => held.size === 4))
      const shares = members.map(({ held }) => indexes(held, 'mcp.events'))
      assert.deepEqual(
        shares.flat().sort((a, b) => a - b),
        [0, 1, 2, 3, 4, 5],
      )
      for (const { held } of members) assert.deepEqual(indexes(held, 'mcp.facts'), indexes(held, 'mcp.events'))
      await members.pop()?.leave()
      await until(() => members.every(({ held }) => held.size === 6))
      for (const { held } of members) assert.deepEqual(indexes(held, 'mcp.facts'), indexes(held, 'mcp.events'))
      for (const member of members) await member.leave()
    })

    it('rebalances under load lose nothing, hand nothing over twice, and no partition is in two hands at once', {
      timeout: 120_000,
    }, async (t) => {
      const rounds = Number(process.env['LAPWING_REBALANCES'] ?? 12)
      const prefix = freshPrefix()
      const handled: string[] = []
      const inHand = new Map<PartId, number>()
      let overlaps = 0
      const handler: Handler = {
        async batch(part, records) {
          const id = partId(part)
          if (inHand.get(id)) overlaps += 1
          inHand.set(id, 1)
          await sleep(3)
          handled.push(...records.map(textOf))
          inHand.set(id, 0)
        },
      }
      const stay = await joinGroup(brokers(), prefix, handler, 4)
      let count = 0
      let publishing = true
      const publisher = (async () => {
        while (publishing) {
          await stay.bus.publish(
            'mcp.events',
            Array.from({ length: 20 }, () => rec(`k${count % 97}`, String(count++))),
          )
          await sleep(2)
        }
      })()
      for (let round = 0; round < rounds; round += 1) {
        const guest = await joinGroup(brokers(), prefix, handler, 4)
        await until(() => guest.held.size === 4 && stay.held.size === 4)
        const before = handled.length
        await until(() => handled.length > before + 20)
        await guest.leave()
      }
      publishing = false
      await publisher
      await until(async () => stay.held.size === 8 && (await isQuiet(stay.running, 8)))
      const { rebalances, overdrawn } = stay.bus.counts()
      await stay.leave()
      t.diagnostic(`${count} records, ${rebalances} rebalances of one member, ${handled.length - count} handed over again`)
      assert.ok(rebalances > rounds)
      assert.equal(new Set(handled).size, count, 'lost')
      assert.equal(overlaps, 0)
      assert.equal(overdrawn, 0)
      assert.equal(handled.length, count, 'handed over again')
    })

    it('a batch that outlives its assignment is not committed, and `revoked` is told after it', { timeout }, async () => {
      const prefix = freshPrefix()
      const events: string[] = []
      const gate = Promise.withResolvers<void>()
      const slow = await openBus(brokers(), prefix, {
        partitions: 1,
        times: { sessionMs: 10_000, heartbeatMs: 100, pollMs: 100, drainMsMax: 300 },
      })
      await slow.publish('mcp.events', [rec('a', '0')])
      await slow.consume(['mcp.events'], 'g', {
        async batch(_, records, epoch) {
          events.push(`slow begins ${records.map(textOf)}`)
          if (epoch === 1) await gate.promise
          events.push('slow ends')
        },
        revoked: async () => void events.push('slow revoked'),
      })
      await until(() => events.length === 1)
      const second = remember()
      const other = await openBus(brokers(), prefix, { partitions: 1 })
      const joined = other.consume(['mcp.events'], 'g', second.handler)
      await until(() => slow.counts().overdrawn > 0)
      gate.resolve()
      await until(() => events.includes('slow revoked'))
      assert.deepEqual(events.slice(0, 3), ['slow begins 0', 'slow ends', 'slow revoked'])
      await slow[Symbol.asyncDispose]()
      await joined
      await until(() => second.seen.length > 0)
      assert.deepEqual(second.texts(), ['0'], 'it was committed by one who no longer held it')
      await other[Symbol.asyncDispose]()
    })
  })
}

async function deleteBelow(brokers: readonly string[], topic: string, offset: bigint): Promise<void> {
  const admin = await openAdmin({ brokers, clientId: 'test' })
  await admin.fetchTopicOffsets(topic) // only then does it know the leader
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: String(offset) }] }).finally(() => admin.disconnect())
}
const lossIn = (faults: readonly unknown[]): string[] =>
  faults.filter((fault) => fault instanceof Fault && fault.code === 'RECORD_INVALID').map((fault) => (fault as Fault).message)

export function lossPromises(brokers: Brokers): void {
  describe('Kafka: records that are no longer there', () => {
    const open = (prefix: string, faults: unknown[]): Promise<KafkaBus> =>
      openBus(brokers(), prefix, { partitions: 1, onFault: (fault) => void faults.push(fault) })

    it('below the committed offset: the exact number is said, and reading goes on', { timeout }, async () => {
      const prefix = freshPrefix()
      const faults: unknown[] = []
      await using bus = await open(prefix, faults)
      await bus.publish('mcp.events', numbered(10))
      const first = remember()
      const running = await bus.consume(['mcp.events'], 'g', first.handler)
      await until(() => first.seen.length === 10)
      await running.stop()
      await bus.publish('mcp.events', numbered(40).slice(10))
      await deleteBelow(brokers(), `${prefix}mcp.events`, 27n)
      const second = remember()
      await bus.consume(['mcp.events'], 'g', second.handler)
      await until(() => second.seen.length === 13)
      assert.deepEqual(sorted(second.texts()), numbers(40).slice(27))
      assert.deepEqual(lossIn(faults), ['17 records of mcp.events/0 from 10 on are no longer in Kafka'])
    })

    it('while it is being read: the exact number is said, and reading goes on', { timeout }, async () => {
      const prefix = freshPrefix()
      const faults: unknown[] = []
      await using bus = await openBus(brokers(), prefix, {
        partitions: 1,
        onFault: (fault) => void faults.push(fault),
        readAheadBytesMax: 1,
      })
      const large = (i: number) => ({ key: 'a', bytes: Buffer.from(`${i} `.padEnd(700_000, '.')) })
      const gate = Promise.withResolvers<void>()
      const seen: number[] = []
      await bus.consume(['mcp.events'], 'g', {
        async batch(_, records) {
          await gate.promise
          seen.push(...records.map((record) => Number.parseInt(textOf(record), 10)))
        },
      })
      for (let i = 0; i < 12; i += 1) await bus.publish('mcp.events', [large(i)])
      await deleteBelow(brokers(), `${prefix}mcp.events`, 10n)
      gate.resolve()
      await until(() => seen.includes(11))
      const lost = 12 - seen.length
      const first = seen.findIndex((n, i) => n !== i)
      assert.ok(lost > 0)
      assert.deepEqual(seen.slice(first), [10, 11])
      assert.deepEqual(lossIn(faults), [`${lost} records of mcp.events/0 from ${first} on are no longer in Kafka`])
    })

    it('a wish from beyond the end was made for another cluster: it is said, and the group’s own offset counts', { timeout }, async () => {
      const faults: unknown[] = []
      await using bus = await open(freshPrefix(), faults)
      await bus.publish('mcp.events', numbered(5))
      const { handler, texts } = remember()
      await bus.consume(['mcp.events'], 'g', { ...handler, assigned: async () => new Map([['mcp.events/0', 99n]]) })
      await bus.publish('mcp.events', numbered(6).slice(5))
      await until(() => texts().length > 0)
      assert.equal(texts().at(-1), '5')
      assert.match(lossIn(faults).join(), /wants offset 99 of mcp.events\/0, which ends at 5/)
    })
  })
}
