/**
 * Bus → store. Batches of all partitions are stored together, and each is done only when its rows are in the tables.
 * Exactly once by key: a record may come again at any time (crash before the commit, sender's retry), so what is stored
 * is looked for first. The position written last is only where to begin: it never goes past a row that is not stored.
 */
import type { Bus, Running } from '../../schemas/bus.ts'
import type { Fault } from '../../schemas/errors.ts'
import { hashId } from '../../schemas/ids.ts'
import type { Store } from './connect.ts'
import { type Retry, storeFault } from './insert.ts'
import { type Batch, type Counts, createKeeper, type Keeper, startPositions } from './keeper.ts'
import { addRecords, noRows } from './records.ts'

export type WriterOptions = Readonly<{
  bus: Bus
  store: Store
  /** A batch is stored when this many records wait, or after `tickMs`. */
  batchRowsMin?: number
  batchRowsMax?: number
  tickMs?: number
  now?: () => number
}>
export type WriterCounts = Readonly<Counts>
export type StoreWriter = Running & { counts(): WriterCounts }

type Waiting = Batch & Readonly<{ since: number; done: () => void; failed: (fault: Fault) => void }>

const batchBytesMax = 64 * 1024 * 1024
/**
 * A tick costs a good deal however few its rows are. While it keeps coming, storing takes about this share of the time,
 * and no tick is longer than so many of the shortest.
 */
const busyShare = 0.1
const ticksMax = 2
const stopMsMax = 10_000

type Gathering = Readonly<{ keep: Keeper['keep']; counts: Counts; batchRowsMin: number; batchRowsMax: number; tickMs: number }>

/** Gathers batches of all partitions until they make a good insert, and stores them together, one insert at a time. */
function createGathering({ keep, counts, batchRowsMin, batchRowsMax, tickMs }: Gathering) {
  const waiting: Waiting[] = []
  let stopping = false
  let storing = false
  let timer: NodeJS.Timeout | undefined
  let tookMs = 0
  let endedAt = Number.NEGATIVE_INFINITY

  /** As many waiting batches as make a good insert, at least one. */
  function take(): Waiting[] {
    let records = 0
    let bytes = 0
    let count = 0
    for (const batch of waiting) {
      records += batch.records.length
      bytes += batch.records.reduce((sum, record) => sum + record.bytes.length, 0)
      if (count > 0 && (records > batchRowsMax || bytes > batchBytesMax)) break
      count += 1
    }
    return waiting.splice(0, count)
  }

  async function settle(batches: readonly Waiting[]): Promise<void> {
    try {
      await keep(batches)
      for (const batch of batches) batch.done()
    } catch (error) {
      const fault = storeFault(error)
      // What the store refuses is one record's fault: its neighbours from other partitions must not be split with it.
      if (!fault.retry && batches.length > 1) {
        for (const batch of batches) await settle([batch])
        return
      }
      if (!fault.retry) counts.refused += 1
      for (const batch of batches) batch.failed(fault)
    }
  }

  async function pump(): Promise<void> {
    if (storing) return
    storing = true
    clearTimeout(timer)
    timer = undefined
    try {
      while (waiting.length > 0) {
        const from = performance.now()
        await settle(take())
        endedAt = performance.now()
        tookMs = endedAt - from
        if (!stopping && !enough()) break
      }
    } finally {
      storing = false
      arm()
    }
  }

  const enough = () => waiting.reduce((sum, { records }) => sum + records.length, 0) >= batchRowsMin
  /** The first rows after a pause wait one tick; those of a steady stream are gathered for longer where storing is slow. */
  function dueAt(): number {
    const rest = Math.min(ticksMax * tickMs, tookMs / busyShare)
    return Math.max((waiting[0]?.since ?? 0) + tickMs, endedAt + rest)
  }
  function arm() {
    if (storing || waiting.length === 0) return
    if (stopping || enough()) void pump()
    else timer ??= setTimeout(() => void pump(), Math.max(0, dueAt() - performance.now()))
  }
  return {
    stored: (batch: Batch): Promise<void> =>
      new Promise<void>((done, failed) => {
        waiting.push({ ...batch, since: performance.now(), done, failed })
        arm()
      }),
    /** From now on nothing waits for more. */
    hurry() {
      stopping = true
      arm()
    },
  }
}

export async function createWriter(options: WriterOptions): Promise<StoreWriter> {
  const { bus, store, batchRowsMin = 4_000, batchRowsMax = 5_000, tickMs = 500, now = Date.now } = options
  const ending = new AbortController()
  const counts: Counts = { inserts: 0, events: 0, repeats: 0, retries: 0, refused: 0 }
  const retry: Retry = {
    signal: ending.signal,
    onRetry() {
      counts.retries += 1
    },
  }
  // Positions in another log than this one mean nothing here.
  const consumer = bus.id === undefined ? 'store' : `store ${bus.id}`
  const log = bus.id === undefined ? '' : hashId('log', bus.id).slice(0, 8)
  const { keep, flush } = await createKeeper({ store, consumer, retry, now, counts })
  const gathering = createGathering({ keep, counts, batchRowsMin, batchRowsMax, tickMs })

  const running = await bus.consume(['mcp.events', 'mcp.alerts', 'mcp.dead'], 'store', {
    assigned: (parts) => startPositions(store, consumer, parts),
    // Whoever reads these partitions next begins here.
    revoked: flush,
    async batch(part, records) {
      if (records.length === 0) return
      const rows = noRows()
      addRecords(rows, part, records, Math.floor(now() / 1000), log)
      await gathering.stored({ part, records, rows })
    },
  })
  return {
    counts: () => ({ ...counts }),
    lag: () => running.lag(),
    async stop() {
      gathering.hurry()
      // A store that does not answer must not hold up the end: what is not stored stays on the bus.
      const late = setTimeout(() => ending.abort(), stopMsMax)
      await running.stop()
      clearTimeout(late)
      ending.abort()
    },
  }
}
