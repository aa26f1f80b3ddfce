/** The thread that owns the log’s SQLite file: commits, reads and trims, so that no sync ever stops the event loop. */
import { randomInt } from 'node:crypto'
import { closeSync, mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { type Answer, type Ask, type Calls, type Failure, type GroupOffset, type Opened, rowOverheadBytes } from './log-messages.ts'

const checkpointBytes = 16 * 1024 ** 2
const idleMs = 200
const trimRowsMax = 128
const trimBytesMax = 4 * 1024 ** 2

const schema = `
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS parts (part TEXT PRIMARY KEY, start INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS offsets (grp TEXT, part TEXT, next INTEGER NOT NULL, PRIMARY KEY (grp, part)) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log (
  id INTEGER PRIMARY KEY AUTOINCREMENT, part TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,
  at INTEGER NOT NULL, size INTEGER NOT NULL, bytes BLOB NOT NULL) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS log_part ON log (part, first, last, at, size);
`
const formatVersion = 1

type State = { db: DatabaseSync; say: (name: StatementName) => StatementSync; walBytes: number; failed: boolean }
const statements = {
  append: 'INSERT INTO log (part, first, last, at, size, bytes) VALUES (?, ?, ?, ?, ?, ?)',
  offset: 'INSERT INTO offsets (grp, part, next) VALUES (?, ?, ?) ON CONFLICT (grp, part) DO UPDATE SET next = excluded.next',
  read: `SELECT first, last, bytes FROM log
    WHERE part = ?1 AND first >= coalesce((SELECT max(first) FROM log WHERE part = ?1 AND first <= ?2), 0) ORDER BY first`,
  floors: 'SELECT part, min(next) AS floor FROM offsets GROUP BY part',
  handled: 'SELECT id, last, at, size FROM log WHERE part = ? AND first < ? ORDER BY first LIMIT ?',
  remove: 'DELETE FROM log WHERE id = ?',
  start: 'INSERT INTO parts (part, start) VALUES (?, ?) ON CONFLICT (part) DO UPDATE SET start = excluded.start',
} as const
type StatementName = keyof typeof statements

/**
 * Exclusive locking mode: the kernel’s lock on the file is the guard against a second process, and goes when we are killed.
 * It must be set before WAL is first used; then SQLite also needs no shared memory file.
 */
function openFile(dir: string): DatabaseSync {
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const path = join(dir, 'log.db')
  try {
    // Only ever creates: closing a descriptor of a file that this process has locked would drop the lock.
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const db = new DatabaseSync(path, { timeout: 0 })
  try {
    db.exec('PRAGMA locking_mode = EXCLUSIVE')
    db.exec('PRAGMA journal_mode = WAL')
    db.exec('PRAGMA synchronous = FULL')
    db.exec('PRAGMA fullfsync = ON') // macOS: fsync alone does not reach the platter
    db.exec('PRAGMA wal_autocheckpoint = 0') // a checkpoint inside a commit stalls it by 75 to 190 ms
    db.exec('PRAGMA journal_size_limit = 67108864')
    db.exec('BEGIN EXCLUSIVE')
    db.exec(schema)
    db.exec('COMMIT')
  } catch (error) {
    db.close()
    throw error
  }
  return db
}

/** Fewer partitions than before would leave records that nobody reads; another format would be misread. */
function checkMeta(db: DatabaseSync, partitions: number): void {
  const meta = new Map(
    db
      .prepare('SELECT name, value FROM meta')
      .all()
      .map((row) => [String(row.name), Number(row.value)]),
  )
  const format = meta.get('format') ?? formatVersion
  if (format !== formatVersion) throw new Error(`the log has format ${format}, this program writes ${formatVersion}`)
  const before = meta.get('partitions') ?? 0
  if (partitions < before) throw new Error(`the log has ${before} partitions and cannot have fewer (${partitions})`)
  const set = db.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)')
  set.run('format', formatVersion)
  set.run('partitions', partitions)
  // A log that was deleted counts from 0 again: who keeps a position elsewhere can tell that it was another's.
  if (!meta.has('id')) set.run('id', randomInt(1, 2 ** 47))
}

function survey(db: DatabaseSync): Opened {
  const ends = new Map<string, { part: string; start: number; end: number }>()
  for (const row of db.prepare('SELECT part, start FROM parts').all()) {
    const start = Number(row.start)
    ends.set(String(row.part), { part: String(row.part), start, end: start })
  }
  for (const row of db.prepare('SELECT part, min(first) AS first, max(last) AS last FROM log GROUP BY part').all()) {
    const part = String(row.part)
    ends.set(part, { part, start: Number(row.first), end: Number(row.last) + 1 })
  }
  const bytes = Number(db.prepare('SELECT coalesce(sum(size), 0) AS bytes FROM log').get()?.bytes)
  const id = String(db.prepare("SELECT value FROM meta WHERE name = 'id'").get()?.value)
  const offsets = db.prepare('SELECT grp AS "group", part, next FROM offsets').all() as unknown as GroupOffset[]
  return { id, bytes, ends: [...ends.values()], offsets: offsets.map((row) => ({ ...row })) }
}

function transact(state: State, work: () => void): void {
  state.db.exec('BEGIN IMMEDIATE')
  try {
    work()
    state.db.exec('COMMIT')
  } catch (error) {
    if (state.db.isTransaction) state.db.exec('ROLLBACK')
    throw error
  }
}

function write(state: State, ask: Calls['write']['ask']): null {
  transact(state, () => {
    for (const { part, first, last, bytes } of ask.rows) {
      const size = bytes.byteLength + rowOverheadBytes
      state.say('append').run(part, first, last, ask.at, size, bytes)
      state.walBytes += size
    }
    for (const { group, part, next } of ask.offsets) state.say('offset').run(group, part, next)
  })
  state.walBytes += 4 * 4096
  return null
}

function read(state: State, ask: Calls['read']['ask']): Calls['read']['answer'] {
  const rows: { first: number; last: number; bytes: Uint8Array<ArrayBuffer> }[] = []
  let bytes = 0
  for (const row of state.say('read').iterate(ask.part, ask.from)) {
    const found = { first: Number(row.first), last: Number(row.last), bytes: row.bytes as Uint8Array<ArrayBuffer> }
    if (found.last < ask.from) continue
    rows.push(found)
    bytes += found.bytes.byteLength
    if (bytes >= ask.bytesMax || found.last + 1 - ask.from >= ask.recordsMax) break
  }
  return rows
}

/** Oldest rows first over all partitions; a topic that no group has ever read is never trimmed. */
function trim(state: State, ask: Calls['trim']['ask']): Calls['trim']['answer'] {
  const found: { id: number; part: string; last: number; size: number }[] = []
  for (const { part, floor } of state.say('floors').all() as unknown as { part: string; floor: number }[]) {
    for (const row of state.say('handled').iterate(part, floor, trimRowsMax)) {
      const last = Number(row.last)
      if (last >= floor || Number(row.at) > ask.before) break
      found.push({ id: Number(row.id), part, last, size: Number(row.size) })
    }
  }
  found.sort((a, b) => a.id - b.id)
  const bytesMax = Math.min(ask.bytes, trimBytesMax)
  let [bytes, rows] = [0, 0]
  if (found.length === 0) return { bytes, rows }
  transact(state, () => {
    const starts = new Map<string, number>()
    for (const { id, part, last, size } of found) {
      if (rows === trimRowsMax || bytes >= bytesMax) break
      state.say('remove').run(id)
      starts.set(part, last + 1)
      bytes += size
      rows += 1
    }
    for (const [part, start] of starts) state.say('start').run(part, start)
  })
  state.walBytes += rows * 4096
  return { bytes, rows }
}

function checkpoint(state: State, mode: 'PASSIVE' | 'TRUNCATE'): void {
  state.walBytes = 0
  state.db.exec(mode === 'PASSIVE' ? 'PRAGMA wal_checkpoint(PASSIVE)' : 'PRAGMA wal_checkpoint(TRUNCATE)')
}

function close(state: State): null {
  if (!state.failed) checkpoint(state, 'TRUNCATE')
  state.db.close()
  return null
}

function failureOf(error: unknown): Failure {
  const code = (error as { errcode?: unknown }).errcode
  return { code: typeof code === 'number' ? code : 0, message: error instanceof Error ? error.message : String(error) }
}

function perform(state: State, ask: Ask): unknown {
  // After a failed sync nobody knows what the kernel still holds: the file is read again by the next process, not by this one.
  if (state.failed && ask.name !== 'close') throw new Error('the log failed before')
  if (ask.name === 'write') return write(state, ask.ask)
  if (ask.name === 'read') return read(state, ask.ask)
  if (ask.name === 'trim') return trim(state, ask.ask)
  return close(state)
}

function openState(dir: string, partitions: number): State {
  const db = openFile(dir)
  try {
    checkMeta(db, partitions)
    const prepared = new Map<StatementName, StatementSync>()
    const say = (name: StatementName): StatementSync => {
      const statement = prepared.get(name) ?? db.prepare(statements[name])
      prepared.set(name, statement)
      return statement
    }
    return { db, say, walBytes: 0, failed: false }
  } catch (error) {
    db.close()
    throw error
  }
}

function serve(port: MessagePort, options: { dir: string; partitions: number }): void {
  const answer = (message: Answer, transfer: ArrayBuffer[] = []): void => port.postMessage(message, transfer)
  let state: State
  try {
    state = openState(options.dir, options.partitions)
    answer({ id: 0, answer: survey(state.db) })
  } catch (error) {
    answer({ id: 0, failure: failureOf(error) })
    return
  }
  const tidy = (): void => {
    try {
      if (state.db.isOpen && !state.failed && state.walBytes > 0) checkpoint(state, 'PASSIVE')
    } catch (error) {
      state.failed = true
      answer({ id: -1, failure: failureOf(error) })
    }
  }
  const idle = setTimeout(tidy, idleMs)
  port.on('message', (ask: Ask) => {
    try {
      const done = perform(state, ask)
      const rows = ask.name === 'read' ? (done as Calls['read']['answer']) : []
      answer(
        { id: ask.id, answer: done },
        rows.map(({ bytes }) => bytes.buffer),
      )
    } catch (error) {
      state.failed = true
      answer({ id: ask.id, failure: failureOf(error) })
    }
    if (ask.name === 'close') {
      clearTimeout(idle)
      port.close()
    } else {
      idle.refresh()
      if (state.walBytes >= checkpointBytes) tidy() // after the answer has left: nobody waits for it but the next commit
    }
  })
}

if (parentPort) serve(parentPort, workerData as { dir: string; partitions: number })
