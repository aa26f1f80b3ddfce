/** What is known about the rows of one table without asking the store: these are there, those cannot be. */
import { bounded, dateTime, type Row } from './columns.ts'
import type { Store } from './connect.ts'
import { identity } from './insert.ts'
import type { Kept } from './tables.ts'

export type Verdict = 'stored' | 'new' | 'unsure'
export type Memory<T> = {
  /** The store has it, cannot have it, or has to be asked. */
  of(value: T): Verdict
  stored(rows: readonly Row<T>[]): void
  /** An insert of these ended in a way that says nothing: from now on they have to be asked for. */
  doubt(rows: readonly Row<T>[]): void
  /** Once a day the range of times that needs no question is moved on. */
  renew(): Promise<void>
}
export type MemoryOptions = Readonly<{ store: Store; idsMax: number; now: () => number }>

const dayNs = 86_400_000_000_000n
const hourNs = 3_600_000_000_000n
/** After a question about the newest row that the engine could not answer. */
const againNs = 600_000_000_000n
const always = 2n ** 63n

/**
 * Rows of one key have one time. So a row later than all that is stored, and not among those stored since, is new:
 * the question is left out for most of what comes while it happens, and asked for everything that comes late or again.
 * True only while nobody else writes to the store, which the embedded engine's lock promises and a server does not.
 * Times beyond tomorrow are always asked for: one row of a wild time must not make every later one look late.
 */
export async function createMemory<T>(table: Kept<T>, { store, idsMax, now }: MemoryOptions): Promise<Memory<T>> {
  const { timed } = table
  const timeOf = (value: T): bigint => (timed === undefined ? 0n : bounded(timed(value)))
  const nanoseconds = () => BigInt(now()) * 1_000_000n
  const ids = new Map<string, bigint>()
  // Rows of a time in (after, until] are in `ids` or new.
  let after = always
  let until = always
  let renewAt = 0n

  function late(time: bigint) {
    if (time > after && time <= until) after = time
  }
  async function renew() {
    const from = nanoseconds()
    if (store.kind !== 'embedded' || timed === undefined || from < renewAt) return
    const newest = await newestOf(store, table.name, from + dayNs)
    renewAt = from + (newest === undefined ? againNs : dayNs - hourNs)
    if (newest === undefined) return
    // What was doubted or forgotten since the last time stays so.
    after = after !== always && after > newest ? after : newest
    until = from + dayNs
  }
  await renew()
  if (store.kind === 'embedded' && timed === undefined && table.tenant !== undefined) {
    const all = await allIds(store, table, idsMax)
    for (const id of all ?? []) ids.set(id, 0n)
    if (all !== undefined) after = -1n
  }
  return {
    of(value) {
      if (ids.has(identity(table, value))) return 'stored'
      const time = timeOf(value)
      return time > after && time <= until ? 'new' : 'unsure'
    },
    stored(rows) {
      for (const { value } of rows) ids.set(identity(table, value), timeOf(value))
      for (const [id, time] of ids) {
        if (ids.size <= idsMax) break
        ids.delete(id)
        late(time)
      }
    },
    doubt(rows) {
      for (const { value } of rows) late(timeOf(value))
    },
    renew,
  }
}

/** The newest time up to `until`, -1 when there is none; undefined when the engine cannot say: then everything is asked for. */
async function newestOf({ client }: Store, name: string, until: bigint): Promise<bigint | undefined> {
  try {
    const answer = await client.query({
      query: `SELECT toString(if(count() = 0, -1, toUnixTimestamp64Nano(max(time)))) AS newest FROM {name:Identifier}
        WHERE time <= {until:DateTime64(9, 'UTC')}`,
      query_params: { name, until: dateTime(until) },
      format: 'JSONEachRow',
    })
    const [row] = await answer.json<{ newest: string }>()
    return row === undefined ? undefined : BigInt(row.newest)
  } catch {
    return undefined
  }
}

/** All identities of a table without times, unless they are too many. */
async function allIds<T>({ client }: Store, table: Kept<T>, idsMax: number): Promise<readonly string[] | undefined> {
  try {
    const answer = await client.query({
      query: `SELECT DISTINCT ${table.tenant?.column ?? "''"} AS owner, ${table.keySql} AS key FROM ${table.name} LIMIT {most:UInt32}`,
      query_params: { most: idsMax },
      format: 'JSONEachRow',
    })
    const rows = await answer.json<{ owner: string; key: string }>()
    return rows.length < idsMax ? rows.map(({ owner, key }) => `${owner}\n${key}`) : undefined
  } catch {
    return undefined
  }
}
