/** Stores the rows of some batches, each once, and notes now and then how far it has come and who sends what. */
import { type Part, type PartId, partId, type StoredRec } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { dateTime, type Row } from './columns.ts'
import type { Store } from './connect.ts'
import { type Retry, storeOnce, untilKnown } from './insert.ts'
import { createDefinitionLedger, createSourceLedger } from './inventory.ts'
import { createMemory, type Memory } from './memory.ts'
import type { Rows } from './records.ts'
import type { Kept } from './tables.ts'
import * as tables from './tables.ts'

export type Counts = { inserts: number; events: number; repeats: number; retries: number; refused: number }
export type Batch = Readonly<{ part: Part; records: readonly StoredRec[]; rows: Rows }>
export type Keeper = {
  keep(batches: readonly Batch[]): Promise<void>
  /** Tries once, and not for long, to write down what was only noted: nothing is lost without it. */
  flush(): Promise<void>
}
export type KeeperOptions = Readonly<{ store: Store; consumer: string; retry: Retry; now: () => number; counts: Counts }>

/** A retry may come much later: identities of so many events are remembered, and fewer of what follows from them. */
const eventsMax = 200_000
const idsMax = 50_000
/**
 * An insert costs the same for one row as for hundreds: what may be late is gathered for so long. After a crash all rows
 * since the last position are read and looked for again, so the first ones of a life are noted at once: every life, however
 * short, gets further than the one before.
 */
const positionsEveryMs = 2_000
const sourcesEveryMs = 10_000
const flushMsMax = 2_000

type Put<T> = (rows: readonly Row<T>[]) => Promise<readonly Row<T>[]>

function putOnce<T>(client: Store['client'], table: Kept<T>, memory: Memory<T>, retry: Retry): Put<T> {
  return async (rows) => {
    const unsure = new Set<T>()
    const fresh = rows.filter(({ value }) => {
      const verdict = memory.of(value)
      if (verdict === 'unsure') unsure.add(value)
      return verdict !== 'stored'
    })
    try {
      const added = await storeOnce(client, table, fresh, retry, (value) => unsure.has(value))
      memory.stored(fresh)
      return added
    } catch (error) {
      memory.doubt(fresh)
      throw error
    }
  }
}

type Into = (table: string, values: readonly unknown[]) => Promise<unknown>

/** How far each partition has come, and who sends what: written when it is due. */
function createNotes(consumer: string, now: () => number) {
  const sources = createSourceLedger()
  const positions = new Map<PartId, Record<string, unknown>>()
  let positionsAt = Number.NEGATIVE_INFINITY
  let sourcesAt = now()
  const due = (at: number, everyMs: number) => Math.abs(now() - at) >= everyMs
  return {
    sources: sources.add,
    stored({ part, records }: Batch) {
      const updated = dateTime(BigInt(now()) * 1_000_000n)
      positions.set(partId(part), { ...part, consumer, high_water: String(records.at(-1)?.offset ?? 0n), updated })
    },
    async write(into: Into, all: boolean) {
      if (all || due(positionsAt, positionsEveryMs)) {
        positionsAt = now()
        await into('positions', [...positions.values()])
        positions.clear()
      }
      if (all || due(sourcesAt, sourcesEveryMs)) {
        sourcesAt = now()
        await into('sources', sources.take())
      }
    },
  }
}

export async function createKeeper({ store, consumer, retry, now, counts }: KeeperOptions): Promise<Keeper> {
  const { client } = store
  const definitions = createDefinitionLedger()
  const notes = createNotes(consumer, now)
  const renewals: (() => Promise<void>)[] = []
  const putter = async <T>(table: Kept<T>, idsMax: number): Promise<Put<T>> => {
    const memory = await createMemory(table, { store, idsMax, now })
    renewals.push(memory.renew)
    return putOnce(client, table, memory, retry)
  }
  const [events, links, signals, hits, alerts, deadLetters] = await Promise.all([
    putter(tables.events, eventsMax),
    putter(tables.links, idsMax),
    putter(tables.signals, idsMax),
    putter(tables.hits, idsMax),
    putter(tables.alerts, idsMax),
    putter(tables.deadLetters, idsMax),
  ])

  const insert = async (table: string, values: readonly unknown[]) => {
    if (values.length === 0) return
    await untilKnown(retry, () => client.insert({ table, values: [...values], format: 'JSONEachRow' }))
  }

  async function keepEvents(rows: Rows['events']) {
    const added = await events(rows)
    counts.events += added.length
    counts.repeats += rows.length - added.length
    await insert('sources', notes.sources(added.map(({ value }) => value)))
    try {
      await insert('definitions', definitions.rows(rows.map(({ value }) => value)))
    } catch (error) {
      definitions.forget()
      throw error
    }
  }

  return {
    async flush() {
      const abort_signal = AbortSignal.timeout(flushMsMax)
      const once = async (table: string, values: readonly unknown[]) => {
        if (values.length > 0) await client.insert({ table, values: [...values], format: 'JSONEachRow', abort_signal })
      }
      await notes.write(once, true).catch(() => undefined)
    },
    async keep(batches) {
      const all = <K extends keyof Rows>(kind: K): Rows[K] => batches.flatMap(({ rows }) => rows[kind] as never[]) as Rows[K]
      for (const renew of renewals) await renew()
      await keepEvents(all('events'))
      await links(all('links'))
      await signals(all('signals'))
      // Hits first: an alert that can be seen has its count.
      await hits(all('hits'))
      await alerts(all('alerts'))
      await deadLetters(all('deadLetters'))
      for (const batch of batches) notes.stored(batch)
      await notes.write(insert, false)
      counts.inserts += 1
    },
  }
}

/** One past the last offset of which every row is stored. A store that knows of none is filled with all that the bus still keeps. */
export async function startPositions({ client }: Store, consumer: string, parts: readonly Part[]): Promise<ReadonlyMap<PartId, bigint>> {
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
