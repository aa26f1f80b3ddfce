/** One assigned partition: what was read ahead of its handler, and the loop that hands it over, one batch at a time. */
import { gapFault, type StoredRec } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { type Delivery, deliver } from './deliver.ts'
import type { FetchLane } from './kafka-fetch.ts'
import type { TopicPart } from './kafka-member.ts'
import type { FetchedMessage } from './kafka-records.ts'
import type { FetchedPart } from './kafka-requests.ts'

const batchRecordsMax = 5_000
const batchBytesMax = 8 * 1024 ** 2

export function recordOf({ key, value, headers, offset }: FetchedMessage): StoredRec {
  const record = { key: key?.toString() ?? '', bytes: value ?? new Uint8Array(0), offset }
  return headers ? { ...record, headers } : record
}

export type LaneOptions = Readonly<{
  part: TopicPart
  /** As the outside calls it. */
  /** The partition under the name that its readers know. */
  about: TopicPart
  name: string
  begin: bigint
  readAheadBytesMax: number
  delivery: Omit<Delivery, 'commit'>
  onCommit: () => void
  onRoom: () => void
}>
export type Lane = FetchLane & {
  readonly name: string
  /** The next offset to handle; all before it is done. */
  handled: bigint
  /** Since when the batch in flight has been in flight. */
  busySinceMs: number | undefined
  movedAtMs: number
  waitingBytes(): number
  /** Handles what comes until the signal of its delivery is aborted; rejects when nothing may go on. */
  run(): Promise<void>
}

export function openLane({ part, about, name, begin, readAheadBytesMax, delivery, onCommit, onRoom }: LaneOptions): Lane {
  const { signal, onFault } = delivery
  const waiting: StoredRec[] = []
  let bytes = 0
  let wake: () => void = () => undefined
  signal.addEventListener('abort', () => wake())

  /** As much as makes one batch. */
  function takeBatch(): readonly StoredRec[] {
    let size = 0
    let count = 0
    for (const record of waiting) {
      size += record.bytes.byteLength
      if (count > 0 && (size > batchBytesMax || count >= batchRecordsMax)) break
      count += 1
    }
    const batch = waiting.splice(0, count)
    const had = bytes
    for (const record of batch) bytes -= record.bytes.byteLength + 100
    if (had >= readAheadBytesMax && bytes < readAheadBytesMax) onRoom()
    return batch
  }
  const lane: Lane = {
    ...{ ...part, name, next: begin, handled: begin, busySinceMs: undefined, movedAtMs: performance.now() },
    hasRoom: () => bytes < readAheadBytesMax && !signal.aborted,
    waitingBytes: () => bytes,
    take({ messages, next, damaged }: FetchedPart) {
      const first = messages[0]
      if (damaged > 0) onFault(new Fault('RECORD_INVALID', `${damaged} records of ${name} from ${lane.next} on are damaged in Kafka`))
      // Our topics are neither compacted nor transactional: a hole is a loss.
      else if (first && first.offset > lane.next)
        onFault(gapFault({ ...about, from: String(lane.next), lost: Number(first.offset - lane.next) }, 'Kafka'))
      // What could not be read is passed: once all before it is handled, it counts as handled.
      if (messages.length === 0 && waiting.length === 0 && lane.busySinceMs === undefined && lane.handled === lane.next) lane.handled = next
      lane.next = next
      for (const message of messages) {
        const record = recordOf(message)
        waiting.push(record)
        bytes += record.bytes.byteLength + 100
      }
      if (messages.length > 0) wake()
    },
    async run() {
      while (!signal.aborted) {
        if (waiting.length === 0) {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
          continue
        }
        lane.busySinceMs = performance.now()
        const done = await deliver(takeBatch(), {
          ...delivery,
          commit: async (next) => {
            lane.handled = next
            lane.movedAtMs = performance.now()
            onCommit()
          },
        })
        lane.busySinceMs = undefined
        if (!done) return
      }
    },
  }
  return lane
}
