/** Brings the tables of a store up to date: each numbered migration runs once, in order. */
import { Fault } from '../../schemas/errors.ts'
import { onCluster, type Store } from './connect.ts'
import { migration as first } from './migrations/0001-first-tables.ts'
import { migration as second } from './migrations/0002-cheaper-inserts.ts'
import { migration as third } from './migrations/0003-letters-of-a-log.ts'

export type MigrationContext = Readonly<{
  /** The table engine of a family, `Replacing` or `Aggregating`: a cluster has replicated ones. */
  engine: (family: 'Replacing' | 'Aggregating' | '') => string
  /** PARTITION and no end: rows that are kept for good. */
  lasting: string
  /** The TTL of a table whose rows end with the retention. */
  expiring: (table: string) => string
  /** Settings under which an insert that returned survives a power cut, and the same insert again is one. */
  durable: string
}>
export type Migration = Readonly<{ number: number; name: string; statements: (context: MigrationContext) => readonly string[] }>
/** `cluster`: tables are replicated, and made on every server of it. */
export type MigrateOptions = Readonly<{ retentionDays: number; cluster?: string }>

const migrations: readonly Migration[] = [first, second, third]
const expiringTables = ['events', 'signals', 'thread_links', 'dead_letters'] as const

const ttl = (days: number): string => `TTL stored + toIntervalDay(${days})`

const weekSeconds = 7 * 86_400

function contextOf({ retentionDays, cluster }: MigrateOptions): MigrationContext {
  // Without arguments: the server's default path, which is of the table's {uuid} and the {shard}.
  const engine = (family: string) => (cluster ? `Replicated${family}MergeTree` : `${family}MergeTree`)
  const durability = 'fsync_after_insert = 1, fsync_part_directory = 1'
  // The window is off by default on tables that are not replicated: an insert whose outcome is unknown is sent again with its token.
  const window = cluster
    ? `replicated_deduplication_window = 10000, replicated_deduplication_window_seconds = ${weekSeconds}`
    : 'non_replicated_deduplication_window = 10000'
  return { engine, lasting: '', expiring: () => ttl(retentionDays), durable: `SETTINGS ${durability}, ${window}` }
}

/** The statement for every server of the cluster: what it makes or changes is named first. */
function everywhere(statement: string, cluster: string | undefined): string {
  const [head] = /^(CREATE TABLE IF NOT EXISTS|ALTER TABLE) (\w+|\{table:Identifier\})/.exec(statement) ?? []
  if (head === undefined) throw new Fault('START_REFUSED', 'a migration may only make and change tables')
  return `${head}${onCluster(cluster)}${statement.slice(head.length)}`
}

const ledgerOf = ({ engine, durable }: MigrationContext): string =>
  `CREATE TABLE IF NOT EXISTS schema_migrations (number UInt32, name String, applied DateTime64(3, 'UTC') DEFAULT now64(3))
      ENGINE = ${engine('Replacing')} ORDER BY number ${durable}`

/** What a store without tables is told, in order: a test has the engine parse the statements of a cluster. */
export function statementsOf(options: MigrateOptions): readonly string[] {
  const context = contextOf(options)
  const all = [ledgerOf(context), ...migrations.flatMap(({ statements }) => statements(context)), changeTtl(options.retentionDays)]
  return all.map((statement) => everywhere(statement, options.cluster))
}

export async function migrate(store: Store, options: MigrateOptions): Promise<readonly number[]> {
  if (!Number.isInteger(options.retentionDays) || options.retentionDays < 1) throw new Fault('CONFIG_INVALID', 'retentionDays')
  const context = contextOf(options)
  const { client } = store
  await client.command({ query: everywhere(ledgerOf(context), options.cluster) })
  const answer = await client.query({ query: 'SELECT DISTINCT number FROM schema_migrations', format: 'JSONEachRow' })
  const done = new Set((await answer.json<{ number: number }>()).map(({ number }) => number))
  const newest = Math.max(0, ...done)
  if (newest > migrations.length) throw new Fault('START_REFUSED', `store was written by a newer version (migration ${newest})`)
  const applied: number[] = []
  for (const { number, name, statements } of migrations) {
    if (done.has(number)) continue
    // A migration that was cut short runs again from its start: every statement is one that may be repeated.
    // Parts that a changed table has to rewrite are rewritten behind it: a large store must not be waited for.
    const clickhouse_settings = { alter_sync: '0' }
    for (const query of statements(context)) await client.command({ query: everywhere(query, options.cluster), clickhouse_settings })
    await client.insert({ table: 'schema_migrations', values: [{ number, name }], format: 'JSONEachRow' })
    applied.push(number)
  }
  await keepRetention(store, options)
  return applied
}

const changeTtl = (days: number): string => `ALTER TABLE {table:Identifier} MODIFY ${ttl(days)}`

/** The retention is configuration, so a table made under another one is changed. Old parts follow when they merge. */
async function keepRetention({ client, database }: Store, { retentionDays, cluster }: MigrateOptions) {
  const answer = await client.query({
    query: 'SELECT name, engine_full FROM system.tables WHERE database = {database:String} AND name IN {names:Array(String)}',
    query_params: { database, names: expiringTables },
    format: 'JSONEachRow',
  })
  for (const table of await answer.json<{ name: string; engine_full: string }>()) {
    if (table.engine_full.includes(ttl(retentionDays))) continue
    await client.command({
      query: everywhere(changeTtl(retentionDays), cluster),
      query_params: { table: table.name },
      clickhouse_settings: { materialize_ttl_after_modify: 0 },
    })
  }
}
