/** What detectors remember: one value per detector and key, aged by event time, bounded, saved and restored whole. */
import type { AnyDetector } from '../schemas/detector.ts'
import { createKeep, type Keep, type KeepState } from './keep.ts'

/** `due`: its generation while a snapshot that holds it has not yet written it, 1 the young and 2 the old. */
type Slot = { value: unknown; last: bigint; due?: number }
export type MemoryState = Map<string, { version: number; slots: KeepState<Slot> }>
/** A memory as it was at one moment, while events go on to change it. */
export type Frozen = Readonly<{
  parts: readonly Readonly<{ id: string; version: number; evicted: number; slots: readonly (readonly [string, Slot])[] }>[]
  /** Called with what is about to change and was not yet written, as it was. */
  onChange: (tell: ((id: string, key: string, slot: Slot) => void) | undefined) => void
}>
export type Memory = Readonly<{
  /** The memories of these keys, in order; a new or outlived one starts from `initial()`. */
  recall: (detector: AnyDetector, keys: readonly string[], time: bigint) => readonly unknown[]
  evicted: () => ReadonlyMap<string, number>
  freeze: () => Frozen
}>

const nothing: readonly unknown[] = []

export function createMemory(detectors: readonly AnyDetector[], from?: MemoryState): Memory {
  const keeps = new Map<string, Keep<Slot>>()
  const lifetimes = new Map<string, bigint>()
  let changing: ((id: string, key: string, slot: Slot) => void) | undefined
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
        if (changing && slot?.due) changing(detector.id, key, slot)
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
    freeze: () => ({
      parts: detectors.flatMap(({ id, memory }) => {
        const keep = keeps.get(id)
        if (!memory || !keep) return []
        const { young, old, evicted } = keep.state()
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
