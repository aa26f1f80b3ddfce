/** The partitions of the log in memory: where each begins and ends, who waits for it to grow, and which one a key belongs to. */
import { crc32 } from 'node:zlib'
import { type Part, type PartId, partId, type Topic, topics } from '../../schemas/bus.ts'
import type { Opened } from './log-messages.ts'

/** `end` is the next offset that readers may not see yet, `next` the next one to give away: between them is what is being written. */
export type Lane = { readonly part: Part; readonly id: PartId; start: number; end: number; next: number; readonly waiting: Set<() => void> }
export type Lanes = {
  of(topic: Topic, key: string): Lane
  get(id: PartId): Lane
  grew(lane: Lane, end: number): void
  grown(id: PartId, from: number, signal: AbortSignal): Promise<void>
}

/** Part of the format: the same key must find the same partition after every restart. CRC32 alone is linear in the last character. */
export function partitionOf(key: string, partitions: number): number {
  const crc = crc32(key)
  return (Math.imul(crc ^ (crc >>> 16), 0x45d9f3b) >>> 8) % partitions
}

export function createLanes(partitions: number, opened: Opened): Lanes {
  const known = new Map(opened.ends.map((end) => [end.part, end]))
  const byTopic = new Map<Topic, Lane[]>()
  const byId = new Map<string, Lane>()
  for (const topic of topics) {
    const lanes = Array.from({ length: partitions }, (_, partition): Lane => {
      const part = { topic, partition }
      const { start, end } = known.get(partId(part)) ?? { start: 0, end: 0 }
      return { part, id: partId(part), start, end, next: end, waiting: new Set() }
    })
    byTopic.set(topic, lanes)
    for (const lane of lanes) byId.set(lane.id, lane)
  }
  const get = (id: PartId): Lane => {
    const lane = byId.get(id)
    if (!lane) throw new RangeError(`no partition ${id}`)
    return lane
  }
  return {
    get,
    of: (topic, key) => byTopic.get(topic)?.[partitionOf(key, partitions)] as Lane, // safe: every topic has `partitions` lanes
    grew(lane, end) {
      lane.end = end
      for (const wake of [...lane.waiting]) wake()
    },
    grown: (id, from, signal) =>
      new Promise((resolve) => {
        const lane = get(id)
        // Looked at and waited for in one breath: a commit in between cannot be missed.
        if (signal.aborted || lane.end > from) {
          resolve()
          return
        }
        const wake = (): void => {
          if (!signal.aborted && lane.end <= from) return
          lane.waiting.delete(wake)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        lane.waiting.add(wake)
        signal.addEventListener('abort', wake)
      }),
  }
}
