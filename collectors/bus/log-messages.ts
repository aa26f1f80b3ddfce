/** What the log and the thread that owns its SQLite file say to each other. Offsets are numbers here: 2⁵³ records outlive any disk. */

/** `part` is a PartId; the row holds records `first` to `last`. */
export type Row = Readonly<{ part: string; first: number; last: number; bytes: Uint8Array<ArrayBuffer> }>
export type GroupOffset = Readonly<{ group: string; part: string; next: number }>

export type Calls = {
  /** One transaction, synced before it answers. */
  write: { ask: Readonly<{ rows: readonly Row[]; offsets: readonly GroupOffset[]; at: number }>; answer: null }
  /** Rows from the one that holds `from` on, up to a batch’s bounds, at least one if there is any. */
  read: {
    ask: Readonly<{ part: string; from: number; recordsMax: number; bytesMax: number }>
    answer: readonly Omit<Row, 'part'>[]
  }
  /** Deletes one small chunk of rows that every group has handled and that were written by `before`. */
  trim: { ask: Readonly<{ bytes: number; before: number }>; answer: Readonly<{ bytes: number; rows: number }> }
  close: { ask: null; answer: null }
}
export type CallName = keyof Calls
export type Ask = { [K in CallName]: Readonly<{ id: number; name: K; ask: Calls[K]['ask'] }> }[CallName]

export type Opened = Readonly<{
  id: string
  bytes: number
  ends: readonly Readonly<{ part: string; start: number; end: number }>[]
  offsets: readonly GroupOffset[]
}>
/** `code` is SQLite’s result code, 0 where the failure was not SQLite’s. */
export type Failure = Readonly<{ code: number; message: string }>
/** Id 0 is the answer to opening, −1 a failure that nobody asked for. */
export type Answer = Readonly<{ id: number; answer: unknown } | { id: number; failure: Failure }>

/** What a row costs beside its records. */
export const rowOverheadBytes = 128
