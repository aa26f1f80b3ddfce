/**
 * The state of an engine as bytes and back: in pieces of bounded size, so that whoever saves it can let others work between two.
 * Nothing may change the state until the last piece is taken.
 */
import v8 from 'node:v8'
import type { KeepState } from './keep.ts'
import type { MemoryState } from './memory.ts'
import type { ThreadsState } from './threads.ts'

export type EngineState = {
  memory: MemoryState
  threads: ThreadsState
  recent: KeepState<true>
  alerts: KeepState<true>
  said: KeepState<true>
}

const pieceBytes = 128 * 1024
const entriesMax = 4_096
const firstEntries = 16

/** `version`: of a detector's memory, whose id the name then is. */
type Opening = Readonly<{ name: string; version?: number; evicted: number }>
/** `values` are left out where all are true, and are places among the shared objects where `fresh` says which of them are new. */
type Entries = Readonly<{ old: boolean; keys: readonly string[]; values?: readonly unknown[]; fresh?: readonly unknown[] }>

const framed = (piece: Opening | Entries): Uint8Array => {
  const bytes = v8.serialize(piece)
  const frame = Buffer.allocUnsafe(4 + bytes.length)
  frame.writeUInt32LE(bytes.length)
  bytes.copy(frame, 4)
  return frame
}

/** `shared`: one object may stand under several keys, and has to be one object again. */
function* keepPieces(opening: Opening, state: KeepState<unknown>, shared?: Map<unknown, number>): Generator<Uint8Array> {
  yield framed(opening)
  let entries = firstEntries
  for (const [age, map] of [state.young, state.old].entries()) {
    let keys: string[] = []
    let values: unknown[] = []
    let fresh: unknown[] = []
    const piece = () => framed({ old: age === 1, keys, ...(values.length > 0 ? { values } : {}), ...(shared ? { fresh } : {}) })
    for (const [key, value] of map) {
      keys.push(key)
      if (shared) {
        let place = shared.get(value)
        if (place === undefined) {
          place = shared.size
          shared.set(value, place)
          fresh.push(value)
        }
        values.push(place)
      } else if (value !== true) values.push(value)
      if (keys.length < entries) continue
      const bytes = piece()
      yield bytes
      // As many as came near the size that is wanted.
      entries = Math.max(1, Math.min(entriesMax, entries * 4, Math.floor((entries * pieceBytes) / bytes.length)))
      keys = []
      values = []
      fresh = []
    }
    if (keys.length > 0) yield piece()
  }
}

export function* piecesOf({ memory, threads, recent, alerts, said }: EngineState): Generator<Uint8Array> {
  for (const [name, { version, slots }] of memory) yield* keepPieces({ name, version, evicted: slots.evicted }, slots)
  const shared = new Map<unknown, number>()
  for (const [name, keep] of Object.entries(threads)) yield* keepPieces({ name, evicted: keep.evicted }, keep, shared)
  for (const [name, keep] of Object.entries({ recent, alerts, said })) yield* keepPieces({ name, evicted: keep.evicted }, keep)
}

/** All pieces, one after another. */
export function stateOf(snapshot: Uint8Array): EngineState {
  const bytes = Buffer.from(snapshot.buffer, snapshot.byteOffset, snapshot.byteLength)
  const memory: MemoryState = new Map()
  const keeps = new Map<string, KeepState<unknown>>()
  const shared: unknown[] = []
  let open: KeepState<unknown> | undefined
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at)
    const piece = v8.deserialize(bytes.subarray(at + 4, at + 4 + length)) as Opening | Entries
    at += 4 + length
    if ('name' in piece) {
      open = { young: new Map(), old: new Map(), evicted: piece.evicted }
      if (piece.version === undefined) keeps.set(piece.name, open)
      // Safe: a detector reads back what the same version of it wrote.
      else memory.set(piece.name, { version: piece.version, slots: open as never })
    } else if (open) put(piece, piece.old ? open.old : open.young, shared)
  }
  const keepOf = (name: string) => (keeps.get(name) ?? { young: new Map(), old: new Map(), evicted: 0 }) as never // of the kind that was written under that name
  return {
    memory,
    threads: { byEvidence: keepOf('byEvidence'), byActor: keepOf('byActor') },
    recent: keepOf('recent'),
    alerts: keepOf('alerts'),
    said: keepOf('said'),
  }
}

function put({ keys, values, fresh }: Entries, into: Map<string, unknown>, shared: unknown[]): void {
  for (const value of fresh ?? []) shared.push(value)
  for (const [at, key] of keys.entries()) {
    const value = values?.[at]
    into.set(key, values === undefined ? true : fresh ? shared[value as number] : value)
  }
}
