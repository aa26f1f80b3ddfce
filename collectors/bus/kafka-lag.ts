/** How far the groups of a whole cluster are behind, asked of the brokers: a process knows no more than its own partitions. */
import type { Topic } from '../../schemas/bus.ts'
import { type Admin, type KafkaOptions, openAdmin } from './kafka-client.ts'

/** Who reads what, in any cluster. */
const readers: Readonly<Record<string, readonly Topic[]>> = {
  joiner: ['mcp.spans'],
  detect: ['mcp.events', 'mcp.facts'],
  store: ['mcp.events', 'mcp.alerts', 'mcp.dead'],
  outputs: ['mcp.alerts'],
}
const staleMs = 5_000

export type GroupLags = AsyncDisposable & {
  /** Records that each group has not committed. Asked at most every 5 s; throws when the brokers do not answer. */
  lags(): Promise<Readonly<Record<string, number>>>
}

export function openGroupLags(options: KafkaOptions, prefix: string): GroupLags {
  let admin: Promise<Admin> | undefined
  let known: { at: number; lags: Promise<Record<string, number>> } | undefined

  async function lagOf(asked: Admin, group: string, topics: readonly Topic[]): Promise<number> {
    const names = topics.map((topic) => prefix + topic)
    const committed = await asked.fetchOffsets({ groupId: prefix + group, topics: names })
    let lag = 0n
    for (const { topic, partitions } of committed) {
      const next = new Map(partitions.map(({ partition, offset }) => [partition, BigInt(offset)]))
      for (const { partition, low, high } of await asked.fetchTopicOffsets(topic)) {
        const from = next.get(partition) ?? -1n
        const behind = BigInt(high) - (from < 0n ? BigInt(low) : from)
        if (behind > 0n) lag += behind
      }
    }
    return Number(lag)
  }
  async function ask(): Promise<Record<string, number>> {
    admin ??= openAdmin(options)
    try {
      const asked = await admin
      const entries = Object.entries(readers).map(async ([group, topics]) => [group, await lagOf(asked, group, topics)] as const)
      return Object.fromEntries(await Promise.all(entries))
    } catch (error) {
      const broken = admin
      admin = undefined
      known = undefined
      void broken.then((one) => one.disconnect()).catch(() => undefined)
      throw error
    }
  }
  return {
    lags() {
      if (!known || Date.now() - known.at > staleMs) known = { at: Date.now(), lags: ask() }
      return known.lags
    },
    [Symbol.asyncDispose]: async () => void (await (await admin?.catch(() => undefined))?.disconnect()),
  }
}
