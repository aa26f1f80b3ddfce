/** Promises of the raw scan: what parsed JSON has lost is told, and no text can harm the scan. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseMessages } from '../../collectors/jsonrpc/parse.ts'
import { scanRaw } from '../../collectors/jsonrpc/raw-facts.ts'

const factsOf = (raw: string | Uint8Array): string[] => {
  const scan = scanRaw(raw)
  return [...scan.facts, ...[...scan.elementFacts.values()].flat()].sort()
}
const call = (inner: string): string => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{${inner}}}`

const table: readonly (readonly [string, string | Uint8Array, readonly string[]])[] = [
  ['a clean call', call('"name":"a","arguments":{"x":1}'), []],
  ['white space everywhere', ` {\n "jsonrpc" : "2.0" ,\t"id" : 7 , "method" : "ping" }\r\n `, []],
  ['method twice', '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}', ['duplicate_key:method']],
  ['id twice', '{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}', ['duplicate_key:id']],
  ['params twice', '{"jsonrpc":"2.0","id":1,"method":"x","params":{},"params":{}}', ['duplicate_key:params']],
  ['result twice', '{"jsonrpc":"2.0","id":1,"result":{},"result":{}}', ['duplicate_key:result']],
  ['name twice', call('"name":"a","name":"b"'), ['duplicate_key:name']],
  ['arguments twice', call('"name":"a","arguments":{"p":1},"arguments":{"p":2}'), ['duplicate_key:arguments']],
  ['uri twice', call('"uri":"a","uri":"b"'), ['duplicate_key:uri']],
  ['_meta twice', call('"_meta":{},"_meta":{}'), ['duplicate_key:_meta']],
  ['an argument twice', call('"name":"a","arguments":{"path":"/a","path":"/etc"}'), ['duplicate_argument']],
  ['method in another case', '{"jsonrpc":"2.0","id":1,"Method":"tools/call"}', ['case_variant:method']],
  [
    'params in another case, and a name in it',
    '{"jsonrpc":"2.0","id":1,"method":"x","PARAMS":{"NAME":"a"}}',
    ['case_variant:name', 'case_variant:params'],
  ],
  ['the long s folds to s', '{"jsonrpc":"2.0","id":1,"method":"x","paramſ":{}}', ['case_variant:params']],
  ['name in both cases', call('"name":"a","Name":"b"'), ['case_variant:name']],
  ['case in arguments is legal', call('"name":"a","arguments":{"Name":1,"name":2,"METHOD":3,"id":4}'), []],
  ['duplicates of other objects are not the protocol', call('"name":"a","arguments":{"o":{"id":1,"id":2}}'), []],
  ['the same names at other places', '{"jsonrpc":"2.0","id":1,"result":{"id":1,"method":"m","name":"n","params":{"name":1}}}', []],
  ['NUL in a key', '{"jsonrpc":"2.0","id":1,"method\\u0000":"tools/call","method":"ping"}', ['duplicate_key:method', 'nul_in_key']],
  ['NUL in a key of arguments', call('"name":"a","arguments":{"a\\u0000b":1}'), ['nul_in_key']],
  ['a control character in a key', '{"jsonrpc":"2.0","id":1,"met\\u0007hod":"x","method":"ping"}', ['control_in_key']],
  ['a key written in escapes', '{"jsonrpc":"2.0","id":1,"\\u006dethod":"ping"}', ['escaped_key:method']],
  ['escapes hide a duplicate', '{"jsonrpc":"2.0","id":1,"method":"a","\\u006dethod":"b"}', ['duplicate_key:method', 'escaped_key:method']],
  ['an id beyond 2^53', '{"jsonrpc":"2.0","id":9007199254740993,"method":"ping"}', ['big_id']],
  ['2^53 - 1 is fine', '{"jsonrpc":"2.0","id":9007199254740991,"method":"ping"}', []],
  ['a fractional id', '{"jsonrpc":"2.0","id":1.5,"method":"ping"}', ['fractional_id']],
  ['an id with an exponent', '{"jsonrpc":"2.0","id":1e3,"method":"ping"}', ['fractional_id']],
  ['a null id', '{"jsonrpc":"2.0","id":null,"method":"ping"}', ['null_id']],
  ['an object id', '{"jsonrpc":"2.0","id":{"a":1},"method":"ping"}', ['object_id']],
  ['an array id', '{"jsonrpc":"2.0","id":[1],"method":"ping"}', ['object_id']],
  ['a boolean id', '{"jsonrpc":"2.0","id":true,"method":"ping"}', ['bool_id']],
  ['a text id that looks like null', '{"jsonrpc":"2.0","id":"null","method":"ping"}', []],
  ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":1,"method":"ping"}]', ['batch']],
  ['trailing data', '{"jsonrpc":"2.0","id":1,"method":"ping"}{"a":1}', ['trailing_data']],
  ['a byte order mark', '\uFEFF{"jsonrpc":"2.0","id":1,"method":"ping"}', ['bom']],
  ['a byte order mark in bytes', Buffer.from('\uFEFF{"jsonrpc":"2.0","id":1,"method":"ping"}'), ['bom']],
  ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), ['invalid_utf8']],
  ['an overlong slash', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc0, 0xaf]), Buffer.from('"}')]), ['invalid_utf8']],
  ['an escaped surrogate alone', call('"name":"\\ud83d"'), ['lone_surrogate']],
  ['a low surrogate alone', call('"name":"\\udc00x"'), ['lone_surrogate']],
  ['an escaped pair', call('"name":"\\ud83d\\ude00"'), []],
  ['an escaped backslash before ud800', call('"name":"\\\\ud800"'), []],
  ['a raw surrogate alone', call('"name":"\ud800"'), ['lone_surrogate']],
  ['brackets and quotes in texts', call('"name":"}]\\"{[","arguments":{"t":"\\\\"}'), []],
  ['__proto__ as a key', call('"name":"a","__proto__":{"x":1},"arguments":{"__proto__":1}'), []],
]

for (const [name, raw, expected] of table) {
  test(`raw facts: ${name}`, () => assert.deepEqual(factsOf(raw), [...expected].sort()))
}

test('each element of a batch has its own facts, the batch those of all', () => {
  const { messages } = parseMessages('[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}]')
  assert.deepEqual(
    messages.map(({ facts }) => facts),
    [['batch'], ['batch', 'duplicate_key:id']],
  )
})

test('a million levels are counted, not parsed', () => {
  const levels = 1_000_000
  for (const open of ['[', '{"a":']) {
    const text = `{"jsonrpc":"2.0","id":1,"method":"m","params":${open.repeat(levels)}`
    const parsed = parseMessages(text)
    assert.equal(parsed.depth, levels + 1)
    assert.equal(parsed.messages[0]?.value, undefined)
    assert.deepEqual(parsed.messages[0]?.facts, ['depth'])
  }
})

test('64 levels are parsed, 65 are not, as text and as JSON that somebody parsed already', () => {
  for (const [levels, fine] of [
    [62, true],
    [63, false],
  ] as const) {
    const text = call(`"name":"a","arguments":${'['.repeat(levels)}${']'.repeat(levels)}`)
    assert.equal(parseMessages(text).messages[0]?.value !== undefined, fine, `text, ${levels}`)
    assert.equal(parseMessages(JSON.parse(text)).messages[0]?.value !== undefined, fine, `JSON, ${levels}`)
  }
})

test('a message above the size limit is not parsed, and its size is told', () => {
  const parsed = parseMessages(call(`"name":"${'a'.repeat(500)}"`), { bytesMax: 400 })
  assert.deepEqual(parsed.messages[0]?.facts, ['too_large'])
  assert.ok(parsed.bytes > 500)
})

test('a huge batch gives a bounded number of messages', () => {
  const parsed = parseMessages(`[${Array(3000).fill('{"jsonrpc":"2.0","method":"n"}').join(',')}]`)
  assert.equal(parsed.messages.length, 1001)
  assert.ok(parsed.messages.at(-1)?.facts.includes('batch_too_large'))
})

const malformed: readonly (readonly [string, string])[] = [
  ['', 'not_json'],
  ['{', 'not_json'],
  ['nonsense', 'not_json'],
  ['{"a":1', 'not_json'],
  ["{'method':'ping'}", 'not_json'],
  ['42', 'not_rpc'],
  ['null', 'not_rpc'],
  ['"text"', 'not_rpc'],
  ['{}', 'not_rpc'],
  ['{"method":5}', 'not_rpc'],
  ['[]', 'empty_batch'],
  ['[1]', 'not_rpc'],
]
for (const [text, fact] of malformed) {
  test(`malformed: ${JSON.stringify(text)} is kept with the reason ${fact}`, () => {
    const { messages } = parseMessages(text)
    assert.equal(messages.length, 1)
    assert.equal(messages[0]?.value, undefined)
    assert.ok(messages[0]?.facts.includes(fact), String(messages[0]?.facts))
  })
}

test('what JSON.parse reads without surprise has no facts about its bytes', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), fc.integer(), (value, id) => {
      const text = JSON.stringify({ jsonrpc: '2.0', id, method: 'm', params: { name: 'a', arguments: { value } } })
      const facts = factsOf(text).filter((fact) => fact !== 'nul_in_key') // such keys are among the values
      assert.deepEqual(facts, text.includes('\\ud') ? facts : [])
      const parsed = parseMessages(text)
      assert.deepEqual(parsed.messages[0]?.value, JSON.parse(text))
    }),
  )
})

test('no bytes make the scan throw, and what it calls one whole value is what JSON.parse takes', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    '\\',
    '\\u',
    '0',
    'id',
    '"id"',
    '"method"',
    '"params"',
    'null',
    ' ',
    '\0',
    '\ud800',
    'é',
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(pieces, { maxLength: 60 }).map((list) => list.join('')),
        fc.string({ unit: 'binary' }),
        fc.json(),
      ),
      (text) => {
        const scan = scanRaw(text)
        let valid = true
        try {
          JSON.parse(scan.text)
        } catch {
          valid = false
        }
        if (valid) assert.ok(!scan.facts.includes('trailing_data'))
        assert.ok(scan.end <= scan.text.length)
      },
    ),
    { numRuns: 2000 },
  )
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => parseMessages(bytes).messages.length > 0))
})
