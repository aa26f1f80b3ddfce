/** Copied content is found again, raw or encoded, also inside longer text; unrelated and common text is not. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import {
  type FingerprintKey,
  type Fingerprints,
  fingerprintContent,
  fingerprintKey,
  fingerprintText,
  flatten,
  plainContent,
  plainText,
  plainToKeyed,
  unflatten,
  workerKey,
} from '../../schemas/fingerprint.ts'
import { keyed, shingleFrom } from '../../schemas/fingerprint-shingles.ts'
import { readText } from '../../schemas/fingerprint-tokens.ts'
import { hashId } from '../../schemas/ids.ts'
import { unwrap } from '../../schemas/unwrap.ts'

const keyOf = (name: string) => fingerprintKey((text) => hashId(name, text).slice(0, 16))
const key = keyOf('acme')
const print = (text: string): Fingerprints => fingerprintText(text, key)
const common = (a: readonly number[], b: readonly number[]): number => a.filter((each) => b.includes(each)).length
const overlap = (a: Fingerprints, b: Fingerprints) => ({ tokens: common(a.tokens, b.tokens), shingles: common(a.shingles, b.shingles) })

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

/** Folding as a sentence says it: small letters and digits stay, all else is one blank, and none at either end. */
const folded = (text: string): string =>
  [...text.normalize('NFKC').toLowerCase()]
    .map((each) => (/[a-z0-9]/.test(each) || (each.codePointAt(0) ?? 0) > 191 ? each : ' '))
    .join('')
    .replace(/ +/g, ' ')
    .replace(/^ | $/g, '')

/** Winnowing as its inventors wrote it down: every shingle from the start, of every window the last of the smallest. */
function shinglesSlowly(text: string, by: FingerprintKey): number[] {
  const codes = Array.from({ length: folded(text).length }, (_, at) => folded(text).charCodeAt(at))
  const hash = (at: number, base: number) => codes.slice(at, at + 20).reduce((sum, code) => (Math.imul(sum, base) + code) | 0, 0)
  const count = codes.length - 19
  if (count < 1 || (count < 16 && codes.filter((code) => code >= 97).length < 8)) return []
  const all = Array.from({ length: count }, (_, at) => {
    const first = hash(at, (by.low | 1) ^ 0x6b43a9b4)
    let rank = first ^ by.high
    rank = Math.imul(rank ^ (rank >>> 16), 0x85ebca6b)
    rank = Math.imul(rank ^ (rank >>> 13), 0xc2b2ae35)
    return { rank: rank ^ (rank >>> 16), number: shingleFrom + keyed(by, first, hash(at, (by.high | 1) ^ 0x2545f49c)) }
  })
  const kept = new Set<number>()
  for (let at = 0; at + Math.min(16, count) <= count; at += 1) {
    const window = all.slice(at, at + 16)
    const least = Math.min(...window.map(({ rank }) => rank))
    kept.add(window.findLast(({ rank }) => rank === least)?.number as number)
  }
  return [...kept].sort((a, b) => a - b)
}

const piece = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(...words),
  fc.constantFrom(
    ' ',
    '  ',
    '\n',
    '.',
    '/',
    '@',
    'é',
    '\u2028',
    '\u00a0',
    'İ',
    'ΑΣ',
    '１２３４５６７',
    '987654',
    'a1b2c3d4e5',
    'x@y.example',
    'abcdefghijklmnopqrstuvwxyz12',
  ),
)
const mixed = fc.array(piece, { maxLength: 60 }).map((parts) => parts.join(''))

test('a text is folded and winnowed as the slow way does it', () => {
  fc.assert(
    fc.property(mixed, (text) => {
      const { codes, length } = readText(text, () => {})
      assert.equal(String.fromCharCode(...codes.subarray(0, length)), folded(text))
      assert.deepEqual(print(text).shingles, shinglesSlowly(text, key))
    }),
  )
})

test('a word is the same token by itself and in any text', () => {
  const tokensOf = (text: string): string[] => {
    const tokens: string[] = []
    readText(text, (token) => tokens.push(token))
    return tokens
  }
  // Without what joins words to one number.
  const word = fc.oneof(
    fc.stringMatching(/^[A-Za-z0-9@./*_#~-]{0,40}$/),
    fc.stringMatching(/^[a-z0-9]{4,8}$/),
    fc.constantFrom('id-00123456', 'anna@mail.example', '2026-01-01T00', '5551234567', `${'x'.repeat(250)}123456`, 'ÄÖ123456', 'kΣ98765x'),
  )
  const between = fc.constantFrom(' ', '\n', '"', '<', '|', ';', '=', '&', '\\', '\u2028', ' – ')
  fc.assert(
    fc.property(fc.array(fc.tuple(word, between), { maxLength: 20 }), (parts) => {
      assert.deepEqual(
        tokensOf(parts.flat().join('')),
        parts.flatMap(([each]) => tokensOf(each)),
      )
    }),
  )
  for (let code = 128; code < 0x10000; code += 1) {
    const parts = /[\s"'`<>(){}[\]|,;:=?&\\!]/.test(String.fromCharCode(code).normalize('NFKC'))
    assert.equal(tokensOf(`ab12345cde${String.fromCharCode(code)}zz9876541x`).length > 2, parts, String(code))
  }
})

test('plain prints are the keyed ones without the key: the same choice, however many may be chosen', () => {
  fc.assert(
    fc.property(mixed, mixed, fc.integer({ min: 513, max: 600 }), fc.boolean(), (one, other, countMax, long) => {
      const text = long ? `${one}${prose(one.length, 9_000)}${other}` : one
      const toKeyed = plainToKeyed(text)
      const expected = flatten(fingerprintText(text, workerKey)).slice(0, countMax)
      const chosen = new Set(Array.from(plainText(text, countMax), (each) => toKeyed.get(each) as number))
      assert.deepEqual(
        [...chosen].sort((a, b) => a - b),
        expected,
      )
      assert.deepEqual(new Set(plainContent({ text: [text] }, countMax)), new Set(plainContent([text], countMax)))
    }),
    { numRuns: 60 },
  )
})
