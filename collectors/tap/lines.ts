/** Bytes of a stdio stream → lines. A line over the limit is told by its length and not kept; a gap costs only what it touched. */
import type { Gap } from './notes.ts'

export type Line = Readonly<{ bytes: Uint8Array }> | Readonly<{ tooLong: number }>
export type Lines = Readonly<{
  push(bytes: Uint8Array): Line[]
  /** Bytes are missing here: answers how many lines the gap has made unreadable. */
  gap(gap: Gap): number
  /** The stream is over: a last line without its newline still counts as one. */
  end(): Line[]
}>

const NEWLINE = 10

export function createLines(lineBytesMax: number): Lines {
  let parts: Uint8Array[] = []
  let held = 0
  /** Bytes up to the next newline belong to a line whose beginning is missing. */
  let resync = false

  const take = (bytes: Uint8Array) => {
    held += bytes.length
    if (held <= lineBytesMax) parts.push(bytes)
    else parts = []
  }
  const finish = (): Line => {
    const line: Line =
      held > lineBytesMax ? { tooLong: held } : { bytes: parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts) }
    parts = []
    held = 0
    return line
  }
  return {
    push(bytes) {
      const lines: Line[] = []
      let from = 0
      for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, from)) {
        if (!resync) {
          take(bytes.subarray(from, at))
          if (held > 0) lines.push(finish())
          else parts = []
        }
        resync = false
        from = at + 1
      }
      if (from < bytes.length && !resync) take(bytes.subarray(from))
      return lines
    },
    gap(gap) {
      const half = held > 0
      parts = []
      held = 0
      const was = resync
      resync = gap.midLine
      // Every newline in the gap ended a line; a line cut open at its end ends outside. A half line held or skipped has no
      // newline in a gap that ends within it, and is the same line.
      if (gap.lines === 0 && gap.bytes === 0) return half || gap.midLine ? 1 : 0
      if (gap.lines === 0) return was ? 0 : 1
      return gap.lines - (was ? 1 : 0) + (gap.midLine ? 1 : 0)
    },
    end() {
      return held > 0 ? [finish()] : []
    },
  }
}
