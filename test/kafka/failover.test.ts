/** Three brokers, and the leader dies in the middle of the load: nothing that was acknowledged is lost, nothing is there twice. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { leaderOf, openCluster } from '../../collectors/bus/kafka-client.ts'
import type { Position } from '../../schemas/bus.ts'
import { assertOrdered, remember, until } from '../conformance/bus-tools.ts'
import { startBrokers, whatIsMissing } from './broker.ts'
import { freshPrefix, openBus } from './kafka-tools.ts'

const missing = await whatIsMissing()
const senders = 20
const each = 150

it('kill -9 of a leader under load loses nothing and writes nothing twice', { skip: missing ?? false, timeout: 240_000 }, async (t) => {
  await using brokers = await startBrokers({ count: 3, config: { 'min.insync.replicas': 2 } })
  const prefix = freshPrefix()
  await using bus = await openBus(brokers.brokers, prefix, { replicationFactor: 3, retryMs: (attempt) => Math.min(50 * 2 ** attempt, 500) })
  const { handler, seen } = remember()
  const running = await bus.consume(['mcp.events'], 'g', handler)
  const cluster = await openCluster({ brokers: brokers.brokers, clientId: 'test' }, [`${prefix}mcp.events`])
  const leaders = [0, 1, 2, 3].map((partition) => leaderOf(cluster, { topic: `${prefix}mcp.events`, partition }))
  await cluster.disconnect()
  // Node 1 is the only controller, and has to live.
  const victim = leaders.find((leader) => leader !== 1) ?? 2
  const acknowledged = new Map<string, Position>()
  let killing: Promise<void> | undefined
  let longestMs = 0
  const send = async (sender: number): Promise<void> => {
    for (let i = 0; i < each; i += 1) {
      const text = `${sender}/${i}`
      const from = performance.now()
      const [position] = await bus.publish('mcp.events', [{ key: `k${sender}`, bytes: Buffer.from(text) }])
      longestMs = Math.max(longestMs, performance.now() - from)
      if (position) acknowledged.set(text, position)
      if (acknowledged.size > (senders * each) / 3) killing ??= brokers.kill(victim)
    }
  }
  await Promise.all(Array.from({ length: senders }, (_, sender) => send(sender)))
  await killing
  assert.ok(killing, 'no broker was killed')
  await until(async () => [...(await running.lag().catch(() => new Map([['?', 1n]]))).values()].every((lag) => lag === 0n))
  await running.stop()
  const handled = new Map(seen.map((one) => [`${one.part}/${one.offset}`, one.text]))
  const stored = [...handled.values()]
  t.diagnostic(
    `${acknowledged.size} acknowledged, ${stored.length} stored, handled again ${seen.length - stored.length}, longest wait ${Math.round(longestMs)} ms, ${JSON.stringify(bus.counts())}`,
  )
  assert.equal(acknowledged.size, senders * each)
  assert.equal(new Set(stored).size, stored.length, 'stored twice')
  assert.equal(stored.length, senders * each)
  for (const [text, { topic, partition, offset }] of acknowledged) assert.equal(handled.get(`${topic}/${partition}/${offset}`), text)
  if (seen.length === stored.length) assertOrdered(seen)
  for (const [key, some] of Map.groupBy(handled.values(), (text) => text.split('/')[0] ?? '')) {
    const mine = some.map((text) => Number(text.split('/')[1]))
    assert.deepEqual(
      mine,
      [...mine].sort((a, b) => a - b),
      key,
    )
  }
})
