/** What every bus promises (schemas/bus.ts), as tests over a factory: the same suite proves the embedded log and Kafka. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import type { Bus, Position, Rec, StoredRec } from '../../schemas/bus.ts'
import { consuming } from './bus-consuming.ts'
import { failing } from './bus-failures.ts'
import {
  assertOrdered,
  numbered,
  numbers,
  type OpenBus,
  onPurpose,
  type Promised,
  rec,
  remember,
  sorted,
  temporaryDir,
  textOf,
  until,
} from './bus-tools.ts'

export function busConformance(name: string, open: OpenBus): void {
  const promise = (title: string, prove: (bus: Bus, again: () => Promise<Bus>) => Promise<void>): void => {
    it(title, { timeout: 20_000 }, async () => {
      await using dir = await temporaryDir()
      let bus = await open(dir.path)
      const again = async (): Promise<Bus> => {
        await bus[Symbol.asyncDispose]()
        bus = await open(dir.path)
        return bus
      }
      try {
        await prove(bus, again)
      } finally {
        await bus[Symbol.asyncDispose]()
      }
    })
  }
  describe(`${name}: publishing`, () => publishing(promise))
  describe(`${name}: consuming`, () => consuming(promise))
  describe(`${name}: failing handlers`, () => failing(promise))
  describe(`${name}: the edges between batches`, () => edges(promise))
}
function publishing(promise: Promised): void {
  promise('answers dense positions from 0, and a key always has the same partition', async (bus, again) => {
    const positions: Position[] = [...(await bus.publish('mcp.events', numbered(200)))]
    const records = numbered(400)
    positions.push(...(await (await again()).publish('mcp.events', records.slice(200))))
    const homes = new Map<string, number>()
    const next = new Map<number, bigint>()
    for (const [i, { topic, partition, offset }] of positions.entries()) {
      assert.equal(topic, 'mcp.events')
      const key = records[i]?.key ?? ''
      assert.equal(homes.get(key) ?? partition, partition)
      homes.set(key, partition)
      assert.equal(offset, next.get(partition) ?? 0n)
      next.set(partition, offset + 1n)
    }
  })

  promise('uses every partition', async (bus) => {
    assert.equal(bus.partitions, 4)
    const positions = await bus.publish(
      'mcp.events',
      numbered(64, (i) => `tenant/actor-${i}`),
    )
    assert.deepEqual([...new Set(positions.map(({ partition }) => partition))].sort(), [0, 1, 2, 3])
  })

  promise('publishing nothing answers nothing and wakes nobody', async (bus) => {
    const { handler, texts } = remember((records) => assert.ok(records.length > 0))
    await bus.consume(['mcp.events'], 'g', handler)
    assert.deepEqual(await bus.publish('mcp.events', []), [])
    await bus.publish('mcp.events', [rec('a', '0')])
    assert.deepEqual(await bus.publish('mcp.events', []), [])
    await until(() => texts().length === 1)
  })

  promise('concurrent publishers lose nothing, and the records of each stay in order', async (bus) => {
    const { handler, seen, texts } = remember()
    await bus.consume(['mcp.events'], 'g', handler)
    const publisher = async (p: number): Promise<void> => {
      for (let i = 0; i < 40; i += 4) {
        await bus.publish(
          'mcp.events',
          [0, 1, 2, 3].map((j) => rec(`p${p}`, String(p * 100 + i + j))),
        )
        if (i % 8 === 0) await turn()
      }
    }
    await Promise.all(Array.from({ length: 25 }, (_, p) => publisher(p)))
    await until(() => seen.length >= 1000)
    assertOrdered(seen)
    assert.equal(new Set(texts()).size, 1000)
    for (const [key, some] of Map.groupBy(seen, (one) => one.key)) {
      const mine = some.map(({ text }) => text)
      assert.deepEqual(mine, sorted(mine), key)
    }
  })

  promise('calls that were not waited for keep the order in which they were made', async (bus) => {
    const { handler, seen, texts } = remember()
    await bus.consume(['mcp.events'], 'g', handler)
    await Promise.all(numbers(100).map((text) => bus.publish('mcp.events', [rec('one', text)])))
    await until(() => seen.length === 100)
    assert.deepEqual(texts(), numbers(100))
  })

  promise('carries any key, header and byte, before and after a restart', async (bus, again) => {
    const records: Rec[] = [
      { key: '__proto__', bytes: Buffer.from([0, 255, 10]), headers: { ['__proto__']: 'x', constructor: '' } },
      { key: '', bytes: new Uint8Array(0) },
      { key: 'ключ🙂\u0000', bytes: Buffer.from('b'), headers: { ünï: '🙂' } },
      { key: 'k'.repeat(3000), bytes: Buffer.alloc(70_000, 7) },
    ]
    const expected = records.map(({ key, bytes, headers }) => ({ key, bytes: [...bytes], headers: Object.entries(headers ?? {}) }))
    const positions = await bus.publish('mcp.events', records)
    const check = async (reader: Bus, group: string): Promise<void> => {
      const found: StoredRec[] = []
      await reader.consume(['mcp.events'], group, { batch: async (_, some) => void found.push(...some) })
      await until(() => found.length === records.length)
      const byKey = new Map(found.map((record) => [record.key, record]))
      for (const [j, want] of expected.entries()) {
        const got = byKey.get(want.key)
        assert.deepEqual({ key: got?.key, bytes: [...(got?.bytes ?? [])], headers: Object.entries(got?.headers ?? {}) }, want)
        assert.equal(got?.offset, positions[j]?.offset)
      }
    }
    await check(bus, 'before')
    await check(await again(), 'after')
  })

  promise('carries records of 5 MB', async (bus) => {
    const sizes: number[] = []
    await bus.consume(['mcp.events'], 'g', { batch: async (_, some) => void sizes.push(...some.map(({ bytes }) => bytes.byteLength)) })
    const large = Buffer.alloc(5 * 1024 * 1024, 'x')
    await Promise.all([0, 1, 2].map((i) => bus.publish('mcp.events', [{ key: `k${i}`, bytes: large }, rec(`k${i}`, 'small')])))
    await until(() => sizes.length === 6)
    assert.deepEqual(
      sizes.sort((a, b) => a - b),
      [5, 5, 5, large.length, large.length, large.length],
    )
  })

  promise('refuses after it was closed', async (bus) => {
    await bus[Symbol.asyncDispose]()
    await assert.rejects(bus.publish('mcp.events', [rec('a', '0')]), { code: 'BUS_CLOSED' })
    await assert.rejects(bus.consume(['mcp.events'], 'g', remember().handler), { code: 'BUS_CLOSED' })
  })
}

function edges(promise: Promised): void {
  promise('misses nothing that is published at any moment around the end of a batch', async (bus) => {
    const moments = 60
    const publishing: Promise<unknown>[] = []
    const later = async (moment: number): Promise<void> => {
      // The first moments are microtasks after the handler’s end, the others turns of the event loop.
      for (let i = 0; i < Math.min(moment, 40); i += 1) await undefined
      for (let i = 40; i < moment; i += 1) await turn()
      await bus.publish('mcp.events', [rec('one', String(moment + 1))])
    }
    const { handler, seen, texts } = remember((records) => {
      for (const record of records) if (Number(textOf(record)) < moments) publishing.push(later(Number(textOf(record))))
    })
    await bus.consume(['mcp.events'], 'g', handler)
    await bus.publish('mcp.events', [rec('one', '0')])
    await until(() => seen.length === moments + 1)
    await Promise.all(publishing)
    assert.deepEqual(texts(), numbers(moments + 1))
  })

  promise('a handler may publish to the bus it reads from', async (bus) => {
    const { handler, seen } = remember(async (records) => {
      const next = records.map((record) => Number(textOf(record))).filter((n) => n < 50)
      await bus.publish(
        'mcp.events',
        next.map((n) => rec(`k${n}`, String(n + 10))),
      )
    })
    await bus.consume(['mcp.events'], 'g', handler)
    await bus.publish('mcp.events', numbered(10))
    await until(() => seen.length === 60)
  })

  promise('`stop` waits for the batch in flight, commits it, revokes, and hands over nothing more', async (bus) => {
    const events: string[] = []
    let release: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const running = await bus.consume(['mcp.events'], 'g', {
      async batch(_, records) {
        events.push(`begin ${records.map(textOf)}`)
        await gate
        events.push('end')
      },
      revoked: async (parts) => void events.push(`revoked ${parts.length}`),
    })
    await bus.publish('mcp.events', [rec('one', '0')])
    await until(() => events.length === 1)
    await bus.publish('mcp.events', [rec('one', '1')])
    const stopping = running.stop()
    await turn()
    release()
    await Promise.all([stopping, running.stop()])
    await bus.publish('mcp.events', [rec('one', '2')])
    await sleep(10)
    assert.deepEqual(events, ['begin 0', 'end', 'revoked 4'])
    const { handler, texts } = remember()
    await bus.consume(['mcp.events'], 'g', handler)
    await until(() => texts().length === 2)
    assert.deepEqual(texts(), ['1', '2'])
  })

  promise('`stop` does not wait for what keeps failing, and leaves it for the next reader', async (bus) => {
    const stuck = remember(onPurpose)
    const running = await bus.consume(['mcp.events'], 'g', stuck.handler)
    await bus.publish('mcp.events', numbered(10))
    await running.stop()
    const { handler, texts } = remember()
    await bus.consume(['mcp.events'], 'g', handler)
    await until(() => texts().length === 10)
    assert.deepEqual(sorted(texts()), numbers(10))
  })

  promise('every assignment has a new epoch', async (bus) => {
    const epochs: number[] = []
    for (let i = 0; i < 3; i += 1) {
      const running = await bus.consume(['mcp.events'], 'g', { batch: async (_, __, epoch) => void epochs.push(epoch) })
      await bus.publish('mcp.events', [rec('one', String(i))])
      await until(() => epochs.length === i + 1)
      await running.stop()
    }
    assert.ok((epochs[0] ?? 0) < (epochs[1] ?? 0) && (epochs[1] ?? 0) < (epochs[2] ?? 0), String(epochs))
  })
}
