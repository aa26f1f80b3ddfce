/**
 * The cluster under load while everything around it dies: what was acknowledged is stored once, and its alerts are those of a clean run.
 * CLUSTER_MINUTES says for how long (10); the numbers of faults go with it.
 */
import assert from 'node:assert/strict'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStore, type Store } from '../../api/store/connect.ts'
import { startLoad } from '../faults/load.ts'
import { createOracle, type Oracle } from '../faults/oracle.ts'
import { ask, freePorts, healthOf, startProduct } from '../faults/product.ts'
import { randomOf } from '../faults/random.ts'
import { whatIsMissing } from './broker.ts'
import { type Cluster, openCluster } from './cluster.ts'
import { freshTally, type Member, revive, spoil } from './faults.ts'

const skip = await whatIsMissing()
const minutes = Number(process.env['CLUSTER_MINUTES'] ?? 10)
const settleMsMax = 240_000

/** What is owed may take a while to arrive; what is wrong for good stays wrong. */
async function settled(oracle: Oracle, store: Store) {
  for (const deadline = Date.now() + settleMsMax; ; await sleep(1_000)) {
    try {
      return await oracle.check(store)
    } catch (error) {
      if (Date.now() > deadline) throw error
    }
  }
}

const alertIds = async ({ client }: Store): Promise<string[]> => {
  const answer = await client.query({
    query: "SELECT alert_id FROM alerts WHERE detector = 'ssrf' ORDER BY alert_id",
    format: 'JSONEachRow',
  })
  return (await answer.json<{ alert_id: string }>()).map(({ alert_id }) => alert_id)
}

/** The same attacks through one undisturbed process of the embedded size. */
async function cleanRun(cluster: Cluster, bodies: readonly { path: string; json: string }[]): Promise<string[]> {
  const dir = join(cluster.dir, 'clean')
  mkdirSync(dir)
  const product = startProduct(dir, [...freePorts, '--keys-dir', cluster.roles.keysDir])
  try {
    const served = await product.ready
    for (const { path, json } of bodies) {
      const sent = await fetch(served.otlp + path, { method: 'POST', body: json, headers: { 'content-type': 'application/json' } })
      assert.equal(sent.status, 200)
      await sent.arrayBuffer()
    }
    for (let quiet = 0; quiet < 3; await sleep(200)) {
      const { lag } = await healthOf(served)
      quiet = Object.values(lag).every((waiting) => waiting === 0) ? quiet + 1 : 0
    }
    product.kill('SIGTERM')
    await product.ended
  } finally {
    product.kill('SIGKILL')
    await product.ended
  }
  await using store = await openStore({ kind: 'embedded', dir: join(dir, 'store') })
  return await alertIds(store)
}

const timeout = (minutes * 2 + 12) * 60_000
it('nothing acknowledged is lost, nothing is stored twice, and alerts are those of a clean run', {
  timeout,
  ...(skip ? { skip } : {}),
}, async (t) => {
  const seed = Number(process.env['CLUSTER_SEED'] ?? Date.now() % 1_000_000)
  t.diagnostic(`seed ${seed}, ${minutes} minutes`)
  const random = randomOf(seed)
  await using cluster = await openCluster(random)
  const members: Member[] = (['collect', 'store', 'store', 'detect', 'detect', 'serve'] as const).map((role, n) => ({
    ...{ role, n },
    process: cluster.roles.start(role, n),
  }))
  const oracle = createOracle()
  const attacks: { path: string; json: string }[] = []
  const load = startLoad({ oracle, name: `o${seed}`, senders: 2, restMs: 500, keep: (body) => void attacks.push(body) })
  try {
    for (const member of members) await revive(cluster, member, load)
    const tally = freshTally()
    await spoil({ cluster, members, load, random, tally }, minutes)
    t.diagnostic(`faults over: ${JSON.stringify({ ...tally, ...load.counts(), ...oracle.counts(), store: cluster.proxy.counts() })}`)
    for (const member of members) await revive(cluster, member, load)
    await load.finish()
    const checked = await settled(oracle, cluster.engine)
    t.diagnostic(JSON.stringify({ ...checked, ...oracle.counts() }))
    const share = minutes / 10
    assert.ok(Math.min(...Object.values(tally.kills)) >= Math.floor(20 * share), `too few kills: ${JSON.stringify(tally)}`)
    assert.ok(tally.brokerKills >= Math.floor(5 * share) && tally.rebalances >= Math.floor(50 * share), JSON.stringify(tally))
    assert.ok(load.counts().retries > 0, 'no sender had to try again: the faults missed')
    const { refused, delayed, lost } = cluster.proxy.counts()
    assert.ok(
      refused > 0 && delayed > 0 && lost > 0,
      `the store was never away, slow, or lost its answers: ${JSON.stringify(cluster.proxy.counts())}`,
    )
    assert.ok(checked.alerts > 0)
    assert.deepEqual(await alertIds(cluster.engine), await cleanRun(cluster, attacks))
    await goesOn(members, `fresh${seed}`)
  } catch (error) {
    for (const { role, n, process: one } of members) t.diagnostic(`${role}-${n}: ${one.output().slice(-1_500)}`)
    throw error
  } finally {
    await load.stop()
    for (const { process: one } of members) one.kill('SIGKILL')
    await Promise.all(members.map(({ process: one }) => one.ended))
  }
})

/** One fresh event and one fresh alert get through, to the API. */
async function goesOn(members: readonly Member[], name: string): Promise<void> {
  const of = async (role: Member['role']) => await members.find((member) => member.role === role)?.process.ready
  const { otlp } = (await of('collect')) ?? {}
  const { api, token } = (await of('serve')) ?? {}
  const oracle = createOracle()
  const load = startLoad({ oracle, name, senders: 1, restMs: 200 })
  load.to(otlp ?? '')
  try {
    await sleep(300)
    await load.finish()
  } finally {
    await load.stop()
  }
  for (const deadline = Date.now() + settleMsMax; ; await sleep(250)) {
    const alerts = (await ask({ api: api ?? '', token: token ?? '' }, `/v1/alerts?detector=ssrf&server=srv_${name}`)) as {
      items: unknown[]
    }
    const events = (await ask({ api: api ?? '', token: token ?? '' }, `/v1/events?server=srv_${name}&limit=1000`)) as { items: unknown[] }
    if (alerts.items.length > 0 && events.items.length > 0) return
    assert.ok(Date.now() < deadline, 'nothing new gets through')
  }
}
