/** Our way into the store against the engine's own fastest one, and what a stored event weighs against the best compression of its line. */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { constants, zstdCompressSync } from 'node:zlib'
import type { Row } from '../../api/store/columns.ts'
import { openStore, type Store } from '../../api/store/connect.ts'
import { storeOnce } from '../../api/store/insert.ts'
import { migrate } from '../../api/store/migrate.ts'
import { events as table } from '../../api/store/tables.ts'
import { openKeys } from '../../collectors/keys.ts'
import { createProtobufDecoder } from '../../collectors/otlp/protobuf.ts'
import { toEvent } from '../../collectors/otlp/to-event.ts'
import { createRedactor } from '../../collectors/redact/redactor.ts'
import { Config } from '../../schemas/config.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { encode } from '../collectors/otlp-bodies.ts'
import { type SpanSpec, spans, tracesOf } from './events.ts'
import { cpuNow, cpuOf, type Figure, median, type Part, type Run } from './measure.ts'
import { scratch } from './scratch.ts'

const retry = { signal: new AbortController().signal, onRetry: () => undefined }

function rowsOf(some: readonly SpanSpec[], keyedHash: (text: string) => string): Row<McpEvent>[] {
  const redact = createRedactor({ keyedHash, tiers: Config.parse({}).capture })
  const { records } = createProtobufDecoder({ elementsMax: 1_000_000 })('traces', encode('Traces', tracesOf(some)))
  const stored = Math.floor(Date.now() / 1_000)
  return records.map((record, at) => ({
    value: redact(toEvent(record, { tenant: 'default', source: 'otlp', now: BigInt(Date.now()) * 1_000_000n, keyedHash }) as McpEvent),
    origin: { topic: 'mcp.events', partition: 0, offset: BigInt(at), stored },
  }))
}

const answers = async (store: Store, query: string): Promise<Record<string, number>> => {
  const answer = await store.client.query({ query, format: 'JSONEachRow' })
  return (await answer.json<Record<string, number>>())[0] ?? {}
}

async function nativeOf(store: Store, from: string): Promise<Buffer> {
  const { stream } = await store.client.exec({ query: `SELECT * FROM ${from} FORMAT Native` })
  return buffer(stream)
}
async function insertNative(store: Store, into: string, bytes: Buffer): Promise<void> {
  const { stream } = await store.client.exec({
    query: `INSERT INTO ${into} FORMAT Native`,
    values: Readable.from([bytes], { objectMode: false }),
  })
  for await (const _ of stream);
}

/** CPU µs of this process and the engine. */
const usedBy = (store: Store): number => cpuNow() + (cpuOf(store.pid()) ?? Number.NaN)

async function insertFigures(store: Store, keyedHash: (text: string) => string, count: number, rounds: number): Promise<Figure> {
  const ratios: number[] = []
  for (let round = 0; round <= rounds; round += 1) {
    const rows = rowsOf(spans(count, { seed: 50 + round }), keyedHash)
    await store.client.command({ query: 'TRUNCATE TABLE native_events' })
    await store.client.command({ query: 'TRUNCATE TABLE events' })
    const start = usedBy(store)
    // As the writer does it with what comes while it happens: nobody has to look whether the rows are there.
    await storeOnce(store.client, table, rows, retry, () => false)
    const ours = usedBy(store) - start
    const bytes = await nativeOf(store, 'events')
    const again = usedBy(store)
    await insertNative(store, 'native_events', bytes)
    const native = usedBy(store) - again
    if (round > 0) ratios.push(native / ours)
  }
  const value = ratios.every(Number.isFinite) ? median(ratios) : undefined
  return {
    name: 'store insert, rows per CPU',
    value,
    unit: '× the engine’s own Native insert',
    aim: { atLeast: 0.5 },
    note: 'needs Linux’ /proc',
  }
}

async function sizeFigure(store: Store, keyedHash: (text: string) => string, count: number): Promise<Figure> {
  const some = spans(count, { seed: 77 })
  await store.client.command({ query: 'TRUNCATE TABLE events' })
  await storeOnce(store.client, table, rowsOf(some, keyedHash), retry)
  await store.client.command({ query: 'OPTIMIZE TABLE events FINAL' })
  const { bytes = 0 } = await answers(
    store,
    "SELECT sum(bytes_on_disk) AS bytes FROM system.parts WHERE active AND table = 'events' AND database = 'lapwing'",
  )
  const lines = Buffer.from(some.map(({ message }) => JSON.stringify(message)).join('\n'))
  const best = zstdCompressSync(lines, { params: { [constants.ZSTD_c_compressionLevel]: 19 } }).length
  return {
    name: 'stored event',
    value: bytes / best,
    unit: '× zstd -19 of its line',
    aim: { atMost: 1.4 },
    note: `${Math.round(bytes / count)} B an event`,
  }
}

async function run({ quick }: Run): Promise<readonly Figure[]> {
  using folder = scratch()
  const keyedHash = openKeys(folder.path).keyedHash('default')
  await using store = await openStore({ kind: 'embedded', dir: `${folder.path}/store` })
  await migrate(store, { retentionDays: 30 })
  await store.client.command({ query: 'CREATE TABLE native_events AS events' })
  const insert = await insertFigures(store, keyedHash, quick ? 2_000 : 4_000, quick ? 3 : 5)
  return [insert, await sizeFigure(store, keyedHash, quick ? 2_000 : 6_000)]
}

export const storePart: Part = { name: 'store', about: 'insert and size on disk', run }
