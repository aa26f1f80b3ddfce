/** Every panel of every dashboard: its query exists, gives the columns it draws, takes its parameters, and runs on empty and filled stores. */
import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { loadQueries } from '../../api/queries/catalog.ts'
import { dashboards } from '../../dashboards/catalog.ts'
import { type Alert, Severity } from '../../schemas/alert.ts'
import { columnsOf, panelKinds } from '../../schemas/dashboard.ts'
import { openApi } from '../api/open.ts'
import { sampleAlert, sampleEvent } from '../api/sample.ts'

const queries = await loadQueries()
const panels = dashboards.flatMap(({ id, panels }) => panels.map((panel) => ({ where: `${id}/${panel.id}`, panel })))
const range = { since: '2025-12-31T00:00:00Z', until: '2026-01-03T00:00:00Z' }
type Rows = Record<string, unknown>[]

let open: Awaited<ReturnType<typeof openApi>>
before(async () => {
  open = await openApi()
})
after(() => open[Symbol.asyncDispose]())

function urlOf({ query, params, ranged, kind }: (typeof panels)[number]['panel']): string {
  const all = { ...params, ...(ranged ? range : {}), ...(kind === 'series' ? { step: '3600' } : {}) }
  return `/v1/queries/${query}?${new URLSearchParams(all)}`
}
async function ask(where: string, url: string): Promise<Rows> {
  const { status, body } = await open.get(url)
  assert.equal(status, 200, `${where}: ${JSON.stringify(body)}`)
  return body.items as Rows
}

test('every data file of the folder is a dashboard, with an id of its own', () => {
  const files = readdirSync(join(import.meta.dirname, '../../dashboards')).filter((file) => file.endsWith('.ts'))
  const ids = files.filter((file) => !['catalog.ts', 'vite.config.ts'].includes(file)).map((file) => file.slice(0, -3))
  assert.deepEqual(dashboards.map(({ id }) => id).toSorted(), ids.toSorted())
  assert.equal(new Set(panels.map(({ where }) => where)).size, panels.length)
})

test('a panel reads only columns its query gives', () => {
  for (const { where, panel } of panels) {
    const query = queries.get(panel.query)
    assert.ok(query, `${where}: no query ${panel.query}`)
    for (const column of columnsOf(panel)) assert.ok(Object.hasOwn(query.row.shape, column), `${where}: ${panel.query} has no ${column}`)
    assert.ok(panelKinds.includes(panel.kind) && panel.about.length > 20 && panel.unit !== '', where)
    const takesTime = Object.hasOwn(query.params.shape, 'since')
    assert.equal(panel.ranged, takesTime, `${where}: ranged must say whether ${panel.query} takes a time`)
  }
})

test('every panel answers on an empty store', async () => {
  for (const { where, panel } of panels) assert.deepEqual(await ask(where, urlOf(panel)), [], where)
})

test('every panel is filled where there is something to show, with values of the kind it draws', async () => {
  await open.feedEvents(
    sampleEvent({ eventId: 'e1', outcome: 'success', secrets: ['github-token:0123'] }),
    sampleEvent({ eventId: 'e2', serverKey: 'srv_2', serverAlias: 'mail', toolName: 'send', outcome: 'tool_error' }),
    ...['Reads.', 'Reads all.'].map((description, index) =>
      sampleEvent({
        ...{ eventId: `list-${index}`, kind: 'response', method: 'tools/list', toolName: undefined },
        time: 1_767_225_601_000_000_000n + BigInt(index),
        body: { tools: [{ name: 'read_file', description }] },
      }),
    ),
  )
  const families = ['D1', 'D5'] as const
  const alertOf = (family: string): Alert => {
    const alert = sampleAlert({ alertId: family, evidence: { sourceEvent: 'e1', sinkEvent: 'e2' } })
    return { ...alert, maps: { ...alert.maps, family: [family] } }
  }
  const signal = {
    ...{ signal: 'odd', detector: 'd', family: 'D4', weight: 0.5, summary: 's', evidence: {}, tenant: 'default' },
    ...{ time: sampleAlert().time, eventId: 'e1', events: [], actor: 'ana@laptop', serverKey: 'srv_1', threadId: 'thread-1' },
  }
  await open.feed(...families.map((family) => ({ type: 'alert', alert: alertOf(family) }) as const), { type: 'signals', signals: [signal] })
  const mayBeEmpty = new Set(['dead-letters'])
  for (const { where, panel } of panels) {
    const all = await ask(where, urlOf(panel))
    const { only } = panel
    const rows = only === undefined ? all : all.filter((row) => only.values.includes(String(row[only.column])))
    if (mayBeEmpty.has(panel.query)) continue
    assert.ok(rows.length > 0, `${where} shows nothing`)
    for (const row of rows) {
      const isCount = (column: string) => assert.equal(typeof row[column], 'number', `${where} ${column}`)
      const isTime = (column: string) => assert.ok(!Number.isNaN(Date.parse(String(row[column]))), `${where} ${column}`)
      if (panel.kind === 'stat' && panel.value !== undefined) isCount(panel.value)
      if (panel.kind === 'bars') isCount(panel.value)
      if (panel.kind === 'series') {
        isTime(panel.at)
        for (const value of panel.values) isCount(value)
      }
      for (const { column, form } of panel.kind === 'table' ? panel.columns : []) {
        if (form === 'number') isCount(column)
        if (form === 'time') isTime(column)
        if (form === 'severity') Severity.parse(row[column])
      }
    }
  }
})

test('both ends of a taint path are named by server and tool', async () => {
  const [path] = await ask('taint-paths', '/v1/queries/taint-paths')
  assert.deepEqual([path?.source, path?.sink], ['files · read_file', 'mail · send'])
})

test('what a source lets us see is counted per field', async () => {
  const rows = await ask('field-coverage', '/v1/queries/field-coverage')
  const requests = rows.find(({ kind }) => kind === 'request') as { events: number; present: Record<string, number> }
  assert.equal(requests.events, 2)
  assert.equal(requests.present['gen_ai.tool.name'], 2)
  assert.equal(requests.present['lapwing.secrets'], 1)
  assert.equal(requests.present['lapwing.mrtr.request_state_hash'], 0)
  assert.equal(rows.find(({ kind }) => kind === 'response')?.events, 2)
})

test('threads are listed with what was done and raised in them', async () => {
  const { time } = sampleEvent() // a link has its event’s time
  const link = (eventId: string) => ({ eventId, threadId: 'thread-1', reason: 'session', confidence: 0.9, time, tenant: 'default' })
  await open.feed({ type: 'links', links: [link('e1'), link('e2'), link('e2')] })
  const [thread] = (await ask('threads', '/v1/queries/threads')) as { servers: string[]; first_seen: string; last_seen: string }[]
  assert.ok(thread)
  assert.deepEqual(
    { ...thread, servers: thread.servers.toSorted() },
    {
      ...{ thread_id: 'thread-1', first_seen: thread.first_seen, last_seen: thread.last_seen },
      ...{ events: 2, calls: 2, actor: 'ana@laptop', servers: ['files', 'mail'], alerts: 2 },
    },
  )
})
