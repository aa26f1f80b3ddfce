/** What every store promises, as tests over a factory: the same suite proves the embedded engine and a ClickHouse server. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import fc from 'fast-check'
import type { Store } from '../../api/store/connect.ts'
import { migrate } from '../../api/store/migrate.ts'
import { createWriter, type WriterOptions } from '../../api/store/writer.ts'
import type { DeadLetter, Rec, Topic } from '../../schemas/bus.ts'
import { encodeVerdict } from '../../schemas/codec.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { hashId } from '../../schemas/ids.ts'
import { type Field, fields, rfc3339, semconv } from '../../schemas/semconv.ts'
import { ask, drained, eventOf, openTestLog, recordOf, start, verdictsOf } from '../api/store/store-tools.ts'

const timeout = 30_000
const hostile = ['`"\'\\', '\0', '__proto__', '雪😀', "'; DROP TABLE events; --", 'x\ny\tz', 'é'.repeat(50), 'a'.repeat(300)]

/** An event with every field filled. */
function fullEvent(number: number, text: string): McpEvent {
  const event: Record<string, unknown> = { ...eventOf(number) }
  for (const field of fields) {
    if (event[field] !== undefined) continue
    const type = semconv[field][1]
    event[field] =
      type === 'string'
        ? `${field} ${text}`
        : type === 'time'
          ? start + 123_456_789n
          : type === 'int'
            ? 2 ** 40 + number
            : type === 'float'
              ? 0.1
              : type === 'bool'
                ? false
                : type === 'strings'
                  ? [text, '']
                  : type === 'ints'
                    ? [0, 2 ** 32 - 1, 2 ** 52]
                    : { [text]: [null, 1.5, text, { deep: text }] }
  }
  return event as McpEvent
}

/** A row as ClickHouse gives it → the event's own value of that field. */
function back(field: Field, value: unknown): unknown {
  const type = semconv[field][1]
  if (value === null || (value === '' && type !== 'string')) return undefined
  return type === 'json' || type === 'strings' || type === 'ints' ? JSON.parse(String(value)) : value
}

export function storeConformance(name: string, open: (dir: string) => Promise<Store>): void {
  describe(`${name}: store`, { timeout: 120_000 }, () => {
    const dir = mkdtempSync(join(tmpdir(), 'lapwing-store-'))
    let store: Store
    let logs = 0
    before(async () => {
      store = await open(dir)
      await migrate(store, { retentionDays: 30 })
    })
    after(async () => {
      await store.close()
      rmSync(dir, { recursive: true, force: true })
    })

    /** Publishes in turn, each to its topic, and stores it all. A new log each time: positions of another one do not count. */
    async function write(batches: readonly (readonly [Topic, readonly Rec[]])[], more: Partial<WriterOptions> = {}) {
      await store.client.command({ query: 'TRUNCATE TABLE positions' })
      const faults: unknown[] = []
      logs += 1
      await using log = await openTestLog(join(dir, `log ${logs}`), (error) => faults.push(error))
      const writer = await createWriter({ bus: log, store, tickMs: 10, ...more })
      for (const [topic, records] of batches) {
        await log.publish(topic, records)
        await drained(writer)
      }
      await writer.stop()
      return { counts: writer.counts(), faults }
    }
    const empty = async () => {
      for (const table of ['events', 'alerts', 'alert_hits', 'signals', 'thread_links', 'dead_letters', 'definitions', 'sources']) {
        await store.client.command({ query: `TRUNCATE TABLE ${table}` })
      }
    }
    const count = async (table: string) => (await ask<{ n: number }>(store, 'SELECT count() AS n FROM {table:Identifier}', { table }))[0]?.n
    const promise = (title: string, prove: () => Promise<void>) =>
      it(title, { timeout }, async () => {
        await empty()
        await prove()
      })

    promise('each migration runs once, and a changed retention changes the tables', async () => {
      assert.deepEqual(await migrate(store, { retentionDays: 7 }), [])
      const [table] = await ask<{ sql: string }>(store, "SELECT create_table_query AS sql FROM system.tables WHERE name = 'events'")
      assert.match(table?.sql ?? '', /toIntervalDay\(7\)/)
      assert.deepEqual(await migrate(store, { retentionDays: 30 }), [])
      assert.equal(await count('schema_migrations'), 3)
    })

    promise('events has a column for every field, under its external name', async () => {
      const columns = await ask<{ name: string }>(
        store,
        "SELECT name FROM system.columns WHERE database = currentDatabase() AND table = 'events'",
      )
      const names = new Set(columns.map((column) => column.name))
      assert.deepEqual(
        fields.map((field) => semconv[field][0]).filter((external) => !names.has(external)),
        [],
      )
    })

    promise('gives back every field of an event as it was, hostile text too', async () => {
      const events = hostile.map((text, index) => fullEvent(index, text))
      await write([['mcp.events', events.map(recordOf)]])
      const rows = await ask<Record<string, unknown>>(store, 'SELECT * FROM events ORDER BY time')
      assert.equal(rows.length, events.length)
      for (const [index, event] of events.entries()) {
        for (const field of fields) {
          const value = event[field]
          assert.deepEqual(back(field, rows[index]?.[semconv[field][0]]), typeof value === 'bigint' ? rfc3339(value) : value, field)
        }
      }
    })

    promise('an absent field is empty, and nothing is ever zero that was not said', async () => {
      await write([['mcp.events', [recordOf(eventOf(1))]]])
      const [row] = await ask<Record<string, unknown>>(store, 'SELECT * FROM events')
      for (const field of fields) {
        if (eventOf(1)[field] === undefined) assert.ok(['', null].includes(row?.[semconv[field][0]] as null), field)
      }
    })

    promise('any text and number an event can hold comes back', async () => {
      let number = 0
      const text = fc.string({ unit: 'binary', maxLength: 200 })
      await fc.assert(
        fc.asyncProperty(fc.array(fc.tuple(text, fc.maxSafeNat(), fc.jsonValue()), { minLength: 1, maxLength: 20 }), async (values) => {
          await empty()
          const events = values.map(([summary, size, value]) =>
            eventOf(number++, { toolName: summary, rawBytes: size, arguments: value as never }),
          )
          await write([['mcp.events', events.map(recordOf)]])
          const rows = await ask<Record<string, unknown>>(
            store,
            'SELECT `gen_ai.tool.name` AS tool, toString(`lapwing.raw.bytes`) AS size, `gen_ai.tool.call.arguments` AS value FROM events ORDER BY time',
          )
          // Half a surrogate pair is no text: UTF-8 has none.
          assert.deepEqual(
            rows.map(({ tool, size, value }) => [tool, size, JSON.parse(String(value))]),
            values.map(([tool, size, value]) => [tool.toWellFormed(), String(size), JSON.parse(JSON.stringify(value))]),
          )
        }),
        { numRuns: 4 },
      )
    })

    promise('the same event sent again is one row: in the batch, after it, by another writer, with another time', async () => {
      const event = recordOf(eventOf(1))
      const later = recordOf({ ...eventOf(1), time: start + 10n ** 12n })
      const first = await write([
        ['mcp.events', [event, event]],
        ['mcp.events', [event, later]],
      ])
      assert.equal(first.counts.events, 1)
      assert.equal(first.counts.repeats, 3)
      assert.equal((await write([['mcp.events', [event, recordOf(eventOf(2))]]])).counts.events, 1)
      assert.equal(await count('events'), 2)
    })

    promise('one tenant cannot take the id of another', async () => {
      const both = ['a', 'b'].map((tenant) => recordOf(eventOf(1, { tenant })))
      await write([['mcp.events', both.slice(0, 1)]])
      await write([['mcp.events', both]])
      assert.equal(await count('events'), 2)
    })

    promise('verdicts and dead letters that come again are stored once', async () => {
      const verdicts = [1, 2, 3].flatMap(verdictsOf).map((verdict) => ({ key: 'k', bytes: encodeVerdict(verdict) }))
      const letter: DeadLetter = {
        topic: 'mcp.events',
        partition: 1,
        offset: '7',
        reason: 'RECORD_INVALID',
        detail: '',
        sealed: 'c2VhbGVk',
        at: '2026-01-01T00:00:00Z',
      }
      const dead = [{ key: 'k', bytes: Buffer.from(JSON.stringify(letter)) }]
      for (let round = 0; round < 2; round += 1) {
        await write([
          ['mcp.alerts', verdicts],
          ['mcp.dead', [...dead, ...dead]],
        ])
      }
      const tables = ['alerts', 'alert_hits', 'signals', 'thread_links', 'dead_letters']
      // Each round is another log: the same place in another log is another letter.
      assert.deepEqual(await Promise.all(tables.map(count)), [3, 6, 3, 3, 2])
      const [alert] = await ask(
        store,
        'SELECT alert_id, severity_rank, evidence, families, server_alias, time FROM alerts WHERE alert_id = {id:String}',
        { id: hashId('alert', 1) },
      )
      assert.deepEqual(alert, {
        alert_id: hashId('alert', 1),
        severity_rank: 3,
        evidence: '{"tool":"x","hashes":["a","b"]}',
        families: ['D5'],
        server_alias: '',
        time: '2026-01-01T00:00:00.000000001Z',
      })
    })

    promise('wild times neither stop the writer nor scatter an insert', async () => {
      const times = [
        0n,
        1n,
        2n ** 63n - 1n,
        9_999_999_999_999_999_999n,
        ...Array.from({ length: 300 }, (_, day) => BigInt(day) * 86_400n * 10n ** 9n),
      ]
      const events = times.map((time, index) => recordOf(eventOf(index, { time, actor: 'one' })))
      await write([['mcp.events', events]])
      await write([['mcp.events', events]])
      assert.equal(await count('events'), events.length)
    })

    promise('a record that is no event is buried, and its neighbours of all partitions are stored', async () => {
      const records: Rec[] = Array.from({ length: 40 }, (_, index) => recordOf(eventOf(index)))
      const bad = { key: 'actor 3', bytes: Buffer.from('{"eventId":1}') }
      await write([
        ['mcp.events', [...records.slice(0, 20), bad, ...records.slice(20)]],
        ['mcp.events', [recordOf(eventOf(99))]],
      ])
      assert.equal(await count('events'), 41)
      assert.deepEqual(await ask(store, 'SELECT topic, reason FROM dead_letters'), [{ topic: 'mcp.events', reason: 'RECORD_INVALID' }])
    })

    promise('notes each definition once with when it was seen, and who sends what', async () => {
      const list = (number: number, description: string) =>
        recordOf(
          eventOf(number, {
            kind: 'response',
            method: 'tools/list',
            body: {
              tools: [
                { name: 'add', description },
                { description: 'x', name: '__proto__' },
              ],
            },
          }),
        )
      await write([
        [
          'mcp.events',
          [list(1, 'adds'), list(2, 'adds'), list(200_000, 'adds'), list(3, 'steals'), recordOf(eventOf(4, { source: 'other' }))],
        ],
      ])
      const rows = await ask<Record<string, unknown>>(
        store,
        'SELECT tool_name, first_seen, last_seen, event_id FROM definitions FINAL ORDER BY tool_name, first_seen',
      )
      assert.deepEqual(
        rows.map((row) => row['tool_name']),
        ['__proto__', 'add', 'add'],
      )
      assert.equal(rows[1]?.['last_seen'], rfc3339(eventOf(200_000).time))
      assert.equal(rows[1]?.['first_seen'], rfc3339(eventOf(1).time))
      assert.deepEqual(await ask(store, 'SELECT source, events FROM sources FINAL ORDER BY source'), [
        { source: 'other', events: 1 },
        { source: 'tap', events: 4 },
      ])
    })
  })
}
