/**
 * The state of an engine as bytes and back: in pieces of bounded size, so that whoever saves it can let others work between two.
 * What is flat is copied at once; a memory of a detector when it is about to change, or written in its turn.
 */
import v8 from 'node:v8'
import type { KeepState } from './keep.ts'
import type { Frozen, MemoryState } from './memory.ts'
import { plainCopy } from './plain-copy.ts'
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
const firstEntries = 1

/** `version`: of a detector's memory, whose id the name then is. */
type Opening = Readonly<{ name: string; version?: number; evicted: number }>
/** `values` are left out where all are true, and are places among the shared objects where `fresh` says which of them are new. */
type Entries = Readonly<{ old: boolean; keys: readonly string[]; values?: readonly unknown[]; fresh?: readonly unknown[] }>

const lengthBytes = 4

/** Its length, then what `v8.serialize` would give: written behind the place of the length, for copies of large pieces are dear. */
const framed = (piece: Opening | Entries): Uint8Array => {
  const serializer = new v8.DefaultSerializer()
  serializer.writeRawBytes(Buffer.alloc(lengthBytes))
  serializer.writeHeader()
  serializer.writeValue(piece)
  const frame = serializer.releaseBuffer()
  frame.writeUInt32LE(frame.length - lengthBytes)
  return frame
}

type Piece = Omit<Entries, 'old'>

/** Entries a piece: as many of the next as came near the size that is wanted of the last. */
function* sized(entries: Iterable<readonly [string, unknown]>, old: boolean, shared?: Map<unknown, number>): Generator<Uint8Array> {
  let most = firstEntries
  let waiting: (readonly [string, unknown])[] = []
  for (const entry of entries) {
    waiting.push(entry)
    if (waiting.length < most) continue
    const bytes = framed({ old, ...pieceOf(waiting, shared) })
    yield bytes
    most = Math.max(1, Math.min(entriesMax, most * 4, Math.floor((most * pieceBytes) / bytes.length)))
    waiting = []
  }
  if (waiting.length > 0) yield framed({ old, ...pieceOf(waiting, shared) })
}

/** `shared`: one object may stand under several keys, and has to be one object again. */
function pieceOf(entries: readonly (readonly [string, unknown])[], shared: Map<unknown, number> | undefined): Piece {
  const keys = entries.map(([key]) => key)
  if (!shared) return entries.every(([, value]) => value === true) ? { keys } : { keys, values: entries.map(([, value]) => value) }
  const fresh: unknown[] = []
  const values = entries.map(([, value]) => {
    const known = shared.get(value)
    if (known !== undefined) return known
    fresh.push(value)
    shared.set(value, shared.size)
    return shared.size - 1
  })
  return { keys, values, fresh }
}

type Kept = Omit<EngineState, 'memory'>
type CopiedKeep = Readonly<{ name: string; evicted: number; young: Entry[]; old: Entry[] }>
type Entry = readonly [string, unknown]

const copied = (name: string, { young, old, evicted }: KeepState<unknown>, copyOf = (value: unknown) => value): CopiedKeep => {
  const entries = (of: ReadonlyMap<string, unknown>) => Array.from(of, ([key, value]): Entry => [key, copyOf(value)])
  return { name, evicted, young: entries(young), old: entries(old) }
}

/** One object may stand under several keys: so may its copy. */
function copier(): (value: unknown) => unknown {
  const copies = new Map<unknown, unknown>()
  return (value) => {
    const known = copies.get(value)
    if (known !== undefined) return known
    const copy = { ...(value as object) }
    copies.set(value, copy)
    return copy
  }
}

/** Threads and what was seen lately: flat and small, so that they are copied at once and written when there is time. */
function keptPieces({ threads, recent, alerts, said }: Kept): Generator<Uint8Array> {
  const copyOf = copier()
  const shared = Object.entries(threads).map(([name, keep]) => copied(name, keep, copyOf))
  const plain = Object.entries({ recent, alerts, said }).map(([name, keep]) => copied(name, keep))
  return (function* () {
    const places = new Map<unknown, number>()
    for (const [keeps, known] of [[shared, places] as const, [plain, undefined] as const]) {
      for (const { name, evicted, young, old } of keeps) {
        yield framed({ name, evicted })
        yield* sized(young, false, known)
        yield* sized(old, true, known)
      }
    }
  })()
}

type Slots = Frozen['parts'][number]['slots']
const youngDue = 1

/** Those still to be written, of one generation; whoever takes one writes it before anything else happens. */
function* dueOf(slots: Slots, due: number): Generator<readonly [string, unknown]> {
  for (const [key, slot] of slots) {
    if (slot.due !== due) continue
    slot.due = 0
    yield [key, { value: slot.value, last: slot.last }]
  }
}

type Early = Readonly<{ old: boolean; entry: readonly [string, unknown] }>

/** The memories as they were when they were frozen, whatever happens between two pieces. */
function memoryPieces({ parts, onChange }: Frozen): Generator<Uint8Array> {
  const early = new Map<string, Early[]>()
  onChange((id, key, slot) => {
    const { due, value, last } = slot
    slot.due = 0
    const one: Early = { old: due !== youngDue, entry: [key, { value: plainCopy(value), last }] }
    const known = early.get(id)
    if (known) known.push(one)
    else early.set(id, [one])
  })
  /** Those of which a copy was taken: none is due any more. */
  const taken = (id: string, old: boolean) => (early.get(id) ?? []).filter((one) => one.old === old).map(({ entry }) => entry)
  return (function* () {
    try {
      for (const { id, version, evicted, slots } of parts) {
        yield framed({ name: id, version, evicted })
        for (const old of [false, true]) yield* sized(dueOf(slots, old ? youngDue + 1 : youngDue), old)
        for (const old of [false, true]) yield* sized(taken(id, old), old)
        early.delete(id)
      }
    } finally {
      // Also where the disk gave up half way.
      onChange(undefined)
    }
  })()
}

/** The state of this moment in pieces, whatever happens between two of them. One snapshot at a time. */
export function snapshotPieces(kept: Kept, memory: Frozen): Generator<Uint8Array> {
  const [some, rest] = [keptPieces(kept), memoryPieces(memory)]
  return (function* () {
    yield* some
    yield* rest
  })()
}

/** All pieces, one after another. */
export function stateOf(snapshot: Uint8Array): EngineState {
  const bytes = Buffer.from(snapshot.buffer, snapshot.byteOffset, snapshot.byteLength)
  const memory: MemoryState = new Map()
  const keeps = new Map<string, KeepState<unknown>>()
  const shared: unknown[] = []
  let open: KeepState<unknown> | undefined
  for (let at = 0; at + lengthBytes <= bytes.length; ) {
    const length = bytes.readUInt32LE(at)
    // A copy: flat arrays of a memory come back as views of these bytes, and whoever owns the memory writes to them.
    const piece = v8.deserialize(Buffer.from(bytes.subarray(at + lengthBytes, at + lengthBytes + length))) as Opening | Entries
    at += lengthBytes + length
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
