/** Answers that several rules ask for in a row are worked out once. Only for what depends on nothing but the question. */

/** Of the object in hand: rules look at one event after another, and an event is never edited. */
export function once<K extends object, V>(compute: (of: K) => V): (of: K) => V {
  let last: { of: K; value: V } | undefined
  return (of) => {
    if (last?.of !== of) last = { of, value: compute(of) }
    return last.value
  }
}

const textMax = 500

/** Of names and other short texts, which repeat from event to event. When there are too many it begins anew. */
export function remembered<V>(compute: (text: string) => V, entriesMax = 2_000): (text: string) => V {
  const known = new Map<string, { value: V }>()
  return (text) => {
    const entry = known.get(text)
    if (entry) return entry.value
    const value = compute(text)
    if (text.length > textMax) return value
    if (known.size >= entriesMax) known.clear()
    known.set(text, { value })
    return value
  }
}
