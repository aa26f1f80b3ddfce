/** How much the log holds, and the making of room: handled records go, oldest first, in small chunks between commits. */
import type { LogThread } from './log-thread.ts'

export type Room = {
  readonly storedBytes: number
  added(bytes: number): void
  /** One run at a time; who asks during one gets its result. Answers how many bytes went. */
  trim(keepBytes: number): Promise<number>
  settled(): Promise<void>
}
export type RoomOptions = {
  thread: LogThread
  bytesMax: number
  keepMs: number
  now: () => number
  failed: (error: unknown) => void
}

const everyMs = 1_000

export function createRoom({ thread, bytesMax, keepMs, now, failed }: RoomOptions): Room {
  let storedBytes = thread.opened.bytes
  let trimming: Promise<number> | undefined
  let trimmedAt = 0

  async function run(keepBytes: number): Promise<number> {
    let sum = 0
    try {
      while (storedBytes > keepBytes) {
        const { bytes, rows } = await thread.call('trim', { bytes: storedBytes - keepBytes, before: now() - keepMs })
        storedBytes -= bytes
        sum += bytes
        if (rows === 0) break
      }
    } catch (error) {
      failed(error)
      throw error
    } finally {
      trimming = undefined
      trimmedAt = now()
    }
    return sum
  }
  function trim(keepBytes: number): Promise<number> {
    trimming ??= run(keepBytes)
    return trimming
  }

  return {
    trim,
    get storedBytes() {
      return storedBytes
    },
    added(bytes) {
      storedBytes += bytes
      // At most once a second: what could not be trimmed now cannot be after the next commit either.
      if (storedBytes <= bytesMax / 2 || trimming || Math.abs(now() - trimmedAt) < everyMs) return
      trim(bytesMax / 4).catch(() => undefined) // `failed` was told
    },
    async settled() {
      await trimming?.catch(() => undefined)
    },
  }
}
