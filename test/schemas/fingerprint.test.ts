/** Copied content is found again, raw or encoded, also inside longer text; unrelated and common text is not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import {
  type Fingerprints,
  fingerprintContent,
  fingerprintKey,
  fingerprintText,
  flatten,
  mayShare,
  mostTelling,
  overlap,
  overlapWithin,
  unflatten,
} from '../../schemas/fingerprint.ts'
import { hashId } from '../../schemas/ids.ts'
import { unwrap } from '../../schemas/unwrap.ts'

const keyOf = (name: string) => fingerprintKey((text) => hashId(name, text).slice(0, 16))
const key = keyOf('acme')
const print = (text: string): Fingerprints => fingerprintText(text, key)

test('content of a private source is found in a longer argument', () => {
  const pairs: readonly (readonly [string, string, number, number])[] = [
    [
      'Moving to Lisbon, salary 123456 EUR, contract ref QX-998812',
      '## Author\nMoving to Lisbon, salary 123456 EUR, contract ref QX-998812',
      2,
      1,
    ],
    [
      'Alice: +41790000001 see you at 8; Bank: code 771204',
      `Hi${' '.repeat(200)}Alice: +41790000001 see you at 8; Bank: code 771204`,
      2,
      1,
    ],
    ['{"API_KEY":"⟦secret:api-key:0123456789abcdef⟧"}', 'note ⟦secret:token:0123456789abcdef⟧', 1, 0],
    ['call +41 79 000 00 01', 'tel:+41790000001', 1, 0],
    ['mail anna.smith@partner.example now', '<ANNA.Smith@partner.example>', 1, 0],
    ['revenue 1,234,567 EUR', 'it was 1234567', 1, 0],
    ['The quick brown fox jumps over the lazy dog by the river', 'the  QUICK-brown fox:\njumps over the lazy dog by the river', 0, 1],
  ]
  for (const [source, sink, tokens, shingles] of pairs) {
    const common = overlap(print(source), print(sink))
    assert.ok(common.tokens >= tokens && common.shingles >= shingles, `${source}: ${JSON.stringify(common)}`)
  }
})

test('short and everyday text leaves little or nothing', () => {
  for (const text of [
    'ok',
    '',
    'sent',
    '200',
    'indexed',
    '2026-01-01',
    '2026-01-01T00:00:00Z',
    '100000',
    'PR #2',
    'utf-8',
    'See issue 42',
  ]) {
    assert.deepEqual(print(text), { shingles: [], tokens: [] }, text)
  }
  const guide = print('See public guide section 4')
  assert.ok(guide.shingles.length <= 2 && guide.tokens.length === 0)
})

const words =
  'amber basin cedar delta ember fjord grove haven inlet jetty knoll ledge marsh north ocean pines quarry ridge stone trail upland valley water xylem yield zephyr moss fern lichen heron otter badger'.split(
    ' ',
  )
const prose = (seed: number, length: number): string => {
  let state = seed * 2_654_435_761
  let text = ''
  while (text.length < length) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text += `${words[(state >>> 24) % words.length]}${(state >>> 16) % 11 === 0 ? '. ' : ' '}`
  }
  return text.slice(0, length)
}
const transforms: readonly (readonly [string, (text: string) => string])[] = [
  ['raw', (text) => text],
  ['base64', (text) => Buffer.from(text).toString('base64')],
  ['base64url', (text) => Buffer.from(text).toString('base64url')],
  [
    'base64 in lines',
    (text) =>
      (
        Buffer.from(text)
          .toString('base64')
          .match(/.{1,76}/g) ?? []
      ).join('\n'),
  ],
  ['hex', (text) => Buffer.from(text).toString('hex')],
  ['hex escapes', (text) => (Buffer.from(text).toString('hex').match(/../g) ?? []).map((byte) => `\\x${byte}`).join('')],
  ['percent', (text) => encodeURIComponent(text)],
  ['every byte percent', (text) => (Buffer.from(text).toString('hex').match(/../g) ?? []).map((byte) => `%${byte}`).join('')],
  ['gzip', (text) => gzipSync(text).toString('base64')],
  ['zlib', (text) => deflateSync(text).toString('base64')],
  ['JSON', (text) => JSON.stringify(JSON.stringify(text))],
  ['unicode escapes', (text) => [...text].map((each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')],
  ['entities', (text) => [...text].map((each) => `&#${each.charCodeAt(0)};`).join('')],
  ['quoted-printable', (text) => text.replace(/[^a-z]/g, (each) => `=${each.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)],
  ['base64 twice', (text) => Buffer.from(Buffer.from(text).toString('base64')).toString('base64')],
  ['base64 in percent', (text) => encodeURIComponent(Buffer.from(text).toString('base64'))],
]
for (const [name, encode] of transforms) {
  test(`finds 120 leaked characters: ${name}`, () => {
    let found = 0
    for (let run = 0; run < 100; run += 1) {
      const source = prose(run + 1, 1_000)
      const leak = source.slice(run * 7, run * 7 + 120)
      const sink = `Here is the summary you asked for: ${encode(leak)} and that is all.`
      if (overlap(print(source), fingerprintContent({ body: sink }, key)).shingles >= 2) found += 1
    }
    assert.ok(found >= 99, `${found} of 100`)
  })
}

test('unrelated text has nothing in common', () => {
  let flagged = 0
  for (let run = 0; run < 200; run += 1) {
    const common = overlap(print(prose(run + 1, 1_000)), print(prose(run + 5_001, 1_000)))
    if (common.shingles >= 2 || common.tokens > 0) flagged += 1
  }
  assert.ok(flagged <= 2, String(flagged))
})

test('keys part tenants, and the same key gives the same numbers', () => {
  const text = prose(3, 500)
  assert.deepEqual(print(text), print(text))
  assert.deepEqual(overlap(print(text), fingerprintText(text, keyOf('other'))), { tokens: 0, shingles: 0 })
})

test('numbers are whole, below 2^52, ascending, bounded, and survive being one list', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300, unit: 'binary' }), (text) => {
      const prints = print(`${text} ${text}⟦secret:a:0123456789abcdef⟧`)
      const numbers = flatten(prints)
      for (const [at, each] of numbers.entries())
        assert.ok(Number.isSafeInteger(each) && each >= 0 && each < 2 ** 52 && (at === 0 || each > (numbers[at - 1] as number)))
      assert.deepEqual(unflatten(numbers.toReversed()), prints)
      assert.deepEqual(mostTelling(prints, 4), numbers.slice(0, 4))
      assert.deepEqual(overlap(prints, prints), { tokens: prints.tokens.length, shingles: prints.shingles.length })
    }),
  )
  const large = print(prose(9, 300_000) + Array.from({ length: 5_000 }, (_, at) => `id${at * 7_919 + 1_000_003}`).join(' '))
  assert.ok(large.shingles.length <= 4_096 && large.tokens.length <= 512)
})

test('every window of a text leaves a shingle, so that any 35 folded characters are found', () => {
  const source = prose(21, 2_000)
  const whole = print(source)
  for (let at = 0; at + 60 < source.length; at += 13) assert.ok(overlap(whole, print(source.slice(at, at + 60))).shingles >= 1, String(at))
})

test('unwrapping keeps its budget, whatever it is given', () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000, 97)).toString('base64')
  assert.deepEqual(unwrap(bomb, { bytesMax: 100_000 }), [])
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.string(),
          fc.constantFrom('%41', '\\u0041', '&#65;', '=41', 'QUJDREVGR0hJSktMTU5P', '41424344454647484950515253', '\\', '&lt;'),
        ),
        { maxLength: 12 },
      ),
      (parts) => {
        const text = parts.join('')
        const layers = unwrap(text, { bytesMax: 500 })
        assert.ok(layers.reduce((sum, layer) => sum + layer.text.length, 0) <= 500)
        assert.equal(new Set([text, ...layers.map((layer) => layer.text)]).size, layers.length + 1)
        for (const layer of layers) assert.ok(layer.layers.length >= 1 && layer.layers.length <= 6)
      },
    ),
  )
})

test('images, hashes, ids and prose hide nothing', () => {
  for (const text of [
    'iVBORw0KGgoAAAANSUhEUg'.padEnd(600, 'A'),
    hashId('x'),
    'e8e4df51-2054-49b0-ab1c-516ac95c691d',
    prose(4, 400),
    '/usr/share/doc/some-package/README.md',
    'AT&T; R&D 100%',
  ]) {
    assert.deepEqual(unwrap(text, { bytesMax: 10_000 }), [], text)
  }
})

test('hostile repetition costs steps in proportion to its length', () => {
  for (const seed of [
    'A',
    'A ',
    '0',
    '+1 ',
    '1,',
    '%4',
    '%41',
    '\\',
    '\\u004',
    '&#',
    '&a',
    '=\n',
    'a@',
    'QUJD\n',
    '41 ',
    '⟦secret:',
    'a/',
  ]) {
    const text = seed.repeat(Math.ceil(300_000 / seed.length))
    assert.ok(fingerprintText(text, key))
    assert.ok(unwrap(text, { bytesMax: 1 << 20 }))
  }
})

test('few among many: the same count whichever way it is taken, and no list that shares enough is passed over', () => {
  const numbers = fc.uniqueArray(
    fc.oneof(
      fc.nat(60),
      fc.nat(2 ** 31),
      fc.nat(60).map((n) => 2 ** 51 + n),
      fc.nat(2 ** 31).map((n) => 2 ** 51 + n * 65_537),
    ),
    {
      maxLength: 80,
    },
  )
  fc.assert(
    fc.property(numbers, fc.array(numbers, { maxLength: 5 }), (few, lists) => {
      const sought = unflatten(few)
      const flats = lists.map((list) => flatten(unflatten(list)))
      const may = mayShare(sought, flats)
      assert.deepEqual(mayShare(sought, flats), may, 'nothing is left behind')
      for (const [at, flat] of flats.entries()) {
        const shared = overlap(unflatten(flat), sought)
        assert.deepEqual(overlapWithin(flat, sought), shared)
        if (shared.tokens > 0 || shared.shingles > 1) assert.ok(may[at])
      }
    }),
  )
  const alone = unflatten([2 ** 51 + 5, 2 ** 51 + 9])
  assert.deepEqual(mayShare(alone, [[2 ** 51 + 5], [2 ** 51 + 5, 2 ** 51 + 9], [], [7]]), [false, true, false, false])
})
