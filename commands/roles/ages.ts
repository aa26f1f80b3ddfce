/** How long a group has been busy with the batch it is at, tries again included: a bus that tells, for the monitor and for metrics. */
import { type Bus, partId } from '../../schemas/bus.ts'

export type AgedBus = Readonly<{
  bus: Bus
  /** ms, by group; a group that waits for nothing has none. */
  ages: () => ReadonlyMap<string, number>
}>

export function withAges(bus: Bus): AgedBus {
  /** Group and partition → the batch in hand. A batch that was split begins anew with its second half. */
  const begun = new Map<string, { group: string; offset: bigint; since: number }>()
  const consume: Bus['consume'] = (topics, group, handler) =>
    bus.consume(topics, group, {
      ...handler,
      async batch(part, records, epoch) {
        const name = `${group} ${partId(part)}`
        const offset = records[0]?.offset ?? 0n
        const known = begun.get(name)
        if (known?.offset !== offset) begun.set(name, { group, offset, since: performance.now() })
        await handler.batch(part, records, epoch)
        begun.delete(name)
      },
      async revoked(parts) {
        for (const part of parts) begun.delete(`${group} ${partId(part)}`)
        await handler.revoked?.(parts)
      },
    })
  return {
    bus: { ...bus, consume, [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose]() },
    ages() {
      const oldest = new Map<string, number>()
      const now = performance.now()
      for (const { group, since } of begun.values()) oldest.set(group, Math.max(oldest.get(group) ?? 0, Math.round(now - since)))
      return oldest
    },
  }
}
