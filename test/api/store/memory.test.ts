/** What the writer knows without asking: never that a row is new which the store has. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import type { Row } from '../../../api/store/columns.ts'
import { openStore, type Store } from '../../../api/store/connect.ts'
import { storeOnce } from '../../../api/store/insert.ts'
import { createMemory } from '../../../api/store/memory.ts'
import { migrate } from '../../../api/store/migrate.ts'
import * as tables from '../../../api/store/tables.ts'
import type { McpEvent } from '../../../schemas/event.ts'
import { eventOf, start, verdictsOf } from './store-tools.ts'

const dir = mkdtempSync(join(tmpdir(), 'lapwing-memory-'))
let store: Store
before(async () => {
  store = await openStore({ kind: 'embedded', dir })
  await migrate(store, { retentionDays: 30 })
})
after(async () => {
  await store.close()
  rmSync(dir, { recursive: true, force: true })
})

const startMs = Number(start / 1_000_000n)
const retry = { signal: new AbortController().signal, onRetry: () => undefined }
const rowOf = <T>(value: T): Row<T> => ({
  value,
  origin: { topic: 'mcp.events', partition: 0, offset: 1n, stored: Math.floor(Date.now() / 1000) },
})
const put = (rows: readonly Row<McpEvent>[]) => storeOnce(store.client, tables.events, rows, retry)
const remember = (idsMax = 100, now = () => startMs) => createMemory(tables.events, { store, idsMax, now })
const empty = (table = 'events') => store.client.command({ query: `TRUNCATE TABLE ${table}` })

test('in an empty store everything is new until it is stored', async () => {
  await empty()
  const memory = await remember()
  assert.equal(memory.of(eventOf(1)), 'new')
  memory.stored([rowOf(eventOf(1))])
  assert.deepEqual(
    [1, 2, 0].map((number) => memory.of(eventOf(number))),
    ['stored', 'new', 'new'],
  )
  assert.equal(memory.of(eventOf(1, { tenant: 'other' })), 'new')
})

test('of what an earlier life stored nothing is known but the newest time', async () => {
  await empty()
  await put([rowOf(eventOf(5)), rowOf(eventOf(3)), rowOf(eventOf(6, { time: start + 10n ** 17n }))])
  const memory = await remember()
  assert.deepEqual(
    [3, 4, 5, 7].map((number) => memory.of(eventOf(number))),
    ['unsure', 'unsure', 'unsure', 'new'],
  )
  assert.equal(memory.of(eventOf(6, { time: start + 10n ** 17n })), 'unsure', 'a time beyond tomorrow')
})

test('what an insert left open, and what was forgotten, has to be asked for', async () => {
  await empty()
  const memory = await remember(2)
  memory.doubt([rowOf(eventOf(2))])
  assert.deepEqual(
    [1, 2, 3].map((number) => memory.of(eventOf(number))),
    ['unsure', 'unsure', 'new'],
  )
  memory.stored([4, 6, 7, 8].map((number) => rowOf(eventOf(number))))
  assert.deepEqual(
    [4, 5, 6, 7, 8, 9].map((number) => memory.of(eventOf(number))),
    ['unsure', 'unsure', 'unsure', 'stored', 'stored', 'new'],
  )
})

test('the range of times that needs no question moves on with the day, and what is doubted stays so', async () => {
  await empty()
  let nowMs = startMs
  const memory = await remember(100, () => nowMs)
  const days = (count: number) => eventOf(count, { time: start + BigInt(count) * 86_400_000_000_000n })
  memory.stored([rowOf(days(1))])
  assert.deepEqual([days(2), days(3)].map(memory.of), ['unsure', 'unsure'])
  await put([rowOf(days(2))])
  nowMs += 2.5 * 86_400_000
  await memory.renew()
  assert.deepEqual([days(1), days(2), days(3)].map(memory.of), ['stored', 'unsure', 'new'])
})

test('nothing is new in a server, to which others write too', async () => {
  await empty()
  const server: Store = { ...store, kind: 'server' }
  const memory = await createMemory(tables.events, { store: server, idsMax: 10, now: () => startMs })
  assert.equal(memory.of(eventOf(1)), 'unsure')
  memory.stored([rowOf(eventOf(1))])
  assert.equal(memory.of(eventOf(1)), 'stored')
})

test('alerts are known by their ids, unless they are too many', async () => {
  await empty('alerts')
  const alerts = [1, 2, 3].flatMap(verdictsOf).flatMap((verdict) => (verdict.type === 'alert' ? [verdict.alert] : []))
  const [one, two, three] = alerts as [(typeof alerts)[0], (typeof alerts)[0], (typeof alerts)[0]]
  await storeOnce(store.client, tables.alerts, [one, two].map(rowOf), retry)
  const known = await createMemory(tables.alerts, { store, idsMax: 10, now: () => startMs })
  assert.deepEqual([one, two, three].map(known.of), ['stored', 'stored', 'new'])
  known.doubt([rowOf(three)])
  assert.equal(known.of(three), 'unsure')
  const few = await createMemory(tables.alerts, { store, idsMax: 2, now: () => startMs })
  assert.deepEqual([one, three].map(few.of), ['unsure', 'unsure'])
})

test('whatever is stored, left open, forgotten and opened again: nothing that is there is called new', async () => {
  const number = fc.nat({ max: 12 })
  const step = fc.oneof(
    fc.record({ act: fc.constantFrom('store', 'lose', 'half'), numbers: fc.array(number, { minLength: 1, maxLength: 4 }) }),
    fc.record({ act: fc.constant('open' as const), numbers: fc.constant<number[]>([]) }),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      await empty()
      let memory = await remember(3)
      const there = new Set<number>()
      for (const { act, numbers } of steps) {
        const rows = numbers.map((one) => rowOf(eventOf(one)))
        if (act === 'open') memory = await remember(3)
        else {
          if (act !== 'lose') {
            await put(rows)
            for (const one of numbers) there.add(one)
          }
          if (act === 'store') memory.stored(rows)
          else memory.doubt(rows)
        }
        for (let one = 0; one <= 12; one += 1) {
          const said = memory.of(eventOf(one))
          assert.ok(said === 'unsure' || (said === 'stored') === there.has(one), `${one} is ${said}`)
        }
      }
    }),
    { numRuns: 12 },
  )
})
