/** What the engine promises, whatever the rules: detectors/engine.ts 1 to 3, and its bounds. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { createEngine, prepareDetectors } from '../../detectors/engine.ts'
import { createInline, type Inline } from '../../detectors/inline.ts'
import loop from '../../detectors/rules/loop.ts'
import { stateOf } from '../../detectors/snapshot.ts'
import type { Fact } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { echo, eventsOf, everyThird, fragile, manySteps, type Step, sharedTool, tiny } from './tiny-detectors.ts'

const prepared = prepareDetectors([...tiny, loop])
const steps: fc.Arbitrary<Step[]> = fc.array(fc.record({ actor: fc.nat(4), tool: fc.constantFrom('a', 'b', 'c', 'boom') }), {
  maxLength: 60,
})

/** All that is said, in order. */
function said(events: readonly McpEvent[], restartAfter: (index: number) => boolean = () => false) {
  let engine: Inline = createInline({ prepared })
  const all: string[] = []
  for (const [index, event] of events.entries()) {
    const { alerts, hits, signals, links } = engine.event(event)
    all.push(...alerts.map(({ alertId, severity }) => `alert ${alertId} ${severity}`))
    all.push(...hits.map(({ alertId, eventId }) => `hit ${alertId} ${eventId}`))
    all.push(...signals.map(({ signal, eventId }) => `signal ${signal} ${eventId}`))
    all.push(...links.map(({ eventId, threadId }) => `link ${eventId} ${threadId}`))
    if (restartAfter(index)) engine = createInline({ prepared, snapshot: engine.snapshot() })
  }
  return all
}

it('says the same, in the same order, wherever it is stopped and restored', () => {
  fc.assert(
    fc.property(steps, fc.array(fc.nat(120), { maxLength: 8 }), (some, stops) => {
      const events = eventsOf(some)
      assert.deepEqual(
        said(events, (index) => stops.includes(index)),
        said(events),
      )
    }),
    { numRuns: 60 },
  )
})

it('says the same on a long story, restored after every hundredth event', () => {
  const events = eventsOf(manySteps(600))
  const plain = said(events)
  assert.ok(plain.filter((line) => line.startsWith('alert ')).length > 100)
  assert.deepEqual(
    said(events, (index) => index % 100 === 99),
    plain,
  )
})

it('a snapshot restored is the same snapshot', () => {
  const engine = createEngine({ prepared })
  for (const event of eventsOf(manySteps(50))) engine.event(event)
  const snapshot = engine.snapshot()
  assert.deepEqual(stateOf(createEngine({ prepared, snapshot }).snapshot()), stateOf(snapshot))
})

it('inspects an event that comes again once, also after a restart', () => {
  const events = eventsOf(manySteps(40))
  const once = said(events)
  const engine = createInline({ prepared })
  for (const event of events) engine.event(event)
  const after = createInline({ prepared, snapshot: engine.snapshot() })
  for (const event of events) {
    const { alerts, hits, signals, facts, links } = after.event(event)
    assert.deepEqual([alerts, hits, signals, facts, links], [[], [], [], [], []])
  }
  assert.equal(after.stats().duplicates, events.length)
  assert.deepEqual(said(events.flatMap((event) => [event, event])), once)
})

it('a detector that throws loses its own verdict of that event, is counted, and disturbs nobody', () => {
  fc.assert(
    fc.property(steps, (some) => {
      const events = eventsOf(some)
      const errors: string[] = []
      const idsOf = (engine: Inline, id: string) =>
        events.flatMap((event) => engine.event(event).alerts.filter(({ detector }) => detector === id))
      const together = createInline({ prepared: prepareDetectors(tiny), onError: (id) => errors.push(id) })
      const alone = createInline({ prepared: prepareDetectors([everyThird]) })
      assert.deepEqual(idsOf(together, 'every-third'), idsOf(alone, 'every-third'))
      const booms = some.filter(({ tool }) => tool === 'boom').length
      assert.deepEqual(errors, Array(booms).fill('fragile'))
      assert.equal(together.stats().errors.get('fragile') ?? 0, booms)
    }),
    { numRuns: 30 },
  )
})

it('no memory holds more keys than its maximum, and the rest is let go', () => {
  const engine = createEngine({ prepared: prepareDetectors([fragile]) })
  const slots = () => {
    const memory = stateOf(engine.snapshot()).memory.get('fragile')
    assert.ok(memory)
    return memory.slots
  }
  for (const [n, event] of eventsOf(manySteps(400, 200)).entries()) {
    engine.event(event)
    if (n % 50 === 0) assert.ok(slots().young.size + slots().old.size <= 10)
  }
  assert.ok(slots().evicted > 100)
})

it('facts of several partitions give the same alerts in any order', () => {
  const one = prepareDetectors([sharedTool])
  const factsOf = (events: readonly McpEvent[]) => {
    const engine = createEngine({ prepared: one })
    return events.flatMap((event) => engine.event(event).facts)
  }
  const alertsOf = (facts: readonly Fact[]) => {
    const engine = createEngine({ prepared: one })
    return new Set(facts.flatMap((fact) => engine.fact(fact).alerts.map(({ alertId }) => alertId)))
  }
  const events = eventsOf(manySteps(40, 3))
  // Each actor's events are in one partition.
  const parts = [0, 1, 2].map((actor) => factsOf(events.filter((event) => event.actor === `actor-${actor}`)))
  const expected = alertsOf(parts.flat())
  assert.equal(expected.size, 4)
  fc.assert(
    fc.property(fc.shuffledSubarray(parts.flat(), { minLength: parts.flat().length }), (facts) => {
      assert.deepEqual(alertsOf([...facts, ...facts.slice(0, 5)]), expected)
    }),
    { numRuns: 50 },
  )
})

it('a fact is stated once for an actor, also after a restart', () => {
  const one = prepareDetectors([sharedTool])
  const events = eventsOf(manySteps(40, 1))
  let engine = createEngine({ prepared: one })
  const facts = events.flatMap((event) => {
    const { facts: stated } = engine.event(event)
    engine = createEngine({ prepared: one, snapshot: engine.snapshot() })
    return stated
  })
  assert.deepEqual(facts.map(({ body }) => body).sort(), ['a', 'b', 'c', 'd'])
})

it('a signal reaches who reads it, in the same breath', () => {
  const engine = createEngine({ prepared: prepareDetectors([everyThird, echo]) })
  const verdicts = eventsOf(manySteps(9, 1)).map((event) => engine.event(event))
  const echoes = verdicts.flatMap(({ alerts }) => alerts.filter(({ detector }) => detector === 'echo'))
  assert.deepEqual(
    echoes.map(({ about }) => about),
    verdicts.flatMap(({ signals }) => signals.map(({ eventId }) => eventId)),
  )
  assert.equal(echoes.length, 3)
})
