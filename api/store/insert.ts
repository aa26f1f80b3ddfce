/** Stores each row once: looks first for rows that are there, and sends the same bytes until the outcome is known. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import type { ClickHouseClient } from '@clickhouse/client'
import { Fault } from '../../schemas/errors.ts'
import { dateTime, type Row } from './columns.ts'
import { encodeRows, filledColumns, insertStatement } from './row-binary.ts'
import type { Kept } from './tables.ts'

/** Ids asked for in one question, and groups of near times asked for apart. */
const keysMax = 5_000
const clustersMax = 16
const clusterGapNs = 3_600_000_000_000n
const backOffMs = { first: 100, max: 5_000 }
/** ClickHouse's codes for "not now": too many queries, time, memory, disk, parts, read-only, cancelled, shutting down, authentication while a restart. */
const passing = new Set([
  '159',
  '164',
  '202',
  '203',
  '209',
  '210',
  '225',
  '236',
  '241',
  '242',
  '243',
  '252',
  '319',
  '394',
  '425',
  '999',
  '1002',
])

/** What a failed request means: try again, or never. A failure without ClickHouse's code is one of the way there. */
export function storeFault(error: unknown): Fault {
  if (error instanceof Fault) return error
  const code = error !== null && typeof error === 'object' && 'code' in error ? String(error.code) : ''
  const refused = /^\d+$/.test(code) && !passing.has(code)
  return new Fault(refused ? 'STORE_REFUSED' : 'STORE_UNREACHABLE', refused ? `store refused (${code})` : 'store does not answer', error)
}

export type Retry = Readonly<{ signal: AbortSignal; onRetry: () => void }>

/** Runs until it succeeds, is refused, or `signal` ends it. Answers how many attempts it took. */
export async function untilKnown(retry: Retry, attempt: () => Promise<unknown>): Promise<number> {
  let waitMs = backOffMs.first
  for (let attempts = 1; ; attempts += 1) {
    try {
      await attempt()
      return attempts
    } catch (error) {
      const fault = storeFault(error)
      if (!fault.retry || retry.signal.aborted) throw fault
      retry.onRetry()
      await pause(waitMs, retry.signal)
      if (retry.signal.aborted) throw fault
      waitMs = Math.min(waitMs * 2, backOffMs.max)
    }
  }
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((done) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      done()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
  })

/** Groups of rows whose times lie near each other: one row of a wild time must not make the question span all history. */
function clusters<T>(table: Kept<T>, rows: readonly Row<T>[]): (readonly Row<T>[])[] {
  const { timed } = table
  const groups: Row<T>[][] = []
  let last: bigint | undefined
  const sorted = timed === undefined ? rows : rows.toSorted((a, b) => Number(timed(a.value) - timed(b.value)))
  for (const row of sorted) {
    const time = timed?.(row.value)
    const group = groups.at(-1)
    const near = last === undefined || time === undefined || time - last < clusterGapNs || groups.length >= clustersMax
    if (group === undefined || !near || group.length >= keysMax) groups.push([row])
    else group.push(row)
    last = time
  }
  return groups
}

/** The key with its owner: no tenant can take another's id. */
export const identity = <T>(table: Kept<T>, value: T): string => `${table.tenant?.of(value) ?? ''}\n${table.key(value)}`

/** The identities among `rows` that the store already has. Right before merges: it asks for the rows themselves. */
export async function presentKeys<T>(client: ClickHouseClient, table: Kept<T>, rows: readonly Row<T>[]): Promise<Set<string>> {
  const present = new Set<string>()
  for (const group of clusters(table, rows)) {
    const values = group.map(({ value }) => value)
    const { timed, tenant } = table
    const where = [
      `${table.keySql} IN (SELECT arrayJoin(splitByChar('\\n', {keys:String})))`,
      ...(table.group.column === table.keySql ? [] : [`${table.group.column} IN (SELECT arrayJoin(splitByChar('\\n', {groups:String})))`]),
      ...(tenant === undefined ? [] : [`${tenant.column} IN {tenants:Array(String)}`]),
      ...(timed === undefined ? [] : ["time >= {from:DateTime64(9, 'UTC')} AND time <= {to:DateTime64(9, 'UTC')}"]),
    ]
    const distinct = (texts: string[]) => [...new Set(texts)]
    // Many small parameters as one text: the engine reads a list of thousands of quoted strings ten times slower.
    const params: Record<string, unknown> = { keys: distinct(values.map(table.key)).join('\n') }
    if (table.group.column !== table.keySql) params['groups'] = distinct(values.map(table.group.of)).join('\n')
    if (tenant !== undefined) params['tenants'] = distinct(values.map(tenant.of))
    if (timed !== undefined) {
      const first = group[0]
      const last = group.at(-1)
      if (first === undefined || last === undefined) continue
      params['from'] = dateTime(timed(first.value))
      params['to'] = dateTime(timed(last.value))
    }
    const answer = await client.query({
      query: `SELECT DISTINCT ${tenant?.column ?? "''"} AS owner, ${table.keySql} AS key FROM ${table.name} WHERE ${where.join(' AND ')}`,
      query_params: params,
      format: 'JSONEachRow',
    })
    for (const { owner, key } of await answer.json<{ owner: string; key: string }>()) present.add(`${owner}\n${key}`)
  }
  return present
}

/**
 * Stores those of `rows` that the store does not have; the first of several with one key. Answers the rows that were new.
 * `unsure`: false for a row that cannot be in the store, so that nobody has to look.
 */
export async function storeOnce<T>(
  client: ClickHouseClient,
  table: Kept<T>,
  rows: readonly Row<T>[],
  retry: Retry,
  unsure: (value: T) => boolean = () => true,
): Promise<readonly Row<T>[]> {
  if (rows.length === 0) return []
  const tenanted = (row: Row<T>) => identity(table, row.value)
  let missing = [...new Map(rows.toReversed().map((row) => [tenanted(row), row])).values()].reverse()
  let added: readonly Row<T>[] | undefined
  // The engine notes a token before it commits the rows: killed in between, it takes the second sending for a repeat and
  // drops it. So after an outcome that was unknown for a while the rows themselves are looked for again.
  for (let round = 0; ; round += 1) {
    let present = new Set<string>()
    const asked = round === 0 ? missing.filter(({ value }) => unsure(value)) : missing
    await untilKnown(retry, async () => {
      present = await presentKeys(client, table, asked)
    })
    missing = missing.filter((row) => !present.has(tenanted(row)))
    added ??= missing
    if (missing.length === 0) return added
    // A column costs the engine as much as ten rows of it: those that nobody filled are left out.
    const filled = filledColumns(table, missing)
    const [query, bytes] = [insertStatement(filled), await encodeRows(filled, missing)]
    const token = createHash('sha256').update(`${query}:${round}:`).update(bytes).digest('hex')
    const attempts = await untilKnown(retry, () => send(client, query, bytes, token))
    if (attempts === 1) return added
  }
}

async function send(client: ClickHouseClient, query: string, bytes: Buffer, token: string) {
  const { stream } = await client.exec({
    query,
    values: Readable.from([bytes], { objectMode: false }),
    clickhouse_settings: { insert_deduplication_token: token },
  })
  for await (const _ of stream);
}
