/** What detectors remember: one value per detector and key, aged by event time, bounded, saved and restored whole. */
import type { AnyDetector } from '../schemas/detector.ts'
import { createKeep, type Keep, type KeepState } from './keep.ts'
import { createSpots, type Spot } from './spots.ts'

/**
 * `due`: its generation while a snapshot that holds it has not yet written it, 1 the young and 2 the old.
 * `turn`: it is among the young while the keep is at this turn.
 */
type Slot = { value: unknown; last: bigint; due?: number; turn?: number }
export type MemoryState = Map<string, { version: number; slots: KeepState<Slot> }>
export type MemorySpot = Spot<Slot>
/** A memory as it was at one moment, while events go on to change it. */
export type Frozen = Readonly<{
  parts: readonly Readonly<{ id: string; version: number; evicted: number; slots: readonly (readonly [string, Slot])[] }>[]
  /** Called with what is about to change and was not yet written, as it was. */
  onChange: (tell: ((id: string, key: string, slot: Slot) => void) | undefined) => void
}>
export type Memory = Readonly<{
  /** The memories of these keys, in order; a new or outlived one starts from `initial()`. */
  recall: (detector: AnyDetector, keys: readonly string[], time: bigint) => readonly unknown[]
  /** The same for the one key of a thread or an actor. */
  recallAt: (detector: AnyDetector, spot: MemorySpot, time: bigint) => readonly unknown[]
  spotOf: (scope: 'thread' | 'actor', tenant: string, name: string) => MemorySpot
  evicted: () => ReadonlyMap<string, number>
  freeze: () => Frozen
}>

/** The memory of one detector; `place` is its own among all. */
type Shelf = Readonly<{ id: string; place: number; keep: Keep<Slot>; lifetime: bigint; initial: () => unknown }>

const nothing: readonly unknown[] = []

function shelvesOf(detectors: readonly AnyDetector[], from: MemoryState | undefined): Map<string, Shelf> {
  const shelves = new Map<string, Shelf>()
  for (const { id, memory } of detectors) {
    if (!memory) continue
    const saved = from?.get(id)
    // A memory of another version has another shape: it is learned again.
    const keep = createKeep(memory.keysMax, saved?.version === memory.version ? saved.slots : undefined)
    shelves.set(id, { id, place: shelves.size, keep, lifetime: BigInt(memory.ttlMs) * 1_000_000n, initial: memory.initial })
  }
  return shelves
}

export function createMemory(detectors: readonly AnyDetector[], from?: MemoryState): Memory {
  const shelves = shelvesOf(detectors, from)
  const spots = { thread: createSpots<Slot>(shelves.size), actor: createSpots<Slot>(shelves.size) }
  let changing: ((id: string, key: string, slot: Slot) => void) | undefined

  /** `slot`: what was found under the key. */
  const used = ({ id, keep, lifetime, initial }: Shelf, key: string, slot: Slot | undefined, time: bigint): Slot => {
    if (slot === undefined) {
      const fresh: Slot = { value: initial(), last: time, due: 0, turn: -1 }
      keep.add(key, fresh)
      return fresh
    }
    if (changing && slot.due) changing(id, key, slot)
    if (time - slot.last < lifetime) {
      if (time > slot.last) slot.last = time
      return slot
    }
    slot.turn = -1
    const fresh: Slot = { value: initial(), last: time, due: 0, turn: -1 }
    keep.set(key, fresh)
    return fresh
  }

  /** What was found before is still there, and still young, until the keep takes its next turn. */
  const usedAt = (shelf: Shelf, { key, slots }: Spot<Slot>, time: bigint): Slot => {
    const { place, keep } = shelf
    const before = slots[place]
    const found = before !== undefined && before.turn === keep.turns() ? before : keep.get(key)
    const slot = used(shelf, key, found, time)
    slot.turn = keep.turns()
    slots[place] = slot
    return slot
  }

  return {
    recall: ({ id }, keys, time) => {
      const shelf = shelves.get(id)
      if (!shelf) return nothing
      const found: unknown[] = []
      for (const key of keys) found.push(used(shelf, key, shelf.keep.get(key), time).value)
      return found
    },
    recallAt: ({ id }, spot, time) => {
      const shelf = shelves.get(id)
      return shelf ? [usedAt(shelf, spot, time).value] : nothing
    },
    spotOf: (scope, tenant, name) => spots[scope](tenant, name),
    evicted: () => new Map([...shelves].map(([id, { keep }]) => [id, keep.evicted()])),
    freeze: () => ({
      parts: detectors.flatMap(({ id, memory }) => {
        const shelf = shelves.get(id)
        if (!memory || !shelf) return []
        const { young, old, evicted } = shelf.keep.state()
        for (const slot of young.values()) slot.due = 1
        for (const slot of old.values()) slot.due = 2
        return [{ id, version: memory.version, evicted, slots: [...young, ...old] }]
      }),
      onChange: (tell) => {
        changing = tell
      },
    }),
  }
}
