/**
 * Bus → store. Batches of all partitions are stored together, and each is done only when its rows are in the tables.
 * Exactly once by key: a record may come again at any time (crash before the commit, sender's retry), so what is stored
 * is looked for first. The position written last is only where to begin: it never goes past a row that is not stored.
 */
import type { Bus, Part, PartId, Running, StoredRec } from '../../schemas/bus.ts'
import { partId } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { dateTime } from './columns.ts'
import type { Store } from './connect.ts'
import { identity, type Retry, storeFault, storeOnce, untilKnown } from './insert.ts'
import { createDefinitionLedger, sourceRows } from './inventory.ts'
import { addRecords, noRows, type Rows } from './records.ts'
import * as tables from './tables.ts'

export type WriterOptions = Readonly<{
  bus: Bus
  store: Store
  /** A batch is stored when this many records wait, or after `tickMs`. */
  batchRowsMin?: number
  batchRowsMax?: number
  tickMs?: number
  now?: () => number
}>
export type WriterCounts = Readonly<{ inserts: number; events: number; repeats: number; retries: number; refused: number }>
export type StoreWriter = Running & { counts(): WriterCounts }

type Waiting = Readonly<{
  part: Part
  records: readonly StoredRec[]
  rows: Rows
  since: number
  done: () => void
  failed: (fault: Fault) => void
}>

const batchBytesMax = 64 * 1024 * 1024
const recentMax = 200_000
const stopMsMax = 10_000

export async function createWriter(options: WriterOptions): Promise<StoreWriter> {
  const { bus, store, batchRowsMin = 1_000, batchRowsMax = 5_000, tickMs = 500, now = Date.now } = options
  const waiting: Waiting[] = []
  const ending = new AbortController()
  let stopping = false
  let storing = false
  let timer: NodeJS.Timeout | undefined
  const counts = { inserts: 0, events: 0, repeats: 0, retries: 0, refused: 0 }
  const retry: Retry = {
    signal: ending.signal,
    onRetry() {
      counts.retries += 1
    },
  }
  // Positions in another log than this one mean nothing here.
  const consumer = bus.id === undefined ? 'store' : `store ${bus.id}`
  const keep = createKeeper(store, consumer, retry, now, counts)

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
        await settle(take())
        if (!stopping && !enough()) break
      }
    } finally {
      storing = false
      arm()
    }
  }

  const enough = () => waiting.reduce((sum, { records }) => sum + records.length, 0) >= batchRowsMin
  function arm() {
    if (storing || waiting.length === 0) return
    if (stopping || enough()) void pump()
    else timer ??= setTimeout(() => void pump(), Math.max(0, (waiting[0]?.since ?? 0) + tickMs - performance.now()))
  }

  const running = await bus.consume(['mcp.events', 'mcp.alerts', 'mcp.dead'], 'store', {
    assigned: (parts) => startPositions(store, consumer, parts),
    async batch(part, records) {
      if (records.length === 0) return
      const rows = noRows()
      addRecords(rows, part, records, Math.floor(now() / 1000))
      await new Promise<void>((done, failed) => {
        waiting.push({ part, records, rows, since: performance.now(), done, failed })
        arm()
      })
    },
  })
  return {
    counts: () => ({ ...counts }),
    lag: () => running.lag(),
    async stop() {
      stopping = true
      arm()
      // A store that does not answer must not hold up the end: what is not stored stays on the bus.
      const late = setTimeout(() => ending.abort(), stopMsMax)
      await running.stop()
      clearTimeout(late)
      ending.abort()
    },
  }
}

type Counts = { -readonly [K in keyof WriterCounts]: number }

/** Stores the rows of some batches, then notes the positions. */
function createKeeper(store: Store, consumer: string, retry: Retry, now: () => number, counts: Counts) {
  const { client } = store
  const definitions = createDefinitionLedger()
  // A retry may come with another time (a receiver's clock), under which the store would not find it.
  const recent = new Set<string>()

  const insert = async (table: string, values: readonly unknown[]) => {
    if (values.length === 0) return
    await untilKnown(retry, () => client.insert({ table, values: [...values], format: 'JSONEachRow' }))
  }

  async function keepEvents(rows: Rows['events']) {
    const fresh = rows.filter(({ value }) => !recent.has(identity(tables.events, value)))
    const added = await storeOnce(client, tables.events, fresh, retry)
    for (const { value } of fresh) recent.add(identity(tables.events, value))
    for (const id of recent) {
      if (recent.size <= recentMax) break
      recent.delete(id)
    }
    counts.events += added.length
    counts.repeats += rows.length - added.length
    await insert('sources', sourceRows(added.map(({ value }) => value)))
  }

  return async (batches: readonly Waiting[]): Promise<void> => {
    const all = <K extends keyof Rows>(kind: K): Rows[K] => batches.flatMap(({ rows }) => rows[kind] as never[]) as Rows[K]
    const events = all('events')
    try {
      await keepEvents(events)
      await insert('definitions', definitions.rows(events.map(({ value }) => value)))
    } catch (error) {
      definitions.forget()
      throw error
    }
    await storeOnce(client, tables.links, all('links'), retry)
    await storeOnce(client, tables.signals, all('signals'), retry)
    // Hits first: an alert that can be seen has its count.
    await storeOnce(client, tables.hits, all('hits'), retry)
    await storeOnce(client, tables.alerts, all('alerts'), retry)
    await storeOnce(client, tables.deadLetters, all('deadLetters'), retry)
    const updated = dateTime(BigInt(now()) * 1_000_000n)
    const positions = batches.map(({ part, records }) => ({ ...part, consumer, high_water: String(records.at(-1)?.offset ?? 0n), updated }))
    await insert('positions', positions)
    counts.inserts += 1
  }
}

/** One past the last offset of which every row is stored. A store that knows of none is filled with all that the bus still keeps. */
async function startPositions({ client }: Store, consumer: string, parts: readonly Part[]): Promise<ReadonlyMap<PartId, bigint>> {
  try {
    const answer = await client.query({
      query: `SELECT topic, partition, toString(max(high_water)) AS high FROM positions
        WHERE consumer = {consumer:String} GROUP BY topic, partition`,
      query_params: { consumer },
      format: 'JSONEachRow',
    })
    const stored = await answer.json<{ topic: string; partition: number; high: string }>()
    const starts = new Map(stored.map(({ topic, partition, high }) => [`${topic}/${partition}`, BigInt(high) + 1n]))
    return new Map(parts.map((part) => [partId(part), starts.get(partId(part)) ?? 0n]))
  } catch (error) {
    throw new Fault('STORE_UNREACHABLE', 'positions', error)
  }
}
