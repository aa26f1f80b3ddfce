/** What a stdio tap's observer makes of the notes: lines → messages → events, gaps → `tap.gap` with exact counts. */
import type { McpEvent } from '../../schemas/event.ts'
import { createLines, type Line } from './lines.ts'
import type { Note } from './notes.ts'
import type { Outlet } from './outlet.ts'

type Direction = NonNullable<McpEvent['direction']>
export type Observer = Readonly<{ note(note: Note): void }>

/** Longer lines are told and not parsed. */
export const lineBytesMax = 64 * 1024 * 1024

export function observeStdio(outlet: Outlet, bytesMax = lineBytesMax): Observer {
  const connectionId = outlet.eventId('connection')
  const normaliser = outlet.normaliser(connectionId, true)
  const streams = new Map<Direction, { lines: ReturnType<typeof createLines>; messages: number }>(
    (['client_to_server', 'server_to_client'] as const).map((direction) => [direction, { lines: createLines(bytesMax), messages: 0 }]),
  )

  const message = (direction: Direction, line: Line, at: number) => {
    const stream = streams.get(direction)
    if (!stream) return
    if ('tooLong' in line) {
      outlet.sendOwn({
        kind: 'malformed',
        at,
        fields: { direction, connectionId, rawBytes: line.tooLong, rawFacts: ['too_large'] },
      })
      return
    }
    const bytes = line.bytes.at(-1) === 13 ? line.bytes.subarray(0, -1) : line.bytes
    if (bytes.length === 0) return
    stream.messages += 1
    const eventId = outlet.eventId(connectionId, direction, stream.messages)
    outlet.send(normaliser.message(bytes, { time: outlet.time(at), direction, eventId }))
  }
  const gap = (at: number, bytes: number, messages: number, direction?: Direction) => {
    if (bytes === 0 && messages === 0) return
    const about = direction === undefined ? {} : { direction }
    outlet.sendOwn({ kind: 'other', eventName: 'tap.gap', at, fields: { ...about, connectionId, params: { bytes, messages } } })
  }
  return {
    note(note) {
      if (note.type === 'lost') return gap(note.at, note.bytes, note.lines)
      if (note.type !== 'chunk' && note.type !== 'end') return
      const direction = note.stream as Direction
      const lines = streams.get(direction)?.lines
      if (!lines) return
      if (note.gap) gap(note.at, note.gap.bytes, lines.gap(note.gap), direction)
      for (const line of note.type === 'chunk' ? lines.push(note.bytes) : lines.end()) message(direction, line, note.at)
    },
  }
}
