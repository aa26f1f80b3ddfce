/** Which sources have been silent for longer than they usually are: habits are learned once an hour, silence is looked at every round. */
import type { Store } from '../api/store/connect.ts'
import { rfc3339 } from '../schemas/semconv.ts'
import type { Observation } from './monitor.ts'
import { lastSpoken, type SourceHabit, sourceHabits } from './monitor-store.ts'

const hour = 3_600
const day = 24 * hour
const learnedFor = 7 * day
const learnEvery = hour
/** A question that failed was perhaps too large: it is not asked again every minute. */
const learnAgain = 300
/** Events carry their sender's clock: one from the future must not make its source look awake for ever. */
const aheadMax = 60
const observationsMax = 200
/** A long silence is told less often. */
const minutesPerWord = (silentSeconds: number): number => (silentSeconds < hour ? 1 : 15)

const idOf = ({ owner, source, dialect }: Pick<SourceHabit, 'owner' | 'source' | 'dialect'>): string =>
  JSON.stringify([owner, source, dialect])

export function createSilences(store: Store, now: () => number, actor: string): () => Promise<Observation[]> {
  // What was missed while nobody listened is nobody's silence.
  const startedAt = Math.floor(now() / 1_000)
  let learnedAt = Number.NEGATIVE_INFINITY
  let habits = new Map<string, SourceHabit>()
  const told = new Map<string, number>()

  async function learn(at: number): Promise<void> {
    learnedAt = at - learnEvery + learnAgain
    const found = await sourceHabits(store, at - learnedFor, at + aheadMax)
    // Known for a day, and heard in half of its hours: whether that is regular enough is for the rule to say.
    const steady = found.filter(({ firstSeen, activeHours }) => at - firstSeen >= day && activeHours * hour * 2 >= at - firstSeen)
    habits = new Map(steady.map((habit) => [idOf(habit), habit]))
    for (const id of told.keys()) if (!habits.has(id)) told.delete(id)
    learnedAt = at
  }
  async function hear(at: number): Promise<void> {
    for (const spoken of await lastSpoken(store, at - 2 * hour, at + aheadMax)) {
      const id = idOf(spoken)
      const habit = habits.get(id)
      if (habit && spoken.lastSeen > habit.lastSeen) habits.set(id, { ...habit, lastSeen: spoken.lastSeen })
    }
  }
  return async () => {
    const at = Math.floor(now() / 1_000)
    if (at - learnedAt >= learnEvery) await learn(at)
    else if (habits.size > 0) await hear(at)
    const found: Observation[] = []
    for (const [id, habit] of habits) {
      const silentSeconds = at - Math.max(habit.lastSeen, startedAt)
      if (silentSeconds <= habit.usualSeconds || silentSeconds <= 0) continue
      const period = minutesPerWord(silentSeconds)
      const slot = Math.floor(at / 60 / period)
      if (told.get(id) === slot * period || found.length >= observationsMax) continue
      told.set(id, slot * period)
      const { owner, source, dialect, lastSeen, firstSeen, activeHours, usualSeconds } = habit
      const knownHours = Math.min(learnedFor / hour, Math.ceil((at - firstSeen) / hour))
      const params = {
        ...{ owner, source, dialect, silentSeconds, usualSeconds, activeHours, knownHours },
        lastSeen: rfc3339(BigInt(lastSeen) * 1_000_000_000n),
      }
      found.push({ name: 'pipeline.sources', key: [owner, source, dialect, period, slot], timeMs: slot * period * 60_000, params, actor })
    }
    return found
  }
}
