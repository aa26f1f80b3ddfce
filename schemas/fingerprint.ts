/**
 * Keyed fingerprints: let a detector say "this came out of there" without keeping either text.
 * Tokens are exact (secrets, addresses, long numbers, ids); shingles are winnowed k-grams of the folded text.
 * Both are numbers below 2^52, tokens the lower half: the smallest numbers are the most telling.
 * They meet where content is copied, also into a longer text; paraphrase and translation escape them.
 */
import type { Json } from './event.ts'
import { distinctOf, type FingerprintKey, shingleFrom, shinglesOf, smallestShingles, tokenHash } from './fingerprint-shingles.ts'
import { readText } from './fingerprint-tokens.ts'
import { unwrap } from './unwrap.ts'

/** Ascending, without repeats. */
export type Fingerprints = Readonly<{ shingles: readonly number[]; tokens: readonly number[] }>
export type { FingerprintKey } from './fingerprint-shingles.ts'

const shinglesMax = 4_096
const tokensMax = 512

/** One key per tenant, from its keyed hash: fingerprints of two tenants never meet. */
export function fingerprintKey(keyedHash: (text: string) => string): FingerprintKey {
  const hex = keyedHash('fingerprint key v1')
  return { low: Number.parseInt(hex.slice(0, 8), 16) | 0, high: Number.parseInt(hex.slice(8, 16), 16) | 0 }
}

/**
 * The same for everybody: for what never leaves a worker’s memory, where the tenant is part of the key, so that nobody
 * can try guesses against it. Fingerprints that travel with an event are keyed by its tenant.
 */
export const workerKey: FingerprintKey = { low: 0x2f6e1b95, high: 0x51c3a7d3 }

/** To know a text again without keeping it: 51 bits. */
export const textHash = (text: string): number => tokenHash(text, workerKey)

export function fingerprintText(text: string, key: FingerprintKey): Fingerprints {
  const tokens: number[] = []
  const { codes, length } = readText(text, (token) => {
    if (tokens.length < tokensMax * 4) tokens.push(tokenHash(token, key))
  })
  return {
    shingles: smallestShingles(shinglesOf(codes, length, key), shinglesMax),
    tokens: tokens.length === 0 ? tokens : smallest(new Float64Array(tokens), tokensMax),
  }
}

const contentMax = 256 * 1024

/** Of all strings of a content and of what is encoded in them: what a source and a sink are compared by. */
export function fingerprintContent(content: Json, key: FingerprintKey): Fingerprints {
  const text = stringsOf(content)
  const layers = unwrap(text, { bytesMax: contentMax })
  const own = fingerprintText(text, key)
  return layers.length === 0 ? own : mergeFingerprints([own, ...layers.map((layer) => fingerprintText(layer.text, key))])
}

function stringsOf(content: Json): string {
  const parts: string[] = []
  const waiting: Json[] = [content]
  let length = 0
  for (let value = waiting.pop(); value !== undefined && length < contentMax; value = waiting.pop()) {
    if (typeof value === 'string' || typeof value === 'number') {
      const part = String(value).slice(0, contentMax - length)
      parts.push(part)
      length += part.length + 1
    } else if (value !== null && typeof value === 'object') {
      // Last first, because the last that is pushed is the next that is read.
      for (const inner of (Array.isArray(value) ? value : Object.values(value)).toReversed()) waiting.push(inner)
    }
  }
  return parts.join('\n')
}

/** How much two texts have in common. One shingle can be chance or a common phrase; a token is not. */
export function overlap(a: Fingerprints, b: Fingerprints): { tokens: number; shingles: number } {
  return { tokens: common(a.tokens, b.tokens), shingles: common(a.shingles, b.shingles) }
}

/** For a place that can hold only a few: tokens first, then the smallest shingles (the same ones for the same text). */
export const mostTelling = ({ tokens, shingles }: Fingerprints, countMax = 16): number[] =>
  tokens.length === 0
    ? shingles.slice(0, countMax)
    : [...tokens, ...shingles.slice(0, Math.max(0, countMax - tokens.length))].slice(0, countMax)

/** One list, as events carry it. */
export const flatten = (prints: Fingerprints): number[] => [...prints.tokens, ...prints.shingles]
export function unflatten(numbers: readonly number[]): Fingerprints {
  const ascending = smallest(new Float64Array(numbers), numbers.length)
  const first = ascending.findIndex((each) => each >= shingleFrom)
  return first < 0 ? { tokens: ascending, shingles: [] } : { tokens: ascending.slice(0, first), shingles: ascending.slice(first) }
}

/** `overlap` of a flat ascending list with another: few of them are looked for in many. */
export function overlapWithin(flat: readonly number[], { tokens, shingles }: Fingerprints): { tokens: number; shingles: number } {
  // Where there are not that few of them, walking through both is cheaper than looking for each.
  if ((tokens.length + shingles.length) * 8 > flat.length) {
    const first = tokens.length === 0 ? 0 : placeOf(flat, shingleFrom, 0)
    return { tokens: common(flat, tokens, 0, first), shingles: common(flat, shingles, first, flat.length) }
  }
  return { tokens: countWithin(flat, tokens), shingles: countWithin(flat, shingles) }
}
function countWithin(flat: readonly number[], few: readonly number[]): number {
  let count = 0
  let from = 0
  for (const wanted of few) {
    from = placeOf(flat, wanted, from)
    if (from === flat.length) return count
    if (flat[from] === wanted) count += 1
  }
  return count
}
/** The first place from `start` on that is not below `wanted`. */
function placeOf(flat: readonly number[], wanted: number, start: number): number {
  let from = start
  let to = flat.length
  while (from < to) {
    const middle = (from + to) >> 1
    if ((flat[middle] as number) < wanted) from = middle + 1
    else to = middle
  }
  return from
}

const sieve = new Uint32Array(2_048) // 2^16 bits
/**
 * Which of these flat lists may have a token or two shingles in common with the few: a list that has not is seen to have
 * not by one look at each of its numbers. One in some twenty is taken in without.
 */
export function mayShare(few: Fingerprints, lists: readonly (readonly number[])[]): boolean[] {
  const all = [few.tokens, few.shingles]
  if (few.tokens.length + few.shingles.length === 0) return lists.map(() => false)
  for (const numbers of all)
    for (const each of numbers) sieve[(each & 0xffff) >>> 5] = (sieve[(each & 0xffff) >>> 5] as number) | (1 << (each & 31))
  const may = lists.map((flat) => {
    let hits = 0
    for (let at = 0; at < flat.length && hits < 2; at += 1) {
      const each = flat[at] as number
      if (((sieve[(each & 0xffff) >>> 5] as number) & (1 << (each & 31))) !== 0) hits += each < shingleFrom ? 2 : 1
    }
    return hits >= 2
  })
  for (const numbers of all) for (const each of numbers) sieve[(each & 0xffff) >>> 5] = 0
  return may
}

/** Of several texts at once, such as all strings of a result. */
export function mergeFingerprints(all: readonly Fingerprints[]): Fingerprints {
  const every = (kind: keyof Fingerprints): Float64Array => {
    const numbers = new Float64Array(all.reduce((sum, each) => sum + each[kind].length, 0))
    let at = 0
    for (const each of all) {
      numbers.set(each[kind], at)
      at += each[kind].length
    }
    return numbers
  }
  return { tokens: smallest(every('tokens'), tokensMax), shingles: smallestShingles(every('shingles'), shinglesMax) }
}

/** Sorting numbers and then dropping repeats is several times cheaper than a set of them. Sorts in place. */
function smallest(numbers: Float64Array, countMax: number): number[] {
  return numbers.length === 0 ? [] : distinctOf(numbers.sort(), numbers.length, countMax)
}

function common(a: readonly number[], b: readonly number[], from = 0, to = a.length): number {
  const last = b.length
  if (from >= to || last === 0) return 0
  let left = from
  let right = 0
  let count = 0
  let one = a[left] as number
  let other = b[right] as number
  for (;;) {
    if (one < other) {
      left += 1
      if (left >= to) return count
      one = a[left] as number
    } else {
      if (one === other) count += 1
      right += 1
      if (right >= last) return count
      other = b[right] as number
    }
  }
}
