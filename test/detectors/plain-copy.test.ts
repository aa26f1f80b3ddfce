/** A copy is equal and apart, whatever plain data it is made of. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import v8 from 'node:v8'
import fc from 'fast-check'
import { plainCopy } from '../../detectors/plain-copy.ts'

const plain = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.string(),
    fc.bigInt(),
    fc.double(),
    fc.boolean(),
    fc.constant(undefined),
    tie('many'),
  ),
  many: fc.oneof(
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constant('__proto__'), fc.string()), tie('any'), { maxKeys: 4 }),
    fc.array(fc.tuple(fc.string(), tie('any')), { maxLength: 4 }).map((entries) => new Map(entries)),
    fc.array(tie('any'), { maxLength: 4 }).map((values) => new Set(values)),
    fc.array(fc.double(), { maxLength: 4 }).map((numbers) => new Float64Array(numbers)),
    fc.array(fc.nat({ max: 65_535 }), { maxLength: 4 }).map((numbers) => new Uint16Array(numbers)),
  ),
})).any

it('gives the same bytes as what it was made of', () => {
  fc.assert(
    fc.property(plain, (value) => {
      assert.deepEqual(v8.serialize(plainCopy(value)), v8.serialize(value))
    }),
    { numRuns: 5_000 },
  )
})

it('is not reached by later changes, however deep', () => {
  const value = { list: [{ seen: new Map([['a', new Set([1])]]), prints: new Float64Array([1, 2]) }] }
  const before = v8.serialize(value)
  const copy = plainCopy(value)
  const [one] = value.list
  one?.seen.get('a')?.add(2)
  one?.seen.set('b', new Set())
  one?.prints.fill(9)
  value.list.push({ seen: new Map(), prints: new Float64Array() })
  assert.deepEqual(v8.serialize(copy), before)
})

it('keeps one object that stands in two places one, also in a circle', () => {
  const shared = { name: 'x' }
  const value: { a: unknown; b: unknown; self?: unknown } = { a: shared, b: [shared] }
  value.self = value
  const copy = plainCopy(value) as { a: unknown; b: unknown[]; self: unknown }
  assert.equal(copy.a, copy.b[0])
  assert.notEqual(copy.a, shared)
  assert.equal(copy.self, copy)
})
