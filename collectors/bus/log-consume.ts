/** A group reading the log: one loop per partition, each with one batch in flight, from the group’s offset or where the handler says. */
import { setMaxListeners } from 'node:events'
import {
  type Bus,
  gapFault,
  type Handler,
  type Part,
  type PartId,
  partId,
  type Running,
  type StoredRec,
  type Topic,
} from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { deadLetter, deliver, type Patience, persist } from './deliver.ts'
import { type Damage, frame } from './frame.ts'

/** `next`: the offset after the last one covered, whether it was whole, damaged or trimmed away. */
export type Chunk = Readonly<{
  records: readonly StoredRec[]
  damaged: readonly (Damage & { offset: number })[]
  next: number
  lost: number
}>
/** The log as its readers see it. */
export type LogSource = Readonly<{
  publish: Bus['publish']
  seal: (bytes: Uint8Array) => string
  now: () => number
  start: (part: PartId) => number
  end: (part: PartId) => number
  committed: (group: string, part: PartId) => number | undefined
  /** Resolves when there is a record at `from`, or the signal is aborted. */
  grown: (part: PartId, from: number, signal: AbortSignal) => Promise<void>
  read: (part: PartId, from: number) => Promise<Chunk>
  commit: (group: string, nexts: readonly Readonly<{ part: PartId; next: number }>[]) => Promise<void>
}>
type Lane = { part: Part; id: PartId; next: number }

async function bury(
  log: LogSource,
  part: Part,
  at: Readonly<{ key: string; offset: bigint; bytes: Uint8Array }>,
  error: unknown,
): Promise<void> {
  const letter = deadLetter(part, at.offset, error, log.seal(at.bytes), log.now())
  await log.publish('mcp.dead', [{ key: at.key, bytes: Buffer.from(JSON.stringify(letter)), value: letter }])
}

/** Damage and gaps are said once, with the exact count, and then passed: reading them again will not mend them. */
async function reportUnreadable(log: LogSource, lane: Lane, chunk: Chunk, patience: Patience): Promise<boolean> {
  if (chunk.lost > 0) {
    patience.onFault(gapFault({ ...lane.part, from: String(lane.next), lost: chunk.lost }, 'the log'))
  }
  for (const { offset, count, bytes } of chunk.damaged) {
    const error = new Fault('RECORD_INVALID', `${count} records of ${lane.id} from ${offset} on are damaged in the log`)
    patience.onFault(error)
    if (lane.part.topic === 'mcp.dead') continue // a letter about a letter would never end
    const about = { key: lane.id, offset: BigInt(offset), bytes }
    if (!(await persist(() => bury(log, lane.part, about, error), patience))) return false
  }
  return true
}

async function run(log: LogSource, lane: Lane, group: string, handler: Handler, epoch: number, patience: Patience): Promise<void> {
  const { signal, onFault } = patience
  const commit = async (next: number): Promise<void> => {
    await log.commit(group, [{ part: lane.id, next }])
    lane.next = next
  }
  while (!signal.aborted) {
    await log.grown(lane.id, lane.next, signal)
    if (signal.aborted) return
    const chunk = await log.read(lane.id, lane.next)
    if (!(await reportUnreadable(log, lane, chunk, patience))) return
    const done = await deliver(chunk.records, {
      ...patience,
      handle: (records) => handler.batch(lane.part, records, epoch),
      commit: (next) => commit(Number(next)),
      bury: async (record, error) => {
        if (lane.part.topic !== 'mcp.dead') await bury(log, lane.part, { ...record, bytes: frame([record]) }, error)
        else onFault(new Fault('RECORD_INVALID', `dead letter ${record.offset} of ${lane.id} cannot be handled`, error))
      },
    })
    if (!done) return
    if (lane.next < chunk.next) await commit(chunk.next)
  }
}

/**
 * The group’s own offset counts, unless the handler knows better; neither is believed outside of what the log ever held.
 * A wish from beyond the end was made for another log, or a later state of this one: what this one says is right.
 */
function beginAt(log: LogSource, id: PartId, group: string, wished: bigint | undefined, onFault: Patience['onFault']): number {
  const end = log.end(id)
  const own = log.committed(group, id) ?? log.start(id)
  const from = wished ?? BigInt(own)
  if (from <= BigInt(end)) return Math.max(0, Number(from))
  const begin = Math.min(own, end)
  onFault(new Fault('RECORD_INVALID', `${group} wants offset ${from} of ${id}, which ends at ${end}: reading from ${begin}`))
  return begin
}

export type Consumption = Readonly<{ topics: readonly Topic[]; partitions: number; group: string; handler: Handler; epoch: number }>

export async function consumeLog(
  log: LogSource,
  { topics, partitions, group, handler, epoch }: Consumption,
  outside: Omit<Patience, 'signal'> & { closed: AbortSignal },
): Promise<Running> {
  const stopping = new AbortController()
  const patience: Patience = { ...outside, signal: AbortSignal.any([stopping.signal, outside.closed]) }
  setMaxListeners(0, patience.signal) // one per partition is no leak
  const parts = topics.flatMap((topic) => Array.from({ length: partitions }, (_, partition): Part => ({ topic, partition })))
  let wishes: ReadonlyMap<PartId, bigint> = new Map()
  const assign = async (): Promise<void> => {
    if (handler.assigned) wishes = await handler.assigned(parts)
  }
  if (!(await persist(assign, patience))) throw new Fault('BUS_CLOSED', `closed while ${group} was being assigned`)
  const lanes = parts.map((part): Lane => {
    const id = partId(part)
    return { part, id, next: beginAt(log, id, group, wishes.get(id), patience.onFault) }
  })
  // Written down at once: from here on nothing that this group has not handled is trimmed.
  await log.commit(
    group,
    lanes.map(({ id, next }) => ({ part: id, next })),
  )
  const runs = lanes.map((lane) => run(log, lane, group, handler, epoch, patience).catch(patience.onFault))
  const stop = async (): Promise<void> => {
    stopping.abort()
    await Promise.all(runs)
    await handler.revoked?.(parts)
  }
  let stopped: Promise<void> | undefined
  return {
    stop: () => {
      stopped ??= stop()
      return stopped
    },
    lag: async () => new Map(lanes.map(({ id, next }) => [id, BigInt(Math.max(0, log.end(id) - next))])),
  }
}
