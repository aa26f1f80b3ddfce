/** Whatever the order in which taps send: what is grave is told, under the same id. */
import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { describe, it } from 'node:test'
import { readEvents, storyEvents } from '../../collectors/file.ts'
import { fileHash } from '../../commands/detect.ts'
import { fileRedactor } from '../../commands/redact-file.ts'
import { loadCatalog } from '../../detectors/catalog.ts'
import { prepareDetectors } from '../../detectors/engine.ts'
import { createInline } from '../../detectors/inline.ts'
import { type Alert, severityRank } from '../../schemas/alert.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { alertIdOf } from '../../schemas/ids.ts'
import { arrivals } from './arrival-order.ts'

const golden = join(import.meta.dirname, '..', 'golden')
const scenarios = join(import.meta.dirname, '..', '..', '..', 'shared', 'scenarios')
const { detectors } = await loadCatalog()
const prepared = prepareDetectors(detectors)
const DAY_NS = 86_400_000_000_000n

/**
 * The id, but for two differences that are known: of a flow that was first told in a milder grade the graver alert has a name
 * of its own, and a thread without evidence is named after the event that arrived first.
 */
function idOf({ tenant, detector, about, time, threadId = '' }: Alert): string {
  const named = threadId === '' ? about : about.replaceAll(threadId, 'thread')
  return alertIdOf(tenant, detector, named.replace(/ raised$/, ''), time, DAY_NS)
}

function graveOf(events: readonly McpEvent[]): Map<string, string> {
  const inline = createInline({ prepared, onError: (id, error) => assert.fail(`${id}: ${String(error)}`) })
  const grave = events
    .flatMap((event) => inline.event(event).alerts)
    .filter(({ severity }) => severityRank(severity) >= severityRank('high'))
  return new Map(grave.map((alert) => [idOf(alert), `${alert.severity} ${alert.detector}: ${alert.summary}`]))
}

const without = (all: ReadonlyMap<string, string>, others: ReadonlyMap<string, string>): string[] =>
  [...all].filter(([id]) => !others.has(id)).map(([, says]) => says)

/** How many orders were tried. */
function check(story: string, events: readonly McpEvent[]): number {
  const told = graveOf(events)
  const orders = arrivals(events)
  for (const { how, events: order, userLate } of orders) {
    const now = graveOf(order)
    assert.deepEqual(without(told, now), [], `${story}, ${how}: missing`)
    if (!userLate) assert.deepEqual(without(now, told), [], `${story}, ${how}: told too much`)
  }
  return orders.length
}

async function eventsOf(file: string): Promise<McpEvent[]> {
  const redact = fileRedactor(fileHash)
  const events: McpEvent[] = []
  for await (const { event } of readEvents(file, { keyedHash: fileHash })) events.push(redact(event))
  return events
}

describe('one sender up to five seconds behind the others, or neighbours swapped', () => {
  for (const folder of [golden, scenarios].filter(existsSync)) {
    it(`the same alerts at high and critical, in every story of ${basename(folder)}`, async () => {
      let tried = 0
      for (const name of readdirSync(folder).filter((file) => file.endsWith('.jsonl')))
        tried += check(name, await eventsOf(join(folder, name)))
      assert.ok(tried > 20, `${tried} orders`)
    })
  }

  for (const { id, examples } of detectors)
    it(`the same in the examples of ${id}`, () => {
      for (const { name, story } of examples)
        check(
          name,
          storyEvents(story, { item: 'example' }).map(({ event }) => event),
        )
    })
})
