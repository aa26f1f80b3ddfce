/** An engine’s state goes through bytes in pieces of bounded size and comes back as it was. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type EngineState, piecesOf, stateOf } from '../../detectors/snapshot.ts'

const keep = <V>(young: readonly (readonly [string, V])[], old: readonly (readonly [string, V])[] = [], evicted = 0) => ({
  young: new Map(young),
  old: new Map(old),
  evicted,
})
const thread = (threadId: string) => ({ threadId, last: 7n, conversation: undefined })

function state(slots = 3): EngineState {
  const one = thread('thr_1')
  const two = thread('thr_2')
  const named = ['__proto__', 'constructor', ''].map((key) => [key, true] as const)
  const slot = (n: number) =>
    [`t\0${n}`, { value: { seen: new Map([['a', n]]), list: new Set([n]), text: 'x'.repeat(500) }, last: 5n }] as const
  return {
    memory: new Map([
      [
        'loop',
        {
          version: 2,
          slots: keep(
            Array.from({ length: slots }, (_, n) => slot(n)),
            [slot(-1)],
            4,
          ),
        },
      ],
      ['empty', { version: 1, slots: keep<{ value: unknown; last: bigint }>([]) }],
    ]),
    threads: {
      byEvidence: keep(
        [
          ['a', one],
          ['b', two],
        ],
        [['c', one]],
        2,
      ),
      byActor: keep([['d', two]]),
    },
    recent: keep<true>(named, [['old', true]], 9),
    alerts: keep<true>([]),
    said: keep<true>([['s', true]]),
  }
}
const there = (from: EngineState) => stateOf(Buffer.concat([...piecesOf(from)]))

it('comes back equal, in the same order, whatever the keys are', () => {
  for (const slots of [0, 1, 15, 16, 17, 1_000]) {
    const back = there(state(slots))
    assert.deepEqual(back, state(slots))
    assert.deepEqual(
      [...(back.memory.get('loop')?.slots.young.keys() ?? [])],
      [...(state(slots).memory.get('loop')?.slots.young.keys() ?? [])],
    )
    assert.deepEqual(there(back), back)
  }
})

it('a thread that stands under several keys is one thread again', () => {
  const { byEvidence, byActor } = there(state()).threads
  assert.equal(byEvidence.young.get('a'), byEvidence.old.get('c'))
  assert.equal(byEvidence.young.get('b'), byActor.young.get('d'))
  assert.notEqual(byEvidence.young.get('a'), byEvidence.young.get('b'))
})

it('no piece is large, however much there is', () => {
  const sizes = [...piecesOf(state(20_000))].map(({ length }) => length)
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) > 5_000_000)
  assert.ok(Math.max(...sizes) < 600_000, `${Math.max(...sizes)}`)
})
