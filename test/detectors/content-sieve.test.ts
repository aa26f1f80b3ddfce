/** The sieve in front of the expressions: it never says no where the expression matches, for every pattern of the catalogue. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { RE2JS } from 're2js'
import { loadCatalog } from '../../detectors/catalog.ts'
import { canonicalOf } from '../../detectors/content-classes.ts'
import { machineOf } from '../../detectors/content-machine.ts'
import { createSieve, type Sieve } from '../../detectors/content-sieve.ts'
import { type Chars, readPattern, type Tree } from '../../detectors/content-syntax.ts'
import { createVerifier } from '../../detectors/content-verifier.ts'
import { noProgress } from '../../detectors/content-walk.ts'
import { fold, foldPattern, SKIPPED } from '../../detectors/fold.ts'
import { chance } from '../load/events.ts'

const { detectors } = await loadCatalog()
const patterns = detectors.flatMap(({ patterns = [] }) => patterns)
const sources = [...new Set(patterns.flatMap(({ verify }) => (verify === undefined ? [] : [foldPattern(verify)])))]
const treeOf = (source: string): Tree => readPattern(source) ?? assert.fail(`not understood: ${source}`)
const sieveOf = (source: string): Sieve => createSieve(treeOf(source))
const expressionOf = (source: string) => RE2JS.compile(source, RE2JS.CASE_INSENSITIVE | RE2JS.DOTALL)
const unitsOf = (text: string): Uint16Array => Uint16Array.from({ length: text.length }, (_, at) => text.charCodeAt(at))
/** What the content pass asks: is there a match in a folded text without its skipped characters? */
const matches = (expression: RE2JS, text: string): boolean => expression.test(text.replaceAll(SKIPPED, ''))
const says = (sieve: Sieve, text: string): boolean => sieve(unitsOf(text), 0, text.length, noProgress())

type Pick = (below: number) => number
const few = 'ab z09_.,!?-\n"<日😀é'

/** A text that the tree matches, most of the time: edges may fall where there are none. */
function sample(tree: Tree, pick: Pick): string {
  if (tree.kind === 'edge') return ''
  if (tree.kind === 'all') return tree.parts.map((part) => sample(part, pick)).join('')
  if (tree.kind === 'any') return sample(tree.options[pick(tree.options.length)] as Tree, pick)
  if (tree.kind === 'repeat') {
    const count = tree.min + pick(Math.min(4, tree.max - tree.min + 1))
    return Array.from({ length: count }, () => sample(tree.part, pick)).join('')
  }
  return sampleOf(tree.chars, pick)
}

function sampleOf({ negated, ranges, letters }: Chars, pick: Pick): string {
  if (negated) return [...few][pick([...few].length)] as string
  if (letters && pick(2) === 0) return ['q', 'é', '語', '𝐚', '𐐷'][pick(5)] as string
  const [first, last] = ranges[pick(ranges.length)] ?? [55, 57]
  return String.fromCharCode(first + pick(last - first + 1))
}

/** Pieces of expressions, of which made-up ones are put together. */
const common = ['a', 'b', '[ab]', '[^a]', 'a+', '(?:ab|b)', 'b?', '.', '\\b', '^', '$', '\\s', '\\p{L}', '\\B', 'c{1,3}']

describe('sieve', () => {
  it('understands every pattern of the catalogue', () => {
    assert.ok(sources.length > 100)
    for (const source of sources) assert.ok(machineOf(treeOf(source)), source)
  })
  it('says no to no text that a pattern of the catalogue matches', () => {
    let matched = 0
    for (const source of sources) {
      const tree = treeOf(source)
      const sieve = sieveOf(source)
      const expression = expressionOf(source)
      const noise = fc.string({ unit: fc.constantFrom(...few, SKIPPED, '\ud83d', 'ignore ', 'send ', 'the ', ' '), maxLength: 12 })
      const choices = fc.infiniteStream(fc.nat())
      fc.assert(
        fc.property(noise, choices, noise, fc.nat(30), (before, stream, after, cut) => {
          const text = fold(`${before}${sample(tree, (below) => (stream.next().value as number) % below)}${after}`).slice(
            cut % 3 === 0 ? cut : 0,
          )
          const found = matches(expression, text)
          if (found) matched += 1
          if (found) assert.ok(says(sieve, text), `${JSON.stringify(text)} of ${source}`)
        }),
        { numRuns: 30 },
      )
    }
    assert.ok(matched > sources.length * 5, `only ${matched} of the texts match`)
  })
  it('says what the expression says, where nothing is counted far', () => {
    const parts = [...common, '(?:a|bc){2}', '[^\\w]', 'é']
    const expressions = fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 6 })
    const texts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', '-', 'é', '日', SKIPPED), maxLength: 14 }), {
      minLength: 4,
      maxLength: 4,
    })
    fc.assert(
      fc.property(expressions, texts, (some, list) => {
        const source = some.join('')
        const [sieve, expression] = [sieveOf(source), expressionOf(source)]
        for (const text of list) assert.equal(says(sieve, text), matches(expression, text), `${source} in ${JSON.stringify(text)}`)
      }),
      { numRuns: 400 },
    )
  })
  it('says no to no window that matches, whatever windows came before', () => {
    const parts = [...common, 'ab', 'ca', '(?:\\b|c)a']
    const expressions = fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 5 })
    const texts = fc.string({ unit: fc.constantFrom('a', 'b', 'c', ' ', '-', 'é', '日', '😀', SKIPPED), maxLength: 40 })
    const steps = fc.array(fc.tuple(fc.nat(6), fc.nat(6)), { minLength: 2, maxLength: 8 })
    let [yes, no] = [0, 0]
    fc.assert(
      fc.property(expressions, texts, steps, (some, text, list) => {
        const [sieve, expression, progress] = [sieveOf(some.join('')), expressionOf(some.join('')), noProgress()]
        let [from, to] = [0, 4]
        for (const [forward, longer] of list) {
          from = Math.min(text.length, from + forward)
          to = Math.min(text.length, Math.max(from, to + longer))
          const said = sieve(unitsOf(text), from, to, progress)
          const window = text.slice(from, to)
          if (matches(expression, window)) {
            yes += 1
            assert.ok(said, `${some.join('')} in ${JSON.stringify(window)} of ${JSON.stringify(text)}`)
          } else if (!said) no += 1
        }
      }),
      { numRuns: 2_000 },
    )
    assert.ok(yes > 500 && no > 500, `${yes} ${no}`)
  })
  it('takes a character beyond the basic plane for one, and half of one for one', () => {
    for (const source of ['a[^b]c', 'a\\p{L}c', 'a.c', 'a..c', '^[^a]$', 'a\\b.', '\\p{L}$'])
      for (const text of ['a😀c', 'a𐐷c', 'a\ud83dc', 'a\ude00c', '😀', 'a\ude00\ud83dc', '𐐷'])
        if (matches(expressionOf(source), text)) assert.ok(says(sieveOf(source), text), `${source} in ${JSON.stringify(text)}`)
  })
  it('holds equal all forms of a letter that the expressions hold equal', () => {
    const known = new Set([...sources.join('')].filter((char) => char > '\x7f').map((char) => canonicalOf(char.charCodeAt(0))))
    const all = expressionOf(`[${[...sources.join('')].filter((char) => char > '\x7f').join('')}]`)
    for (let unit = 128; unit < 0xd800; unit += 1)
      if (all.test(String.fromCharCode(unit))) assert.ok(known.has(canonicalOf(unit)), unit.toString(16))
  })
  it('lets through what its table has no room for', () => {
    const source = 'a[ab]{8}[ab]{8}c'
    const random = Array.from(
      { length: 20_000 },
      (
        (next) => () =>
          next() < 0.5 ? 'a' : 'b'
      )(chance(7)),
    ).join('')
    assert.equal(matches(expressionOf(source), random), false)
    assert.equal(says(sieveOf(source), random), true)
    assert.equal(says(sieveOf(source), 'b'.repeat(20_000)), false)
  })
})

describe('reading of expressions', () => {
  it('gives up on what it does not know, and a fault in such an expression shows when it is loaded', () => {
    for (const source of [
      '(?i)a',
      '(?=a)',
      'a**',
      '[[:alpha:]]',
      '\\pL',
      '\\p{Greek}',
      '(a',
      'a)',
      '[a',
      'a{2,1}',
      '[à-ü]',
      'a\\',
      '\\Q',
      '(?P<n>a)',
      '😀',
    ])
      assert.equal(readPattern(source), undefined, source)
    assert.throws(() => createVerifier('(a'))
    assert.throws(() => createVerifier('a{2,1}'))
    assert.equal(says(createVerifier('(?i)abc').possible, 'zzz'), true)
  })
  it('understands nothing that the engine behind refuses', () => {
    const pieces = ['a', '(', ')', '[', ']', '|', '*', '+?', '{2}', '{1,3}', '\\b', '\\.', '^', '-', '\\p{L}', '\\s', '(?:', '.', '\\']
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 10 }), (some) => {
        if (readPattern(some.join(''))) expressionOf(some.join(''))
      }),
      { numRuns: 2_000 },
    )
  })
})
