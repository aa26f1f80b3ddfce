/** Exactly once, wherever the writer or the engine is killed; and what the store says when it cannot be reached. */
import assert from 'node:assert/strict'
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { after, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { openStore, type Store } from '../../../api/store/connect.ts'
import { storeFault } from '../../../api/store/insert.ts'
import { migrate } from '../../../api/store/migrate.ts'
import { createWriter } from '../../../api/store/writer.ts'
import { encodeVerdict } from '../../../schemas/codec.ts'
import { ask, drained, eventOf, openTestLog, recordOf } from './store-tools.ts'

const timeout = 60_000
const dir = mkdtempSync(join(tmpdir(), 'lapwing-faults-'))
after(() => rmSync(dir, { recursive: true, force: true }))

const size = 2_000
async function fill(own: string) {
  await using log = await openTestLog(own)
  for (let first = 0; first < size; first += 100) {
    const numbers = Array.from({ length: 100 }, (_, index) => first + index)
    await log.publish(
      'mcp.events',
      numbers.map((number) => recordOf(eventOf(number))),
    )
    const hits = numbers.map((number) => ({ alertId: 'a', eventId: String(number), tenant: 'default', time: 1n, severity: 'low' as const }))
    await log.publish('mcp.alerts', [{ key: 'k', bytes: encodeVerdict({ type: 'hits', hits }) }])
  }
}
/** Without FINAL: right before any merge. */
async function stored(store: Store) {
  const [events] = await ask(store, 'SELECT count() AS n, uniqExact(`lapwing.event.id`) AS u FROM events')
  const [hits] = await ask(store, 'SELECT count() AS n, uniqExact(event_id) AS u FROM alert_hits')
  return { events, hits }
}
const once_ = { events: { n: size, u: size }, hits: { n: size, u: size } }

const child = (own: string): ChildProcess =>
  fork(fileURLToPath(new URL('./writer-child.ts', import.meta.url)), [own], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })

test('a writer killed again and again while it drains a log stores each row once', { timeout }, async () => {
  const own = mkdtempSync(join(dir, 'writer-'))
  await fill(own)
  let kills = 0
  for (const until of [200, 300, 1]) {
    const writer = child(own)
    writer.on('message', (events) => {
      if (typeof events === 'number' && events >= until && writer.kill('SIGKILL')) kills += 1
    })
    await once(writer, 'exit')
  }
  assert.ok(kills >= 3)
  const last = child(own)
  const said = await new Promise((done) => last.on('message', (message) => message === 'drained' && done(message)))
  assert.equal(said, 'drained')
  await once(last, 'exit')
  await using store = await openStore({ kind: 'embedded', dir: own })
  assert.deepEqual(await stored(store), once_)
})

test('an engine killed again and again while rows are stored stores each row once', { timeout }, async () => {
  const own = mkdtempSync(join(dir, 'engine-'))
  await fill(own)
  await using store = await openStore({ kind: 'embedded', dir: own })
  await migrate(store, { retentionDays: 30 })
  await using log = await openTestLog(own)
  const writer = await createWriter({ bus: log, store, batchRowsMin: 100, batchRowsMax: 300, tickMs: 5 })
  for (const until of [100, 400, 800]) {
    while (writer.counts().events < until) await new Promise((done) => setTimeout(done, 1))
    const restarts = store.restarts()
    // While it restarts there is no process; 0 would be all of ours.
    let pid = store.pid()
    for (; pid === undefined; pid = store.pid()) await new Promise((done) => setTimeout(done, 1))
    process.kill(pid, 'SIGKILL')
    while (store.restarts() === restarts) await new Promise((done) => setTimeout(done, 1))
  }
  await drained(writer)
  await writer.stop()
  assert.equal(store.restarts(), 3)
  assert.ok(writer.counts().retries > 0)
  assert.deepEqual(await stored(store), once_)
})

test('an insert that was stored but not answered is not stored again, and one that was lost is', { timeout }, async () => {
  const own = mkdtempSync(join(dir, 'proxy-'))
  await using engine = await openStore({ kind: 'embedded', dir: own })
  await migrate(engine, { retentionDays: 30 })
  // Between client and engine: cuts the connection before or after the engine took every second insert.
  let inserts = 0
  await using proxy = createServer(async (request, response) => {
    const insert = (request.url ?? '').includes('INSERT+INTO+events')
    const fate = insert ? inserts++ % 4 : 0
    const body = await buffer(request)
    if (fate === 1) return void request.socket.destroy()
    const headers = Object.fromEntries(
      Object.entries(request.headers).filter(([name]) => !['host', 'connection', 'transfer-encoding'].includes(name)),
    )
    const answer = await fetch(engine.url + request.url, {
      method: request.method ?? 'GET',
      headers: headers as Record<string, string>,
      body: request.method === 'POST' ? body : null,
    })
    const bytes = Buffer.from(await answer.arrayBuffer())
    if (fate === 3) return void request.socket.destroy()
    response
      .writeHead(answer.status, Object.fromEntries([...answer.headers].filter(([name]) => /^(x-|content-type)/.test(name))))
      .end(bytes)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  await using store = await openStore({
    kind: 'server',
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    user: 'lapwing',
    password: engine.token,
  })
  await using log = await openTestLog(own)
  const writer = await createWriter({ bus: log, store, tickMs: 5 })
  for (let round = 0; round < 6; round += 1) {
    await log.publish(
      'mcp.events',
      Array.from({ length: 50 }, (_, index) => recordOf(eventOf(round * 50 + index))),
    )
    await drained(writer)
  }
  await writer.stop()
  assert.ok(writer.counts().retries >= 2)
  assert.deepEqual((await stored(engine)).events, { n: 300, u: 300 })
})

test('what may pass is tried again, what never will is refused', () => {
  const code = (value: string) => Object.assign(new Error('x'), { code: value })
  assert.deepEqual(
    ['ECONNREFUSED', 'ECONNRESET', '159', '241', '243', '252', '202'].map((value) => storeFault(code(value)).code),
    Array(7).fill('STORE_UNREACHABLE'),
  )
  assert.deepEqual(
    ['60', '62', '27', '53', '16'].map((value) => storeFault(code(value)).code),
    Array(5).fill('STORE_REFUSED'),
  )
  assert.equal(storeFault(new Error('Timeout error.')).code, 'STORE_UNREACHABLE')
})
