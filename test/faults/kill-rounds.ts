/** Kills the product and its engine child at random moments under load, again and again, and then asks for what is owed. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStore } from '../../api/store/connect.ts'
import { type Load, startLoad } from './load.ts'
import { createOracle, type Oracle } from './oracle.ts'
import { ask, enginesAlive, enginesOf, healthOf, type Product, startProduct } from './product.ts'
import { randomOf } from './random.ts'

export type Rounds = Readonly<{ mainKills: number; engineKills: number; seed: number; say?: (line: string) => void }>
export type Outcome = Readonly<{
  mainKills: number
  engineKills: number
  engineRestarts: number
  replays: number
  startMsMax: number
  bodies: number
  retries: number
  sent: number
  acknowledged: number
  stored: number
  alerts: number
  hits: number
}>

const drainMsMax = 120_000
const orphanMsMax = 15_000

export async function killRounds(rounds: Rounds): Promise<Outcome> {
  const dataDir = mkdtempSync(join(tmpdir(), 'lapwing-kill-'))
  const oracle = createOracle()
  const load = startLoad({ oracle, name: `n${rounds.seed}` })
  const tally = { mainKills: 0, engineKills: 0, engineRestarts: 0, replays: 0, startMsMax: 0 }
  const engines = new Set<number>()
  let product: Product | undefined
  try {
    const random = randomOf(rounds.seed)
    while (tally.mainKills < rounds.mainKills || tally.engineKills < rounds.engineKills) {
      product = startProduct(dataDir)
      await oneLife(product, { rounds, tally, engines, load, random })
      rounds.say?.(`round ${tally.mainKills}: ${JSON.stringify({ ...tally, ...load.counts(), ...oracle.counts() })}`)
    }
    product = startProduct(dataDir)
    await drained(product, load, tally)
    for (const pid of enginesOf(product.pid)) engines.add(pid)
    product.kill('SIGTERM')
    assert.equal(await product.ended, 0, `SIGTERM does not end it well:\n${product.output()}`)
    await gone(engines)
    const checked = await checkStore(dataDir, oracle)
    const counts = { ...tally, ...load.counts(), ...oracle.counts(), ...checked }
    product = startProduct(dataDir)
    await goesOn(product, `fresh${rounds.seed}`)
    for (const pid of enginesOf(product.pid)) engines.add(pid)
    product.kill('SIGTERM')
    assert.equal(await product.ended, 0)
    await gone(engines)
    return counts
  } finally {
    await load.stop()
    product?.kill('SIGKILL')
    await product?.ended
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })
  }
}

type Life = Readonly<{
  rounds: Rounds
  tally: { mainKills: number; engineKills: number; engineRestarts: number; replays: number; startMsMax: number }
  engines: Set<number>
  load: Load
  random: () => number
}>

/** From a start to a kill; every fourth dies while it starts. */
async function oneLife(product: Product, { rounds, tally, engines, load, random }: Life): Promise<void> {
  const since = performance.now()
  const early = tally.mainKills % 4 === 3
  if (early && tally.mainKills < rounds.mainKills) {
    await Promise.race([sleep(random() * 3_000), product.ready.catch(() => undefined)])
  } else {
    const served = await product.ready
    tally.startMsMax = Math.max(tally.startMsMax, Math.round(performance.now() - since))
    load.to(served.otlp)
    const lives = Math.max(1, rounds.mainKills - tally.mainKills - Math.floor((rounds.mainKills - tally.mainKills) / 4))
    const share = Math.ceil((rounds.engineKills - tally.engineKills) / lives)
    for (let kill = 0; kill < share; kill += 1) {
      await sleep(random() * 800)
      const [engine] = enginesOf(product.pid)
      if (engine === undefined) continue // it is being started again
      process.kill(engine, 'SIGKILL')
      engines.add(engine)
      tally.engineKills += 1
    }
    await sleep(random() * 2_000)
    const health = await healthOf(served)
    tally.engineRestarts += health.store.engine_restarts
    tally.replays += health.store.repeats + health.store.retries + health.detectors.duplicates
  }
  for (const pid of enginesOf(product.pid)) engines.add(pid)
  product.kill('SIGKILL')
  const how = await product.ended
  assert.equal(how, 'SIGKILL', `it ended by itself (${how}):\n${product.output()}`)
  tally.mainKills += 1
}

async function drained(product: Product, load: Load, tally: Life['tally']): Promise<void> {
  const served = await product.ready
  load.to(served.otlp)
  await load.finish()
  const deadline = Date.now() + drainMsMax
  for (let quiet = 0; quiet < 3; ) {
    const { lag, store, detectors } = await healthOf(served)
    quiet = Object.values(lag).every((waiting) => waiting === 0) ? quiet + 1 : 0
    assert.ok(Date.now() < deadline, `not drained: ${JSON.stringify(lag)}\n${product.output()}`)
    if (quiet === 3) tally.replays += store.repeats + detectors.duplicates
    await sleep(100)
  }
}

/** No engine may live on: it would hold the store, and nobody would end it. */
async function gone(engines: ReadonlySet<number>): Promise<void> {
  const deadline = Date.now() + orphanMsMax
  while (enginesAlive(engines).length > 0) {
    assert.ok(Date.now() < deadline, `engine children are left: ${enginesAlive(engines).join(', ')}`)
    await sleep(100)
  }
}

async function checkStore(dataDir: string, oracle: Oracle) {
  await using store = await openStore({ kind: 'embedded', dir: join(dataDir, 'store'), querySecondsMax: 120 })
  return await oracle.check(store)
}

/** One fresh event and one fresh alert get through. */
async function goesOn(product: Product, name: string): Promise<void> {
  const served = await product.ready
  const oracle = createOracle()
  const load = startLoad({ oracle, name, senders: 1, restMs: 200 })
  load.to(served.otlp)
  try {
    await sleep(300)
    await load.finish()
  } finally {
    await load.stop()
  }
  const deadline = Date.now() + drainMsMax
  for (;;) {
    const alerts = (await ask(served, `/v1/alerts?detector=ssrf&server=srv_${name}`)) as { items: { count: number }[] }
    const events = (await ask(served, `/v1/events?server=srv_${name}&limit=1000`)) as { items: unknown[] }
    if (alerts.items.length > 0 && events.items.length > 0) return
    assert.ok(Date.now() < deadline, `nothing new gets through:\n${product.output()}`)
    await sleep(100)
  }
}
