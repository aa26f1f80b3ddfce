/** Finds what is written in base64, base64url or hex inside a text, and says what it says. */
import { gunzipSync, inflateSync } from 'node:zlib'
import { createTextUnits } from './text-units.ts'

export type Layer = 'base64' | 'base64url' | 'hex' | 'percent' | 'gzip' | 'json' | 'html' | 'quoted-printable'
/** An encoded run of a text and what it says. `layers` has two entries where compressed bytes were inside. */
export type EncodedRun = Readonly<{ start: number; end: number; layers: readonly Layer[]; text: string }>

const runsMax = 256
const hexRun = /(?:\\x|%u00|0x)?[0-9A-Fa-f]{2}(?:(?:\\x|[ :,-]|0x){0,2}[0-9A-Fa-f]{2}){11,}/g
const runMin = 16
const hexDigitsMin = 24
/** A line of encoded text goes on in the next one where mail and PEM break it. */
const wrappedLineMin = 60

/** Runs of base64, base64url and hex that decode to text, or to compressed text. Images and hashes do not. In the order of the text. */
export function encodedRuns(text: string, bytesMax = 1 << 20): EncodedRun[] {
  if (text.length < runMin) return []
  const runs: EncodedRun[] = []
  let left = bytesMax
  const add = (start: number, raw: string, layer: Layer, bytes: Buffer): void => {
    const plain = plainText(bytes, left)
    if (plain === undefined) return
    left -= plain.text.length
    runs.push({ start, end: start + raw.length, layers: plain.compressed ? [layer, 'gzip'] : [layer], text: plain.text })
  }
  const full = (): boolean => runs.length >= runsMax || left <= 0
  eachStretch(text, {
    base64(start, end) {
      if (full()) return
      const head = headOf(text, start, end)
      if (head === 'noise') return
      for (const { at, raw } of head === 'text' ? [{ at: start, raw: text.slice(start, end) }] : piecesOf(text, start, end)) {
        add(at, raw, /[-_]/.test(raw) ? 'base64url' : 'base64', Buffer.from(raw.replace(/\s/g, ''), 'base64'))
      }
    },
    hex(start, end) {
      if (full()) return
      for (const match of text.slice(start, end).matchAll(hexRun)) {
        const digits = match[0].replace(/\\x|%u00|0x|[ :,-]/g, '')
        if (/[1-9a-fA-F]/.test(digits)) add(start + match.index, match[0], 'hex', Buffer.from(digits.slice(0, digits.length & ~1), 'hex'))
      }
    },
  })
  return runs.sort((a, b) => a.start - b.start)
}

type Stretches = Readonly<{ base64: (start: number, end: number) => void; hex: (start: number, end: number) => void }>

/**
 * A run of so many letters has one of them at every so many-th place: each look goes to the end of where a run could be, and
 * back only to what is none. Expressions would start anew at every letter of every word.
 */
function eachStretch(text: string, report: Stretches): void {
  const codes = codesOf(text)
  const { length } = text
  for (let at = 0; at + runMin <= length; ) {
    const gap = lastOutside(codes, at, at + runMin, inBase64)
    if (gap >= 0) {
      at = gap + 1
      continue
    }
    const { end, next } = endOfBase64(codes, length, at, at + runMin)
    report.base64(at, end)
    at = next
  }
  for (let at = 0; at + hexDigitsMin <= length; ) {
    const gap = lastOutside(codes, at, at + hexDigitsMin, inHex | betweenHex)
    if (gap >= 0) {
      at = gap + 1
      continue
    }
    let digits = 0
    const start = at
    for (; at < length; at += 1) {
      const mark = markOf(codes[at] as number)
      if (mark & inHex) digits += 1
      else if ((mark & betweenHex) === 0) break
    }
    if (digits >= hexDigitsMin) report.hex(start, at)
    at += 1
  }
}

const codesOf = createTextUnits()

/** The last place of `start` to `end` whose character is none of `kinds`; -1 where all are. */
function lastOutside(codes: Uint16Array, start: number, end: number, kinds: number): number {
  for (let at = end - 1; at >= start; at -= 1) if ((markOf(codes[at] as number) & kinds) === 0) return at
  return -1
}

/** Where the run that begins at `start` ends, over line breaks, and with its padding. */
function endOfBase64(codes: Uint16Array, length: number, start: number, from: number): { end: number; next: number } {
  const codeAt = (at: number): number => (at < length ? (codes[at] as number) : 0)
  let lineStart = start
  for (let at = from; ; at += 1) {
    const code = codeAt(at)
    if ((markOf(code) & inBase64) !== 0) continue
    const breaks = (code === 10 || code === 13) && at - lineStart >= wrappedLineMin
    if (breaks && (markOf(codeAt(at + (code === 13 ? 2 : 1))) & inBase64) !== 0) {
      if (code === 13) at += 1
      lineStart = at + 1
      continue
    }
    let end = at
    while (end - at < 2 && codeAt(end) === 61) end += 1
    return { end, next: at + 1 }
  }
}

const inBase64 = 1
const inHex = 2
const betweenHex = 4
/** Of each ASCII character what it may belong to. Between pairs of hex digits stand `\x`, `0x`, `%u`, space, colon, comma or dash. */
const marks: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  return (
    (/[\w+/-]/.test(character) ? inBase64 : 0) |
    (/[0-9A-Fa-f]/.test(character) ? inHex : 0) |
    (/[\\x%u :,-]/.test(character) ? betweenHex : 0)
  )
})
const markOf = (code: number): number => (code < 128 ? (marks[code] as number) : 0)

/** A path or a long word may stand before the encoded part; both are written in the letters of base64. */
function piecesOf(text: string, start: number, stop: number): { at: number; raw: string }[] {
  const pieces: { at: number; raw: string }[] = []
  if (stop - start > 16_384 && !/[\n/]/.test(text.slice(start, start + 4_096))) return pieces
  for (let at = start; at + runMin <= stop && pieces.length < runsMax; ) {
    let end = at
    while (end < stop && isPiece(text.charCodeAt(end))) end += 1
    if (end - at >= runMin) {
      let padded = end
      while (padded - end < 2 && padded < stop && text.charCodeAt(padded) === 61) padded += 1
      if (headOf(text, at, padded) === 'text') pieces.push({ at, raw: text.slice(at, padded) })
      end = padded
    }
    at = Math.max(end, at + 1)
  }
  return pieces
}
const isPiece = (code: number): boolean => code !== 47 && (markOf(code) & inBase64) !== 0

const headChars = 24
/** Of each character its six bits in base64 or base64url; 64 for all others. */
const sixBits: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = code === 45 ? '+' : code === 95 ? '/' : String.fromCharCode(code)
  const value = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'.indexOf(character)
  return value < 0 ? 64 : value
})

/**
 * The first bytes decide: most long words, paths and all images are out before they are decoded, mostly at the first byte.
 * `noise`: no control character, but not UTF-8 either, so that the whole will not be a text.
 */
function headOf(run: string, start: number, end: number): 'text' | 'noise' | 'other' {
  let bits = 0
  let held = 0
  let first = -1
  let following = 0
  let valid = true
  const until = Math.min(end, start + headChars)
  for (let at = start; at < until; at += 1) {
    const value = sixBits[run.charCodeAt(at) & 127] as number
    if (value === 64) continue
    bits = ((bits << 6) | value) & 0xffff
    held += 6
    if (held < 8) continue
    held -= 8
    const byte = (bits >> held) & 0xff
    if (at === start + 2 && isCompressed(first, byte)) return 'text'
    if (at > start + 1 && !isPlain(first)) return 'other'
    if (first < 0) first = byte
    else if (!isPlain(byte)) return 'other'
    const follows = (byte & 0xc0) === 0x80
    if (follows !== following > 0) valid = false
    following = following > 0 ? following - 1 : followersOf(byte)
  }
  return valid ? 'text' : 'noise'
}

/** How many bytes of one character follow its first in UTF-8. */
const followersOf = (byte: number): number => (byte < 0xc0 ? 0 : byte < 0xe0 ? 1 : byte < 0xf0 ? 2 : 3)

const isCompressed = (first: number | undefined, second: number | undefined): boolean =>
  (first === 0x1f && second === 0x8b) || (first === 0x78 && (second === 0x01 || second === 0x5e || second === 0x9c || second === 0xda))

/** No control character but white space. */
const isPlain = (byte: number): boolean => byte !== 127 && (byte > 31 || byte === 9 || byte === 10 || byte === 13)

function isPrintable(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += 1) if (!isPlain(bytes[at] as number)) return false
  return true
}

function plainText(bytes: Buffer, bytesMax: number): { text: string; compressed: boolean } | undefined {
  if (bytes.length < 8 || bytesMax <= 0) return undefined
  if (isCompressed(bytes[0], bytes[1])) {
    const inflated = inflate(bytes, bytesMax)
    const text = inflated === undefined ? undefined : utf8(inflated)
    return text === undefined ? undefined : { text, compressed: true }
  }
  const text = bytes.length <= bytesMax ? utf8(bytes) : undefined
  return text === undefined ? undefined : { text, compressed: false }
}

function inflate(bytes: Buffer, bytesMax: number): Buffer | undefined {
  const options = { maxOutputLength: Math.min(bytesMax, 4 << 20) }
  try {
    return bytes[0] === 0x1f ? gunzipSync(bytes, options) : inflateSync(bytes, options)
  } catch {
    return undefined // not that format after all, or larger than the budget
  }
}

function utf8(bytes: Buffer): string | undefined {
  if (!isPrintable(bytes)) return undefined
  const text = bytes.toString('utf8')
  return text.includes('\ufffd') ? undefined : text
}
