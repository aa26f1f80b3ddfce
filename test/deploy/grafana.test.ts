/** Grafana's files are what the dashboards and queries say now, and each SQL of theirs runs and gives the columns its panel shows. */
import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { openStore, type Store } from '../../api/store/connect.ts'
import { migrate } from '../../api/store/migrate.ts'
import { grafanaFiles } from '../../commands/grafana.ts'
import { dashboards } from '../../dashboards/catalog.ts'
import { textLiteral } from '../../dashboards/grafana/query-text.ts'
import { columnsOf } from '../../schemas/dashboard.ts'
import { type Loose, read, root, yamlOf } from './files.ts'

const folder = 'deploy/grafana/dashboards'
const made = await grafanaFiles()
const parsed: Loose[] = [...made.values()].map((text) => JSON.parse(text))

const dir = mkdtempSync(join(tmpdir(), 'lapwing-grafana-'))
let store: Store
before(async () => {
  store = await openStore({ kind: 'embedded', dir })
  await migrate(store, { retentionDays: 30 })
})
after(async () => {
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

/** As the plugin and ClickHouse would: the engine here has no settings of users. */
const expanded = (sql: string): string =>
  sql
    .replaceAll('$__fromTime', 'toDateTime(1767139200)')
    .replaceAll('$__toTime', 'toDateTime(1767398400)')
    .replaceAll('$__interval_s', '3600')
    .replaceAll("getSetting('SQL_lapwing_tenant')", "'default'")

test('the files in the repository are the ones that are made now (UPDATE=1 writes them)', () => {
  if (process.env.UPDATE) for (const [file, text] of made) writeFileSync(join(root, folder, file), text)
  assert.deepEqual(readdirSync(join(root, folder)).sort(), [...made.keys()].sort())
  for (const [file, text] of made) assert.equal(read(`${folder}/${file}`), text, `${file}: run \`lapwing grafana\``)
})

test('every panel has its place: none overlaps another, none leaves the screen', () => {
  for (const { panels, title } of parsed) {
    const taken = new Set<string>()
    for (const {
      gridPos: { x, y, w, h },
    } of panels) {
      assert.ok(x + w <= 24, title)
      for (let row = y; row < y + h; row += 1)
        for (let column = x; column < x + w; column += 1) {
          assert.ok(!taken.has(`${column} ${row}`), title)
          taken.add(`${column} ${row}`)
        }
    }
  }
})

test('nothing that a person types gets into a query, and the tenant comes from the user of the data source', () => {
  for (const { panels, templating } of parsed) {
    assert.deepEqual(templating.list, [])
    for (const {
      targets: [{ rawSql }],
      title,
    } of panels) {
      assert.ok(rawSql.includes("getSetting('SQL_lapwing_tenant')"), title)
      assert.doesNotMatch(expanded(rawSql), /\$|\{\w+:/, title)
    }
  }
})

test('each query runs and gives what its panel draws', async () => {
  for (const [index, { panels }] of parsed.entries()) {
    for (const [at, panel] of panels.entries()) {
      const source = dashboards[index]?.panels[at]
      assert.ok(source && source.title === panel.title)
      const answer = await store.client.query({ query: expanded(panel.targets[0].rawSql), format: 'JSON' })
      const { meta = [] } = (await answer.json()) as { meta?: { name: string; type: string }[] }
      const names = meta.map(({ name }) => name)
      const wanted = { ...source, link: undefined, only: undefined } as unknown as typeof source
      if (source.kind === 'stat') assert.deepEqual(names, [source.unit])
      else
        for (const column of columnsOf(wanted))
          if (source.kind !== 'bars' || column !== source.severity) assert.ok(names.includes(column), `${source.id}: ${column}`)
      if (source.kind === 'series') assert.match(meta[0]?.type ?? '', /^DateTime/)
    }
  }
})

test('a text in a query is that text, whatever it holds', async () => {
  const texts = fc
    .sample(fc.string({ unit: 'binary', maxLength: 12 }), { numRuns: 200, seed: 7 })
    .map((text) => text.replaceAll('\u0000', '').toWellFormed())
  const hostile = ["'", '\\', "\\'", "' OR 1 --", '`', '\\\\', ...texts]
  const query = `SELECT [${hostile.map(textLiteral).join(', ')}] AS texts`
  const [row] = await (await store.client.query({ query, format: 'JSONEachRow' })).json<{ texts: string[] }>()
  assert.deepEqual(row?.texts, hostile)
})

test('provisioning points at the data source and the folder that the dashboards use', () => {
  const [source] = yamlOf(read('deploy/grafana/provisioning/datasources/lapwing.yaml')).datasources
  assert.ok(
    parsed.every(({ panels }) => panels.every(({ datasource }: Loose) => datasource.uid === source.uid && datasource.type === source.type)),
  )
  assert.match(source.secureJsonData.password, /^\$__file\{\/run\/secrets\/\w+\}$/)
  const [provider] = yamlOf(read('deploy/grafana/provisioning/dashboards/lapwing.yaml')).providers
  const { volumes } = yamlOf(read('docker-compose.yml')).services.grafana
  assert.ok(volumes.includes(`./${folder}:${provider.options.path}:ro`))
})
