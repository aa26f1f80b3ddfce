/** Snapshots in Kafka come back whole or not at all, the newest whole one first, and leave no consumer group behind. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { describe, it } from 'node:test'
import { openAdmin, openCluster } from '../../collectors/bus/kafka-client.ts'
import { createProducer } from '../../collectors/bus/kafka-produce.ts'
import { freshPrefix, openBus, readAll } from './kafka-tools.ts'

const timeout = 60_000
const positions = new Map([['mcp.events/1', 17n] as const, ['mcp.facts/1', 3n] as const])

/** Writes the last record of the topic once more, with one byte of it changed: what a disk might have done. */
async function damageLast(brokers: readonly string[], topic: string, partition: number): Promise<void> {
  const last = (await readAll(brokers, topic, partition)).at(-1)
  assert.ok(last?.value)
  const meta = JSON.parse(String(last.headers?.['checkpoint'])) as { id: string }
  const value = Buffer.from(last.value)
  value[value.length >> 1] = (value[value.length >> 1] ?? 0) ^ 1
  const cluster = await openCluster({ brokers, clientId: 'test' }, [topic])
  const producer = createProducer({ cluster, bytesWaitingMax: 64 * 1024 ** 2, onFault: () => undefined, retryMs: () => 10, now: Date.now })
  // Another id: a newer set of which this chunk is all there is.
  await producer.send(topic, partition, [{ key: last.key, value, headers: { checkpoint: JSON.stringify({ ...meta, id: 'damaged' }) } }])
  await producer.close()
}

export function snapshotPromises(brokers: () => readonly string[]): void {
  describe('Kafka: checkpoints', () => {
    it('come back as they were saved, per partition, after a restart, the newest of them', { timeout }, async () => {
      const prefix = freshPrefix()
      const sizes = [0, 1, 900_000, 2_000_000, 10]
      for (const size of sizes) {
        const snapshot = randomBytes(size)
        await using bus = await openBus(brokers(), prefix)
        const { save } = bus.checkpoints('r1')
        await save(1, { positions, pieces: [snapshot] })
        await using again = await openBus(brokers(), prefix)
        assert.deepEqual(await again.checkpoints('r1').load(1), { positions, snapshot })
        assert.equal(await again.checkpoints('r1').load(2), undefined)
        assert.equal(await again.checkpoints('r2').load(1), undefined, 'of another revision')
      }
    })

    it('30 MB are carried, and saving again and again finds the newest', { timeout }, async () => {
      await using bus = await openBus(brokers(), freshPrefix())
      const checkpoints = bus.checkpoints('r1')
      let snapshot = Buffer.alloc(0)
      for (let i = 0; i < 5; i += 1) {
        snapshot = Buffer.concat([randomBytes(1_000_000), Buffer.alloc(29_000_000, i)])
        await checkpoints.save(3, { positions, pieces: [snapshot] })
      }
      const loaded = await bus.checkpoints('r1').load(3)
      assert.ok(loaded && Buffer.compare(loaded.snapshot, snapshot) === 0)
    })

    it('one that is damaged or torn is passed over for the one before', { timeout }, async () => {
      const prefix = freshPrefix()
      await using bus = await openBus(brokers(), prefix)
      const checkpoints = bus.checkpoints('r1')
      const [older, newer] = [randomBytes(500_000), randomBytes(400_000)]
      await checkpoints.save(0, { positions, pieces: [older] })
      await damageLast(brokers(), `${prefix}mcp.checkpoints`, 0)
      assert.deepEqual((await bus.checkpoints('r1').load(0))?.snapshot, older)
      await checkpoints.save(0, { positions, pieces: [newer] })
      assert.deepEqual((await bus.checkpoints('r1').load(0))?.snapshot, newer)
    })

    it('leave no consumer group behind', { timeout }, async () => {
      await using bus = await openBus(brokers(), freshPrefix())
      const admin = await openAdmin({ brokers: brokers(), clientId: 'test' })
      const before = (await admin.listGroups()).groups.length
      await bus.checkpoints('r1').save(0, { positions, pieces: [randomBytes(10)] })
      await bus.checkpoints('r1').load(0)
      assert.equal((await admin.listGroups()).groups.length, before)
      await admin.disconnect()
    })
  })
}
