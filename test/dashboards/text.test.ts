/** What the page does to text before it shows it: nothing invisible is left, nothing is lost, and a difference is the whole difference. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { diffWords } from '../../dashboards/app/diff.ts'
import { textAt } from '../../dashboards/app/event-text.ts'
import { piecesOf } from '../../dashboards/app/pieces.ts'

const unseen = /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u{e0000}-\u{e0fff}]/u
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.string({ unit: fc.constantFrom('a', 'b', ' ', '\n', '\u202e', '\u200b', '\u001b', '\u{e0041}', '\ud800', '<', '.'), maxLength: 80 }),
)

test('pieces put together are the text, and no plain piece holds what cannot be seen', () => {
  fc.assert(
    fc.property(anyText, fc.array(anyText, { maxLength: 3 }), fc.boolean(), (text, marks, block) => {
      const pieces = piecesOf(text, marks, block)
      assert.equal(pieces.map((piece) => piece.text).join(''), text)
      for (const piece of pieces) {
        if (piece.unseen === undefined) assert.doesNotMatch(block ? piece.text.replace(/[\n\t]/g, '') : piece.text, unseen)
        else assert.doesNotMatch(piece.unseen, unseen)
      }
    }),
  )
})

test('what is hidden is spelled out', () => {
  const cases: [string, string][] = [
    ['a\u202eb', 'RLO'],
    ['\u001b[31m', 'ESC'],
    ['\u0000', 'NUL'],
    [String.fromCodePoint(...[...'run it'].map((character) => 0xe0000 + character.charCodeAt(0))), 'hidden: run it'],
    [`a${' '.repeat(60)}b`, '60 spaces'],
    ['\ufffd\ufffd\ufffd', '3 hidden characters'],
    ['\u{f0000}', 'U+F0000'],
  ]
  for (const [text, label] of cases)
    assert.ok(
      piecesOf(text).some((piece) => piece.unseen === label),
      label,
    )
  assert.deepEqual(piecesOf('naïve 日本 😀 café'), [{ text: 'naïve 日本 😀 café', marked: false }])
})

test('a mark is found whatever white space stands between its words, and is never read as a pattern', () => {
  const marked = (text: string, mark: string) =>
    piecesOf(text, [mark], true)
      .filter((piece) => piece.marked)
      .map((piece) => piece.text)
      .join('')
  assert.equal(marked('say\n  hello   to them', 'hello to'), 'hello   to')
  assert.equal(marked('a.c abc (x)* [y]', 'a.c'), 'a.c')
  assert.equal(marked('a.c abc (x)* [y]-/{2}', '(x)* [y]-/{2}'), '(x)* [y]-/{2}')
  assert.equal(marked('abc', '.*'), '')
})

test('a difference rebuilds both texts, whatever they are', () => {
  const words = fc.array(fc.constantFrom('the', 'a', 'tool', ' ', '  ', '\n', 'reads', '.', 'ü', '😀'), { maxLength: 40 })
  fc.assert(
    fc.property(fc.oneof(words, fc.constant(['x '.repeat(2_000)])), fc.oneof(words, fc.constant(['y '.repeat(2_000)])), (before, after) => {
      const changes = diffWords(before.join(''), after.join(''))
      const side = (kind: 'gone' | 'new') =>
        changes
          .filter((change) => change.kind === 'same' || change.kind === kind)
          .map(({ text }) => text)
          .join('')
      assert.deepEqual([side('gone'), side('new')], [before.join(''), after.join('')])
      if (before.join('') === after.join('')) assert.ok(changes.every(({ kind }) => kind === 'same'))
    }),
  )
})

test('a difference names words, not letters', () => {
  assert.deepEqual(diffWords('Reads a file.', 'Reads a secret file.'), [
    { kind: 'same', text: 'Reads a ' },
    { kind: 'new', text: 'secret ' },
    { kind: 'same', text: 'file.' },
  ])
})

test('a pointer leads to its text and nowhere else', () => {
  const event = {
    ...{ 'lapwing.event.id': 'e', time: '' },
    'lapwing.result': { tools: [{ description: 'x', 'a/b~c': 'y' }] },
    'gen_ai.tool.call.arguments': { path: '/etc' },
  }
  const cases: [string, string | undefined][] = [
    ['/body/tools/0/description', 'x'],
    ['/body/tools/0/a~1b~0c', 'y'],
    ['/arguments/path', '/etc'],
    ['/arguments/constructor', undefined],
    ['/arguments/__proto__', undefined],
    ['/body/tools/7/description', undefined],
    ['', undefined],
    ['/body', undefined],
  ]
  for (const [pointer, expected] of cases) assert.equal(textAt(event, pointer), expected, pointer)
})
