/** Keyed shingles: hashes of k folded characters, of which winnowing keeps about one in eight, the same ones wherever the text stands. */

export type FingerprintKey = Readonly<{ low: number; high: number }>

const shingleLength = 20
const window = 16 // a power of two; any 35 folded characters that are copied leave a shingle
export const shingleFrom = 2 ** 51

/** Longer texts get memory of their own. */
const scratchMax = 16 * 1024
const memoryFor = (count: number) => ({ ranks: new Int32Array(count), firsts: new Int32Array(count), seconds: new Int32Array(count) })
/** Read by nobody after the call that wrote it: memory of its own would cost each short text more than its hashing. */
const scratch = memoryFor(scratchMax)

/** What is kept of one or more texts: both hashes of each shingle, in the order of the texts, repeats too. */
export type Shingles = { firsts: Int32Array; seconds: Int32Array; count: number }
const keptScratch = memoryFor(scratchMax)
/** Valid until the next call. */
export const noShingles = (): Shingles => ({ firsts: keptScratch.firsts, seconds: keptScratch.seconds, count: 0 })

/** Two rolling hashes over k characters; of each window the one with the smallest mixed value is kept (winnowing). */
export function addShingles(codes: Uint16Array, length: number, key: FingerprintKey, to: Shingles): void {
  const count = length - shingleLength + 1
  if (count < 1 || (count < window && !hasWords(codes, length))) return
  makeRoom(to, count)
  const all = count <= scratchMax ? scratch : memoryFor(count)
  rank(codes, count, key, all)
  winnow(count, all, to)
}

function makeRoom(to: Shingles, more: number): void {
  const { firsts, seconds, count } = to
  if (count + more <= firsts.length) return
  to.firsts = new Int32Array((count + more) * 2)
  to.seconds = new Int32Array((count + more) * 2)
  to.firsts.set(firsts.subarray(0, count))
  to.seconds.set(seconds.subarray(0, count))
}

function rank(codes: Uint16Array, count: number, key: FingerprintKey, into: typeof scratch): void {
  const { ranks, firsts, seconds } = into
  const baseA = (key.low | 1) ^ 0x6b43a9b4
  const baseB = (key.high | 1) ^ 0x2545f49c
  const { high } = key
  let dropA = baseA
  let dropB = baseB
  let a = 0
  let b = 0
  for (let at = 0; at < shingleLength - 1; at += 1) {
    dropA = Math.imul(dropA, baseA)
    dropB = Math.imul(dropB, baseB)
    a = (Math.imul(a, baseA) + (codes[at] as number)) | 0
    b = (Math.imul(b, baseB) + (codes[at] as number)) | 0
  }
  let out = 0
  for (let shingle = 0; shingle < count; shingle += 1) {
    const code = codes[shingle + shingleLength - 1] as number
    a = (Math.imul(a, baseA) + ((code - Math.imul(out, dropA)) | 0)) | 0
    b = (Math.imul(b, baseB) + ((code - Math.imul(out, dropB)) | 0)) | 0
    out = codes[shingle] as number
    let mixed = a ^ high
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b)
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
    ranks[shingle] = mixed ^ (mixed >>> 16)
    firsts[shingle] = a
    seconds[shingle] = b
  }
}

/** Of each window the last of the smallest; what many windows in a row agree on is kept once. */
function winnow(count: number, { ranks, firsts, seconds }: typeof scratch, to: Shingles): void {
  const keptFirsts = to.firsts
  const keptSeconds = to.seconds
  let kept = to.count
  const first = Math.min(window, count)
  let least = leastOf(ranks, 0, first)
  let leastRank = ranks[least] as number
  keptFirsts[kept] = firsts[least] as number
  keptSeconds[kept] = seconds[least] as number
  kept += 1
  for (let shingle = first; shingle < count; shingle += 1) {
    const rank = ranks[shingle] as number
    if (rank <= leastRank) least = shingle
    else if (shingle === least + window) least = leastOf(ranks, shingle - window + 1, shingle + 1)
    else continue
    leastRank = ranks[least] as number
    keptFirsts[kept] = firsts[least] as number
    keptSeconds[kept] = seconds[least] as number
    kept += 1
  }
  to.count = kept
}

function leastOf(ranks: Int32Array, from: number, to: number): number {
  let least = to - 1
  let leastRank = ranks[least] as number
  for (let at = to - 2; at >= from; at -= 1) {
    const rank = ranks[at] as number
    if (rank < leastRank) {
      least = at
      leastRank = rank
    }
  }
  return least
}

/** By themselves, after they were found: one hash can be worked out while the one before it is not done yet. */
export function keyedShingles({ firsts, seconds, count }: Shingles, key: FingerprintKey): Float64Array {
  const numbers = new Float64Array(count)
  for (let at = 0; at < count; at += 1) numbers[at] = shingleFrom + keyed(key, firsts[at] as number, seconds[at] as number)
  return numbers
}

/** The same 51 bits of both hashes for the same shingle: to compare what nobody outside will see, a key need not be mixed in. */
export const plainShingle = (first: number, second: number): number => shingleFrom + (second >>> 13) * 2 ** 32 + (first >>> 0)

/** A lone date or number is no copied phrase; as a token it is judged by its own rules. */
function hasWords(codes: Uint16Array, length: number): boolean {
  let letters = 0
  for (let at = 0; at < length; at += 1) if ((codes[at] as number) >= 97) letters += 1
  return letters >= 8
}

/** HalfSipHash-1-3 of two words to 51 bits: without the key nobody can try guesses against stored fingerprints. */
export function keyed(key: FingerprintKey, first: number, second: number): number {
  let v0 = key.low
  let v1 = key.high ^ 0xee
  let v2 = key.low ^ 0x6c796765
  let v3 = key.high ^ 0x74656462
  let word = first
  // Three words, the last of which is the length. The rounds are written out, for this is the inner loop of all fingerprints.
  for (let round = 0; round < 3; round += 1) {
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
    word = round === 0 ? second : 8 << 24
  }
  v2 ^= 0xee
  for (let round = 0; round < 3; round += 1) {
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
  }
  const low = v1 ^ v3
  v1 ^= 0xdd
  for (let round = 0; round < 3; round += 1) {
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
  }
  return (low >>> 0) + ((v1 ^ v3) & 0x7ffff) * 2 ** 32
}

export function tokenHash(token: string, key: FingerprintKey): number {
  let a = token.length
  let b = 0x9e3779b9 | 0
  for (let at = 0; at < token.length; at += 1) {
    const code = token.charCodeAt(at)
    a = Math.imul(a ^ code, 0x01000193) ^ (a >>> 15)
    b = (Math.imul(b, 0x5bd1e995) + code) ^ (b >>> 13)
  }
  return keyed(key, a, b)
}

const bucketMax = 64
const bucketStarts = new Int32Array(scratchMax + 1)
const sortScratch = new Float64Array(scratchMax)

/** The smallest of shingles, ascending, without repeats. Their hashes are spread evenly, so that each is put near its place at once. */
export function smallestShingles(shingles: Float64Array, countMax: number): number[] {
  const count = shingles.length
  if (count < 2) return [...shingles]
  const sorted = count <= scratchMax ? spread(shingles, count) : undefined
  return distinctOf(sorted ?? shingles.sort(), count, countMax)
}

/** Undefined where too many fall into one place, as the same phrase again and again does. */
function spread(shingles: Float64Array, count: number): Float64Array | undefined {
  const starts = bucketStarts.fill(0, 0, count + 1)
  const scale = count / shingleFrom
  for (let at = 0; at < count; at += 1) {
    const bucket = (((shingles[at] as number) - shingleFrom) * scale) | 0
    starts[bucket + 1] = (starts[bucket + 1] as number) + 1
  }
  for (let bucket = 1; bucket <= count; bucket += 1) {
    if ((starts[bucket] as number) > bucketMax) return undefined
    starts[bucket] = (starts[bucket] as number) + (starts[bucket - 1] as number)
  }
  for (let at = 0; at < count; at += 1) {
    const shingle = shingles[at] as number
    const bucket = ((shingle - shingleFrom) * scale) | 0
    const place = starts[bucket] as number
    sortScratch[place] = shingle
    starts[bucket] = place + 1
  }
  for (let at = 1; at < count; at += 1) {
    const shingle = sortScratch[at] as number
    let to = at
    for (; to > 0 && (sortScratch[to - 1] as number) > shingle; to -= 1) sortScratch[to] = sortScratch[to - 1] as number
    sortScratch[to] = shingle
  }
  return sortScratch
}

export function distinctOf(sorted: Float64Array, count: number, countMax: number): number[] {
  const kept: number[] = []
  let before = -1
  for (let at = 0; at < count && kept.length < countMax; at += 1) {
    const number = sorted[at] as number
    if (number !== before) kept.push(number)
    before = number
  }
  return kept
}
