/** Bus promises 2 and 5 under handlers that fail: wait out what passes, bury exactly what does not, lose nothing. */
import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { DeadLetter, Handler, Position, StoredRec } from '../../schemas/bus.ts'
import { partId } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { assertOrdered, letterOf, numbered, numbers, onPurpose, type Promised, rec, remember, sorted, textOf, until } from './bus-tools.ts'

export function failing(promise: Promised): void {
  promise('loses nothing, wherever a retriable failure strikes', async (bus) => {
    for (let strike = 0; strike < 12; strike += 1) {
      let call = 0
      const { handler, seen, texts } = remember(() => (call++ === strike ? onPurpose() : undefined))
      const running = await bus.consume(['mcp.events'], 'g', handler)
      for (let i = 0; i < 30; i += 2) {
        await bus.publish('mcp.events', numbered(30).slice(i, i + 2))
        if (i % 4 === 0) await until(() => seen.length === i + 2) // some calls come one by one, some close together
      }
      await until(() => seen.length >= 30)
      await running.stop()
      assert.ok(call > strike)
      assert.deepEqual(sorted(texts()), numbers(30))
      assertOrdered(seen)
    }
  })

  promise('waits out a retriable failure for as long as it takes, and buries nothing', async (bus) => {
    let left = 40
    const { handler, seen } = remember(() => (left-- > 0 ? onPurpose() : undefined))
    const dead = remember()
    await bus.consume(['mcp.dead'], 'd', dead.handler)
    await bus.consume(['mcp.events'], 'g', handler)
    await bus.publish(
      'mcp.events',
      numbered(10, () => 'one'),
    )
    await until(() => seen.length === 10)
    assert.equal(dead.seen.length, 0)
  })

  promise('a retriable failure of `assigned` is waited out too', async (bus) => {
    let left = 3
    const { handler, seen } = remember()
    await bus.publish('mcp.events', numbered(10))
    await bus.consume(['mcp.events'], 'g', { ...handler, assigned: async () => (left-- > 0 ? onPurpose() : new Map()) })
    await until(() => seen.length === 10)
  })

  promise(
    'buries exactly what fails alone, whatever is poisoned, with reason and sealed bytes, and handles the rest in order',
    async (bus) => {
      const letters: DeadLetter[] = []
      await bus.consume(['mcp.dead'], 'd', { batch: async (_, some) => void letters.push(...some.map(letterOf)) })
      let round = 0
      const property = fc.asyncProperty(fc.uniqueArray(fc.nat(24), { maxLength: 25 }), async (poisoned) => {
        round += 1
        letters.length = 0
        const prefix = `round ${round} record `
        const { handler, seen } = remember((records) => {
          for (const record of records) {
            const n = Number(textOf(record).slice(prefix.length))
            if (poisoned.includes(n)) throw new Fault('RECORD_INVALID', `cannot take ${n}`)
          }
        })
        const positions = await bus.publish(
          'mcp.events',
          numbers(25).map((n) => rec('one', prefix + n)),
        )
        const home = positions[0] as Position
        const assigned: Handler['assigned'] = async () => new Map([[partId(home), home.offset]])
        const running = await bus.consume(['mcp.events'], 'g', { ...handler, assigned })
        await until(() => seen.length + letters.length >= 25)
        await running.stop()
        const healthy = numbers(25).filter((n) => !poisoned.includes(Number(n)))
        assert.deepEqual(
          seen.map(({ text }) => text),
          healthy.map((n) => prefix + n),
        )
        assert.deepEqual(
          letters.map(({ offset }) => Number(BigInt(offset) - home.offset)).sort((a, b) => a - b),
          [...poisoned].sort((a, b) => a - b),
        )
        for (const letter of letters) {
          const n = Number(BigInt(letter.offset) - home.offset)
          assert.deepEqual([letter.topic, letter.partition], ['mcp.events', home.partition])
          assert.deepEqual([letter.reason, letter.detail], ['RECORD_INVALID', `cannot take ${n}`])
          assert.ok(letter.sealed.startsWith('sealed:'))
          assert.ok(Buffer.from(letter.sealed.slice(7), 'base64').includes(prefix + n))
          assert.ok(!Number.isNaN(Date.parse(letter.at)))
        }
      })
      await fc.assert(property, { numRuns: 12, examples: [[[]], [[0]], [[24]], [[0, 24]], [Array.from({ length: 25 }, (_, i) => i)]] })
    },
  )

  promise('a dead letter never quotes the record through the message of a foreign error', async (bus) => {
    const letters: DeadLetter[] = []
    await bus.consume(['mcp.dead'], 'd', { batch: async (_, some) => void letters.push(...some.map(letterOf)) })
    await bus.consume(['mcp.events'], 'g', { batch: async (_, some) => void JSON.parse(textOf(some[0] as StoredRec)) })
    await bus.publish('mcp.events', [rec('a', 'hunter2 is no JSON')])
    await until(() => letters.length === 1)
    assert.equal(letters[0]?.reason, 'SyntaxError')
    assert.ok(!letters[0]?.detail.includes('hunter'))
  })

  promise('a dead letter that cannot be handled does not breed another', async (bus) => {
    let calls = 0
    const poison: Handler = {
      batch: async () => {
        calls += 1
        throw new Fault('RECORD_INVALID', 'no')
      },
    }
    const running = await bus.consume(['mcp.dead'], 'd', poison)
    const [position] = await bus.publish('mcp.dead', [rec('a', '{}')])
    await until(async () => [...(await running.lag()).values()].every((lag) => lag === 0n))
    assert.equal(calls, 1)
    assert.equal((await bus.publish('mcp.dead', [rec('a', '{}')]))[0]?.offset, (position?.offset ?? 0n) + 1n)
  })

  promise('what was buried or handled is not handed over again after a restart', async (bus, again) => {
    const first = remember((records) => {
      if (records.some((record) => textOf(record) === '7')) throw new TypeError('poison')
    })
    await bus.publish(
      'mcp.events',
      numbered(20, () => 'one'),
    )
    const running = await bus.consume(['mcp.events'], 'g', first.handler)
    await until(async () => [...(await running.lag()).values()].every((lag) => lag === 0n))
    const second = remember()
    const reopened = await again()
    await reopened.consume(['mcp.events'], 'g', second.handler)
    await reopened.publish('mcp.events', [rec('one', '20')])
    await until(() => second.seen.length > 0)
    assert.deepEqual(
      [...first.texts(), ...second.texts()],
      numbers(21).filter((n) => n !== '7'),
    )
  })
}
