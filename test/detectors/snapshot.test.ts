/** An engine’s state goes through bytes in pieces of bounded size and comes back as it was. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { createMemory, type Frozen, type MemoryState } from '../../detectors/memory.ts'
import { type EngineState, snapshotPieces, stateOf } from '../../detectors/snapshot.ts'
import type { AnyDetector } from '../../schemas/detector.ts'

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
const frozen = (memory: MemoryState): Frozen => ({
  parts: [...memory].map(
    ([
      id,
      {
        version,
        slots: { young, old, evicted },
      },
    ]) => {
      for (const slot of young.values()) slot.due = 1
      for (const slot of old.values()) slot.due = 2
      return { id, version, evicted, slots: [...young, ...old] }
    },
  ),
  onChange: () => undefined,
})
const piecesOf = (from: EngineState) => [...snapshotPieces(from, frozen(from.memory))]
const there = (from: EngineState) => stateOf(Buffer.concat(piecesOf(from)))

it('comes back equal, in the same order, whatever the keys are', () => {
  for (const slots of [0, 1, 15, 16, 17, 1_000]) {
    const back = there(state(slots))
    assert.deepEqual(back, state(slots))
    assert.deepEqual(
      [...(back.memory.get('loop')?.slots.young.keys() ?? [])],
      [...(state(slots).memory.get('loop')?.slots.young.keys() ?? [])],
    )
    assert.deepEqual(there(back), state(slots))
  }
})

it('a thread that stands under several keys is one thread again', () => {
  const { byEvidence, byActor } = there(state()).threads
  assert.equal(byEvidence.young.get('a'), byEvidence.old.get('c'))
  assert.equal(byEvidence.young.get('b'), byActor.young.get('d'))
  assert.notEqual(byEvidence.young.get('a'), byEvidence.young.get('b'))
})

it('no piece is large, however much there is', () => {
  const sizes = piecesOf(state(20_000)).map(({ length }) => length)
  assert.ok(sizes.reduce((sum, size) => sum + size, 0) > 5_000_000)
  assert.ok(Math.max(...sizes) < 600_000, `${Math.max(...sizes)}`)
})

const remembering = (id: string): AnyDetector =>
  ({ id, memory: { version: 1, keysMax: 12, ttlMs: 60_000, initial: () => ({ seen: [] as number[] }) } }) as never
const detectors = ['one', 'two'].map(remembering)
const nothingElse = (): EngineState => ({
  memory: new Map(),
  threads: { byEvidence: keep([]), byActor: keep([]) },
  recent: keep([]),
  alerts: keep([]),
  said: keep([]),
})

it('what goes on while the pieces are taken changes nothing in them', () => {
  const act = fc.record({ who: fc.nat({ max: 1 }), key: fc.nat({ max: 20 }), time: fc.nat({ max: 100_000 }), pieces: fc.nat({ max: 2 }) })
  const acts = fc.array(act, { maxLength: 60 })
  fc.assert(
    fc.property(acts, acts, (before, after) => {
      const memory = createMemory(detectors)
      const use = ({ who, key, time }: { who: number; key: number; time: number }) => {
        const [value] = memory.recall(detectors[who] as AnyDetector, [`k${key}`], BigInt(time) * 1_000_000n)
        ;(value as { seen: number[] }).seen.push(time)
      }
      before.forEach(use)
      const still = Buffer.concat([...snapshotPieces(nothingElse(), memory.freeze())])
      const rest = snapshotPieces(nothingElse(), memory.freeze())
      const pieces: Uint8Array[] = []
      for (const one of after) {
        use(one)
        for (let taken = 0; taken < one.pieces; taken += 1) {
          const piece = rest.next()
          if (!piece.done) pieces.push(piece.value)
        }
      }
      assert.deepEqual(stateOf(Buffer.concat([...pieces, ...rest])).memory, stateOf(still).memory)
    }),
    { numRuns: 500 },
  )
})

it('threads and what was seen go on while the pieces are taken, and the snapshot stays at its moment', () => {
  const from = state()
  const pieces = snapshotPieces(from, frozen(from.memory))
  const first = pieces.next()
  const known = from.threads.byEvidence.young.get('a')
  if (known) known.last = 99n
  from.threads.byEvidence.young.delete('b')
  from.threads.byActor.young.set('new', thread('thr_3'))
  from.recent.young.set('later', true)
  from.recent.old = from.recent.young
  from.said.young.clear()
  assert.deepEqual(stateOf(Buffer.concat([...(first.done ? [] : [first.value]), ...pieces])), state())
})

it('what is looked up by the spot of a scope is what a search for its key finds', () => {
  const act = fc.record({ who: fc.nat({ max: 1 }), key: fc.nat({ max: 20 }), time: fc.nat({ max: 200_000 }) })
  fc.assert(
    fc.property(fc.array(act, { maxLength: 120 }), (acts) => {
      const [memory, plain] = [createMemory(detectors), createMemory(detectors)]
      for (const { who, key, time: ms } of acts) {
        const detector = detectors[who] as AnyDetector
        const time = BigInt(ms) * 1_000_000n
        const values = [
          memory.recallAt(detector, memory.spotOf('actor', 't', `k${key}`), time)[0],
          plain.recall(detector, [`t\0k${key}`], time)[0],
        ] as { seen: number[] }[]
        assert.deepEqual(values[0], values[1])
        for (const { seen } of values) seen.push(ms)
      }
      const written = (from: typeof memory) => stateOf(Buffer.concat([...snapshotPieces(nothingElse(), from.freeze())])).memory
      assert.deepEqual(written(memory), written(plain))
      assert.deepEqual(memory.evicted(), plain.evicted())
    }),
    { numRuns: 500 },
  )
})
