/** Runs statements on chDB: one fresh session each, few at a time, killed when nobody waits for the answer. */
import { randomUUID } from 'node:crypto'
import { type ChdbResult, Session } from 'chdb'
import type { EngineRequest } from './engine-request.ts'
import { createSlots } from './engine-slots.ts'
import type { Spill } from './engine-spill.ts'

export type EngineLimits = Readonly<{
  readersMax: number
  waitingMax: number
  querySecondsMax: number
  memoryBytesMax: number
  threadsMax: number
}>
export type Rows = Readonly<{ chunks: AsyncIterable<Uint8Array>; summary: () => Readonly<Record<string, string>> }>
export type Sessions = {
  /** Throws before the first chunk when the statement fails early. `signal`: nobody waits for the answer any more. */
  run(request: EngineRequest, signal: AbortSignal): Promise<Rows>
  running(): number
  /** Removes rows in flight from shared memory: the process is about to end without them. */
  abandon(): void
  close(): void
}

/** Formats whose chunks are a document when put together: only these can be streamed. */
const streamable = new Set(
  'JSONEachRow JSONLines NDJSON JSONCompactEachRow JSONStringsEachRow JSONCompactStringsEachRow CSV TSV TabSeparated TSVRaw TabSeparatedRaw RowBinary Native'.split(
    ' ',
  ),
)
const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
const delay = (ms: number) => new Promise((done) => setTimeout(done, ms).unref())

const argumentsOf = (limits: EngineLimits): string[] => [
  `--max_execution_time=${limits.querySecondsMax}`,
  `--max_memory_usage=${limits.memoryBytesMax}`,
  `--max_threads=${limits.threadsMax}`,
  `--max_result_bytes=${512 * 1024 * 1024}`,
  '--max_query_size=33554432',
  '--async_insert=0',
  // Our inserts and most answers are small: threads for them cost more than they do, 0.4 ms a statement.
  '--input_format_parallel_parsing=0',
  '--output_format_parallel_formatting=0',
]

export function createSessions(dir: string, limits: EngineLimits, openSpill: () => Spill, giveUp: (reason: string) => void): Sessions {
  // A fresh session costs about 2 ms. It has no rows of an earlier failure, no parameters and no settings of an earlier request.
  const open = () => new Session(dir, { connectionArgs: argumentsOf(limits) })
  const root = open() // keeps the engine and its lock while no request is running
  const spill = openSpill() // only now is the directory ours
  const readers = createSlots(limits.readersMax, limits.waitingMax)
  const writer = createSlots(1, limits.waitingMax)
  const killers = createSlots(2, limits.waitingMax)
  const active = new Set<string>()

  async function kill(id: string) {
    const session = open()
    try {
      // ASYNC: the SYNC form never returns in this engine.
      await session.queryAsync(`KILL QUERY WHERE Settings['log_comment'] = ${quoted(id)} ASYNC`)
    } finally {
      session.close()
    }
  }

  /** In order: the engine's own time limit, then KILL, then the end of this process. */
  async function end(id: string) {
    for (let attempt = 0; attempt < 20 && active.has(id); attempt += 1) {
      await kill(id).catch(() => undefined)
      await delay(500)
    }
    if (active.has(id)) giveUp('a query did not end')
  }

  async function start(request: EngineRequest, session: Session, id: string): Promise<Rows> {
    if (request.database !== undefined) await session.queryAsync(`USE \`${request.database.replaceAll(/[`\\]/g, '\\$&')}\``)
    const set = [...request.params].map(([name, value]) => `param_${name}=${quoted(value)}`)
    for (const [name, value] of request.settings) set.push(`${name}=${quoted(value)}`)
    set.push(`log_comment=${quoted(id)}`)
    await session.queryAsync(`SET ${set.join(', ')}`)
    if (request.selects && streamable.has(request.format)) return { chunks: await begun(session, request), summary: () => ({}) }
    const result =
      request.rows === undefined ? await session.queryAsync(request.sql, { format: request.format }) : await insert(session, request)
    const read = { read_rows: String(result.rowsRead), read_bytes: String(result.bytesRead) }
    const written =
      request.rows === undefined ? {} : { written_rows: String(result.rowsRead), written_bytes: String(request.rows.bytes.length) }
    return { chunks: only(result.bytes()), summary: () => ({ ...read, ...written }) }
  }

  async function insert(session: Session, request: EngineRequest): Promise<ChdbResult> {
    const { head, tail, bytes } = request.rows ?? { head: '', tail: '', bytes: Buffer.alloc(0) }
    await using file = await spill.hold(bytes)
    return await session.queryAsync(`${head} FROM INFILE ${quoted(file.path)}${tail}`)
  }

  return {
    async run(request, signal) {
      const slots = request.kind === 'read' ? readers : request.kind === 'kill' ? killers : writer
      const release = await slots.take(signal)
      const id = randomUUID()
      const stop = () => void end(id)
      const tooLong = setTimeout(stop, (deadlineSeconds(request, limits) + 5) * 1000)
      let session: Session | undefined
      const finish = () => {
        clearTimeout(tooLong)
        signal.removeEventListener('abort', stop)
        active.delete(id)
        session?.close()
        session = undefined
        release()
      }
      try {
        active.add(id)
        signal.throwIfAborted()
        signal.addEventListener('abort', stop, { once: true })
        session = open()
        const rows = await start(request, session, id)
        return { ...rows, chunks: lastly(rows.chunks, finish) }
      } catch (error) {
        finish()
        throw error
      }
    },
    running: () => active.size,
    abandon: () => spill.close(),
    close() {
      root.close()
      spill.close()
    },
  }
}

/** A request may raise its own limit; 0 means none, which is one hour here. */
function deadlineSeconds(request: EngineRequest, limits: EngineLimits): number {
  const asked = Number(request.settings.get('max_execution_time') ?? limits.querySecondsMax)
  return Number.isFinite(asked) && asked > 0 ? Math.min(asked, 3600) : 3600
}

/** Waits for the first chunk, so that an error before it is still an error answer. */
async function begun(session: Session, request: EngineRequest): Promise<AsyncIterable<Uint8Array>> {
  const chunks = session.queryStream(request.sql, { format: request.format })[Symbol.asyncIterator]()
  let next = await chunks.next()
  return (async function* () {
    try {
      for (; next.done !== true; next = await chunks.next()) yield next.value.raw()
    } finally {
      await chunks.return?.(undefined)
    }
  })()
}

async function* only(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes
}

async function* lastly(chunks: AsyncIterable<Uint8Array>, finish: () => void): AsyncIterable<Uint8Array> {
  try {
    yield* chunks
  } finally {
    finish()
  }
}
