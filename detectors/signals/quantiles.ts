/** A bounded picture of how large something usually is: counts per quarter of a doubling, old ones fading. And how random a text looks. */

/** Plain data. At most some 130 buckets: 32 doublings and zero. */
export type Sizes = { buckets: Map<number, number>; total: number }
export const newSizes = (): Sizes => ({ buckets: new Map(), total: 0 })

const PER_DOUBLING = 4
const DOUBLINGS_MAX = 32
/** Beyond it all counts are halved, so that a new habit becomes the norm in time. */
const TOTAL_MAX = 4_096

const bucketOf = (size: number): number =>
  size < 1 ? -1 : Math.min(PER_DOUBLING * DOUBLINGS_MAX, Math.floor(Math.log2(size) * PER_DOUBLING))
/** The upper end of a bucket. */
const upperOf = (bucket: number): number => (bucket < 0 ? 0 : 2 ** ((bucket + 1) / PER_DOUBLING))

/** `weight` below 1 for values that were told: an attacker must not teach the norm with the attack. */
export function learnSize(sizes: Sizes, size: number, weight = 1): void {
  const bucket = bucketOf(size)
  sizes.buckets.set(bucket, (sizes.buckets.get(bucket) ?? 0) + weight)
  sizes.total += weight
  if (sizes.total < TOTAL_MAX) return
  sizes.total = 0
  for (const [key, count] of sizes.buckets) {
    if (count < 0.1) sizes.buckets.delete(key)
    else {
      sizes.buckets.set(key, count / 2)
      sizes.total += count / 2
    }
  }
}

/** At most 19 % above the true quantile. */
export function quantile(sizes: Sizes, share: number): number {
  const wanted = sizes.total * share
  let seen = 0
  for (const bucket of [...sizes.buckets.keys()].sort((a, b) => a - b)) {
    seen += sizes.buckets.get(bucket) ?? 0
    if (seen >= wanted) return upperOf(bucket)
  }
  return 0
}

const LOOKED_MAX = 16_384

/** Shannon entropy, bits per character. */
export function entropyOf(text: string): number {
  const counts = new Map<number, number>()
  const length = Math.min(text.length, LOOKED_MAX)
  for (let at = 0; at < length; at += 1) counts.set(text.charCodeAt(at), (counts.get(text.charCodeAt(at)) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / length) * Math.log2(count / length)
  return bits
}

const CONTINUED_MIN = 16
/** Letters, digits and the other signs of base64, base64url, base32 and hex. */
const codeChars = Uint8Array.from({ length: 128 }, (_, code) => (/[A-Za-z0-9+/=_-]/.test(String.fromCharCode(code)) ? 1 : 0))
const isCode = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at) // NaN behind the end
  return code < 128 && codeChars[code] === 1
}

function endOfCode(text: string, from: number): number {
  let at = from
  while (isCode(text, at)) at += 1
  return at
}

/** The longest stretch without anything that base64, base64url, base32 or hex do not have; line ends do not break it where enough follows. */
export function longestCoded(text: string): string {
  const looked = text.slice(0, LOOKED_MAX)
  let [longest, start, end] = [0, 0, 0]
  for (let at = 0; at < looked.length; at += 1) {
    if (!isCode(looked, at)) continue
    const from = at
    at = endOfCode(looked, at)
    for (let next = at; looked.charCodeAt(at) === 13 || looked.charCodeAt(at) === 10; at = next) {
      const line = looked.charCodeAt(at) === 10 ? at + 1 : at + 2
      if (looked.charCodeAt(line - 1) !== 10) break
      next = endOfCode(looked, line)
      if (next - line < CONTINUED_MIN) break
    }
    if (at - from > longest) [longest, start, end] = [at - from, from, at]
  }
  return looked.slice(start, end).replace(/\s+/g, '')
}

/** The stretch is code and not words: random letters in both cases with digits, or hex. */
export function looksCoded(run: string, bitsMin: number): boolean {
  const bits = entropyOf(run)
  if (/^(?:[0-9a-f]+|[0-9A-F]+)$/.test(run)) return bits > 3.5 && /[0-9]/.test(run) && /[a-f]/i.test(run)
  return bits > bitsMin && /[0-9]/.test(run) && /[a-z]/.test(run) && /[A-Z]/.test(run) && !/(?:[-_/][a-z]{3,}){4}/i.test(run)
}
