/** The bytes of the log: framing survives any flipped bit, the memory of the newest records has no holes, keys keep their partition. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { frame, unframe } from '../../collectors/bus/frame.ts'
import { partitionOf } from '../../collectors/bus/log-parts.ts'
import { createTail } from '../../collectors/bus/tail.ts'

const anyText = fc.string({ unit: 'grapheme', maxLength: 20 })
const anyRec = fc.record(
  { key: anyText, bytes: fc.uint8Array({ maxLength: 60 }), headers: fc.dictionary(anyText, anyText, { maxKeys: 3 }) },
  { requiredKeys: ['key', 'bytes'] },
)

it('framing: what goes in comes out; whatever bit flips, only the records it touches are missing and nothing throws', () => {
  const property = fc.property(fc.array(anyRec, { minLength: 1, maxLength: 8 }), fc.nat(), fc.boolean(), (records, flip, isCut) => {
    const shape = (record: (typeof records)[number] | undefined) =>
      record && { key: record.key, bytes: [...record.bytes], headers: Object.entries(record.headers ?? {}) }
    const bytes = frame(records as never)
    assert.deepEqual(unframe(bytes, records.length).records.map(shape as never), records.map(shape))
    const at = flip % bytes.length
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (flip % 8))
    const damaged = unframe(isCut ? bytes.subarray(0, at) : bytes, records.length)
    assert.equal(damaged.records.length, records.length)
    assert.ok(damaged.damaged.length > 0)
    for (const [i, record] of damaged.records.entries()) if (record) assert.deepEqual(shape(record as never), shape(records[i]))
  })
  fc.assert(property, { numRuns: 400 })
})

it('the tail always holds an unbroken run up to the newest record, within its bound', () => {
  const property = fc.property(
    fc.array(fc.record({ part: fc.nat(2), size: fc.nat(3000), handled: fc.nat(3) }), { maxLength: 60 }),
    (additions) => {
      const tail = createTail(10_000)
      const ends = new Map<number, number>()
      for (const { part, size, handled } of additions) {
        const end = ends.get(part) ?? 0
        tail.add(String(part), [
          { key: '', bytes: new Uint8Array(size), offset: BigInt(end) },
          { key: '', bytes: new Uint8Array(0), offset: BigInt(end + 1) },
        ])
        ends.set(part, end + 2)
        if (handled > 0) tail.handled(String(part), end + handled - 1)
        assert.ok(tail.bytes <= 10_000)
      }
      for (const [part, end] of ends) {
        for (let from = 0; from < end; from += 1) {
          const offsets = tail.read(String(part), from, 1000, 1e9)?.map(({ offset }) => Number(offset))
          if (offsets)
            assert.deepEqual(
              offsets,
              Array.from({ length: end - from }, (_, i) => from + i),
            )
        }
        tail.handled(String(part), end)
      }
      assert.equal(tail.bytes, 0, 'nothing is kept that all have handled')
    },
  )
  fc.assert(property, { numRuns: 200 })
})

it('the partition of a key is part of the format', () => {
  assert.deepEqual(
    ['', 'a', 'default/alice', 'default/bob', 'default/carol', 'ключ'].map((key) => partitionOf(key, 4)),
    [0, 2, 2, 2, 1, 2],
  )
})
