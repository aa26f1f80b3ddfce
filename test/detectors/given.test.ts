/** The quick ways to what a call was given find what the plain, slow ways find. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { carriedIn, mayCarry } from '../../detectors/signals/address-data.ts'
import { parseAddress } from '../../detectors/signals/addresses.ts'
import { allArgumentsOf, argumentsOf, hasOperatorKey, sign, signsOf } from '../../detectors/signals/arguments.ts'
import { parsePath, resolved } from '../../detectors/signals/paths.ts'
import { longestCoded } from '../../detectors/signals/quantiles.ts'
import { walkStrings } from '../../detectors/texts.ts'
import type { Json, McpEvent } from '../../schemas/event.ts'

const called = (args: Json, toolName = 'run_query') => ({ toolName, arguments: args }) as unknown as McpEvent
const key = fc.constantFrom('path', 'query', 'a/b', '~', '', '$where', '__proto__', 'x$', 'note', '0')
const { given } = fc.letrec<{ given: Json }>((tie) => ({
  given: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom<Json>('', 'text', 'a/b', null, 7, true),
    fc.array(tie('given'), { maxLength: 4 }) as fc.Arbitrary<Json>,
    fc.array(fc.tuple(key, tie('given')), { maxLength: 5 }).map((entries) => Object.fromEntries(entries) as Json),
  ),
}))

function walked(args: Json) {
  const found: { pointer: string; name: string; whole: string }[] = []
  walkStrings(args, '/arguments', (pointer, whole, name) => found.push({ pointer, name, whole }))
  return found
}
const plain = (list: ReturnType<typeof allArgumentsOf>) => list.map(({ pointer, name, whole }) => ({ pointer, name, whole }))

it('finds every string of the arguments, in document order', () => {
  fc.assert(
    fc.property(given, (args) => {
      const event = called(args)
      const all = walked(args)
      assert.deepEqual(plain(allArgumentsOf(event)), all)
      assert.deepEqual(
        plain(argumentsOf(event)),
        all.filter(({ whole }) => whole !== ''),
      )
      const names = JSON.stringify(args).match(/"[^"]*":/g) ?? []
      assert.equal(
        hasOperatorKey(event),
        names.some((name) => name.startsWith('"$')),
      )
    }),
    { numRuns: 2_000 },
  )
})

it('has a bound: 500 strings, as many empty ones, and 4,096 characters of each', () => {
  const event = called(Array.from({ length: 3_000 }, (_, n) => (n % 3 === 0 ? 'x'.repeat(5_000) : '')))
  assert.equal(argumentsOf(event).length, 500)
  assert.equal(allArgumentsOf(event).length, 1_000)
  assert.ok(argumentsOf(event).every(({ text, whole }) => text.length === 4_096 && whole.length === 5_000))
})

const pieces =
  '/ // \\ .. . %2e %2f %00 \0 ~ a ab C: : ; \n \r\n www. WWW. http https:// file:// $HOME home root - _ @ é [FILE] in.example'.split(' ')
const readable = [
  'SGVsbG8gRGF2aWQsIHRoaXMgaXMgYSBmZXcgd29yZHMgb2YgdGV4dCB0byByZWFk',
  Buffer.from('some words that are to be read').toString('hex'),
]
const text = fc.array(fc.constantFrom(...pieces, ...readable, ' '), { maxLength: 12 }).map((some) => some.join(''))

it('reads a plain path as it reads any other', () => {
  const segment = fc.constantFrom('a', 'b-c', 'd.e', '_f', 'home', 'Users', 'root', 'dev', '..', '.', '.ssh', '~', 'x..y', '')
  const path = fc.tuple(fc.constantFrom('/', '~/', '', './', 'C:/'), fc.array(segment, { maxLength: 5 }))
  fc.assert(
    fc.property(
      fc.oneof(
        path.map(([lead, some]) => lead + some.join('/')),
        text,
      ),
      (some) => assert.deepEqual(parsePath(some), resolved(some)),
    ),
    { numRuns: 10_000 },
  )
})

it('says of no text that it lacks what a rule finds in it', () => {
  fc.assert(
    fc.property(text, (some) => {
      const signs = signsOf(some)
      if (carriedIn(some).length > 0) assert.ok(argumentsOf(called(some)).some(mayCarry), some)
      if (parseAddress(some)) assert.ok((signs & sign.colon) !== 0, some)
      const path = resolved(some)
      const odd = path !== undefined && (path.climbs > 0 || path.parentSteps > 0 || path.encoded || path.nul)
      if (odd || /^\s*\\\\/.test(some)) assert.ok((signs & (sign.dots | sign.percent | sign.nul | sign.backslash)) !== 0, some)
    }),
    { numRuns: 20_000 },
  )
})

it('finds the longest stretch of code that the pattern for it finds', () => {
  const longest = (some: string): string => {
    let best = ''
    for (const [run] of some.slice(0, 16_384).matchAll(/[A-Za-z0-9+/=_-]+(?:\r?\n[A-Za-z0-9+/=_-]{16,})*/g))
      if (run.length > best.length) best = run
    return best.replace(/\s+/g, '')
  }
  const part = fc.constantFrom('a', 'B1+', 'x'.repeat(15), 'y'.repeat(16), 'z'.repeat(17), '\n', '\r\n', '\r', ' ', '.', 'é', '\u2028', '=')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 30 }), (some) => assert.equal(longestCoded(some.join('')), longest(some.join('')))),
    { numRuns: 10_000 },
  )
})
