/** The identity of a definition: what says the same has the same hash, and nothing else has. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { canonicalJson, definitionHash } from '../../../schemas/definition.ts'
import type { Json } from '../../../schemas/event.ts'

test('order of keys, spaces and the form of accents do not matter', () => {
  const same: [string, string][] = [
    ['{"b":1,"a":[1,2]}', ' { "a": [1, 2], "b": 1.0 } '],
    ['{"a":"\\u00e9"}', '{"a":"e\\u0301"}'],
    ['{"e\\u0301":1}', '{"\\u00e9":1}'],
  ]
  for (const [a, b] of same) assert.equal(definitionHash(JSON.parse(a)), definitionHash(JSON.parse(b)))
  assert.equal(canonicalJson(JSON.parse('{"b":[{"d":1,"c":null}],"__proto__":true}')), '{"__proto__":true,"b":[{"c":null,"d":1}]}')
  assert.match(definitionHash('x'), /^[0-9a-f]{32}$/)
})

test('one changed character, order of a list or type is another definition', () => {
  const texts = [
    '{"a":"x"}',
    '{"a":"x "}',
    '{"a":["x","y"]}',
    '{"a":["y","x"]}',
    '{"a":1}',
    '{"a":"1"}',
    '{"a":null}',
    '{}',
    '{"a":{}}',
    '{"a":[]}',
  ]
  assert.equal(new Set(texts.map((text) => definitionHash(JSON.parse(text) as Json))).size, texts.length)
})

test('is JSON that says the same, for any JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const text = canonicalJson(value as Json)
      assert.deepEqual(
        JSON.parse(text),
        JSON.parse(JSON.stringify(value), (_, one) => (typeof one === 'string' ? one.normalize('NFC') : one)),
      )
      assert.equal(canonicalJson(JSON.parse(text) as Json), text)
    }),
  )
})

test('nesting without end does not end the process', () => {
  let deep: Json = 'end'
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep]
  assert.match(definitionHash(deep), /^[0-9a-f]{32}$/)
})
