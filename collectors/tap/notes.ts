/** What a relay tells its observer: bytes as they passed, where bytes are missing, and the facts of an HTTP exchange. */

/** Bytes of one stream the observer never got. `midLine`: the last missing byte was not a newline. */
export type Gap = Readonly<{ bytes: number; lines: number; midLine: boolean }>

/** An HTTP request or response head as received; credentials are hashed by the observer before anything is kept. */
export type Head = Readonly<{
  rawHeaders: readonly string[]
  method?: string
  path?: string
  status?: number
  peer?: string
}>

export type Fact =
  | Readonly<{ type: 'request'; exchange: string; head: Head }>
  | Readonly<{ type: 'response'; exchange: string; head: Head }>
  | Readonly<{ type: 'refused'; exchange: string; head: Head; reason: string }>
  | Readonly<{ type: 'unreachable'; exchange: string; reason: string }>

/** `at`: ms since the epoch, with fractions. A stream is one direction of one connection or exchange. */
export type Note = Readonly<{ at: number }> &
  (
    | Fact
    | Readonly<{ type: 'chunk'; stream: string; bytes: Uint8Array; lines: number; gap?: Gap }>
    | Readonly<{ type: 'end'; stream: string; aborted: boolean; gap?: Gap }>
    | Readonly<{ type: 'lost'; bytes: number; lines: number }>
  )

/** The observer is told to finish once; it answers when everything is sent or kept on disk. */
export type Finish = Readonly<{ type: 'finish'; deadlineMs: number }>
export type Finished = Readonly<{ type: 'finished' }>
/** One line for the operator, written to stderr by the relay's process. */
export type Remark = Readonly<{ type: 'remark'; text: string }>

const NEWLINE = 10

export function linesIn(bytes: Uint8Array): number {
  let lines = 0
  for (let at = bytes.indexOf(NEWLINE); at !== -1; at = bytes.indexOf(NEWLINE, at + 1)) lines += 1
  return lines
}
export const endsMidLine = (bytes: Uint8Array): boolean => bytes.length > 0 && bytes[bytes.length - 1] !== NEWLINE

/** What a note costs of the bytes that may be under way; a flat part, so that a flood of tiny ones is bounded too. */
export function costOf(note: Note): number {
  if (note.type === 'chunk') return 256 + note.bytes.length
  if (!('head' in note)) return 256
  return note.head.rawHeaders.reduce((sum, text) => sum + text.length, 256 + (note.head.path?.length ?? 0))
}

/** Losses a note tells of: they have to be told again when it is lost itself. */
export function newsOf(note: Note): Readonly<{ bytes: number; lines: number }> {
  if (note.type === 'lost') return note
  return ('gap' in note && note.gap) || noNews
}
const noNews = { bytes: 0, lines: 0 }
