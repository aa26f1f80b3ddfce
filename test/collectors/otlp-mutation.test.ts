/** Damaged bodies: whatever the damage, the receiver lives, answers what a sender understands, and takes the neighbours. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { descending, encode, logs, type Message, sdkCall, traces } from './otlp-bodies.ts'
import { openReceiver, post, types } from './otlp-receiver.ts'

const oneCall = traces('shop', { 'mcp-python-sdk': sdkCall(1, 'add') })
const bytes = encode('Traces', oneCall, descending)

/** A reproducible source of small mischief. */
function createChance(seed: number) {
  let state = seed
  return (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}
function mutate(body: Uint8Array, chance: (below: number) => number): Uint8Array {
  const out = [...body]
  for (let n = 1 + chance(4); n > 0; n -= 1) {
    const at = chance(out.length)
    const kind = chance(4)
    if (kind === 0) out[at] = chance(256)
    else if (kind === 1) out.splice(at, chance(12))
    else if (kind === 2) out.splice(at, 0, ...out.slice(at, at + chance(24)))
    else out[at] = (out[at] ?? 0) ^ (1 << chance(8))
  }
  return Uint8Array.from(out)
}

for (const [name, seeds, headers] of [
  ['protobuf', [bytes, encode('Traces', oneCall), encode('Logs', logs('x', [{ body: { stringValue: 'a' } }]))], types.protobuf],
  ['JSON', [Buffer.from(JSON.stringify(oneCall)), Buffer.from(JSON.stringify(logs('x', [{}])))], types.json],
] as const) {
  test(`2,000 mutated ${name} bodies: only answers a sender understands, and a neighbour is always taken`, async () => {
    await using receiver = await openReceiver()
    const chance = createChance(7)
    const statuses = new Map<number, number>()
    for (let round = 0; round < 100; round += 1) {
      const bodies = Array.from({ length: 20 }, () => mutate(seeds[chance(seeds.length)] as Uint8Array, chance))
      const answers = bodies.map((body) => post(receiver, chance(2) ? '/v1/traces' : '/v1/logs', body, headers))
      const neighbour = post(receiver, '/v1/traces', bytes)
      for (const { status } of await Promise.all(answers)) statuses.set(status, (statuses.get(status) ?? 0) + 1)
      assert.equal((await neighbour).status, 200)
    }
    assert.deepEqual([...statuses.keys()].sort(), [200, 400], JSON.stringify([...statuses]))
    assert.deepEqual(receiver.faults, [])
    assert.equal(({} as Message).polluted, undefined)
  })
}
