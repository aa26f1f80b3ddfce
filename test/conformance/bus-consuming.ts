/** Bus promises 2 and 3: groups, offsets, order, batches and lag, with handlers that do not fail. */
import assert from 'node:assert/strict'
import type { Bus, Handler, PartId } from '../../schemas/bus.ts'
import { partId } from '../../schemas/bus.ts'
import { assertOrdered, numbered, numbers, onPurpose, type Promised, rec, remember, sorted, until } from './bus-tools.ts'

export function consuming(promise: Promised): void {
  promise('hands over what was published before and after, once, in order, from every topic asked for', async (bus) => {
    await bus.publish('mcp.events', numbered(100))
    await bus.publish('mcp.dead', [rec('a', 'not asked for')])
    const { handler, seen, texts } = remember()
    await bus.consume(['mcp.events', 'mcp.facts'], 'g', handler)
    await bus.publish('mcp.facts', numbered(300).slice(100, 200))
    await bus.publish('mcp.events', numbered(300).slice(200))
    await until(() => seen.length >= 300)
    assert.deepEqual(sorted(texts()), numbers(300))
    assertOrdered(seen)
  })

  promise('groups are independent: one that stands still holds up nobody', async (bus) => {
    const stuck = remember(onPurpose)
    const free = remember()
    await bus.consume(['mcp.events'], 'stuck', stuck.handler)
    await bus.consume(['mcp.events'], 'free', free.handler)
    await bus.publish('mcp.events', numbered(50))
    await until(() => free.seen.length === 50)
    assert.equal(stuck.seen.length, 0)
  })

  promise('a restart goes on at the committed offset', async (bus, again) => {
    const before = remember()
    await bus.publish('mcp.events', numbered(60).slice(0, 40))
    const running = await bus.consume(['mcp.events'], 'g', before.handler)
    await until(() => before.seen.length === 40)
    await running.stop()
    await bus.publish('mcp.events', numbered(60).slice(40))
    const after = remember()
    await (await again()).consume(['mcp.events'], 'g', after.handler)
    await until(() => after.seen.length >= 20)
    assert.deepEqual(sorted(after.texts()), numbers(60).slice(40))
  })

  promise('`assigned` is told of every partition and may begin elsewhere, before or after the committed offset', async (bus) => {
    await bus.publish(
      'mcp.events',
      numbered(20, () => 'one'),
    )
    const first = remember()
    const running = await bus.consume(['mcp.events'], 'g', first.handler)
    await until(() => first.seen.length === 20)
    await running.stop()
    const home = first.seen[0]?.part as PartId
    for (const [wished, expected] of [
      [5n, numbers(20).slice(5)],
      [0n, numbers(20)],
      [17n, numbers(20).slice(17)],
    ] as const) {
      const { handler, texts } = remember()
      let told: PartId[] = []
      const assigned: Handler['assigned'] = async (parts) => {
        told = parts.map(partId)
        return new Map([[home, wished]])
      }
      const reader = await bus.consume(['mcp.events'], 'g', { ...handler, assigned })
      await until(() => texts().length >= expected.length)
      await reader.stop()
      assert.deepEqual(texts(), expected)
      assert.deepEqual(
        told.sort(),
        [0, 1, 2, 3].map((i) => `mcp.events/${i}`),
      )
    }
  })

  promise('one batch of a partition in flight at a time; partitions do not wait for each other', async (bus) => {
    const flying = new Map<PartId, number>()
    let most = 0
    let count = 0
    let release: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    await bus.consume(['mcp.events'], 'g', {
      async batch(part, records) {
        const id = partId(part)
        flying.set(id, (flying.get(id) ?? 0) + 1)
        assert.equal(flying.get(id), 1)
        most = Math.max(
          most,
          [...flying.values()].reduce((a, b) => a + b),
        )
        await gate
        flying.set(id, 0)
        count += records.length
      },
    })
    for (let i = 0; i < 10; i += 1) await bus.publish('mcp.events', numbered(20))
    await until(() => most === 4)
    release()
    await until(() => count === 200)
  })

  promise('batches are bounded, also for one who comes late', async (bus, again) => {
    for (let i = 0; i < 6; i += 1)
      await bus.publish(
        'mcp.events',
        numbered(2_000, () => 'one'),
      )
    for (let i = 0; i < 12; i += 1) await bus.publish('mcp.facts', [{ key: 'one', bytes: Buffer.alloc(1024 * 1024) }])
    const check = async (reader: Bus, group: string): Promise<void> => {
      let [records, bytes] = [0, 0]
      await reader.consume(['mcp.events', 'mcp.facts'], group, {
        async batch(_, some) {
          const size = some.reduce((sum, one) => sum + one.bytes.byteLength, 0)
          assert.ok(some.length <= 5_000 && size <= 8 * 1024 * 1024)
          records += some.length
          bytes += size
        },
      })
      await until(() => records === 12_012)
      assert.ok(bytes > 12 * 1024 * 1024)
    }
    await check(bus, 'before')
    await check(await again(), 'after')
  })

  promise('lag counts what is published and not yet handled, per partition', async (bus) => {
    let open = false
    const { handler } = remember(() => (open ? undefined : onPurpose()))
    const running = await bus.consume(['mcp.events'], 'g', handler)
    const total = async (): Promise<bigint> => [...(await running.lag()).values()].reduce((a, b) => a + b, 0n)
    assert.equal(await total(), 0n)
    await bus.publish('mcp.events', numbered(30))
    assert.equal(await total(), 30n)
    assert.equal((await running.lag()).size, 4)
    open = true
    await until(async () => (await total()) === 0n)
  })
}
