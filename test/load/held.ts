/** Roles of a cluster that run only while they are measured: stopped in between, so that none works on a backlog that is still being made. */
import { setTimeout as sleep } from 'node:timers/promises'
import { openAdmin } from '../../collectors/bus/kafka-client.ts'
import type { Topic } from '../../schemas/bus.ts'
import type { Role } from '../../schemas/config.ts'
import type { RoleProcess, Roles, ServedRole } from '../kafka/roles.ts'
import { cpuOf } from './measure.ts'

export type Held = Readonly<{
  served: readonly ServedRole[]
  /** µs of CPU of all of them, all threads; undefined where there is no /proc. */
  cpu: () => number | undefined
  hold: () => void
  release: () => void
}>
export type Reader = 'detect' | 'store'
export type Watch = Readonly<{
  /** Resolves when so many members share each group of the role. */
  shared: (role: Reader, members: number) => Promise<void>
  /** Resolves when the role has handled and committed all there is. */
  drained: (role: Reader) => Promise<void>
  /** How much of a topic is in its fullest partition. */
  fullest: (topic: Topic) => Promise<number>
  close: () => Promise<void>
}>

/** What each role reads, in the order in which it flows: who comes first writes what the next one reads. */
const groups: Readonly<Record<Reader, readonly (readonly [group: string, topics: readonly Topic[]])[]>> = {
  detect: [
    ['joiner', ['mcp.spans']],
    ['detect', ['mcp.events', 'mcp.facts']],
  ],
  store: [['store', ['mcp.events', 'mcp.alerts', 'mcp.dead']]],
}
const pollMs = 100
const waitMsMax = 120_000

async function until(done: () => Promise<boolean>, what: string): Promise<void> {
  for (const late = performance.now() + waitMsMax; !(await done()); await sleep(pollMs))
    if (performance.now() > late) throw new Error(`not in time: ${what}`)
}

export async function openWatch(brokers: readonly string[], topicPrefix: string): Promise<Watch> {
  const admin = await openAdmin({ brokers, clientId: 'watch' })
  /** Positions first, then the ends: what was published before a position moved is within the ends. */
  async function isBehind(group: string, topics: readonly Topic[]): Promise<boolean> {
    const names = topics.map((topic) => topicPrefix + topic)
    const committed = await admin.fetchOffsets({ groupId: topicPrefix + group, topics: names })
    for (const { topic, partitions } of committed) {
      const own = new Map(partitions.map(({ partition, offset }) => [partition, Number(offset)]))
      const ends = await admin.fetchTopicOffsets(topic)
      if (ends.some(({ partition, high }) => Number(high) > Math.max(0, own.get(partition) ?? 0))) return true
    }
    return false
  }
  return {
    shared: (role, members) =>
      until(async () => {
        const { groups: found } = await admin.describeGroups(groups[role].map(([group]) => topicPrefix + group))
        return found.every(({ state, members: some }) => state === 'Stable' && some.length === members)
      }, `${members} members of ${role}`),
    drained: (role) =>
      until(async () => {
        for (const [group, topics] of groups[role]) if (await isBehind(group, topics)) return false
        return true
      }, `${role} at the end of its topics`),
    async fullest(topic) {
      const counts = (await admin.fetchTopicOffsets(topicPrefix + topic)).map(({ high }) => Number(high))
      return Math.max(...counts) / counts.reduce((sum, count) => sum + count, 0)
    },
    close: () => admin.disconnect(),
  }
}

/** Starts so many of a role, and ends them with `opening`, also where the measurement ends by a signal: a stopped process ends by nothing less. */
export async function startHeld(opening: AsyncDisposableStack, roles: Roles, role: Role, members: readonly number[]): Promise<Held> {
  const processes = members.map((n): RoleProcess => roles.start(role, n))
  const killAll = (): void => {
    for (const { kill } of processes) kill('SIGKILL')
  }
  process.on('exit', killAll)
  opening.defer(async () => {
    killAll()
    process.off('exit', killAll)
    await Promise.all(processes.map(({ ended }) => ended))
  })
  const served = await Promise.all(processes.map(({ ready }) => ready))
  const all = (signal: NodeJS.Signals) => (): void => {
    for (const { kill } of processes) kill(signal)
  }
  return {
    served,
    hold: all('SIGSTOP'),
    release: all('SIGCONT'),
    cpu: () =>
      processes.reduce<number | undefined>((sum, { pid }) => {
        const own = cpuOf(pid)
        return sum === undefined || own === undefined ? undefined : sum + own
      }, 0),
  }
}
