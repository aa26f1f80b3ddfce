/** Group commit: what is published while one commit is being synced goes into the next, in the order of the calls. */
import { setImmediate as turn } from 'node:timers/promises'
import type { PartId, Position, Rec, StoredRec, Topic } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { frame, framedBytes } from './frame.ts'
import { type GroupOffset, type Row, rowOverheadBytes } from './log-messages.ts'
import type { Lane, Lanes } from './log-parts.ts'
import type { LogThread } from './log-thread.ts'
import type { Tail } from './tail.ts'

const commitBytesMax = 8 * 1024 ** 2
const rowBytesMax = 1024 ** 2
const rowRecordsMax = 5_000
const waitingBytesMax = 128 * 1024 ** 2

type Waiting = {
  topic: Topic
  records: readonly Rec[]
  bytes: number
  resolve: (at: readonly Position[]) => void
  reject: (error: unknown) => void
}
type Commit = {
  group: string
  nexts: readonly Readonly<{ part: PartId; next: number }>[]
  resolve: () => void
  reject: (error: unknown) => void
}
type Written = { rows: Row[]; runs: Map<Lane, StoredRec[]>; positions: Position[][] }

export type Writer = {
  append(topic: Topic, records: readonly Rec[], bytes: number): Promise<readonly Position[]>
  commit(group: string, nexts: Commit['nexts']): Promise<void>
  /** Resolves when everything given so far is written. */
  settled(): Promise<void>
  readonly waitingBytes: number
}
export type WriterOptions = {
  thread: LogThread
  lanes: Lanes
  tail: Tail
  now: () => number
  /** Told after every commit, with what it added. */
  wrote: (bytes: number) => void
  failed: (error: unknown) => void
}

/** Rows small enough that a reader’s batch is never much larger than asked. */
function rowsOf(lane: Lane, records: readonly StoredRec[]): Row[] {
  const rows: Row[] = []
  let begin = 0
  let size = 0
  const cut = (to: number): void => {
    const some = records.slice(begin, to)
    const first = Number(some[0]?.offset)
    rows.push({ part: lane.id, first, last: first + some.length - 1, bytes: frame(some) })
    begin = to
    size = 0
  }
  for (const [i, record] of records.entries()) {
    const bytes = framedBytes(record)
    if (i > begin && (size + bytes > rowBytesMax || i - begin === rowRecordsMax)) cut(i)
    size += bytes
  }
  if (begin < records.length) cut(records.length)
  return rows
}

function place(taken: readonly Waiting[], lanes: Lanes): Written {
  const runs = new Map<Lane, StoredRec[]>()
  const positions = taken.map(({ topic, records }) =>
    records.map((record): Position => {
      const lane = lanes.of(topic, record.key)
      const offset = BigInt(lane.next)
      lane.next += 1
      const run = runs.get(lane)
      if (run) run.push({ ...record, offset })
      else runs.set(lane, [{ ...record, offset }])
      return { topic, partition: lane.part.partition, offset }
    }),
  )
  return { rows: [...runs].flatMap(([lane, records]) => rowsOf(lane, records)), runs, positions }
}

function latest(commits: readonly Commit[]): GroupOffset[] {
  const nexts = new Map<string, GroupOffset>()
  for (const { group, nexts: some } of commits) {
    for (const { part, next } of some) nexts.set(JSON.stringify([group, part]), { group, part, next })
  }
  return [...nexts.values()]
}

export function createWriter({ thread, lanes, tail, now, wrote, failed }: WriterOptions): Writer {
  let queue: Waiting[] = []
  let commits: Commit[] = []
  let waitingBytes = 0
  let pumping: Promise<void> | undefined

  function take(): Waiting[] {
    let bytes = 0
    const tooMany = queue.findIndex((waiting, i) => {
      bytes += waiting.bytes
      return i > 0 && bytes > commitBytesMax
    })
    const taken = tooMany < 0 ? queue : queue.slice(0, tooMany)
    queue = tooMany < 0 ? [] : queue.slice(tooMany)
    return taken
  }

  async function commitOnce(): Promise<void> {
    const taken = take()
    const offsets = commits
    commits = []
    try {
      const { rows, runs, positions } = place(taken, lanes)
      const size = rows.reduce((sum, { bytes }) => sum + bytes.byteLength + rowOverheadBytes, 0)
      const buffers = rows.map(({ bytes }) => bytes.buffer)
      await thread.call('write', { rows, offsets: latest(offsets), at: now() }, buffers)
      for (const [lane, records] of runs) {
        tail.add(lane.id, records)
        lanes.grew(lane, lane.next)
      }
      for (const [i, { bytes, resolve }] of taken.entries()) {
        waitingBytes -= bytes
        resolve(positions[i] ?? [])
      }
      for (const { resolve } of offsets) resolve()
      wrote(size)
    } catch (error) {
      for (const { reject } of [...taken, ...offsets, ...queue, ...commits]) reject(error)
      queue = []
      commits = []
      waitingBytes = 0
      failed(error)
    }
  }

  async function pump(): Promise<void> {
    while (queue.length > 0 || commits.length > 0) {
      await turn() // whoever publishes in this turn of the event loop shares the sync
      await commitOnce()
    }
  }
  /** `pumping` is cleared in the same breath in which the queue was seen empty: what comes next starts a new pump. */
  function wake(): void {
    pumping ??= pump().then(() => {
      pumping = undefined
      if (queue.length > 0 || commits.length > 0) wake()
    })
  }

  return {
    append: (topic, records, bytes) =>
      new Promise((resolve, reject) => {
        if (waitingBytes > 0 && waitingBytes + bytes > waitingBytesMax) {
          reject(new Fault('BUS_FULL', `${waitingBytes} bytes are waiting to be written`))
          return
        }
        waitingBytes += bytes
        queue.push({ topic, records, bytes, resolve, reject })
        wake()
      }),
    commit: (group, nexts) =>
      new Promise((resolve, reject) => {
        commits.push({ group, nexts, resolve, reject })
        wake()
      }),
    async settled() {
      while (await pumping) await pumping
    },
    get waitingBytes() {
      return waitingBytes
    },
  }
}
