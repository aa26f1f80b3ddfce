/**
 * What every bus promises (the embedded log, Kafka later); test/conformance/bus.ts proves it for each.
 * 1. `publish` resolves when every record is durable (fsynced, or on all in-sync replicas); a record is then never lost.
 * 2. At least once: a batch is done only when its handler resolves; after that its group's offset is committed.
 * 3. Ordered within a partition; one batch of a partition in flight at a time. The key chooses the partition.
 * 4. Full means wait, then refuse: `publish` rejects with BUS_FULL (retry) at the bound, never grows.
 * 5. A Fault marked `retry` is tried again, ever more slowly, as long as it takes. Any other error: the batch is
 *    split until the record that fails alone is found; it goes to `mcp.dead` with the reason, and the rest goes on.
 * 6. After `revoked`, no batch of that partition with the old epoch is handed over.
 */
import { Fault } from './errors.ts'

export const topics = ['mcp.spans', 'mcp.events', 'mcp.facts', 'mcp.alerts', 'mcp.dead'] as const
export type Topic = (typeof topics)[number]
export type PartId = `${Topic}/${number}`
export type Part = Readonly<{ topic: Topic; partition: number }>
export const partId = (part: Part): PartId => `${part.topic}/${part.partition}`

/** `value` is what `bytes` decode to, handed on by reference inside one process; it may be absent at any time. */
export type Rec = Readonly<{
  key: string
  bytes: Uint8Array
  headers?: Readonly<Record<string, string>>
  value?: unknown
}>
export type StoredRec = Rec & Readonly<{ offset: bigint }>
export type Position = Part & Readonly<{ offset: bigint }>

export type Handler = {
  /** Called with newly assigned partitions; answers the next offset to read where the handler knows better than the group’s committed one. */
  assigned?(parts: readonly Part[]): Promise<ReadonlyMap<PartId, bigint>>
  batch(part: Part, records: readonly StoredRec[], epoch: number): Promise<void>
  revoked?(parts: readonly Part[]): Promise<void>
}
export type Running = {
  stop(): Promise<void>
  /** Records published and not yet handled, per partition (`topic/partition`). */
  lag(): Promise<ReadonlyMap<string, bigint>>
}
export type Bus = AsyncDisposable & {
  readonly partitions: number
  /** Which log this is: positions kept elsewhere are of this one and mean nothing in another. */
  readonly id?: string
  publish(topic: Topic, records: readonly Rec[]): Promise<readonly Position[]>
  consume(consumed: readonly Topic[], group: string, handler: Handler): Promise<Running>
}

/** A record that no stage could take: original bytes sealed, so that nobody reads a secret by accident. */
export type DeadLetter = Readonly<{
  topic: string
  partition: number
  offset: string
  reason: string
  detail: string
  sealed: string
  at: string
}>

/** Records that left a bus before a group had read them: `lost` of them, `from` an offset on. */
export type Gap = Readonly<{ topic: string; partition: number; from: string | number | bigint; lost: number }>

/** How a reader tells of a gap; `bus` is where they are no longer. */
export function gapFault(gap: Gap, bus: string): Fault {
  const { topic, partition, from, lost } = gap
  return new Fault('RECORD_INVALID', `${lost} records of ${topic}/${partition} from ${from} on are no longer in ${bus}`, { gap })
}
export const gapOf = (error: unknown): Gap | undefined =>
  error instanceof Fault ? (error.cause as { gap?: Gap } | undefined)?.gap : undefined // safe: a foreign cause has no `gap` that is one
