/** What Kafka deleted before the store had read it: the cluster goes on, and an alert says how many records were lost, exactly. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openAdmin } from '../../collectors/bus/kafka-client.ts'
import type { Role } from '../../schemas/config.ts'
import { startLoad } from '../faults/load.ts'
import { createOracle } from '../faults/oracle.ts'
import { ask } from '../faults/product.ts'
import { whatIsMissing } from './broker.ts'
import { type Cluster, openCluster } from './cluster.ts'
import type { RoleProcess } from './roles.ts'

const skip = await whatIsMissing()
const arrivalMsMax = 60_000

async function rowsOf<T>({ engine }: Cluster, query: string): Promise<T[]> {
  return await (await engine.client.query({ query, format: 'JSONEachRow' })).json<T>()
}
async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + arrivalMsMax; !(await holds()); await sleep(200)) assert.ok(Date.now() < deadline, what)
}

/** Answers how many records of each partition nobody can store any more. */
async function deleteUnread({ broker, topicPrefix }: Cluster): Promise<Map<string, number>> {
  const topic = `${topicPrefix}mcp.events`
  const admin = await openAdmin({ brokers: broker.brokers, clientId: 'test' })
  try {
    const [committed] = await admin.fetchOffsets({ groupId: `${topicPrefix}store`, topics: [topic] })
    const next = new Map(committed?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
    const lost = new Map<string, number>()
    for (const { partition, high } of await admin.fetchTopicOffsets(topic)) {
      const unread = Number(high) - (next.get(partition) ?? 0)
      if ((next.get(partition) ?? 0) <= 0 || unread < 2) continue
      await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(Number(high) - 1) }] })
      lost.set(`mcp.events/${partition}`, unread - 1)
    }
    return lost
  } finally {
    await admin.disconnect()
  }
}

it('a loss becomes an alert with the exact number', { timeout: 240_000, ...(skip ? { skip } : {}) }, async () => {
  await using cluster = await openCluster()
  const running: RoleProcess[] = []
  const start = async (role: Role) => {
    const process = cluster.roles.start(role, 1)
    running.push(process)
    await process.ready
    return process
  }
  const oracle = createOracle()
  const load = startLoad({ oracle, name: 'gap', senders: 2 })
  try {
    const [collect, store, , serve] = await Promise.all([start('collect'), start('store'), start('detect'), start('serve')])
    load.to((await collect.ready).otlp ?? '')
    const stored = async () => Number((await rowsOf<{ n: number }>(cluster, 'SELECT count() AS n FROM events'))[0]?.n)
    await until('nothing is stored', async () => (await stored()) > 200)
    store.kill('SIGTERM')
    assert.equal(await store.ended, 0, store.output())
    await sleep(3_000)
    await load.finish()
    await sleep(1_000) // the joiner’s last
    const lost = await deleteUnread(cluster)
    assert.ok(lost.size > 0, 'nothing was left unread')
    await start('store')
    const { api, token } = await serve.ready
    type Told = { items: { evidence: { where: string; lost: number } }[] }
    const told = async () => ((await ask({ api: api ?? '', token: token ?? '' }, '/v1/alerts?detector=telemetry-gap')) as Told).items
    await until('the loss is not told', async () => (await told()).length >= lost.size)
    assert.deepEqual(new Map((await told()).map(({ evidence }) => [evidence.where, Number(evidence.lost)])), lost)
  } finally {
    await load.stop()
    for (const role of running) role.kill('SIGKILL')
    await Promise.all(running.map(({ ended }) => ended))
  }
})
