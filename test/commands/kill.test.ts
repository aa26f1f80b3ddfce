/** The fault suite in small: three kills of the product and three of its engine child. The whole is test/faults/kill.test.ts. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { killRounds } from '../faults/kill-rounds.ts'

it('loses nothing, doubles nothing and misses no alert over a few kills', { timeout: 240_000 }, async (t) => {
  const seed = Date.now() % 1_000_000
  const outcome = await killRounds({ mainKills: 3, engineKills: 3, seed })
  t.diagnostic(JSON.stringify({ seed, ...outcome }))
  assert.ok(outcome.mainKills >= 3 && outcome.engineKills >= 3)
  assert.ok(outcome.engineRestarts > 0 && outcome.replays > 0, 'the kills missed')
  assert.ok(outcome.alerts > 0 && outcome.acknowledged > 0)
})
