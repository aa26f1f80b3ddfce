/** Undoes the encodings in which content hides on its way from a source to a sink: eight of them, nested up to three deep, within a budget. */
import { gunzipSync, inflateSync } from 'node:zlib'

/** `bytesMax` bounds all decoded text of one call; `layersMax` how deep encodings are followed. */
export type UnwrapBudget = Readonly<{ bytesMax: number; layersMax?: number; outputsMax?: number }>
export type Unwrapped = Readonly<{ text: string; layers: readonly string[] }>
export type Layer = 'base64' | 'base64url' | 'hex' | 'percent' | 'gzip' | 'json' | 'html' | 'quoted-printable'
/** An encoded run of a text and what it says. `layers` has two entries where compressed bytes were inside. */
export type EncodedRun = Readonly<{ start: number; end: number; layers: readonly Layer[]; text: string }>

const runsMax = 256

/** Every text hidden in this one, nearest first; not the text itself. Nothing is decoded twice. */
export function unwrap(text: string, budget: UnwrapBudget): readonly Unwrapped[] {
  const { layersMax = 3, outputsMax = 32 } = budget
  const seen = new Set([text])
  const found: Unwrapped[] = []
  let left = budget.bytesMax
  let round: readonly Unwrapped[] = [{ text, layers: [] }]
  for (let depth = 0; depth < layersMax && round.length > 0; depth += 1) {
    const next: Unwrapped[] = []
    for (const outer of round) {
      for (const inner of peel(outer.text, left)) {
        if (seen.has(inner.text) || found.length >= outputsMax) continue
        left -= inner.text.length
        if (left < 0) return found
        seen.add(inner.text)
        const unwrapped = { text: inner.text, layers: [...outer.layers, ...inner.layers] }
        found.push(unwrapped)
        next.push(unwrapped)
      }
    }
    round = next
  }
  return found
}

/** One layer off, each kind by itself. Runs of one kind are joined, so that content cut into pieces is whole again. */
function peel(text: string, bytesMax: number): Unwrapped[] {
  const peeled: Unwrapped[] = []
  const byLayer = new Map<string, string[]>()
  for (const run of encodedRuns(text, bytesMax)) {
    const key = run.layers.join('+')
    const texts = byLayer.get(key)
    if (texts) texts.push(run.text)
    else byLayer.set(key, [run.text])
  }
  for (const [key, texts] of byLayer) peeled.push({ text: texts.join('\n'), layers: key.split('+') })
  const rewrite = (layer: Layer, changed: string): void => {
    if (changed !== text && changed.length <= bytesMax) peeled.push({ text: changed, layers: [layer] })
  }
  if (/%[0-9A-Fa-f]{2}/.test(text)) rewrite('percent', percentDecoded(text))
  if (text.includes('\\')) rewrite('json', jsonUnescaped(text))
  if (text.includes('&')) rewrite('html', htmlUnescaped(text))
  if (/=[0-9A-F]{2}|=\r?\n/.test(text)) rewrite('quoted-printable', quotedPrintableDecoded(text))
  return peeled
}

const hexRun = /(?:\\x|%u00|0x)?[0-9A-Fa-f]{2}(?:(?:\\x|[ :,-]|0x){0,2}[0-9A-Fa-f]{2}){11,}/g
const runMin = 16
const hexDigitsMin = 24
/** A line of encoded text goes on in the next one where mail and PEM break it. */
const wrappedLineMin = 60

/** Runs of base64, base64url and hex that decode to text, or to compressed text. Images and hashes do not. In the order of the text. */
export function encodedRuns(text: string, bytesMax = 1 << 20): EncodedRun[] {
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
      const whole = text.slice(start, end)
      for (const { at, raw } of startsLikeText(whole) ? [{ at: 0, raw: whole }] : piecesOf(whole)) {
        add(start + at, raw, /[-_]/.test(raw) ? 'base64url' : 'base64', Buffer.from(raw.replace(/\s/g, ''), 'base64'))
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
  for (let at = 0; at + runMin <= text.length; ) {
    const gap = lastOutside(text, at, at + runMin, inBase64)
    if (gap >= 0) {
      at = gap + 1
      continue
    }
    const { end, next } = endOfBase64(text, at, at + runMin)
    report.base64(at, end)
    at = next
  }
  for (let at = 0; at + hexDigitsMin <= text.length; ) {
    const gap = lastOutside(text, at, at + hexDigitsMin, inHex | betweenHex)
    if (gap >= 0) {
      at = gap + 1
      continue
    }
    let digits = 0
    const start = at
    for (; at < text.length; at += 1) {
      const mark = markOf(text.charCodeAt(at))
      if (mark & inHex) digits += 1
      else if ((mark & betweenHex) === 0) break
    }
    if (digits >= hexDigitsMin) report.hex(start, at)
    at += 1
  }
}

/** The last place of `start` to `end` whose character is none of `kinds`; -1 where all are. */
function lastOutside(text: string, start: number, end: number, kinds: number): number {
  for (let at = end - 1; at >= start; at -= 1) if ((markOf(text.charCodeAt(at)) & kinds) === 0) return at
  return -1
}

/** Where the run that begins at `start` ends, over line breaks, and with its padding. */
function endOfBase64(text: string, start: number, from: number): { end: number; next: number } {
  let lineStart = start
  for (let at = from; ; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : 0
    if ((markOf(code) & inBase64) !== 0) continue
    const breaks = (code === 10 || code === 13) && at - lineStart >= wrappedLineMin
    if (breaks && (markOf(text.charCodeAt(at + (code === 13 ? 2 : 1))) & inBase64) !== 0) {
      if (code === 13) at += 1
      lineStart = at + 1
      continue
    }
    let end = at
    while (end - at < 2 && text.charCodeAt(end) === 61) end += 1
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
function piecesOf(run: string): { at: number; raw: string }[] {
  const pieces: { at: number; raw: string }[] = []
  if (run.length > 16_384 && !/[\n/]/.test(run.slice(0, 4_096))) return pieces
  for (const piece of run.matchAll(/[A-Za-z0-9+_-]{16,}={0,2}/g)) {
    if (pieces.length >= runsMax) break
    if (startsLikeText(piece[0])) pieces.push({ at: piece.index, raw: piece[0] })
  }
  return pieces
}

/** The first bytes decide: most long words, paths and all images are out before they are decoded. */
function startsLikeText(raw: string): boolean {
  const head = Buffer.from(raw.slice(0, 24).replace(/[\r\n]/g, ''), 'base64')
  return isCompressed(head) || printable(head, head.length)
}

const isCompressed = (bytes: Buffer): boolean =>
  (bytes[0] === 0x1f && bytes[1] === 0x8b) ||
  (bytes[0] === 0x78 && (bytes[1] === 0x01 || bytes[1] === 0x5e || bytes[1] === 0x9c || bytes[1] === 0xda))

/** Bytes below `until` hold no control character but white space. */
function printable(bytes: Buffer, until: number): boolean {
  for (let at = 0; at < until && at < bytes.length; at += 1) {
    const byte = bytes[at] as number
    if (byte === 127 || (byte < 32 && byte !== 9 && byte !== 10 && byte !== 13)) return false
  }
  return true
}

function plainText(bytes: Buffer, bytesMax: number): { text: string; compressed: boolean } | undefined {
  if (bytes.length < 8 || bytesMax <= 0) return undefined
  if (isCompressed(bytes)) {
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
  if (!printable(bytes, bytes.length)) return undefined
  const text = bytes.toString('utf8')
  return text.includes('\ufffd') ? undefined : text
}

function percentDecoded(text: string): string {
  return text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'))
}

const escapes = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['b', '\b'],
  ['f', '\f'],
  ['"', '"'],
  ["'", "'"],
  ['\\', '\\'],
  ['/', '/'],
])
/** From backslash to backslash: a text of JSON has one in every few words, and a call for each would cost more than all else. */
function jsonUnescaped(text: string): string {
  let plain = ''
  let rest = 0
  for (let at = text.indexOf('\\'); at >= 0; at = text.indexOf('\\', Math.max(at + 1, rest))) {
    const letter = text[at + 1] ?? ''
    const digits = letter === 'u' ? 4 : letter === 'x' ? 2 : 0
    const hex = text.slice(at + 2, at + 2 + digits)
    const meant = digits === 0 ? escapes.get(letter) : isHex(hex, digits) ? String.fromCharCode(Number.parseInt(hex, 16)) : undefined
    if (meant === undefined) continue
    plain += text.slice(rest, at) + meant
    rest = at + 2 + digits
  }
  return rest === 0 ? text : plain + text.slice(rest)
}
const isHex = (text: string, length: number): boolean => text.length === length && /^[0-9A-Fa-f]+$/.test(text)

const entities = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
])
const htmlUnescaped = (text: string): string =>
  text.replace(/&(?:#(\d{1,7})|#[xX]([0-9A-Fa-f]{1,6})|([a-z]{2,6}));/g, (all: string, decimal?: string, hex?: string, name?: string) => {
    if (name !== undefined) return entities.get(name) ?? all
    const code = decimal === undefined ? Number.parseInt(hex ?? '', 16) : Number(decimal)
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : all
  })

const quotedPrintableDecoded = (text: string): string =>
  text.replace(/=\r?\n/g, '').replace(/(?:=[0-9A-F]{2})+/g, (run) => Buffer.from(run.replaceAll('=', ''), 'hex').toString('utf8'))
