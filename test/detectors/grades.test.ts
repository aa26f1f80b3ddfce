/** How grave a finding is, where the examples say only that there is one: carelessness stays low, an accepted bypass is critical. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { storyEvents } from '../../collectors/file.ts'
import { prepareDetectors } from '../../detectors/engine.ts'
import { createInline } from '../../detectors/inline.ts'
import destructive from '../../detectors/rules/destructive-operation.ts'
import conformance from '../../detectors/rules/protocol-conformance.ts'
import { carelessStories } from '../../detectors/signals/protocol-examples.ts'
import { severityRank } from '../../schemas/alert.ts'
import type { AnyDetector, Example } from '../../schemas/detector.ts'
import { calls, host, type StoryLine, story } from '../../schemas/story.ts'

const worstOf = (detector: AnyDetector, lines: readonly StoryLine[]): string => {
  const engine = createInline({ prepared: prepareDetectors([detector]) })
  const found = storyEvents(lines).flatMap(({ event }) => engine.event(event).alerts.map(({ severity }) => severity))
  return found.sort((a, b) => severityRank(b) - severityRank(a))[0] ?? 'none'
}
const exampleOf = (detector: { examples: readonly Example[] }, name: string): readonly StoryLine[] => {
  const found = detector.examples.find((example) => example.name === name)
  assert.ok(found, name)
  return found.story
}

it('careless senders are low at most', () => {
  for (const lines of carelessStories) assert.equal(worstOf(conformance, lines), 'low', JSON.stringify(lines).slice(0, 300))
})

for (const [name, severity] of [
  ['the tool name twice', 'high'],
  ['the name in the header is another one, and the server goes on', 'critical'],
  ['the name in the header is encoded, and another one', 'medium'],
  ['three mismatches refused in ten minutes', 'high'],
  ['two header lines that disagree', 'high'],
  ['sampling that the client never declared', 'high'],
  ['an answer nobody asked for on a known connection', 'high'],
  ['back to an older version with the same builds', 'medium'],
] as const) {
  it(`${severity}: ${name}`, () => assert.equal(worstOf(conformance, exampleOf(conformance, name)), severity))
}

const volume = (extra: object, ...before: StoryLine[]) =>
  story(...before, calls('infra', 'delete_volume', { volume_id: 'v-1' }, 'ok', extra))
const production = { labels: { environment: 'production' } }
for (const [name, lines, severity] of [
  ['a volume', volume({}), 'high'],
  ['a volume in production', volume(production), 'critical'],
  ['a volume of a test', volume({ labels: { environment: 'test' } }), 'low'],
  ['a volume in production that a person agreed to', volume(production, host('approval', { decision: 'allow', mode: 'manual' })), 'medium'],
  ['a volume in production that nobody looked at', volume(production, host('approval', { decision: 'allow', mode: 'auto' })), 'critical'],
  ['data and its backup', exampleOf(destructive, 'data, then its backup'), 'critical'],
  ['ten files within a minute', exampleOf(destructive, 'ten files within a minute'), 'critical'],
  ['the production database by its name', story(calls('db', 'run_sql', { sql: 'DROP DATABASE shop_prod' })), 'critical'],
  ['the development database by its name', story(calls('db', 'run_sql', { sql: 'DROP DATABASE shop_dev' })), 'low'],
] as const) {
  it(`${severity}: ${name}`, () => assert.equal(worstOf(destructive, lines), severity))
}
