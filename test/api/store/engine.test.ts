/** The engine child: what @clickhouse/client needs of ClickHouse's HTTP interface, and what happens when it dies. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ClickHouseError, createClient, TupleParam } from '@clickhouse/client'
import { openStore, type Store } from '../../../api/store/connect.ts'
import { secondStatement } from '../../../api/store/engine-request.ts'
import { type Engine, startEngine } from '../../../api/store/supervisor.ts'

const dir = mkdtempSync(join(tmpdir(), 'lapwing-engine-'))
let store: Store
before(async () => {
  store = await openStore({ kind: 'embedded', dir, querySecondsMax: 10 })
})
after(async () => {
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

type Asked = Readonly<{ params?: Record<string, unknown>; settings?: Record<string, string | number>; signal?: AbortSignal }>
async function ask(query: string, { params, settings, signal }: Asked = {}, on = store): Promise<Record<string, unknown>[]> {
  const answer = await on.client.query({
    query,
    format: 'JSONEachRow',
    ...(params ? { query_params: params } : {}),
    ...(settings ? { clickhouse_settings: settings } : {}),
    ...(signal ? { abort_signal: signal } : {}),
  })
  return await answer.json<Record<string, unknown>>()
}
const codeOf = async (query: string, asked: Asked = {}): Promise<string> => {
  try {
    await ask(query, asked)
    return 'none'
  } catch (error) {
    return (error as ClickHouseError).code
  }
}
const command = (query: string) => store.client.command({ query })
const endless = 'SELECT count() AS n FROM numbers(1000000000000) WHERE sipHash64(number) = 1'
const running = async () => Number((await ask('SELECT count() AS n FROM system.processes'))[0]?.n) - 1

async function eventually(what: string, is: () => boolean | Promise<boolean>) {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    if (await is()) return
    await sleep(50)
  }
  assert.fail(what)
}

test('answers a ping, and refuses a wrong token, none, and a page it does not have', async () => {
  assert.deepEqual(await store.client.ping(), { success: true })
  const stranger = createClient({ url: store.url, username: 'lapwing', password: 'wrong', log: { level: 127 } })
  await assert.rejects(stranger.query({ query: 'SELECT 1' }), { code: '516' })
  assert.equal((await stranger.ping()).success, false)
  await stranger.close()
  assert.equal((await fetch(`${store.url}/?query=SELECT%201`)).status, 401)
})

test('takes the token as X-ClickHouse-Key too, and knows no other page', async () => {
  await using engine = await startEngine({ dir: mkdtempSync(join(dir, 'key-')) })
  const headers = { 'X-ClickHouse-User': 'lapwing', 'X-ClickHouse-Key': engine.token }
  assert.equal(await (await fetch(`${engine.url}/?query=SELECT%201`, { headers })).text(), '1\n')
  assert.equal((await fetch(`${engine.url}/play`, { headers })).status, 404)
})

const strings = [
  '',
  "it's",
  'a\\b',
  "\\'",
  'tab\tline\nreturn\r',
  'NUL\0end',
  '⟦secret:x⟧ 雪 😀',
  '{x:String}',
  "'; DROP TABLE t; --",
  '\\N',
  '`"$$',
]
for (const value of strings) {
  test(`carries the parameter ${JSON.stringify(value)} as it is`, async () => {
    assert.deepEqual(await ask('SELECT {value:String} AS value', { params: { value } }), [{ value }])
    assert.deepEqual(await ask('SELECT {value:Array(String)} AS value', { params: { value: [value, 'x'] } }), [{ value: [value, 'x'] }])
    const map = { [value]: value }
    assert.deepEqual(await ask('SELECT {value:Map(String, String)} AS value', { params: { value: map } }), [{ value: map }])
  })
}

test('carries parameters of every other kind', async () => {
  const table = [
    ['UInt64', '18446744073709551615', '18446744073709551615'],
    ['Int32', -5, '-5'],
    ['Float64', 0.1, '0.1'],
    ['Bool', true, 'true'],
    ['Nullable(String)', null, null],
    ['Array(UInt8)', [1, 2], '[1,2]'],
    ['Tuple(String, UInt8)', new TupleParam(["a'b", 2]), "('a\\'b',2)"],
    ["DateTime64(9, 'UTC')", '2026-01-02 03:04:05.123456789', '2026-01-02T03:04:05.123456789Z'],
  ] as const
  for (const [type, value, shown] of table) {
    assert.deepEqual(await ask(`SELECT toString({value:${type}}) AS value`, { params: { value } }), [
      { value: type.startsWith('DateTime64') ? '2026-01-02 03:04:05.123456789' : shown },
    ])
  }
  assert.deepEqual(await ask('SELECT {value:Identifier} AS value FROM (SELECT 7 AS `a b`)', { params: { value: 'a b' } }), [{ value: 7 }])
})

test('carries more and longer parameters than an address holds', async () => {
  const value = Array.from({ length: 20_000 }, (_, index) => `it's ${index}`)
  assert.deepEqual(await ask('SELECT length({value:Array(String)}) AS n', { params: { value } }), [{ n: 20_000 }])
})

test('refuses a placeholder that the request does not fill, though an earlier request filled it', async () => {
  await ask('SELECT {tenant:String} AS tenant', { params: { tenant: 'a' } })
  for (let attempt = 0; attempt < 4; attempt += 1) assert.equal(await codeOf('SELECT {tenant:String} AS tenant'), '456')
})

test('settings of a query end with it', async () => {
  const settings = { max_block_size: '7' }
  const read = "SELECT toString(getSetting('max_block_size')) AS size"
  assert.deepEqual(await ask(read, { settings }), [{ size: '7' }])
  for (let attempt = 0; attempt < 4; attempt += 1) assert.notDeepEqual(await ask(read), [{ size: '7' }])
})

test('names the error by its code', async () => {
  await command('CREATE TABLE codes (a UInt8) ENGINE = Memory')
  assert.equal(await codeOf('SELECT * FROM nowhere'), '60')
  assert.equal(await codeOf('SELEC 1'), '62')
  assert.equal(await codeOf("SELECT * FROM codes WHERE a = 'x'"), '53')
  assert.equal(await codeOf('SELECT sleep(3)', { settings: { max_execution_time: 1 } }), '159')
  assert.equal(await codeOf('SELECT 1', { settings: { no_such_setting: 1 } }), '115')
  assert.equal(await codeOf('SELECT {value:UInt8} AS value', { params: { value: 'x' } }), '457')
  await assert.rejects(store.client.insert({ table: 'codes', values: [{ a: 'x' }], format: 'JSONEachRow' }), { code: '27' })
})

test('runs one statement, never two', async () => {
  await command('CREATE TABLE precious (a UInt8) ENGINE = Memory')
  assert.equal(await codeOf('SELECT 1; DROP TABLE precious'), '62')
  await assert.rejects(command('INSERT INTO precious VALUES (1); DROP TABLE precious'), { code: '62' })
  assert.equal(await codeOf("SELECT ';' AS `;` /* ; */ -- ;"), 'none')
  assert.deepEqual(await ask('EXISTS TABLE precious'), [{ result: 1 }])
  const hidden = ["SELECT '\\'; x", 'SELECT 1 -- ;\n; x', "SELECT ''';' ; x", 'SELECT 1 /* ; */; x', 'SELECT $$;$$; x', 'SELECT `\\`;`; x']
  assert.deepEqual(
    hidden.map((sql) => secondStatement(sql) > 0),
    [false, true, true, true, true, true],
  )
})

test('takes rows as JSON and as RowBinary, counts them, fills defaults and removes the file', async () => {
  await command(
    "CREATE TABLE taken (a UInt32, `b.c` String DEFAULT 'd;', d String DEFAULT concat(`b.c`, '!')) ENGINE = MergeTree ORDER BY a",
  )
  const json = await store.client.insert({ table: 'taken', values: [{ a: 1, 'b.c': 'ä' }, { a: 2 }], format: 'JSONEachRow' })
  assert.equal(json.summary?.written_rows, '2')
  const bytes = Buffer.from([3, 0, 0, 0, 2, 0x78, 0x79])
  const binary = await store.client.exec({
    query: 'INSERT INTO taken (a, `b.c`) SETTINGS max_threads = 1 FORMAT RowBinary',
    values: Readable.from([bytes], { objectMode: false }),
  })
  for await (const _ of binary.stream);
  assert.equal(binary.summary?.written_rows, '1')
  await command('INSERT INTO taken FORMAT JSONEachRow {"a": 4, "b.c": "x; y"}')
  await command("INSERT INTO taken (a, `b.c`) VALUES (5, 'z;')")
  assert.deepEqual(await ask('SELECT * FROM taken ORDER BY a'), [
    { a: 1, 'b.c': 'ä', d: 'ä!' },
    { a: 2, 'b.c': 'd;', d: 'd;!' },
    { a: 3, 'b.c': 'xy', d: 'xy!' },
    { a: 4, 'b.c': 'x; y', d: 'x; y!' },
    { a: 5, 'b.c': 'z;', d: 'z;!' },
  ])
  const cut = store.client.exec({
    query: 'INSERT INTO taken FORMAT RowBinary',
    values: Readable.from([bytes.subarray(0, 5)], { objectMode: false }),
  })
  await assert.rejects(cut, { code: '33' })
  assert.deepEqual(readdirSync(join(dir, 'incoming')), [])
})

test('works without shared memory, and when it is cleared meanwhile', async () => {
  const own = mkdtempSync(join(dir, 'disk-'))
  await using small = await openStore({ kind: 'embedded', dir: own, sharedMemory: join(own, 'missing', 'shm') })
  await small.client.command({ query: 'CREATE TABLE t (a UInt8) ENGINE = Memory' })
  await small.client.insert({ table: 't', values: [{ a: 1 }], format: 'JSONEachRow' })
  assert.deepEqual(await ask('SELECT a FROM t', {}, small), [{ a: 1 }])
  await using cleared = await openStore({ kind: 'embedded', dir: join(own, 'cleared'), sharedMemory: own })
  await cleared.client.command({ query: 'CREATE TABLE t (a UInt8) ENGINE = Memory' })
  for (const folder of readdirSync(own).filter((name) => name.startsWith('lapwing-'))) rmSync(join(own, folder), { recursive: true })
  await cleared.client.insert({ table: 't', values: [{ a: 2 }], format: 'JSONEachRow' })
  assert.deepEqual(await ask('SELECT a FROM t', {}, cleared), [{ a: 2 }])
  assert.deepEqual(readdirSync(join(own, 'incoming')), [])
})

test('speaks gzip both ways', async () => {
  await using engine = await startEngine({ dir: mkdtempSync(join(dir, 'gzip-')) })
  const client = createClient({ url: engine.url, password: engine.token, compression: { request: true, response: true } })
  await client.command({ query: 'CREATE TABLE packed (a UInt32) ENGINE = MergeTree ORDER BY a' })
  await client.insert({ table: 'packed', values: Array.from({ length: 5000 }, (_, a) => ({ a })), format: 'JSONEachRow' })
  const answer = await client.query({ query: 'SELECT count() AS n, sum(a) AS s FROM packed', format: 'JSONEachRow' })
  assert.equal(answer.response_headers['content-encoding'], 'gzip')
  assert.deepEqual(await answer.json(), [{ n: 5000, s: 12497500 }])
  await client.close()
})

test('streams an answer of any length, and gives one document in the formats that are one', async () => {
  const answer = await store.client.query({ query: 'SELECT number FROM numbers(300000)', format: 'JSONEachRow' })
  let rows = 0
  for await (const part of answer.stream()) rows += (part as unknown[]).length
  assert.equal(rows, 300_000)
  const whole = await store.client.query({ query: 'SELECT number FROM numbers(200000)', format: 'JSON' })
  assert.equal((await whole.json<{ number: number }>()).data.length, 200_000)
})

test('an answer that fails half way is an error, and its rows are not in the next answer', async () => {
  const failing = 'SELECT number, throwIf(number = 150000) AS x FROM numbers(200000) SETTINGS max_block_size = 1000'
  for (const format of ['JSONEachRow', 'JSON'] as const) {
    await assert.rejects(async () => (await store.client.query({ query: failing, format })).json(), format)
    for (let attempt = 0; attempt < 4; attempt += 1) assert.deepEqual(await ask("SELECT 'clean' AS x"), [{ x: 'clean' }])
  }
})

test('a query whose client left is ended', async () => {
  const controller = new AbortController()
  const asked = ask(endless, { signal: controller.signal, settings: { max_execution_time: 60 } })
  await eventually('the query began', async () => (await running()) > 0)
  controller.abort()
  await assert.rejects(asked)
  await eventually('the query ended', async () => (await running()) === 0)
})

test('a query that runs away is ended and the next one works', async () => {
  assert.equal(await codeOf(endless, { settings: { max_execution_time: 1 } }), '159')
  assert.deepEqual(await ask('SELECT 1 AS one'), [{ one: 1 }])
})

test('a few queries run, a few wait, the rest are refused and nothing is lost', async () => {
  await using busy = await openStore({ kind: 'embedded', dir: mkdtempSync(join(dir, 'busy-')), readersMax: 1, waitingMax: 2 })
  const asked = Array.from({ length: 8 }, () => ask('SELECT sleep(0.2) AS s', {}, busy))
  const results = await Promise.allSettled(asked)
  const refused = results.filter((result) => result.status === 'rejected')
  assert.equal(refused.length, 5)
  for (const { reason } of refused) assert.equal(reason.code, '202')
})

const gone = (pid: number): boolean => {
  try {
    return /^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return true
  }
}

test('a killed child comes back at the same address with everything that was stored', async () => {
  await using engine: Engine = await startEngine({ dir: mkdtempSync(join(dir, 'kill-')) })
  const client = createClient({ url: engine.url, password: engine.token, log: { level: 127 } })
  await client.command({ query: 'CREATE TABLE kept (a UInt8) ENGINE = MergeTree ORDER BY a' })
  await client.insert({ table: 'kept', values: [{ a: 42 }], format: 'JSONEachRow' })
  const pid = engine.pid()
  assert.ok(pid)
  process.kill(pid, 'SIGKILL')
  let rows: unknown
  await eventually('the engine answers again', async () => {
    try {
      rows = await (await client.query({ query: 'SELECT a FROM kept', format: 'JSONEachRow' })).json()
      return true
    } catch {
      return false
    }
  })
  assert.deepEqual(rows, [{ a: 42 }])
  assert.equal(engine.restarts(), 1)
  await client.close()
})

test('a child does not outlive its killed parent, and the directory opens again', async () => {
  const own = mkdtempSync(join(dir, 'orphan-'))
  const program = `import { startEngine } from ${JSON.stringify(join(import.meta.dirname, '../../../api/store/supervisor.ts'))}
    const engine = await startEngine({ dir: ${JSON.stringify(own)} })
    process.send(engine.pid())
    setInterval(() => undefined, 1000)`
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const [pid] = (await once(parent, 'message')) as [number]
  assert.equal(gone(pid), false)
  parent.kill('SIGKILL')
  // Opened at once: the lock of the dying engine is waited for.
  await using next = await startEngine({ dir: own })
  assert.notEqual(next.pid(), pid)
  await eventually('the child is gone', () => gone(pid))
})
