/** `lapwing history` against the real engine: the exporter's tables in one store, the whole product beside it, and every call once. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStore, type Store } from '../../api/store/connect.ts'
import { fill, logRows, traceRows } from '../collectors/exporter-tables.ts'
import { fastmcpCall, keyValues, logs, sdkCall, span, traces } from '../collectors/otlp-bodies.ts'
import { ask, freePorts, healthOf, type Product, startProduct } from '../faults/product.ts'
import { runVerb } from './dead-product.ts'

const timeout = 120_000
const dir = mkdtempSync(join(tmpdir(), 'lapwing-history-'))
const calls = 40
let store: Store
let product: Product
let served: { api: string; otlp: string; token: string }
before(
  async () => {
    store = await openStore({ kind: 'embedded', dir: join(dir, 'exporter') })
    const sdk = Array.from({ length: calls }, (_, n) => traces('shop', { 'mcp-python-sdk': sdkCall(n + 1, 'add', n % 5 === 0) }))
    const { server, client, sdk: inner } = fastmcpCall(700, 'read')
    // A day later, from a service of another name.
    const later = span({
      trace: 999,
      id: 9_990,
      kind: 3,
      name: 'MCP send tools/call late',
      at: 86_400_000,
      ms: 2,
      attributes: { 'mcp.method.name': 'tools/call' },
    })
    const spans = [
      ...sdk,
      traces('office', { fastmcp: [server, client], 'mcp-python-sdk': [inner] }),
      traces('late', { 'mcp-python-sdk': [later] }),
    ]
    const attributes = keyValues({ 'event.name': 'tool_result', tool_name: 'mcp__a__b', success: 'true' })
    const records = [1, 2, 3].map((n) => ({ timeUnixNano: `179527000${n}000000000`, body: { stringValue: `log ${n}` }, attributes }))
    const noIds = { ...(traceRows(spans[0] as never)[0] as object), TraceId: '' }
    await fill(store.client, 'otel', [...spans.flatMap(traceRows), noIds], logRows(logs('com.anthropic.claude_code.events', records)))
    product = startProduct(dir, freePorts)
    served = await product.ready
  },
  { timeout },
)
after(async () => {
  product.kill('SIGTERM')
  await product.ended
  await store.close()
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
})

const history = (...args: string[]) =>
  runVerb(['history', '--url', store.url, '--user', 'lapwing', '--database', 'otel', '--endpoint', served.otlp, ...args], dir, {
    LAPWING_HISTORY_PASSWORD: store.token,
  })

type Listed = { items: Record<string, string | number>[] }
async function events(): Promise<Listed['items']> {
  do await sleep(100)
  while (Object.values((await healthOf(served)).lag).some((lag) => lag > 0))
  return ((await ask(served, '/v1/events?limit=1000')) as Listed).items
}

test('every call is there once, however often, in whatever parts, the history is sent', { timeout }, async () => {
  const noon = '2026-11-21T14:30:00Z'
  const first = await history('--until', noon, '--service', 'shop', 'office')
  assert.equal(first.code, 0, first.stderr)
  assert.match(first.text, new RegExp(`^${2 * calls + 3} spans and 0 logs sent, 1 refused; what comes later: --since 2026`))
  assert.match(first.stderr, /refused: a span without trace id and span id/)
  assert.match(first.stderr, /history: all before 2026-11-21T\S+Z sent: \d+ spans/)
  for (const run of [1, 2]) {
    const ran = await history('--until', '2027-01-01T00:00:00Z')
    assert.equal(ran.code, 0, ran.stderr)
    assert.match(ran.text, new RegExp(`^${2 * calls + 4} spans and 3 logs sent, 1 refused`), `run ${run}`)
  }
  const stored = await events()
  assert.equal(stored.length, 2 * calls + 3 + 1 + 3)
  assert.equal(new Set(stored.map((event) => event['lapwing.event.id'])).size, stored.length)
  const byCall = Map.groupBy(
    stored.filter((event) => event['lapwing.event.kind'] === 'call'),
    (event) => event['lapwing.call.id'],
  )
  const sdk = [...byCall.values()].filter(([one]) => one?.['service.name'] === 'shop')
  assert.equal(sdk.length, calls)
  for (const seen of sdk) assert.deepEqual(seen.map((event) => event['lapwing.call.observation']).sort(), [1, 2])
  assert.equal([...byCall.values()].filter(([one]) => one?.['service.name'] === 'office').length, 1)
})

test('tables of another age, and one kind alone', { timeout }, async () => {
  await store.client.command({
    query: `CREATE TABLE otel.old_logs (Timestamp DateTime64(9), SeverityNumber Int32, Body String, LogAttributes Map(String, String))
      ENGINE = MergeTree ORDER BY Timestamp`,
  })
  await store.client.insert({ table: 'otel.old_logs', values: [{ Timestamp: '1795270009.000000001', Body: 'old' }], format: 'JSONEachRow' })
  const ran = await history('--until', '2027-01-01T00:00:00Z', '--traces-table', '', '--logs-table', 'old_logs', '--service', 'ignored')
  assert.match(ran.text, /^0 spans and 1 logs sent, 0 refused/, ran.stderr)
  const old = (await events()).filter((event) => JSON.stringify(event).includes('"log.body":"old"'))
  assert.equal(old.length, 1)
})

test('columns of type JSON', { timeout }, async () => {
  await store.client.command({
    query: `CREATE TABLE otel.json_traces (Timestamp DateTime64(9), TraceId String, SpanId String, SpanName String, SpanKind String,
      ResourceAttributes JSON, SpanAttributes JSON) ENGINE = MergeTree ORDER BY Timestamp`,
  })
  const [row] = traceRows(traces('json', { x: sdkCall(5_000, 'typed') })) as [Record<string, unknown>]
  const { Timestamp, TraceId, SpanId, SpanName, SpanKind, ResourceAttributes, SpanAttributes } = row
  const values = [{ Timestamp, TraceId, SpanId, SpanName, SpanKind, ResourceAttributes, SpanAttributes }]
  await store.client.insert({ table: 'otel.json_traces', values, format: 'JSONEachRow' })
  const ran = await history('--until', '2027-01-01T00:00:00Z', '--traces-table', 'json_traces', '--logs-table', '')
  assert.match(ran.text, /^1 spans and 0 logs sent, 0 refused/, ran.stderr)
  const [event] = (await events()).filter((one) => one['service.name'] === 'json')
  assert.deepEqual(
    [event?.['mcp.method.name'], event?.['gen_ai.tool.name'], event?.['jsonrpc.request.id']],
    ['tools/call', 'typed', '5000'],
  )
})

test('says what to do when it cannot work', { timeout }, async () => {
  for (const [args, code, expected] of [
    [['--logs-table', 'nowhere'], 2, /no table otel\.nowhere: name it with --logs-table/],
    [['--database', 'lapwing', '--traces-table', ''], 2, /no table lapwing\.otel_logs/],
    [['--since', 'yesterday'], 2, /--since: not a time like/],
    [['--url', store.url.replace('//', '//me:wrong@')], 2, /ClickHouse: .*Authentication failed/],
    [['--url', 'ftp://x'], 2, /--url: not an http\(s\) URL/],
    [['--endpoint', `${served.otlp}/elsewhere`], 1, /all before 1970\S+ is sent: go on with --since 1970[\s\S]*answers 404/],
  ] as const) {
    const ran = await history(...args)
    assert.equal(ran.code, code, `${args.join(' ')}: ${ran.text}${ran.stderr}`)
    assert.match(ran.stderr, expected)
    assert.doesNotMatch(ran.stderr, new RegExp(store.token), 'no password in a message')
  }
})
