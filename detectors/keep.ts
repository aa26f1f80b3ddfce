/** A bounded keyed store of two generations: O(1), no per-entry list. What was not used for half its size is let go, and counted. */

/** Plain data, so that a snapshot is a clone. */
export type KeepState<V> = { young: Map<string, V>; old: Map<string, V>; evicted: number }

export type Keep<V> = Readonly<{
  get: (key: string) => V | undefined
  set: (key: string, value: V) => void
  /** `set` of a key that is known not to be here. */
  add: (key: string, value: V) => void
  has: (key: string) => boolean
  size: () => number
  evicted: () => number
  /** How often the young have become the old. */
  turns: () => number
  state: () => KeepState<V>
}>

export function createKeep<V>(entriesMax: number, from?: KeepState<V>): Keep<V> {
  const state: KeepState<V> = from ?? { young: new Map(), old: new Map(), evicted: 0 }
  const youngMax = Math.max(1, Math.floor(entriesMax / 2))
  let turns = 0
  const turn = () => {
    if (state.young.size < youngMax) return
    turns += 1
    state.evicted += state.old.size
    state.old = state.young
    state.young = new Map()
  }
  const add = (key: string, value: V) => {
    turn()
    state.young.set(key, value)
  }
  return {
    get: (key) => {
      const young = state.young.get(key)
      if (young !== undefined) return young
      const old = state.old.get(key)
      if (old === undefined) return undefined
      state.old.delete(key)
      add(key, old)
      return old
    },
    set: (key, value) => {
      // What is young is not old.
      if (!state.young.has(key)) {
        state.old.delete(key)
        turn()
      }
      state.young.set(key, value)
    },
    add,
    has: (key) => state.young.has(key) || state.old.has(key),
    size: () => state.young.size + state.old.size,
    evicted: () => state.evicted,
    turns: () => turns,
    state: () => state,
  }
}
