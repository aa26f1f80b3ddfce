/** What is owed: every event that was acknowledged, with its payload, and the alerts of planted attacks. Checked against the store's rows. */
import assert from 'node:assert/strict'
import type { Store } from '../../api/store/connect.ts'

/** `about`: the attack it belongs to; the alert's count is the number of its stored events. */
export type Sent = Readonly<{ eventId: string; payload: string; about: string | undefined }>
export type Oracle = Readonly<{
  sent: (events: readonly Sent[]) => void
  acknowledged: (events: readonly Sent[]) => void
  counts: () => { sent: number; acknowledged: number; attacks: number }
  /** Reads the tables themselves, before any merge and without any view's own deduplication. */
  check: (store: Store) => Promise<{ stored: number; alerts: number; hits: number }>
}>

type EventRow = { id: string; rows: number; payloads: string[] }
type AlertRow = { id: string; rows: number; url: string; server: string }
type HitRow = { id: string; rows: number; events: string[] }

export function createOracle(): Oracle {
  const sent = new Map<string, Sent>()
  const owed = new Set<string>()
  return {
    sent: (events) => {
      for (const event of events) sent.set(event.eventId, event)
    },
    acknowledged: (events) => {
      for (const { eventId } of events) owed.add(eventId)
    },
    counts: () => ({ sent: sent.size, acknowledged: owed.size, attacks: attacksOf(sent, owed).size }),
    check: async (store) => {
      const stored = await checkEvents(store, sent, owed)
      const { alerts, hits } = await checkAlerts(store, sent, stored)
      return { stored: stored.size, alerts, hits }
    },
  }
}

/** Attack → the events of it among `ids`. */
function attacksOf(sent: ReadonlyMap<string, Sent>, ids: Iterable<string>): Map<string, Set<string>> {
  const attacks = new Map<string, Set<string>>()
  for (const id of ids) {
    const about = sent.get(id)?.about
    if (about === undefined) continue
    const events = attacks.get(about) ?? new Set()
    attacks.set(about, events.add(id))
  }
  return attacks
}

/** Few are shown: a list of thousands says no more than its first. */
const none = (found: readonly string[], what: string): void =>
  assert.equal(found.length, 0, `${found.length} ${what}: ${found.slice(0, 5).join('; ')}`)

async function rowsOf<T>({ client }: Store, query: string): Promise<T[]> {
  return await (await client.query({ query, format: 'JSONEachRow', clickhouse_settings: { max_execution_time: 120 } })).json<T>()
}

async function checkEvents(store: Store, sent: ReadonlyMap<string, Sent>, owed: ReadonlySet<string>): Promise<Set<string>> {
  const rows = await rowsOf<EventRow>(
    store,
    'SELECT `lapwing.event.id` AS id, count() AS rows, groupUniqArray(`gen_ai.tool.call.arguments`) AS payloads FROM events GROUP BY id',
  )
  const stored = new Map(rows.map((row) => [row.id, row]))
  none(
    [...owed].filter((id) => !stored.has(id)).map((id) => `${id} ${sent.get(id)?.payload}`),
    `of ${owed.size} acknowledged events are not stored (${stored.size} are)`,
  )
  none(
    rows.filter(({ rows: count }) => Number(count) !== 1).map(({ id, rows: count }) => `${id} ×${count}`),
    'events are stored more than once',
  )
  none(
    rows.filter(({ id }) => !sent.has(id)).map(({ id }) => id),
    'events are stored that nobody sent',
  )
  none(
    rows
      .filter(({ id, payloads }) => payloads.some((payload) => payload !== sent.get(id)?.payload))
      .map(({ id, payloads }) => `${id} ${payloads[0]} ≠ ${sent.get(id)?.payload}`),
    'events are stored with another payload',
  )
  return new Set(stored.keys())
}

async function checkAlerts(store: Store, sent: ReadonlyMap<string, Sent>, stored: ReadonlySet<string>) {
  const alerts = await rowsOf<AlertRow>(
    store,
    `SELECT alert_id AS id, count() AS rows, any(JSONExtractString(evidence, 'url')) AS url, any(server_key) AS server
      FROM alerts WHERE detector = 'ssrf' GROUP BY id`,
  )
  const hits = await rowsOf<HitRow>(
    store,
    'SELECT alert_id AS id, count() AS rows, groupUniqArray(event_id) AS events FROM alert_hits GROUP BY id',
  )
  const attacks = attacksOf(sent, stored)
  const byUrl = new Map(alerts.map((alert) => [alert.url, alert]))
  const hitsById = new Map(hits.map((hit) => [hit.id, hit]))
  none(
    alerts.filter(({ rows }) => Number(rows) !== 1).map(({ id }) => id),
    'alerts are stored more than once',
  )
  assert.equal(byUrl.size, alerts.length, 'two alerts are about the same attack')
  none(
    [...attacks.keys()].filter((about) => !byUrl.has(about)),
    'owed alerts are missing',
  )
  none(
    [...byUrl.keys()].filter((url) => !attacks.has(url)),
    'alerts are about nothing that was sent',
  )
  let counted = 0
  for (const [about, events] of attacks) {
    const hit = hitsById.get(byUrl.get(about)?.id ?? '')
    assert.deepEqual(new Set(hit?.events), events, `the alert about ${about} counts other events than were stored`)
    assert.equal(Number(hit?.rows), events.size, `the alert about ${about} counts an event twice`)
    counted += events.size
  }
  return { alerts: alerts.length, hits: counted }
}
