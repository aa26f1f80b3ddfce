/** Brings the tables of a store up to date: each numbered migration runs once, in order. */
import { Fault } from '../../schemas/errors.ts'
import { database, type Store } from './connect.ts'
import { migration as first } from './migrations/0001-first-tables.ts'

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
export type MigrateOptions = Readonly<{ retentionDays: number; replicated?: boolean }>

const migrations: readonly Migration[] = [first]
const expiringTables = ['events', 'signals', 'thread_links', 'dead_letters'] as const

const ttl = (days: number): string => `TTL stored + toIntervalDay(${days})`

function contextOf(options: MigrateOptions): MigrationContext {
  const engine = (family: string) => (options.replicated ? `Replicated${family}MergeTree` : `${family}MergeTree`)
  const durability = 'fsync_after_insert = 1, fsync_part_directory = 1'
  // The window is off by default on tables that are not replicated: an insert whose outcome is unknown is sent again with its token.
  const window = options.replicated ? 'replicated_deduplication_window = 10000' : 'non_replicated_deduplication_window = 10000'
  return {
    engine: (family) => engine(family),
    lasting: '',
    expiring: () => ttl(options.retentionDays),
    durable: `SETTINGS ${durability}, ${window}`,
  }
}

export async function migrate(store: Store, options: MigrateOptions): Promise<readonly number[]> {
  if (!Number.isInteger(options.retentionDays) || options.retentionDays < 1) throw new Fault('CONFIG_INVALID', 'retentionDays')
  const context = contextOf(options)
  const { client } = store
  await client.command({
    query: `CREATE TABLE IF NOT EXISTS schema_migrations (number UInt32, name String, applied DateTime64(3, 'UTC') DEFAULT now64(3))
      ENGINE = ${context.engine('Replacing')} ORDER BY number ${context.durable}`,
  })
  const answer = await client.query({ query: 'SELECT DISTINCT number FROM schema_migrations', format: 'JSONEachRow' })
  const done = new Set((await answer.json<{ number: number }>()).map(({ number }) => number))
  const newest = Math.max(0, ...done)
  if (newest > migrations.length) throw new Fault('START_REFUSED', `store was written by a newer version (migration ${newest})`)
  const applied: number[] = []
  for (const { number, name, statements } of migrations) {
    if (done.has(number)) continue
    // A migration that was cut short runs again from its start: every statement is one that may be repeated.
    for (const query of statements(context)) await client.command({ query })
    await client.insert({ table: 'schema_migrations', values: [{ number, name }], format: 'JSONEachRow' })
    applied.push(number)
  }
  await keepRetention(store, options.retentionDays)
  return applied
}

/** The retention is configuration, so a table made under another one is changed. Old parts follow when they merge. */
async function keepRetention({ client }: Store, days: number) {
  const answer = await client.query({
    query: 'SELECT name, engine_full FROM system.tables WHERE database = {database:String} AND name IN {names:Array(String)}',
    query_params: { database, names: expiringTables },
    format: 'JSONEachRow',
  })
  for (const table of await answer.json<{ name: string; engine_full: string }>()) {
    if (table.engine_full.includes(ttl(days))) continue
    await client.command({
      query: `ALTER TABLE {table:Identifier} MODIFY ${ttl(days)}`,
      query_params: { table: table.name },
      clickhouse_settings: { materialize_ttl_after_modify: 0 },
    })
  }
}
