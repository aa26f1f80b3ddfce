/**
 * Keyed fingerprints: let a detector say "this came out of there" without keeping either text.
 * Tokens are exact (secrets, addresses, long numbers, ids); shingles are winnowed k-grams of the folded text.
 * Both are numbers below 2^52, tokens the lower half: the smallest numbers are the most telling.
 * They meet where content is copied, also into a longer text; paraphrase and translation escape them.
 */
import type { Json } from './event.ts'
import { eachToken } from './fingerprint-tokens.ts'
import { unwrap } from './unwrap.ts'

/** Ascending, without repeats. */
export type Fingerprints = Readonly<{ shingles: readonly number[]; tokens: readonly number[] }>
export type FingerprintKey = Readonly<{ low: number; high: number }>

const shingleLength = 20
const window = 16 // a power of two; any 35 folded characters that are copied leave a shingle
const shinglesMax = 4_096
const tokensMax = 512
const shingleFrom = 2 ** 51

/** One key per tenant, from its keyed hash: fingerprints of two tenants never meet. */
export function fingerprintKey(keyedHash: (text: string) => string): FingerprintKey {
  const hex = keyedHash('fingerprint key v1')
  return { low: Number.parseInt(hex.slice(0, 8), 16) | 0, high: Number.parseInt(hex.slice(8, 16), 16) | 0 }
}

export function fingerprintText(text: string, key: FingerprintKey): Fingerprints {
  const tokens: number[] = []
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the test is whether there is anything but ASCII
  const folded = /^[\x00-\x7f]*$/.test(text) ? text : text.normalize('NFKC')
  eachToken(folded, (token) => {
    if (tokens.length < tokensMax * 4) tokens.push(tokenHash(token, key))
  })
  return { shingles: smallest(shinglesOf(folded.toLowerCase(), key), shinglesMax), tokens: smallest(new Float64Array(tokens), tokensMax) }
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
export const mostTelling = (prints: Fingerprints, countMax = 16): number[] => flatten(prints).slice(0, countMax)

/** One list, as events carry it. */
export const flatten = (prints: Fingerprints): number[] => [...prints.tokens, ...prints.shingles]
export function unflatten(numbers: readonly number[]): Fingerprints {
  const ascending = smallest(new Float64Array(numbers), numbers.length)
  const first = ascending.findIndex((each) => each >= shingleFrom)
  return first < 0 ? { tokens: ascending, shingles: [] } : { tokens: ascending.slice(0, first), shingles: ascending.slice(first) }
}

/** `overlap` of a flat ascending list with another: few of them are looked for in many. */
export function overlapWithin(flat: readonly number[], few: Fingerprints): { tokens: number; shingles: number } {
  return { tokens: countWithin(flat, few.tokens), shingles: countWithin(flat, few.shingles) }
}
function countWithin(flat: readonly number[], few: readonly number[]): number {
  let count = 0
  let from = 0
  for (const wanted of few) {
    let to = flat.length
    while (from < to) {
      const middle = (from + to) >> 1
      if ((flat[middle] as number) < wanted) from = middle + 1
      else to = middle
    }
    if (from === flat.length) return count
    if (flat[from] === wanted) count += 1
  }
  return count
}

/** Of several texts at once, such as all strings of a result. */
export function mergeFingerprints(all: readonly Fingerprints[]): Fingerprints {
  const tokens = all.flatMap((each) => each.tokens)
  const shingles = all.flatMap((each) => each.shingles)
  return { tokens: smallest(new Float64Array(tokens), tokensMax), shingles: smallest(new Float64Array(shingles), shinglesMax) }
}

/** Sorting numbers and then dropping repeats is several times cheaper than a set of them. Sorts in place. */
function smallest(numbers: Float64Array, countMax: number): number[] {
  const sorted = numbers.sort()
  const kept: number[] = []
  for (let at = 0; at < sorted.length && kept.length < countMax; at += 1) {
    if (at === 0 || sorted[at] !== sorted[at - 1]) kept.push(sorted[at] as number)
  }
  return kept
}

function common(a: readonly number[], b: readonly number[]): number {
  let left = 0
  let right = 0
  let count = 0
  while (left < a.length && right < b.length) {
    const difference = (a[left] as number) - (b[right] as number)
    if (difference === 0) count += 1
    if (difference <= 0) left += 1
    if (difference >= 0) right += 1
  }
  return count
}

/** Of each ASCII character what it folds to: lower-case letters and digits stay, everything else is one space. */
const foldedAscii: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) =>
  (code >= 97 && code <= 122) || (code >= 48 && code <= 57) ? code : 32,
)

const scratchMax = 16 * 1024
/** Read by nobody after the call that wrote it: memory of its own would cost each short text more than its folding. */
const scratch = new Uint16Array(scratchMax)

/** What an encoding or a layout changes is gone. */
function fold(lower: string): { codes: Uint16Array; length: number } {
  const codes = lower.length <= scratchMax ? scratch : new Uint16Array(lower.length)
  let length = 0
  let before = 32
  for (let at = 0; at < lower.length; at += 1) {
    const code = lower.charCodeAt(at)
    const folded = code < 128 ? (foldedAscii[code] as number) : code > 191 ? code : 32
    if (folded === 32 && before === 32) continue
    codes[length++] = folded
    before = folded
  }
  if (length > 0 && before === 32) length -= 1
  return { codes, length }
}

/** Two rolling hashes over k characters; of each window the one with the smallest mixed value is kept (winnowing). */
function shinglesOf(lower: string, key: FingerprintKey): Float64Array {
  const { codes, length } = fold(lower)
  const count = length - shingleLength + 1
  if (count < 1 || (count < window && !hasWords(codes, length))) return new Float64Array()
  const baseA = (key.low | 1) ^ 0x6b43a9b4
  const baseB = (key.high | 1) ^ 0x2545f49c
  let dropA = 1
  let dropB = 1
  let a = 0
  let b = 0
  for (let at = 0; at < shingleLength - 1; at += 1) {
    dropA = Math.imul(dropA, baseA)
    dropB = Math.imul(dropB, baseB)
    a = (Math.imul(a, baseA) + (codes[at] as number)) | 0
    b = (Math.imul(b, baseB) + (codes[at] as number)) | 0
  }
  const ranks = new Int32Array(window)
  const firsts = new Int32Array(window)
  const seconds = new Int32Array(window)
  const into: number[] = []
  const full = Math.min(window, count) - 1
  let least = -1
  let leastRank = 0
  let kept = -1
  for (let shingle = 0; shingle < count; shingle += 1) {
    const code = codes[shingle + shingleLength - 1] as number
    a = (Math.imul(a, baseA) + code) | 0
    b = (Math.imul(b, baseB) + code) | 0
    const slot = shingle & (window - 1)
    const rank = mix(a ^ key.high)
    ranks[slot] = rank
    firsts[slot] = a
    seconds[slot] = b
    // Expiry first: the slot of the one that leaves the window is already this one’s.
    if (least >= 0 && least <= shingle - window) {
      least = leastOf(ranks, shingle)
      leastRank = ranks[least & (window - 1)] as number
    } else if (least < 0 || rank <= leastRank) {
      least = shingle
      leastRank = rank
    }
    if (shingle >= full && least !== kept) {
      kept = least
      into.push(shingleFrom + keyed(key, firsts[least & (window - 1)] as number, seconds[least & (window - 1)] as number))
    }
    const out = codes[shingle] as number
    a = (a - Math.imul(out, dropA)) | 0
    b = (b - Math.imul(out, dropB)) | 0
  }
  return new Float64Array(into)
}

/** A lone date or number is no copied phrase; as a token it is judged by its own rules. */
function hasWords(codes: Uint16Array, length: number): boolean {
  let letters = 0
  for (let at = 0; at < length; at += 1) if ((codes[at] as number) >= 97) letters += 1
  return letters >= 8
}

function leastOf(ranks: Int32Array, last: number): number {
  let least = last
  for (let shingle = last - 1; shingle > last - window && shingle >= 0; shingle -= 1) {
    if ((ranks[shingle & (window - 1)] as number) < (ranks[least & (window - 1)] as number)) least = shingle
  }
  return least
}

function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return mixed ^ (mixed >>> 16)
}

/** HalfSipHash-1-3 of two words to 51 bits: without the key nobody can try guesses against stored fingerprints. */
function keyed(key: FingerprintKey, first: number, second: number): number {
  let v0 = key.low
  let v1 = key.high ^ 0xee
  let v2 = key.low ^ 0x6c796765
  let v3 = key.high ^ 0x74656462
  let low = 0
  // Three words (the last is the length), three rounds to finish, three more for the upper half.
  for (let round = 0; round < 9; round += 1) {
    const word = round === 0 ? first : round === 1 ? second : round === 2 ? 8 << 24 : 0
    if (round === 3) v2 ^= 0xee
    if (round === 6) {
      low = v1 ^ v3
      v1 ^= 0xdd
    }
    v3 ^= word
    v0 = (v0 + v1) | 0
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
    v0 = (v0 << 16) | (v0 >>> 16)
    v2 = (v2 + v3) | 0
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
    v0 = (v0 + v3) | 0
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
    v2 = (v2 + v1) | 0
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
    v2 = (v2 << 16) | (v2 >>> 16)
    v0 ^= word
  }
  return (low >>> 0) + ((v1 ^ v3) & 0x7ffff) * 2 ** 32
}

function tokenHash(token: string, key: FingerprintKey): number {
  let a = token.length
  let b = 0x9e3779b9 | 0
  for (let at = 0; at < token.length; at += 1) {
    const code = token.charCodeAt(at)
    a = Math.imul(a ^ code, 0x01000193) ^ (a >>> 15)
    b = (Math.imul(b, 0x5bd1e995) + code) ^ (b >>> 13)
  }
  return keyed(key, a, b)
}
