/**
 * Keyed fingerprints: let a detector say "this came out of there" without keeping either text.
 * Tokens are exact (secrets, addresses, long numbers, ids); shingles are winnowed k-grams of the folded text.
 * Both are numbers below 2^52, tokens the lower half: the smallest numbers are the most telling.
 * They meet where content is copied, also into a longer text; paraphrase and translation escape them.
 */
import type { Json } from './event.ts'
import {
  addShingles,
  distinctOf,
  type FingerprintKey,
  keyedShingles,
  noShingles,
  plainShingle,
  type Shingles,
  shingleFrom,
  smallestShingles,
  tokenHash,
} from './fingerprint-shingles.ts'
import { readText } from './fingerprint-tokens.ts'
import { unwrap } from './unwrap.ts'

/** Ascending, without repeats. */
export type Fingerprints = Readonly<{ shingles: readonly number[]; tokens: readonly number[] }>
export { type FingerprintKey, shingleFrom } from './fingerprint-shingles.ts'

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

type Found = { tokens: number[]; shingles: Shingles }

function readInto(found: Found, text: string, key: FingerprintKey): void {
  const { tokens, shingles } = found
  const most = tokens.length + tokensMax * 4
  const { codes, length } = readText(text, (token) => {
    if (tokens.length < most) tokens.push(tokenHash(token, key))
  })
  addShingles(codes, length, key, shingles)
}

export function fingerprintText(text: string, key: FingerprintKey): Fingerprints {
  const found: Found = { tokens: [], shingles: noShingles() }
  readInto(found, text, key)
  return keyedOf(found, key)
}

const keyedOf = ({ tokens, shingles }: Found, key: FingerprintKey): Fingerprints => ({
  shingles: smallestShingles(keyedShingles(shingles, key), shinglesMax),
  tokens: ascending(tokens, tokensMax),
})

const contentMax = 256 * 1024

/** Of all strings of a content and of what is encoded in them: what a source and a sink are compared by. */
export const fingerprintContent = (content: Json, key: FingerprintKey): Fingerprints => keyedOf(readContent(content, key), key)

function readContent(content: Json, key: FingerprintKey): Found {
  const found: Found = { tokens: [], shingles: noShingles() }
  const text = stringsOf(content)
  readInto(found, text, key)
  for (const layer of unwrap(text, { bytesMax: contentMax })) readInto(found, layer.text, key)
  return found
}

/**
 * Prints for what is compared within one worker and never leaves it: as many and the same ones, but the key is mixed into
 * none of them, only asked which are the most telling where there are more than `countMax`. In no order, with repeats.
 * Valid until the next call.
 */
export const plainContent = (content: Json, countMax: number): Float64Array => plainOf(readContent(content, workerKey), countMax)
export function plainText(text: string, countMax: number): Float64Array {
  const found: Found = { tokens: [], shingles: noShingles() }
  readInto(found, text, workerKey)
  return plainOf(found, countMax)
}

const plainScratch = new Float64Array(shinglesMax + tokensMax)

function plainOf({ tokens, shingles }: Found, countMax: number): Float64Array {
  const { firsts, seconds, count } = shingles
  if (tokens.length > tokensMax || tokens.length + count > Math.min(countMax, plainScratch.length))
    return mostTellingOf({ tokens, shingles }, countMax)
  for (let at = 0; at < count; at += 1) plainScratch[at] = plainShingle(firsts[at] as number, seconds[at] as number)
  plainScratch.set(tokens, count)
  return plainScratch.subarray(0, count + tokens.length)
}

function mostTellingOf({ tokens, shingles }: Found, countMax: number): Float64Array {
  const { firsts, seconds, count } = shingles
  const chosen = ascending(tokens, tokensMax)
  const keyed = keyedShingles(shingles, workerKey)
  const last = smallestShingles(keyed.slice(), Math.min(shinglesMax, countMax - chosen.length)).at(-1) ?? 0
  for (let at = 0; at < count; at += 1)
    if ((keyed[at] as number) <= last) chosen.push(plainShingle(firsts[at] as number, seconds[at] as number))
  return new Float64Array(chosen.length > countMax ? new Set(chosen) : chosen)
}

/** Of each plain print of a text the keyed one, by which it is more or less telling. */
export function plainToKeyed(text: string): Map<number, number> {
  const found: Found = { tokens: [], shingles: noShingles() }
  readInto(found, text, workerKey)
  const { firsts, seconds } = found.shingles
  const both = new Map(found.tokens.map((token) => [token, token]))
  for (const [at, each] of keyedShingles(found.shingles, workerKey).entries())
    both.set(plainShingle(firsts[at] as number, seconds[at] as number), each)
  return both
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

/** One list, as events carry it. */
export const flatten = (prints: Fingerprints): number[] => [...prints.tokens, ...prints.shingles]
export function unflatten(numbers: readonly number[]): Fingerprints {
  const all = ascending(numbers, numbers.length)
  return { tokens: all.filter((each) => each < shingleFrom), shingles: all.filter((each) => each >= shingleFrom) }
}

/** The smallest, without repeats. Sorting and then dropping repeats is several times cheaper than a set. */
export function ascending(numbers: ArrayLike<number>, countMax: number): number[] {
  return numbers.length === 0 ? [] : distinctOf(new Float64Array(numbers).sort(), numbers.length, countMax)
}
