/** The embedded bus: a durable log in SQLite with Kafka’s vocabulary, for one process on one machine. Promises: schemas/bus.ts. */
import {
  type Bus,
  type Handler,
  type PartId,
  type Position,
  type Rec,
  type Running,
  type StoredRec,
  type Topic,
  topics,
} from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { defaultRetryMs } from './deliver.ts'
import { framedBytes, unframe } from './frame.ts'
import { type Chunk, consumeLog, type LogSource } from './log-consume.ts'
import type { GroupOffset } from './log-messages.ts'
import { createLanes } from './log-parts.ts'
import { createRoom } from './log-room.ts'
import { type LogThread, startThread } from './log-thread.ts'
import { createWriter } from './log-writer.ts'
import { createTail } from './tail.ts'

const batchRecordsMax = 5_000
const batchBytesMax = 8 * 1024 ** 2
const recordBytesMax = 32 * 1024 ** 2
/** A dead letter carries a record sealed and in base64. */
const deadBytesMax = 64 * 1024 ** 2

export type LogOptions = {
  dir: string
  partitions?: number
  /** Of stored records. A topic further down the stream is refused later: see `boundOf`. */
  bytesMax: number
  seal: (bytes: Uint8Array) => string
  now?: () => number
  /** Told of everything that goes wrong, for the operator’s eyes; BUS_IO means that the log has stopped for good. */
  onFault?: (error: unknown) => void
  retryMs?: (attempt: number) => number
  /** Handled records younger than this are kept for a restart from an older checkpoint. */
  keepMs?: number
  tailBytesMax?: number
}
export type LogCounts = Readonly<{ storedBytes: number; waitingBytes: number; tailBytes: number; tailEvicted: number; diskReads: number }>
export type Log = Bus & {
  /** Deletes the oldest handled records until no more than `keepBytes` are stored; answers how many bytes went. */
  trim(keepBytes: number): Promise<number>
  counts(): LogCounts
}

/**
 * Who reads `mcp.spans` writes `mcp.events`, and so on down the stream. Were all refused at the same size, a log full of spans
 * could never be emptied: its reader could not publish. So each topic has a little more room than those it is made from.
 */
const boundOf = (topic: Topic, bytesMax: number): number => bytesMax * (0.8 + (0.2 * topics.indexOf(topic)) / (topics.length - 1))

function sizeOf(topic: Topic, records: readonly Rec[]): number {
  let sum = 0
  for (const record of records) {
    const bytes = framedBytes(record)
    if (bytes > (topic === 'mcp.dead' ? deadBytesMax : recordBytesMax)) throw new Fault('INPUT_TOO_LARGE', `a record of ${bytes} bytes`)
    sum += bytes
  }
  return sum
}

/** Lone surrogates do not survive UTF-8: what is handed on by reference must be what a restart would read. */
const wellFormed = (records: readonly Rec[]): readonly Rec[] =>
  records.every(({ key }) => key.isWellFormed()) ? records : records.map((record) => ({ ...record, key: record.key.toWellFormed() }))

/** Reads behind the tail, from the disk. `end` was true before the call: what is not found below it is gone. */
async function readDisk(thread: LogThread, part: PartId, from: number, end: number): Promise<Chunk> {
  const rows = await thread.call('read', { part, from, recordsMax: batchRecordsMax, bytesMax: batchBytesMax })
  const records: StoredRec[] = []
  const damaged: Chunk['damaged'][number][] = []
  let next = from
  let size = 0
  const lost = Math.max(0, (rows[0]?.first ?? end) - from)
  if (rows.length === 0) return { records, damaged, next: end, lost }
  for (const [n, { first, last, bytes }] of rows.entries()) {
    if (n > 0 && first > next) break // a hole: the next read begins at it and says so
    const row = unframe(bytes, last - first + 1)
    let cut: number | undefined
    for (const [i, record] of row.records.entries()) {
      if (first + i < from) continue
      size += record?.bytes.byteLength ?? 0
      if (first + i - from - lost >= batchRecordsMax || (records.length > 0 && size > batchBytesMax)) {
        cut = first + i
        break
      }
      if (record) records.push({ ...record, offset: BigInt(first + i) })
    }
    next = cut ?? last + 1
    for (const damage of row.damaged) {
      const offset = first + damage.index
      if (offset + damage.count > from && offset < next) damaged.push({ ...damage, offset })
    }
    if (cut !== undefined) break
  }
  return { records, damaged, next, lost }
}

/** How far each group has come in each partition. */
function createGroups(offsets: readonly GroupOffset[]) {
  const nexts = new Map<string, Map<string, number>>()
  /** Answers how far the last of them has come. */
  const moved = (group: string, part: string, next: number): number => {
    const ofPart = nexts.get(part) ?? new Map<string, number>()
    nexts.set(part, ofPart.set(group, next))
    return Math.min(...ofPart.values())
  }
  for (const { group, part, next } of offsets) moved(group, part, next)
  return { moved, next: (group: string, part: string) => nexts.get(part)?.get(group) }
}

/** Who reads what: a topic of a group has one reader, or a partition would have two batches in flight. */
function createReaders(open: (topics: readonly Topic[], group: string, handler: Handler, epoch: number) => Promise<Running>) {
  const taken = new Set<string>()
  const running = new Set<Running>()
  let epochs = 0
  return {
    async consume(consumed: readonly Topic[], group: string, handler: Handler): Promise<Running> {
      const distinct = [...new Set(consumed)]
      const names = distinct.map((topic) => JSON.stringify([group, topic]))
      for (const name of names) if (taken.has(name)) throw new Fault('START_REFUSED', `already being read: ${name}`)
      for (const name of names) taken.add(name) // before the first await
      const release = (): void => {
        for (const name of names) taken.delete(name)
      }
      epochs += 1
      try {
        const { stop, lag } = await open(distinct, group, handler, epochs)
        const reader: Running = {
          lag,
          stop: () =>
            stop().finally(() => {
              release()
              running.delete(reader)
            }),
        }
        running.add(reader)
        return reader
      } catch (error) {
        release()
        throw error
      }
    },
    async stop(onFault: (error: unknown) => void): Promise<void> {
      const stops = await Promise.allSettled([...running].map((reader) => reader.stop()))
      for (const stop of stops) if (stop.status === 'rejected') onFault(stop.reason)
    },
  }
}

/** Open, failed for good, or closed. */
function createLife(onFault: (error: unknown) => void) {
  const over = new AbortController()
  let failure: Fault | undefined
  let closed = false
  return {
    over: over.signal,
    fail(error: unknown): void {
      if (failure || closed) return
      failure = error instanceof Fault && error.code === 'BUS_IO' ? error : new Fault('BUS_IO', 'the log cannot go on', error)
      over.abort()
      onFault(failure)
    },
    hasFailed: () => failure !== undefined,
    end: () => over.abort(),
    close(): void {
      closed = true
    },
    check(): void {
      if (failure) throw failure
      if (closed) throw new Fault('BUS_CLOSED', 'the log is closed')
    },
  }
}

export async function openLog(options: LogOptions): Promise<Log> {
  const { dir, partitions = 4, bytesMax, seal, now = Date.now, onFault = () => undefined, retryMs = defaultRetryMs } = options
  const { keepMs = 60_000, tailBytesMax = 64 * 1024 ** 2 } = options
  const life = createLife(onFault)
  const thread = await startThread({ dir, partitions }, life.fail)
  const lanes = createLanes(partitions, thread.opened)
  const tail = createTail(tailBytesMax)
  const room = createRoom({ thread, bytesMax, keepMs, now, failed: life.fail })
  const writer = createWriter({ thread, lanes, tail, now, failed: life.fail, wrote: room.added })
  const groups = createGroups(thread.opened.offsets)
  let diskReads = 0

  async function publish(topic: Topic, given: readonly Rec[]): Promise<readonly Position[]> {
    life.check()
    if (given.length === 0) return []
    const records = wellFormed(given)
    const bytes = sizeOf(topic, records)
    const isFull = (): boolean => room.storedBytes + writer.waitingBytes + bytes > boundOf(topic, bytesMax)
    if (isFull()) {
      await room.trim(bytesMax / 4)
      life.check()
      if (isFull()) throw new Fault('BUS_FULL', `${room.storedBytes} of ${bytesMax} bytes are stored and not handled yet`)
    }
    return writer.append(topic, records, bytes)
  }

  const source: LogSource = {
    ...{ publish, seal, now, grown: lanes.grown },
    start: (part) => lanes.get(part).start,
    end: (part) => lanes.get(part).end,
    committed: (group, part) => groups.next(group, part),
    async read(part, from) {
      const near = tail.read(part, from, batchRecordsMax, batchBytesMax)
      if (near) return { records: near, damaged: [], next: from + near.length, lost: 0 }
      diskReads += 1
      try {
        return await readDisk(thread, part, from, lanes.get(part).end)
      } catch (error) {
        life.fail(error) // a file that cannot be read is not written to any more either
        throw error
      }
    },
    async commit(group, nexts) {
      life.check()
      await writer.commit(group, nexts)
      for (const { part, next } of nexts) tail.handled(part, groups.moved(group, part, next))
    },
  }
  const readers = createReaders((asked, group, handler, epoch) =>
    consumeLog(source, { topics: asked, partitions, group, handler, epoch }, { retryMs, onFault, closed: life.over }),
  )
  async function close(): Promise<void> {
    life.end()
    await readers.stop(onFault) // handlers in flight may still publish
    life.close()
    await writer.settled()
    await room.settled()
    await thread.end().catch((error: unknown) => {
      if (!life.hasFailed()) throw error
    })
  }
  let closing: Promise<void> | undefined

  return {
    ...{ partitions, publish, id: thread.opened.id },
    async consume(...asked) {
      life.check()
      return readers.consume(...asked)
    },
    async trim(keepBytes) {
      life.check()
      return room.trim(keepBytes)
    },
    counts: () => ({
      ...{ storedBytes: room.storedBytes, waitingBytes: writer.waitingBytes },
      ...{ tailBytes: tail.bytes, tailEvicted: tail.evicted, diskReads },
    }),
    async [Symbol.asyncDispose]() {
      closing ??= close()
      await closing
    },
  }
}
