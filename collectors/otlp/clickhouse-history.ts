/**
 * Telemetry that already lies in ClickHouse → OTLP requests to a running Lapwing, in order of time and within bounds of memory.
 * Ids come from the records themselves, so that a part that is sent again is stored once.
 */
import { type Item, logOf, type Row, requestOf, spanOf } from './clickhouse-rows.ts'
import type { PostEnd } from './otlp-post.ts'

type Kind = Item['kind']
type Range = Readonly<{ since: bigint; until: bigint }>
/** Where rows come from; in order of time. */
export type HistoryTables = Readonly<{
  counts: (kind: Kind, range: Range, stepNs: bigint) => Promise<ReadonlyMap<bigint, number>>
  rows: (kind: Kind, range: Range) => AsyncIterable<Row>
}>
export type HistoryCounts = { spans: number; logs: number; refused: number }
export type HistoryOptions = Range &
  Readonly<{
    tables: HistoryTables
    send: (kind: Kind, request: Uint8Array) => Promise<PostEnd>
    /** All rows before `until` are sent. */
    onWindow: (until: bigint, counts: Readonly<HistoryCounts>) => void
    onRefused: (count: number, reason: string) => void
    signal?: AbortSignal
    /** Rows the server is asked to put in order at once; a minute that has more is not cut. */
    windowRowsMax?: number
  }>

const dayNs = 86_400_000_000_000n
const minuteNs = 60_000_000_000n
const kinds: readonly Kind[] = ['traces', 'logs']
const batchItemsMax = 500
const batchCharsMax = 4 * 1024 * 1024

async function countsOf(tables: HistoryTables, range: Range, stepNs: bigint): Promise<[bigint, number][]> {
  const sums = new Map<bigint, number>()
  for (const kind of kinds) {
    for (const [start, rows] of await tables.counts(kind, range, stepNs)) sums.set(start, (sums.get(start) ?? 0) + rows)
  }
  return [...sums].sort(([a], [b]) => (a < b ? -1 : 1))
}

const within = (start: bigint, end: bigint, { since, until }: Range): Range => ({
  since: start > since ? start : since,
  until: end < until ? end : until,
})

/** Neighbouring minutes together, up to a number of rows; time without rows is passed over. */
async function* windows(tables: HistoryTables, range: Range, rowsMax: number): AsyncGenerator<Range> {
  for (const [day] of await countsOf(tables, range, dayNs)) {
    let open: { start: bigint; end: bigint; rows: number } | undefined
    for (const [minute, rows] of await countsOf(tables, within(day, day + dayNs, range), minuteNs)) {
      if (open && open.rows + rows > rowsMax) {
        yield within(open.start, open.end, range)
        open = undefined
      }
      open = { start: open?.start ?? minute, end: minute + minuteNs, rows: (open?.rows ?? 0) + rows }
    }
    if (open) yield within(open.start, open.end, range)
  }
}

/** Two lists in order of time as one: what belongs together lies together. */
async function* merged(spans: AsyncIterable<Item>, logs: AsyncIterable<Item>): AsyncGenerator<Item> {
  const sides = [spans[Symbol.asyncIterator](), logs[Symbol.asyncIterator]()] as const
  const heads = [await sides[0].next(), await sides[1].next()]
  try {
    for (;;) {
      const [span, log] = heads as [IteratorResult<Item>, IteratorResult<Item>]
      const side = span.done ? 1 : log.done || span.value.time <= log.value.time ? 0 : 1
      const head = heads[side] as IteratorResult<Item>
      if (head.done) return
      yield head.value
      heads[side] = await sides[side].next()
    }
  } finally {
    for (const side of sides) await side.return?.()
  }
}

/** Throws what ends the reading or the sending; `onWindow` has then said how far all is sent. */
export async function sendHistory(options: HistoryOptions): Promise<HistoryCounts> {
  const { tables, send, onWindow, onRefused, signal, windowRowsMax = 20_000 } = options
  const counts: HistoryCounts = { spans: 0, logs: 0, refused: 0 }
  const refuse = (count: number, reason: string): void => {
    counts.refused += count
    onRefused(count, reason)
  }

  /** A body that is refused as a whole is halved until the record that is at fault is alone. */
  async function sendItems(kind: Kind, items: readonly Item[]): Promise<void> {
    if (items.length === 0) return
    const end = await send(kind, requestOf(kind, items))
    if ('refused' in end) {
      if (items.length === 1) return refuse(1, end.refused)
      const middle = items.length >> 1
      await sendItems(kind, items.slice(0, middle))
      return sendItems(kind, items.slice(middle))
    }
    if (end.rejected > 0) refuse(end.rejected, end.reason)
    counts[kind === 'traces' ? 'spans' : 'logs'] += items.length - Math.min(end.rejected, items.length)
  }

  async function* items(kind: Kind, range: Range): AsyncGenerator<Item> {
    for await (const row of tables.rows(kind, range)) {
      const item = kind === 'traces' ? spanOf(row) : logOf(row)
      if (typeof item === 'string') refuse(1, item)
      else yield item
    }
  }

  for await (const window of windows(tables, options, windowRowsMax)) {
    let batch: Item[] = []
    let chars = 0
    const flush = async (): Promise<void> => {
      signal?.throwIfAborted()
      for (const kind of kinds)
        await sendItems(
          kind,
          batch.filter((item) => item.kind === kind),
        )
      batch = []
      chars = 0
    }
    for await (const item of merged(items('traces', window), items('logs', window))) {
      batch.push(item)
      chars += item.record.length + item.group.length
      if (batch.length >= batchItemsMax || chars >= batchCharsMax) await flush()
    }
    await flush()
    onWindow(window.until, counts)
  }
  return counts
}
