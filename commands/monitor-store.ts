/** What the store knows of the pipeline: dead letters per minute, and how regularly each source speaks. Plain questions with bounds. */
import type { Store } from '../api/store/connect.ts'

export type DeadMinute = Readonly<{
  /** Minutes since the epoch, in which they were stored. */
  minute: number
  letters: number
  /** Stored in the same minute; undefined where counting took too long. */
  events: number | undefined
  reasons: readonly Readonly<{ topic: string; reason: string; letters: number }>[]
}>
/** A source by its owner (tenant) and dialect; times in seconds since the epoch. */
export type SourceHabit = Readonly<{
  owner: string
  source: string
  dialect: string
  firstSeen: number
  lastSeen: number
  activeHours: number
  /** The longest of 99 in 100 of its pauses. */
  usualSeconds: number
}>

const reasonsMax = 20
const rowsMax = 1_000
const sourcesMax = 500
const readMsMax = 20_000
/** Of what is grouped in memory: a question of ours must not be what brings the store down. */
const settings = { max_threads: 2, max_memory_usage: '1000000000', max_execution_time: 15, priority: '10' }

async function ask<R>(store: Store, query: string, params: Record<string, unknown>): Promise<R[]> {
  const answer = await store.client.query({
    query,
    query_params: params,
    format: 'JSONEachRow',
    clickhouse_settings: settings,
    abort_signal: AbortSignal.timeout(readMsMax),
  })
  return answer.json<R>()
}

/** Minutes [from, to) with dead letters. `isNews` says whether a minute is worth counting its events. */
export async function deadMinutes(
  store: Store,
  { from, to }: { from: number; to: number },
  isNews: (minute: number, letters: number) => boolean,
): Promise<DeadMinute[]> {
  const rows = await ask<{ minute: number; topic: string; reason: string; letters: number }>(
    store,
    `SELECT intDiv(toUnixTimestamp(stored), 60) AS minute, topic, reason, uniqExact((partition, offset, log)) AS letters
     FROM dead_letters
     WHERE stored >= fromUnixTimestamp({from:UInt32}) AND stored < fromUnixTimestamp({to:UInt32})
     GROUP BY minute, topic, reason ORDER BY minute, letters DESC, topic, reason LIMIT {rows:UInt32}`,
    { from: from * 60, to: to * 60, rows: rowsMax },
  )
  const found: DeadMinute[] = []
  for (const [minute, own] of Map.groupBy(rows, (row) => Number(row.minute))) {
    const letters = own.reduce((sum, row) => sum + Number(row.letters), 0)
    if (!isNews(minute, letters)) continue
    const reasons = own
      .slice(0, reasonsMax)
      .map(({ topic, reason, letters: count }) => ({ topic, reason: reason.slice(0, 100), letters: Number(count) }))
    found.push({ minute, letters, events: await eventsIn(store, minute), reasons })
  }
  return found
}

async function eventsIn(store: Store, minute: number): Promise<number | undefined> {
  try {
    const [row] = await ask<{ events: number }>(
      store,
      `SELECT count() AS events FROM events
       WHERE stored >= fromUnixTimestamp({from:UInt32}) AND stored < fromUnixTimestamp({to:UInt32})`,
      { from: minute * 60, to: minute * 60 + 60 },
    )
    return row === undefined ? undefined : Number(row.events)
  } catch {
    return undefined // the letters are the news; how many events there were beside them only puts them in proportion
  }
}

const spoken = `FROM events
  WHERE time >= fromUnixTimestamp64Nano({from:Int64}) AND time < fromUnixTimestamp64Nano({to:Int64}) AND \`lapwing.event.kind\` != 'pipeline'`
const names = '`lapwing.tenant` AS owner, `lapwing.source` AS source, `lapwing.dialect` AS dialect'
const range = (from: number, to: number) => ({ from: `${from}000000000`, to: `${to}000000000` })

/** The habits of the sources that spoke in most hours between two times (seconds): the steadiest ones, at most 500. */
export async function sourceHabits(store: Store, from: number, to: number): Promise<SourceHabit[]> {
  const rows = await ask<Record<'owner' | 'source' | 'dialect', string> & Record<'first' | 'last' | 'hours' | 'pause', number>>(
    store,
    `SELECT owner, source, dialect, min(minute) * 60 AS first, max(newest) AS last, uniqExact(intDiv(minute, 60)) AS hours,
       quantileExactIf(0.99)(gap, gap > 0) * 60 AS pause
     FROM (
       SELECT owner, source, dialect, minute, newest, minute - lagInFrame(minute, 1, minute) OVER
         (PARTITION BY owner, source, dialect ORDER BY minute ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS gap
       FROM (
         SELECT ${names}, intDiv(toUnixTimestamp(time), 60) AS minute, max(toUnixTimestamp(time)) AS newest
         ${spoken} GROUP BY owner, source, dialect, minute))
     GROUP BY owner, source, dialect ORDER BY hours DESC, owner, source, dialect LIMIT {rows:UInt32}`,
    { ...range(from, to), rows: sourcesMax },
  )
  return rows.map(({ owner, source, dialect, first, last, hours, pause }) => ({
    ...{ owner, source, dialect, firstSeen: Number(first), lastSeen: Number(last), activeHours: Number(hours) },
    usualSeconds: Math.max(60, Number(pause) || 0),
  }))
}

/** Which sources spoke between two times (seconds), and when last. */
export async function lastSpoken(
  store: Store,
  from: number,
  to: number,
): Promise<Pick<SourceHabit, 'owner' | 'source' | 'dialect' | 'lastSeen'>[]> {
  const rows = await ask<Record<'owner' | 'source' | 'dialect', string> & { last: number }>(
    store,
    `SELECT ${names}, max(toUnixTimestamp(time)) AS last ${spoken}
     GROUP BY owner, source, dialect ORDER BY owner, source, dialect LIMIT {rows:UInt32}`,
    { ...range(from, to), rows: rowsMax * 10 },
  )
  return rows.map(({ owner, source, dialect, last }) => ({ owner, source, dialect, lastSeen: Number(last) }))
}
