/** What makes the search for secrets cheap leaves nothing out: each gate against the plain, slow way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { contextRules } from '../../collectors/redact/context-rules.ts'
import { createSecretFinder } from '../../collectors/redact/find-secrets.ts'
import { compileLiterals, sieveChars } from '../../collectors/redact/literals.ts'
import { scrubJson } from '../../collectors/redact/scrub-json.ts'
import { createCleanTexts, type ScrubOptions, scrubText } from '../../collectors/redact/scrub-text.ts'
import { vendorRules } from '../../collectors/redact/vendor-rules.ts'
import type { Json } from '../../schemas/event.ts'

const literals = [...vendorRules, ...contextRules].flatMap((rule) => rule.literals)
const find = createSecretFinder()

function scanned(known: readonly string[], text: string): string[] {
  const codes = new Uint16Array(text.length + sieveChars).fill(0x6b) // what stands behind the text must not matter
  for (let at = 0; at < text.length; at += 1) codes[at] = text.charCodeAt(at)
  const hits: string[] = []
  compileLiterals(known)(codes, text.length, (literal, end) => hits.push(`${end} ${known[literal]}`))
  return hits
}

/** By end, then the longest first. */
function searched(known: readonly string[], text: string): string[] {
  const lower = text.replace(/[A-Z]/g, (letter) => letter.toLowerCase())
  const hits: string[] = []
  for (let end = 1; end <= lower.length; end += 1) {
    const ending = known.filter((literal) => lower.startsWith(literal, end - literal.length) && end >= literal.length)
    for (const literal of ending.toSorted((a, b) => b.length - a.length)) hits.push(`${end} ${literal}`)
  }
  return hits
}

test('literals are found in every place of any text', () => {
  const few = fc.uniqueArray(fc.string({ unit: fc.constantFrom(...'ab-|1'), minLength: 1, maxLength: 5 }), { minLength: 1, maxLength: 6 })
  const dense = fc.string({ unit: fc.constantFrom(...'abAB-|1éK'), maxLength: 40 })
  fc.assert(
    fc.property(few, dense, (known, text) => assert.deepEqual(scanned(known, text), searched(known, text))),
    { numRuns: 600 },
  )
  const ours = [...new Set(literals)]
  const some = fc.array(fc.oneof(fc.constantFrom(...ours), fc.string({ maxLength: 3 })), { maxLength: 6 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(some, (text) => assert.deepEqual(scanned(ours, text), searched(ours, text))),
    { numRuns: 150 },
  )
})

test('right before the literal of a rule that looks back stands what the gate asks for', () => {
  for (const { back, literals: own, pattern } of vendorRules.filter((rule) => rule.back > 0)) {
    const whole = fc.stringMatching(new RegExp(`^(?:${pattern.source})$`))
    fc.assert(
      fc.property(whole, (text) => {
        const literal = own[0] as string
        const starts = Array.from({ length: back }, (_, at) => at + 1).filter((at) => text.toLowerCase().startsWith(literal, at))
        assert.ok(
          starts.some((at) => /[\w~.-]/.test(text.charAt(at - 1))),
          text,
        )
      }),
      { numRuns: 40 },
    )
  }
})

const digits = (length: number) => fc.array(fc.nat({ max: 9 }), { minLength: length, maxLength: length }).map((list) => list.join(''))
const luhn = (body: string): string => {
  const sum = [...body].reverse().reduce((total, digit, at) => total + (at % 2 === 0 ? Number('0246813579'[+digit]) : +digit), 0)
  return body + String((10 - (sum % 10)) % 10)
}

test('a card is found with any separators, in any text', () => {
  const card = fc
    .tuple(digits(14), fc.array(fc.constantFrom('', ' ', '-'), { minLength: 16, maxLength: 16 }))
    .map(([body, between]) => [...luhn(`4${body}`)].map((digit, at) => digit + (at < 15 ? between[at] : '')).join(''))
  const around = fc.string({ unit: fc.constantFrom(...'ab ,;\nÉ'), maxLength: 20 })
  fc.assert(
    fc.property(card, around, around, (number, before, after) => {
      const text = `${before}: ${number} , ${after} no. 1234`
      assert.ok(
        find(text).some(({ kind, value }) => kind === 'pii-card' && value === number),
        text,
      )
    }),
  )
})

test('an account is found with any grouping, in any text', () => {
  const account = fc.tuple(digits(18), fc.array(fc.constantFrom('', ' '), { minLength: 5, maxLength: 5 })).map(([body, gaps]) => {
    const check = String(98n - (BigInt(`${body}131400`) % 97n)).padStart(2, '0')
    const groups = body.match(/.{1,4}/g) ?? []
    return `DE${check}${groups.map((group, at) => (gaps[at] ?? '') + group).join('')}`
  })
  fc.assert(
    fc.property(account, fc.string({ unit: fc.constantFrom(...'ab ,;\n'), maxLength: 20 }), (number, before) => {
      assert.ok(
        find(`${before} ${number}, 1234`).some(({ kind }) => kind === 'pii-iban'),
        number,
      )
    }),
  )
})

const card = '4111 1111 1111 1111'
const optionsWith = (found: (secret: string) => void, more: Partial<ScrubOptions> = {}): ScrubOptions => ({
  find,
  keyedHash: (text) => text.length.toString(16).padStart(16, '0'),
  personal: true,
  lengthMax: 1_000,
  found,
  ...more,
})

/** Every part copied, whether anything changed or not. */
function plainly(json: Json, options: ScrubOptions, name?: string): Json {
  if (typeof json === 'string') return scrubText(json, options, name)
  if (json === null || typeof json !== 'object') return json
  if (Array.isArray(json)) return json.map((value) => plainly(value, options, name))
  const members = Object.entries(json).map(
    ([key, value]) => [key.length < 12 ? key : scrubText(key, options), plainly(value, options, key)] as const,
  )
  return Object.fromEntries(members)
}

test('a value with nothing to replace is the same value, and any other is as if all of it were copied', () => {
  const leaf = fc.oneof(fc.constantFrom('plain', card, 'hunter22x', `ghp_${'a1B2c3D4e5'.repeat(4)}`, 7, null, true), fc.string())
  const key = fc.oneof(fc.constantFrom('password', 'text', '__proto__', '0', `card ${card}`), fc.string())
  const { tree } = fc.letrec<{ tree: Json }>((tie) => ({
    tree: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('tree')), fc.dictionary(key, tie('tree'), { noNullPrototype: true })),
  }))
  fc.assert(
    fc.property(tree, (json) => {
      const [one, other] = [[] as string[], [] as string[]]
      const before = JSON.stringify(json)
      const { value, same } = scrubJson(
        json,
        optionsWith((secret) => one.push(secret)),
      )
      const expected = plainly(
        json,
        optionsWith((secret) => other.push(secret)),
      )
      assert.equal(JSON.stringify(value), JSON.stringify(expected))
      assert.deepEqual(one, other)
      assert.equal(same, value === json)
      assert.equal(same, JSON.stringify(expected) === before)
      assert.equal(JSON.stringify(json), before, 'what was given is not changed')
    }),
    { numRuns: 300 },
  )
})

test('what is remembered as clean is clean', () => {
  const clean = createCleanTexts()
  const options = optionsWith(() => {}, { clean })
  for (const text of ['get_ticket', card, 'get_ticket', card, 'x'.repeat(2_000)]) {
    assert.equal(
      scrubText(text, options),
      scrubText(
        text,
        optionsWith(() => {}),
      ),
    )
  }
  assert.ok(clean.has('get_ticket') && !clean.has(card) && !clean.has('x'.repeat(2_000)))
  for (let count = 0; count < 50_000; count += 1) clean.add(`name ${count}`)
  assert.ok(clean.has('name 49999') && !clean.has('get_ticket'), 'bounded')
})
