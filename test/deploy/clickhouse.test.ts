/** deploy/clickhouse: the engine reads every statement, and readers have what dashboards need and nothing that is sealed. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openStore, type Store } from '../../api/store/connect.ts'
import { migrate } from '../../api/store/migrate.ts'
import { read, root } from './files.ts'
import { run } from './tools.ts'

const folder = mkdtempSync(join(tmpdir(), 'lapwing-access-'))
const statementsOf = (text: string): string[] =>
  text
    .replace(/^--.*$/gm, '')
    .split(';')
    .map((one) => one.trim())
    .filter((one) => one !== '')
const access = statementsOf(read('deploy/clickhouse/access.sql'))
const grants = (role: string) => access.filter((one) => one.startsWith('GRANT ') && one.endsWith(` TO ${role}`))
const tablesOf = (statements: string[]) => statements.flatMap((one) => /ON lapwing\.(\w+) /.exec(one)?.[1] ?? []).sort()

let store: Store
before(async () => {
  store = await openStore({ kind: 'embedded', dir: join(folder, 'store') })
  await migrate(store, { retentionDays: 30 })
})
after(async () => {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

test('the engine reads every statement, those of the made users too', async () => {
  const made = run(process.execPath, [join(root, 'deploy/secrets.mjs'), folder])
  assert.equal(made.status, 0, made.stderr)
  const { readFileSync } = await import('node:fs')
  const users = statementsOf(readFileSync(join(folder, 'secrets/clickhouse-users.sql'), 'utf8'))
  assert.ok(access.length > 30 && users.length === 16)
  const parse = async (query: string) => (await store.client.query({ query: `EXPLAIN AST ${query}`, format: 'JSONEachRow' })).text()
  for (const statement of [...access, ...users]) assert.ok((await parse(statement)) !== '', statement)
  await assert.rejects(parse('CREATE SETTINGS PROFILEZ x SETTINGS readonly = 1'), 'what is not SQL must be seen')
})

test('grants and policies name tables and columns that are there', async () => {
  const answer = await store.client.query({
    query: "SELECT table, name FROM system.columns WHERE database = 'lapwing'",
    format: 'JSONEachRow',
  })
  const columns = await answer.json<{ table: string; name: string }>()
  const has = (table: string, name: string) => columns.some((one) => one.table === table && one.name === name)
  for (const statement of access) {
    const [, listed = '', table = ''] = /(?:SELECT\(([^)]*)\) )?ON lapwing\.(\w+)/.exec(statement) ?? []
    if (table)
      assert.ok(
        columns.some((one) => one.table === table),
        statement,
      )
    for (const name of listed.split(', ').filter((one) => one !== '')) assert.ok(has(table, name), statement)
    const [, tenant] = /USING `?([\w.]+)`? = getSetting/.exec(statement) ?? []
    if (tenant) assert.ok(has(table, tenant), statement)
  }
})

test('every table that a reader may read shows it one tenant', () => {
  for (const role of ['lapwing_reader', 'lapwing_hunter']) {
    const readable = tablesOf(grants(role))
    const policies = access.filter(
      (one) => one.startsWith('CREATE ROW POLICY') && one.includes("getSetting('SQL_lapwing_tenant')") && one.includes(role),
    )
    assert.ok(readable.length >= 8)
    for (const table of readable)
      assert.ok(
        policies.some((one) => one.includes(`ON lapwing.${table} `)),
        `${role}: ${table}`,
      )
  }
})

test('readers only read: no sealed bytes, no way out, no change of their limits', () => {
  const theirs = [...grants('lapwing_reader'), ...grants('lapwing_hunter')]
  for (const grant of theirs) assert.match(grant, /^GRANT SELECT(\([^)]*\))? ON lapwing\.\w+ TO \w+$/, grant)
  assert.ok(theirs.every((grant) => !grant.includes('sealed') && !/SELECT ON lapwing\.dead_letters/.test(grant)))
  for (const statement of access.filter((one) => one.startsWith('GRANT ')))
    assert.doesNotMatch(
      statement,
      /\b(ALL|SOURCES|READ|WRITE|FILE|URL|S3|REMOTE|TEMPORARY|FUNCTION|SYSTEM [A-Z]|DROP|TRUNCATE|WITH GRANT OPTION)\b/,
      statement,
    )
  for (const profile of ['lapwing_reader', 'lapwing_hunter']) {
    const [, settings = ''] =
      access.find((one) => one.startsWith(`CREATE SETTINGS PROFILE OR REPLACE ${profile} `))?.split(' SETTINGS\n') ?? []
    assert.match(settings, /readonly = 1 CONST/)
    for (const line of settings.split(',\n')) assert.match(line, /( CONST|CHANGEABLE_IN_READONLY)$/, line)
  }
})
