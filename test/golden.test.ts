/** Golden stories: attacks that must be found whatever their wording, language and protocol era, and ordinary work that must stay silent. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { judge, judgeStories } from './judging.ts'

const folder = join(import.meta.dirname, 'golden')

describe('golden stories', () => {
  judgeStories(folder)

  it('every story has an expectation, and every expectation a story', () => {
    const stories = readdirSync(folder)
      .filter((name) => name.endsWith('.jsonl'))
      .map((name) => name.slice(0, -'.jsonl'.length))
    const expected = Object.keys(JSON.parse(readFileSync(join(folder, 'expect.json'), 'utf8')) as object)
    assert.deepEqual(stories.sort(), expected.sort())
  })

  it('a missing alert fails the judgement', () => {
    assert.throws(() => judge([], { fires: [{ from: 0, to: 1, min: 'low', why: 'D1: nothing was found' }] }, 1))
  })
})
