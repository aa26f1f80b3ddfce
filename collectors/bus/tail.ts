/**
 * The newest records of every partition that somebody has still to handle, kept in memory by reference, so that whoever keeps up
 * reads neither disk nor bytes.
 */
import type { StoredRec } from '../../schemas/bus.ts'

export type Tail = {
  add(part: string, records: readonly StoredRec[]): void
  /** Nobody is to read what is below `next` any more; who does all the same reads the disk. */
  handled(part: string, next: number): void
  /** `undefined`: not here any more, ask the disk. */
  read(part: string, from: number, recordsMax: number, bytesMax: number): readonly StoredRec[] | undefined
  readonly bytes: number
  readonly evicted: number
}

type Queue<T> = { push(item: T): void; shift(): T | undefined; at(index: number): T | undefined; readonly length: number }
/** Array.prototype.shift moves everything once an array is large. */
function createQueue<T>(): Queue<T> {
  let items: T[] = []
  let head = 0
  return {
    push: (item) => {
      items.push(item)
    },
    shift: () => {
      const item = items[head]
      if (head < items.length) head += 1
      if (head > 1024 && head * 2 > items.length) {
        items = items.slice(head)
        head = 0
      }
      return item
    },
    at: (index) => items[head + index],
    get length() {
      return items.length - head
    },
  }
}

/** `number`: in the order of all runs of all partitions. */
type Run = Readonly<{ number: number; weight: number; records: readonly StoredRec[] }>
const first = (run: Run | undefined): number => Number(run?.records[0]?.offset ?? -1)
/** A decoded value takes a few times its JSON; the figure only has to keep the bound honest within a factor. */
const weigh = (record: StoredRec): number => 256 + record.bytes.byteLength * (record.value === undefined ? 1 : 4)

/** The last run that begins at or before `from`. */
function find(runs: Queue<Run>, from: number): number {
  let [low, high] = [0, runs.length - 1]
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (first(runs.at(middle)) <= from) low = middle
    else high = middle - 1
  }
  return low
}

export function createTail(bytesMax: number): Tail {
  const parts = new Map<string, Queue<Run>>()
  let numbers = 0
  let bytes = 0
  let evicted = 0

  function drop(runs: Queue<Run> | undefined): number {
    const run = runs?.shift()
    bytes -= run?.weight ?? 0
    return run?.records.length ?? 0
  }
  function evict(): void {
    let oldest: Queue<Run> | undefined
    for (const runs of parts.values()) {
      const number = runs.at(0)?.number
      if (number !== undefined && number < (oldest?.at(0)?.number ?? Number.POSITIVE_INFINITY)) oldest = runs
    }
    evicted += drop(oldest)
  }

  return {
    add(part, records) {
      let weight = 0
      for (const record of records) weight += weigh(record)
      const runs = parts.get(part) ?? createQueue<Run>()
      parts.set(part, runs)
      numbers += 1
      runs.push({ number: numbers, weight, records })
      bytes += weight
      while (bytes > bytesMax) evict()
    },
    handled(part, next) {
      const runs = parts.get(part)
      for (let run = runs?.at(0); run && first(run) + run.records.length <= next; run = runs?.at(0)) drop(runs)
    },
    read(part, from, recordsMax, bytesMax) {
      const runs = parts.get(part)
      if (!runs || runs.length === 0 || first(runs.at(0)) > from) return undefined
      const out: StoredRec[] = []
      let size = 0
      for (let i = find(runs, from); i < runs.length; i += 1) {
        const run = runs.at(i)
        const records = run?.records ?? []
        for (let j = Math.max(0, from - first(run)); j < records.length; j += 1) {
          const record = records[j] as StoredRec
          size += record.bytes.byteLength
          if (out.length === recordsMax || (out.length > 0 && size > bytesMax)) return out
          out.push(record)
        }
      }
      return out
    },
    get bytes() {
      return bytes
    },
    get evicted() {
      return evicted
    },
  }
}
