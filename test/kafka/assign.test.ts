/** Who reads which partition: whatever the members claim, everyone agrees, shares are equal, and partition i of all topics is together. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { assignPartitions, type Claim, decodeClaim, encodeClaim } from '../../collectors/bus/kafka-assign.ts'

const topics = ['mcp.events', 'mcp.facts']
const claimOf = (memberId: string, owned: readonly number[] = [], generation = 1): Claim => ({ memberId, topics, owned, generation })
const claims = fc
  .uniqueArray(fc.string({ minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 7 })
  .chain((ids) =>
    fc.tuple(
      ...ids.map((id) => fc.tuple(fc.array(fc.integer({ min: -2, max: 20 })), fc.nat(3)).map(([owned, gen]) => claimOf(id, owned, gen))),
    ),
  )

it('every partition has one reader, the shares differ by one at most, and partition i of every topic has the same', () => {
  fc.assert(
    fc.property(claims, fc.integer({ min: 1, max: 16 }), (members, count) => {
      const assignment = assignPartitions(members, () => count)
      assert.deepEqual(new Set(assignment.keys()), new Set(members.map(({ memberId }) => memberId)))
      const shares = [...assignment.values()].map((mine) => mine.get('mcp.events') ?? [])
      assert.deepEqual(
        shares.flat().sort((a, b) => a - b),
        Array.from({ length: count }, (_, i) => i),
      )
      const sizes = shares.map((share) => share.length)
      assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, String(sizes))
      for (const mine of assignment.values()) assert.deepEqual(mine.get('mcp.facts'), mine.get('mcp.events'))
      assert.deepEqual(
        assignPartitions(members.toReversed(), () => count),
        new Map([...assignment].toReversed()),
      )
    }),
  )
})

it('a member that comes or goes moves no more than it must', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 24 }), (size, count) => {
      const ids = Array.from({ length: size }, (_, i) => `m${i}`)
      const owned = (assignment: ReturnType<typeof assignPartitions>, id: string) => assignment.get(id)?.get('mcp.events') ?? []
      const first = assignPartitions(
        ids.map((id) => claimOf(id)),
        () => count,
      )
      const grown = assignPartitions([...ids.map((id) => claimOf(id, owned(first, id))), claimOf('new', [], -1)], () => count)
      const moved = ids.flatMap((id) => owned(first, id).filter((p) => !owned(grown, id).includes(p)))
      assert.deepEqual(moved.sort(), [...owned(grown, 'new')].sort())
      const shrunk = assignPartitions(
        ids.map((id) => claimOf(id, owned(grown, id), 2)),
        () => count,
      )
      for (const id of ids) for (const p of owned(grown, id)) assert.ok(owned(shrunk, id).includes(p))
    }),
  )
})

it('members that read different topics get partitions of theirs only', () => {
  const mixed = [claimOf('a'), { ...claimOf('b'), topics: ['mcp.facts'] }, { ...claimOf('c'), topics: ['other'] }]
  const assignment = assignPartitions(mixed, () => 4)
  assert.deepEqual(assignment.get('a')?.get('mcp.events'), [0, 1, 2, 3])
  assert.equal((assignment.get('a')?.get('mcp.facts')?.length ?? 0) + (assignment.get('b')?.get('mcp.facts')?.length ?? 0), 4)
  assert.deepEqual([...(assignment.get('c') ?? [])], [['other', [0, 1, 2, 3]]])
})

it('what another member says of itself is believed in its form only', () => {
  assert.deepEqual(decodeClaim(encodeClaim([3, 1], 7)), { owned: [3, 1], generation: 7 })
  for (const text of ['', 'null', '{}', '[]', '{"owned":1,"generation":1}', '{"owned":[],"generation":"x"}', '\u0000'])
    assert.deepEqual(decodeClaim(Buffer.from(text)), { owned: [], generation: -1 })
  assert.deepEqual(decodeClaim(Buffer.from('{"owned":[1,"2",null,3],"generation":1}')), { owned: [1, 3], generation: 1 })
})
