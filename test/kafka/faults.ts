/** What goes wrong in a cluster, again and again: roles die, the broker dies, members come and go, the store is away or slow. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createJoiner, runJoiner } from '../../collectors/joiner.ts'
import type { Role } from '../../schemas/config.ts'
import type { Load } from '../faults/load.ts'
import type { Cluster } from './cluster.ts'
import { openBus } from './kafka-tools.ts'
import type { RoleProcess } from './roles.ts'

export type Tally = {
  kills: Record<'collect' | 'detect' | 'store' | 'serve', number>
  brokerKills: number
  rebalances: number
  stores: { down: number; slow: number }
}
export type Member = { role: keyof Tally['kills']; n: number; process: RoleProcess }
export type Faults = Readonly<{ cluster: Cluster; members: readonly Member[]; load: Load; random: () => number; tally: Tally }>

export const freshTally = (): Tally => ({
  kills: { collect: 0, detect: 0, store: 0, serve: 0 },
  brokerKills: 0,
  rebalances: 0,
  stores: { down: 0, slow: 0 },
})

/** Kills one member after another of a role, some before they are up, until `wanted` have died. */
async function killRole({ cluster, members, load, random, tally }: Faults, role: Member['role'], wanted: number, everyMs: number) {
  const mine = members.filter((member) => member.role === role)
  for (let kill = 0; kill < wanted; kill += 1) {
    await sleep(everyMs * (0.5 + random()))
    const member = mine[kill % mine.length]
    if (!member) return
    member.process.kill('SIGKILL')
    await member.process.ended
    tally.kills[role] += 1
    member.process = cluster.roles.start(role as Role, member.n)
    const early = kill % 5 === 4
    const up = await (early ? Promise.race([member.process.ready, sleep(random() * 2_000)]) : member.process.ready).catch(() => undefined)
    if (role === 'collect' && up?.otlp) load.to(up.otlp)
  }
  // Whoever could not start, because the broker was away, is started again as an orchestrator would.
  for (const member of mine) await revive(cluster, member, load)
}

export async function revive(cluster: Cluster, member: Member, load: Load): Promise<void> {
  for (let attempt = 0; attempt < 10; attempt += 1) {
    const served = await member.process.ready.catch(() => undefined)
    if (served) {
      if (member.role === 'collect' && served.otlp) load.to(served.otlp)
      return
    }
    await sleep(1_000)
    member.process = cluster.roles.start(member.role, member.n)
  }
  throw new Error(`${member.role}-${member.n} does not start:\n${member.process.output()}`)
}

async function killBroker({ cluster, random, tally }: Faults, wanted: number, everyMs: number) {
  for (let kill = 0; kill < wanted; kill += 1) {
    await sleep(everyMs * (0.6 + 0.4 * random()))
    await cluster.broker.kill(1)
    tally.brokerKills += 1
    await sleep(1_000 + random() * 2_000)
    await cluster.broker.start(1)
  }
}

/** A real joiner that joins the group and leaves it again: each coming and each going is a rebalance for all others. */
async function comeAndGo({ cluster, tally }: Faults, wanted: number, everyMs: number) {
  for (let turn = 0; tally.rebalances < wanted && turn < wanted * 2; turn += 1) {
    await sleep(everyMs)
    try {
      await using bus = await openBus(cluster.broker.brokers, cluster.topicPrefix)
      const joining = await runJoiner(bus, createJoiner())
      await sleep(500)
      await joining.stop()
      tally.rebalances += 2
    } catch {
      await sleep(500) // the broker is away
    }
  }
}

async function spoilStore({ cluster, tally }: Faults, forMs: number, restMs: number) {
  for (const weather of ['down', 'slow'] as const) {
    await sleep(restMs)
    cluster.proxy.turn(weather)
    await sleep(forMs)
    tally.stores[weather] += forMs
    cluster.proxy.turn('fair')
  }
}

/** All at once, for about `minutes`; at ten: 20 kills of each role, 5 of the broker, 50 rebalances, the store 60 s down and 60 s slow. */
export async function spoil(faults: Faults, minutes: number): Promise<void> {
  const ms = minutes * 60_000
  const count = (atTen: number) => Math.max(1, Math.round((atTen * minutes) / 10))
  faults.cluster.proxy.lose(0.02)
  // Each kill takes some seconds beside its waiting.
  const pause = (kills: number) => Math.max(500, ms / kills - 8_000)
  await Promise.all([
    ...(['collect', 'detect', 'store', 'serve'] as const).map((role) => killRole(faults, role, count(20), pause(count(20)))),
    killBroker(faults, count(5), ms / count(5) - 8_000),
    comeAndGo(faults, count(50), Math.max(200, ms / count(25) - 4_000)),
    spoilStore(faults, count(60) * 1_000, ms / 5),
  ])
  faults.cluster.proxy.lose(0)
}
