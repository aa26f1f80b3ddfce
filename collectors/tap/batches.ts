/** Records that wait to be sent, and when the next request is due: full, or after a short linger. */
export type Batches = Readonly<{
  push(record: string): void
  chars(): number
  size(): number
  /** ms until a request is due; undefined when nothing waits. */
  dueMs(): number | undefined
  take(): string[]
}>
export type BatchLimits = Readonly<{ lingerMs: number; batchEventsMax: number; batchCharsMax: number }>

export function createBatches({ lingerMs, batchEventsMax, batchCharsMax }: BatchLimits): Batches {
  const queue: string[] = []
  let chars = 0
  let dueAt = 0
  return {
    push(record) {
      if (queue.length === 0) dueAt = Date.now() + lingerMs
      queue.push(record)
      chars += record.length
    },
    chars: () => chars,
    size: () => queue.length,
    dueMs() {
      if (queue.length === 0) return undefined
      return queue.length >= batchEventsMax || chars >= batchCharsMax ? 0 : Math.max(0, dueAt - Date.now())
    },
    take() {
      let taken = 0
      let events = 0
      for (const record of queue) {
        if (events >= batchEventsMax || (events > 0 && taken + record.length > batchCharsMax)) break
        taken += record.length
        events += 1
      }
      chars -= taken
      dueAt = Date.now()
      return queue.splice(0, events)
    },
  }
}
