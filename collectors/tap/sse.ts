/** Server-sent events from bytes, as the HTML standard reads them: id, event, data of several lines, comments, any line end. */
export type SseEvent = Readonly<{ id?: string; event?: string; data: Uint8Array; tooLong?: number }>
export type Sse = Readonly<{
  push(bytes: Uint8Array): SseEvent[]
  /** Bytes are missing: what is half read is dropped, reading goes on behind the next blank line. True: an event was cut. */
  gap(): boolean
}>

const CR = 13
const LF = 10
const bom = [0xef, 0xbb, 0xbf]

type Draft = { id?: string; event?: string; data: Uint8Array[]; bytes: number }

export function createSse(eventBytesMax: number): Sse {
  let draft: Draft = { data: [], bytes: 0 }
  let line: Uint8Array[] = []
  let lineBytes = 0
  let afterCr = false
  let first = true
  let resync = false

  const ended = (bytes: Uint8Array): SseEvent | undefined => {
    if (bytes.length === 0) return dispatch()
    field(bytes)
    return undefined
  }
  const dispatch = (): SseEvent | undefined => {
    const { data, bytes, ...named } = draft
    draft = { data: [], bytes: 0 }
    if (resync) {
      resync = false
      return undefined
    }
    if (bytes > eventBytesMax) return { ...named, data: new Uint8Array(), tooLong: bytes }
    return data.length === 0 ? undefined : { ...named, data: joined(data) }
  }
  const field = (bytes: Uint8Array) => {
    const colon = bytes.indexOf(58)
    const name = Buffer.from(colon === -1 ? bytes : bytes.subarray(0, Math.min(colon, 16))).toString('latin1')
    const value = colon === -1 ? new Uint8Array() : bytes.subarray(bytes[colon + 1] === 32 ? colon + 2 : colon + 1)
    if (name === 'data') {
      draft.bytes += value.length + 1
      if (draft.bytes <= eventBytesMax) draft.data.push(value)
      else draft.data = []
    } else if (name === 'event' || name === 'id') draft[name] = Buffer.from(value.subarray(0, 1024)).toString('utf8')
  }
  const take = (bytes: Uint8Array) => {
    lineBytes += bytes.length
    if (lineBytes <= eventBytesMax) line.push(bytes)
    else line = []
  }
  const finishLine = (): SseEvent | undefined => {
    const tooLong = lineBytes > eventBytesMax
    let bytes: Uint8Array = line.length === 1 ? (line[0] as Uint8Array) : Buffer.concat(line)
    if (tooLong) draft.bytes += lineBytes
    line = []
    lineBytes = 0
    if (first && bom.every((byte, at) => bytes[at] === byte)) bytes = bytes.subarray(3)
    first = false
    return tooLong ? undefined : ended(bytes)
  }
  return {
    push(bytes) {
      const events: SseEvent[] = []
      let from = 0
      for (let at = 0; at < bytes.length; at += 1) {
        const byte = bytes[at]
        if (byte !== LF && byte !== CR) {
          afterCr = false
          continue
        }
        if (byte === LF && afterCr) {
          afterCr = false
          from = at + 1
          continue
        }
        afterCr = byte === CR
        if (at > from) take(bytes.subarray(from, at))
        from = at + 1
        const event = finishLine()
        if (event) events.push(event)
      }
      if (from < bytes.length) take(bytes.subarray(from))
      return events
    },
    gap() {
      const cut = lineBytes > 0 || draft.data.length > 0
      draft = { data: [], bytes: 0 }
      line = []
      lineBytes = 0
      resync = true
      return cut
    },
  }
}

const newline = Uint8Array.of(LF)
function joined(data: readonly Uint8Array[]): Uint8Array {
  if (data.length === 1) return data[0] as Uint8Array
  return Buffer.concat(data.flatMap((part, at) => (at === 0 ? [part] : [newline, part])))
}
