/** What waits to be written to one partition of Kafka: pieces of `publish` calls, in order, merged into the next batch. */
import type { WireMessage } from './kafka-records.ts'

const batchRecordsMax = 5_000
export const batchBytesMax = 1024 ** 2

/** What one call of `publish` has for one partition; `done` is told the offset of its first message. */
export type Piece = Readonly<{
  messages: readonly WireMessage[]
  bytes: number
  done: (firstOffset: bigint) => void
  failed: (error: unknown) => void
}>
/** `batch`: what was sent and not answered yet. It is sent again as it is, or the broker could not tell that it knows it. */
export type Lane = {
  readonly topic: string
  readonly partition: number
  readonly waiting: Piece[]
  batch: readonly Piece[] | undefined
  sequence: number
  /** Piece by piece: one of them was refused. */
  single: boolean
  failures: number
  failingSinceMs: number | undefined
}
export const openLane = (topic: string, partition: number): Lane => ({
  ...{ topic, partition, waiting: [], batch: undefined, sequence: 0 },
  ...{ single: false, failures: 0, failingSinceMs: undefined },
})

export function nextBatch(lane: Lane): readonly Piece[] {
  if (lane.batch) return lane.batch
  let records = 0
  let bytes = 0
  let count = 0
  for (const piece of lane.waiting) {
    records += piece.messages.length
    bytes += piece.bytes
    if (count > 0 && (lane.single || records > batchRecordsMax || bytes > batchBytesMax)) break
    count += 1
  }
  lane.batch = lane.waiting.splice(0, count)
  return lane.batch
}

export const sizeOf = ({ key, value, headers }: WireMessage): number => {
  let sum = 32 + (key?.byteLength ?? 0) + (value?.byteLength ?? 0)
  if (headers) for (const [name, text] of Object.entries(headers)) sum += 8 + (name.length + text.length) * 3
  return sum
}
const sequences = 2 ** 31
export const advance = (sequence: number, count: number): number => (sequence + count) % sequences

/** As many messages as make one batch. */
export function cut(messages: readonly WireMessage[]): readonly (readonly WireMessage[])[] {
  const pieces: (readonly WireMessage[])[] = []
  let from = 0
  let bytes = 0
  for (const [i, message] of messages.entries()) {
    const size = sizeOf(message)
    if (i > from && (bytes + size > batchBytesMax || i - from >= batchRecordsMax)) {
      pieces.push(messages.slice(from, i))
      from = i
      bytes = 0
    }
    bytes += size
  }
  return from === 0 ? [messages] : [...pieces, messages.slice(from)]
}
