/** The outbox's rows: what is owed to which output, kept in SQLite so that nothing is forgotten when the process dies. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Severity, severities } from '../../schemas/alert.ts'

export type Owed = Readonly<{
  output: string
  alertId: string
  change: 'created'
  key: string
  severity: Severity
  /** The alert as it came on the bus. */
  body: Uint8Array
}>
export type Due = Readonly<{ id: number; key: string; body: Uint8Array; attempts: number; firstAt: number }>
export type OutputCounts = Readonly<{ pending: number; delivered: number; dead: number }>
export type DeadDelivery = Readonly<{ alertId: string; severity: Severity; reason: string; attempts: number; at: number }>
export type Deliveries = ReturnType<typeof openDeliveries>

/** Per output. More pending: the least severe, youngest rows go dead, are counted and can be replayed. */
const usual = { pendingMax: 50_000, settledMax: 200_000 } // settled rows are kept so that a replay of the bus sends nothing twice

const tables = `
PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;
CREATE TABLE IF NOT EXISTS deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT, output TEXT NOT NULL, alert_id TEXT NOT NULL, change TEXT NOT NULL, key TEXT NOT NULL,
  severity INTEGER NOT NULL, body BLOB, state TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0,
  first_at INTEGER NOT NULL, next_at INTEGER NOT NULL, settled_at INTEGER, reason TEXT NOT NULL DEFAULT '',
  UNIQUE (output, alert_id, change)) STRICT;
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (output, state, severity DESC, id);`

const insertSql = `INSERT INTO deliveries (output, alert_id, change, key, severity, body, first_at, next_at)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`
const overflowSql = `UPDATE deliveries SET state = 'dead', reason = 'outbox full', settled_at = ? WHERE id IN (
  SELECT id FROM deliveries WHERE output = ? AND state = 'pending' ORDER BY severity, id DESC
  LIMIT max(0, (SELECT count(*) FROM deliveries WHERE output = ? AND state = 'pending') - ?))`
const pruneSql = `DELETE FROM deliveries WHERE output = ? AND state != 'pending' AND id <= (
  SELECT id FROM deliveries WHERE output = ? AND state != 'pending' ORDER BY id DESC LIMIT 1 OFFSET ?)`
const dueSql = `SELECT id, key, body, attempts, first_at FROM deliveries
  WHERE output = ? AND state = 'pending' AND next_at <= ? ORDER BY severity DESC, id LIMIT 1`

function open(dataDir: string): DatabaseSync {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const db = new DatabaseSync(join(dataDir, 'outbox.db'))
  db.exec(tables)
  return db
}

function inTransaction(db: DatabaseSync, work: () => void): void {
  db.exec('BEGIN IMMEDIATE')
  try {
    work()
    db.exec('COMMIT')
  } catch (error) {
    db.exec('ROLLBACK')
    throw error
  }
}

export function openDeliveries(dataDir: string, { pendingMax, settledMax } = usual) {
  const db = open(dataDir)
  const [insert, overflow, prune, due] = [insertSql, overflowSql, pruneSql, dueSql].map((sql) => db.prepare(sql)) as [
    ReturnType<typeof db.prepare>,
    ReturnType<typeof db.prepare>,
    ReturnType<typeof db.prepare>,
    ReturnType<typeof db.prepare>,
  ]
  const nextAt = db.prepare(`SELECT min(next_at) AS at FROM deliveries WHERE output = ? AND state = 'pending'`)
  const settle = db.prepare(`UPDATE deliveries SET state = ?, reason = ?, attempts = attempts + 1, settled_at = ?,
    body = CASE WHEN ? = 'delivered' THEN NULL ELSE body END WHERE id = ?`)
  const later = db.prepare(`UPDATE deliveries SET attempts = attempts + 1, next_at = ?, reason = ? WHERE id = ?`)
  const count = db.prepare('SELECT state, count(*) AS n FROM deliveries WHERE output = ? GROUP BY state')
  const deadRows = db.prepare(`SELECT alert_id, severity, reason, attempts, settled_at FROM deliveries
    WHERE output = ? AND state = 'dead' ORDER BY id DESC LIMIT ?`)
  const revive = db.prepare(`UPDATE deliveries SET state = 'pending', attempts = 0, first_at = ?, next_at = ?, settled_at = NULL
    WHERE output = ? AND state = 'dead'`)
  return {
    /** All or nothing; what is owed already is not owed twice. Answers how many rows went dead because the outbox is full. */
    owe(items: readonly Owed[], now: number): number {
      let overflowed = 0
      inTransaction(db, () => {
        for (const { output, alertId, change, key, severity, body } of items) {
          insert.run(output, alertId, change, key, severities.indexOf(severity), body, now, now)
        }
        for (const output of new Set(items.map((item) => item.output))) {
          overflowed += Number(overflow.run(now, output, output, pendingMax).changes)
          prune.run(output, output, settledMax)
        }
      })
      return overflowed
    },
    /** The most severe, then the oldest, of those whose time has come. */
    due(output: string, now: number): Due | undefined {
      const row = due.get(output, now)
      if (row === undefined) return undefined
      const { id, key, body, attempts, first_at } = row
      return { id: Number(id), key: String(key), body: body as Uint8Array, attempts: Number(attempts), firstAt: Number(first_at) }
    },
    nextAt(output: string): number | undefined {
      const at = nextAt.get(output)?.at
      return at === null || at === undefined ? undefined : Number(at)
    },
    delivered: (id: number, now: number): void => void settle.run('delivered', '', now, 'delivered', id),
    died: (id: number, reason: string, now: number): void => void settle.run('dead', reason, now, 'dead', id),
    later: (id: number, at: number, reason: string): void => void later.run(at, reason, id),
    counts(output: string): OutputCounts {
      const found = new Map(count.all(output).map((row) => [String(row.state), Number(row.n)]))
      return { pending: found.get('pending') ?? 0, delivered: found.get('delivered') ?? 0, dead: found.get('dead') ?? 0 }
    },
    dead: (output: string, limit: number): DeadDelivery[] =>
      deadRows.all(output, limit).map((row) => ({
        alertId: String(row.alert_id),
        severity: severities[Number(row.severity)] ?? 'informational',
        reason: String(row.reason),
        attempts: Number(row.attempts),
        at: Number(row.settled_at),
      })),
    /** Dead rows are owed again, with the key they had. */
    replay: (output: string, now: number): number => Number(revive.run(now, now, output).changes),
    close: (): void => db.close(),
  }
}
