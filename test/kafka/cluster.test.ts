/** The four roles as processes over a real broker: what is sent to one is judged by another, stored by a third and shown by a fourth. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Role } from '../../schemas/config.ts'
import { startLoad } from '../faults/load.ts'
import { createOracle } from '../faults/oracle.ts'
import { ask } from '../faults/product.ts'
import { whatIsMissing } from './broker.ts'
import { openCluster } from './cluster.ts'
import type { RoleProcess } from './roles.ts'

const skip = await whatIsMissing()

it('events and alerts pass through all four roles, each once', { timeout: 180_000, ...(skip ? { skip } : {}) }, async (t) => {
  await using cluster = await openCluster()
  const running: RoleProcess[] = []
  const start = async (role: Role, n: number) => {
    const process = cluster.roles.start(role, n)
    running.push(process)
    return { process, served: await process.ready }
  }
  const oracle = createOracle()
  const load = startLoad({ oracle, name: 'cluster', senders: 2 })
  try {
    const { served: collect } = await start('collect', 1)
    // Collected before anybody reads: it waits on the broker.
    load.to(collect.otlp ?? '')
    await sleep(1_000)
    const [, , , { served: serve }] = await Promise.all([start('store', 1), start('detect', 1), start('detect', 2), start('serve', 1)])
    await sleep(4_000)
    await load.finish()
    const shown = { api: serve.api ?? '', token: serve.token ?? '' }
    const { acknowledged, attacks } = oracle.counts()
    for (const deadline = Date.now() + 60_000; ; await sleep(250)) {
      const result = await oracle.check(cluster.engine).catch((error: unknown) => error)
      if (!(result instanceof Error)) break
      if (Date.now() > deadline) throw result
    }
    t.diagnostic(JSON.stringify({ acknowledged, attacks }))
    assert.ok(acknowledged > 100 && attacks > 3)
    const alerts = (await ask(shown, '/v1/alerts?detector=ssrf')) as { items: { alert_id: string }[] }
    assert.ok(alerts.items.length > 0, 'the API shows the alerts')
    const { lag } = (await ask(shown, '/v1/health')) as { lag: Record<string, number> }
    assert.deepEqual(Object.keys(lag), ['joiner', 'detect', 'store', 'outputs'], 'who serves knows the lag of all')
    for (const role of running.slice(0, 2)) {
      const { ops } = await role.ready
      assert.equal((await fetch(`${ops}/readyz`)).status, 200)
      assert.match(await (await fetch(`${ops}/metrics`)).text(), /lapwing_kafka_/)
    }
    for (const role of running) role.kill('SIGTERM')
    assert.deepEqual(
      await Promise.all(running.map(({ ended }) => ended)),
      running.map(() => 0),
      running.map(({ output }) => output()).join('\n---\n'),
    )
  } finally {
    await load.stop()
    for (const role of running) role.kill('SIGKILL')
    await Promise.all(running.map(({ ended }) => ended))
  }
})
