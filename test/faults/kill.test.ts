/** Fifty kills of the product and fifty of its engine child: what was acknowledged is stored once, and what was owed was told once. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { killRounds } from './kill-rounds.ts'

it('loses nothing, doubles nothing and misses no alert, whenever it is killed', { timeout: 1_500_000 }, async (t) => {
  const seed = Date.now() % 1_000_000
  t.diagnostic(`seed ${seed}`)
  const outcome = await killRounds({ mainKills: 50, engineKills: 50, seed, say: (line) => t.diagnostic(line) })
  t.diagnostic(JSON.stringify(outcome))
  assert.ok(outcome.mainKills >= 50 && outcome.engineKills >= 50)
  assert.ok(outcome.engineRestarts > 0, 'no engine was started again: the kills missed')
  assert.ok(outcome.replays > 0, 'nothing was handed over again: the kills missed')
  assert.ok(outcome.retries > 0, 'no sender had to try again: the kills missed')
  assert.ok(outcome.alerts > 0 && outcome.acknowledged > 1_000)
})
