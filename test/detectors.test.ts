/** Every detector, without knowing any: its examples, and the properties that all must have. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { storyEvents } from '../collectors/file.ts'
import { loadCatalog } from '../detectors/catalog.ts'
import { prepareDetectors } from '../detectors/engine.ts'
import { createInline } from '../detectors/inline.ts'
import { textsOf } from '../detectors/texts.ts'
import { Alert } from '../schemas/alert.ts'
import type { StoryLine } from '../schemas/story.ts'

const { detectors, failed } = await loadCatalog()
const prepared = prepareDetectors(detectors)
const eventsOf = (story: readonly StoryLine[]) => storyEvents(story, { item: 'example' })

/** Lines at which this detector has something new to say. */
function firingsOf(id: string, story: readonly StoryLine[], { restartEvery = 0, twice = false } = {}) {
  let engine = createInline({ prepared, onError: (detector, error) => assert.fail(`${detector}: ${String(error)}`) })
  const lines: number[] = []
  let count = 0
  for (const { message, event } of eventsOf(story)) {
    for (const again of twice ? [0, 1] : [0]) {
      const { alerts, signals } = engine.event(event)
      const mine = [...alerts, ...signals].filter((verdict) => verdict.detector === id)
      if (again === 1) assert.equal(mine.length, 0, 'an event delivered twice raises nothing new')
      for (const alert of alerts) Alert.parse(alert)
      lines.push(...mine.map(() => message))
    }
    count += 1
    if (restartEvery > 0 && count % restartEvery === 0) engine = createInline({ prepared, snapshot: engine.snapshot() })
  }
  return lines
}

it('every file in rules/ loads', () => assert.deepEqual(failed, []))
it('ids of patterns are unique', () => {
  const ids = detectors.flatMap((detector) => (detector.patterns ?? []).map(({ id }) => id))
  assert.equal(new Set(ids).size, ids.length)
})

for (const detector of detectors) {
  describe(detector.id, () => {
    const firing = detector.examples.filter(({ fires }) => fires.length > 0)
    it('has at least 4 examples that fire and 6 that stay quiet', () => {
      assert.ok(firing.length >= 4, `${firing.length} fire`)
      assert.ok(detector.examples.length - firing.length >= 6, `${detector.examples.length - firing.length} are quiet`)
    })
    for (const { name, story, fires } of detector.examples) {
      it(`${fires.length > 0 ? 'fires' : 'is quiet'}: ${name}`, () => assert.deepEqual(firingsOf(detector.id, story), fires))
      it(`the same after a restart between any two events, and when all comes twice: ${name}`, () => {
        assert.deepEqual(firingsOf(detector.id, story, { restartEvery: 1 }), fires)
        assert.deepEqual(firingsOf(detector.id, story, { twice: true }), fires)
      })
    }
    it('fills every {word} of its playbook from its evidence', () => {
      const words = [...detector.playbook.join(' ').matchAll(/\{(\w+)\}/g)].map((match) => match[1] as string)
      for (const { story } of firing) {
        const engine = createInline({ prepared })
        for (const { event } of eventsOf(story)) {
          for (const alert of engine.event(event).alerts) {
            if (alert.detector !== detector.id) continue
            for (const word of words) assert.ok(word in alert.evidence, `{${word}} is not in ${JSON.stringify(alert.evidence)}`)
          }
        }
      }
    })
    it('says why, how it maps, what it cannot see', () => {
      assert.ok(detector.why.length > 20 && detector.blindSpots.length > 0 && detector.playbook.length > 1)
      assert.ok(detector.maps.cosai.length > 0)
      if (detector.scope === 'server' || detector.scope === 'tenant') {
        for (const read of detector.reads) assert.ok(read.startsWith('fact:'), `${detector.scope} scope reads facts only, not ${read}`)
      }
    })
  })
}

describe('hostile events', () => {
  const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '', '\u0000', '⟦secret:x:0000000000000000⟧', 'a'.repeat(5_000)]
  const odd = [
    null,
    true,
    0,
    -1e308,
    '',
    [],
    {},
    [[[]]],
    { __proto__: null },
    JSON.parse('{"__proto__":{"a":1},"constructor":{"prototype":{}}}'),
    names,
  ]
  it('never make a detector throw, whatever the names and the JSON', () => {
    const lines: StoryLine[] = []
    let id = 0
    for (const name of names) {
      for (const value of odd) {
        id += 1
        lines.push({
          t: id,
          srv: name,
          dir: 'c2s',
          msg: { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: { [name || 'x']: value } } },
        })
        lines.push({
          t: id,
          srv: name,
          dir: 's2c',
          msg: { jsonrpc: '2.0', id, result: { content: value, structuredContent: { [name]: value }, requestState: value } },
        })
        lines.push({ t: id, srv: name, dir: 'c2s', msg: { jsonrpc: '2.0', id: `l${id}`, method: 'tools/list' } })
        lines.push({
          t: id,
          srv: name,
          dir: 's2c',
          msg: {
            jsonrpc: '2.0',
            id: `l${id}`,
            result: { tools: [{ name, description: value, inputSchema: { properties: { [name]: value } } }, value] },
          },
        })
      }
    }
    const engine = createInline({ prepared, onError: (detector, error) => assert.fail(`${detector}: ${(error as Error).stack}`) })
    for (const { event } of eventsOf(lines)) {
      textsOf(event)
      engine.event(event)
    }
    assert.equal(({} as { a?: unknown }).a, undefined)
  })
})
