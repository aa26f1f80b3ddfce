/** Migrations upgrade a store that is in use, and speak to a whole cluster where there is one. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openStore, type Store } from '../../../api/store/connect.ts'
import { storeOnce } from '../../../api/store/insert.ts'
import { migrate, statementsOf } from '../../../api/store/migrate.ts'
import { migration as first } from '../../../api/store/migrations/0001-first-tables.ts'
import { events } from '../../../api/store/tables.ts'
import { Fault } from '../../../schemas/errors.ts'
import { ask, eventOf } from './store-tools.ts'

const dir = mkdtempSync(join(tmpdir(), 'lapwing-migrations-'))
let store: Store
before(async () => {
  store = await openStore({ kind: 'embedded', dir })
})
after(async () => {
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

test('a store of the first version is upgraded with the rows it has', async () => {
  const context = {
    engine: (family: string) => `${family}MergeTree`,
    lasting: '',
    expiring: () => 'TTL stored + toIntervalDay(30)',
    durable: 'SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, non_replicated_deduplication_window = 10000',
  }
  for (const query of first.statements(context)) await store.client.command({ query })
  await store.client.command({
    query:
      'CREATE TABLE schema_migrations (number UInt32, name String, applied DateTime64(3) DEFAULT now64(3)) ENGINE = ReplacingMergeTree ORDER BY number',
  })
  await store.client.insert({ table: 'schema_migrations', values: [{ number: 1, name: first.name }], format: 'JSONEachRow' })
  const put = (from: number) => {
    const origin = { topic: 'mcp.events', partition: 0, offset: BigInt(from), stored: Math.floor(Date.now() / 1000) }
    const rows = [0, 1, 2].map((number) => ({ value: eventOf(from + number, { arguments: { text: 'some words' } }), origin }))
    return storeOnce(store.client, events, rows, { signal: new AbortController().signal, onRetry: () => undefined })
  }
  await put(0)
  assert.deepEqual(await migrate(store, { retentionDays: 30 }), [2, 3])
  await put(3)
  await store.client.command({ query: 'OPTIMIZE TABLE events FINAL' })
  assert.deepEqual(
    await ask(store, "SELECT count() AS n, countIf(`gen_ai.tool.call.arguments` LIKE '%some words%') AS words FROM events"),
    [{ n: 6, words: 6 }],
  )
  const indexes = await ask<{ name: string }>(store, "SELECT name FROM system.data_skipping_indices WHERE table = 'events' ORDER BY name")
  assert.deepEqual(
    indexes.map(({ name }) => name),
    ['by_actor', 'by_call', 'by_event', 'by_server', 'by_trace'],
  )
  assert.deepEqual(await migrate(store, { retentionDays: 30 }), [])
})

// There is no cluster here: the engine parses what one would be told, and nothing more.
test('in a cluster every statement is for all of it, and every table is replicated', async () => {
  const statements = statementsOf({ retentionDays: 30, cluster: 'mcp-{shard}' })
  assert.ok(statements.length > 10)
  for (const statement of statements) {
    const sql = statement.replace('{table:Identifier}', 'events')
    const tree = (await ask<{ explain: string }>(store, `EXPLAIN AST ${sql}`)).map(({ explain }) => explain).join('\n')
    assert.match(tree, /^(CreateQuery|AlterQuery)/, sql)
    const [formatted] = await ask<{ sql: string }>(store, 'SELECT formatQuerySingleLine({sql:String}) AS sql', { sql })
    assert.match(formatted?.sql ?? '', /ON CLUSTER [`']mcp-\{shard\}[`']/, sql)
    if (!sql.startsWith('CREATE TABLE')) continue
    assert.match(formatted?.sql ?? '', /ENGINE = Replicated(Replacing|Aggregating)MergeTree /)
    assert.match(formatted?.sql ?? '', /replicated_deduplication_window = \d+, replicated_deduplication_window_seconds = 604800/)
  }
})

test('alone nothing is replicated, and a cluster’s name cannot carry SQL', () => {
  assert.ok(statementsOf({ retentionDays: 30 }).every((statement) => !/Replicated|ON CLUSTER/.test(statement)))
  assert.throws(
    () => statementsOf({ retentionDays: 30, cluster: "x' ENGINE = Memory" }),
    (error) => error instanceof Fault && error.code === 'CONFIG_INVALID',
  )
})

test('a reader opens a store without making its database, and another database is another store', async () => {
  const server = { kind: 'server', url: store.url, user: 'lapwing', password: store.token } as const
  await assert.rejects(openStore({ ...server, database: 'elsewhere', create: false }), (error) => error instanceof Fault)
  await using made = await openStore({ ...server, database: 'elsewhere' })
  await migrate(made, { retentionDays: 5 })
  await using reader = await openStore({ ...server, database: 'elsewhere', create: false })
  assert.deepEqual(await ask(reader, 'SELECT count() AS n FROM events'), [{ n: 0 }])
  assert.equal(reader.database, 'elsewhere')
})
