/** What detectors remember: one value per detector and key, aged by event time, bounded, saved and restored whole. */
import type { AnyDetector } from '../schemas/detector.ts'
import { createKeep, type Keep, type KeepState } from './keep.ts'

type Slot = { value: unknown; last: bigint }
export type MemoryState = Map<string, { version: number; slots: KeepState<Slot> }>
export type Memory = Readonly<{
  /** The memories of these keys, in order; a new or outlived one starts from `initial()`. */
  recall: (detector: AnyDetector, keys: readonly string[], time: bigint) => readonly unknown[]
  evicted: () => ReadonlyMap<string, number>
  state: () => MemoryState
}>

const nothing: readonly unknown[] = []

export function createMemory(detectors: readonly AnyDetector[], from?: MemoryState): Memory {
  const keeps = new Map<string, Keep<Slot>>()
  const lifetimes = new Map<string, bigint>()
  for (const { id, memory } of detectors) {
    if (!memory) continue
    const saved = from?.get(id)
    lifetimes.set(id, BigInt(memory.ttlMs) * 1_000_000n)
    // A memory of another version has another shape: it is learned again.
    keeps.set(id, createKeep(memory.keysMax, saved?.version === memory.version ? saved.slots : undefined))
  }
  return {
    recall: (detector, keys, time) => {
      const keep = keeps.get(detector.id)
      const memory = detector.memory
      if (!keep || !memory) return nothing
      const lifetime = lifetimes.get(detector.id) as bigint
      const found: unknown[] = []
      for (const key of keys) {
        const slot = keep.get(key)
        if (slot && time - slot.last < lifetime) {
          if (time > slot.last) slot.last = time
          found.push(slot.value)
        } else {
          const fresh: Slot = { value: memory.initial(), last: time }
          keep.set(key, fresh)
          found.push(fresh.value)
        }
      }
      return found
    },
    evicted: () => new Map([...keeps].map(([id, keep]) => [id, keep.evicted()])),
    state: () =>
      new Map(
        detectors
          .filter(({ memory }) => memory)
          .map(({ id, memory }) => [id, { version: memory?.version ?? 0, slots: (keeps.get(id) as Keep<Slot>).state() }]),
      ),
  }
}
