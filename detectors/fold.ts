/**
 * Folds text for matching without changing its length: case, accents, styled letters and look-alikes become one plain
 * letter, characters that nobody sees become one mark that the automaton skips. Hits keep the offsets of the original.
 */

/** Stands for every character that nobody sees. */
export const SKIPPED = '\u00ad'
export const skippedCode = SKIPPED.charCodeAt(0)

const lookAlikes: readonly (readonly [string, string])[] = [
  ['a', 'аɑα'],
  ['b', 'ЬƄ'],
  ['c', 'сϲ'],
  ['d', 'ԁđ'],
  ['e', 'еҽ'],
  ['g', 'ɡ'],
  ['h', 'һ'],
  ['i', 'іıɩİ'],
  ['j', 'ј'],
  ['k', 'κ'],
  ['l', 'ӏł'],
  ['m', 'м'],
  ['n', 'ո'],
  ['o', 'оοօø'],
  ['p', 'рρ'],
  ['q', 'ԛ'],
  ['s', 'ѕ'],
  ['t', 'т'],
  ['u', 'υս'],
  ['v', 'ν'],
  ['w', 'ԝ'],
  ['x', 'хχ'],
  ['y', 'уγ'],
]

const hidden =
  /[\u0300-\u036f]|[\u180b-\u180d]|[\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]|[\ufe00-\ufe0f]/

/** A letter without its accents and styles: é → e, Ａ → a, ⓐ → a. Scripts that compose syllables are left alone. */
function plainOf(char: string): string {
  const lower = char.toLowerCase()
  if (lower.length !== 1) return char
  const compatible = lower.normalize('NFKC').toLowerCase()
  if (/^[!-~]$/.test(compatible)) return compatible
  const parts = lower.normalize('NFD')
  return parts.length > 1 && /^[\u0300-\u036f]+$/.test(parts.slice(1)) ? (parts[0] as string) : lower
}

/** UTF-16 unit → folded unit. Built once; 128 KB. */
const table: Uint16Array = (() => {
  const units = new Uint16Array(65_536)
  for (let unit = 0; unit < 65_536; unit += 1) {
    const char = String.fromCharCode(unit)
    units[unit] = hidden.test(char) ? skippedCode : unit >= 0xac00 ? unit : plainOf(char).charCodeAt(0)
  }
  for (let offset = 0; offset < 94; offset += 1) {
    units[0xff01 + offset] = String.fromCharCode(0x21 + offset)
      .toLowerCase()
      .charCodeAt(0)
  }
  for (const [plain, alike] of lookAlikes) {
    for (const char of alike) {
      for (const form of [char, char.toUpperCase()]) if (form.length === 1) units[form.charCodeAt(0)] = plain.charCodeAt(0)
    }
  }
  units[0xa0] = 0x20
  return units
})()

/** Planes whose pairs hide or style plain letters: mathematical letters, enclosed letters, tag characters. */
const styled = /[\ud835\ud83c\udb40]/

/** The folded second half of such a pair; the first half is skipped. */
function plainPair(high: number, low: number): number | undefined {
  if (high === 0xdb40) return low >= 0xdc20 && low <= 0xdc7e ? (table[low - 0xdc00] as number) : skippedCode
  const plain = String.fromCharCode(high, low).normalize('NFKC').toLowerCase()
  return /^[!-~]$/.test(plain) ? plain.charCodeAt(0) : undefined
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the point is the ASCII range
const ascii = /^[\x00-\x7f]*$/

/** Same length as `text`. */
export function fold(text: string): string {
  if (ascii.test(text)) return text.toLowerCase()
  const pairs = styled.test(text)
  const chunk = 8_192
  let folded = ''
  const units = new Uint16Array(Math.min(chunk, text.length))
  for (let from = 0; from < text.length; from += chunk) {
    const length = Math.min(chunk, text.length - from)
    for (let index = 0; index < length; index += 1) units[index] = table[text.charCodeAt(from + index)] as number
    if (pairs) foldPairs(text, from, length, units)
    folded += String.fromCharCode(...units.subarray(0, length))
  }
  return folded
}

/** `ascii`: as written, for whoever reads it to take capitals for small letters. */
export type Folded = Readonly<{ units: Uint16Array; length: number; ascii: boolean }>

/** The same into an array of more units than the text has: a look there costs a third of a look into a string. */
export function foldInto(text: string, units: Uint16Array): Folded {
  const { length } = text
  Buffer.from(units.buffer, units.byteOffset, units.byteLength).write(text, 'utf16le')
  if (isAscii(units, length)) return { units, length, ascii: true }
  let all = 0
  for (let at = 0; at < length; at += 1) {
    const unit = units[at] as number
    all |= unit
    units[at] = table[unit] as number
  }
  if (all >= 0xd800 && styled.test(text)) foldPairs(text, 0, length, units)
  return { units, length, ascii: false }
}

function isAscii(units: Uint16Array, length: number): boolean {
  let all = 0
  for (let at = 0; at < length; at += 1) all |= units[at] as number
  return all < 128
}

/** Looks at each unit of a chunk with its neighbour in the whole text, so that a pair may straddle two chunks. */
function foldPairs(text: string, from: number, length: number, units: Uint16Array): void {
  for (let index = 0; index < length; index += 1) {
    const unit = text.charCodeAt(from + index)
    if (unit < 0xd800 || unit > 0xdfff) continue
    const first = unit < 0xdc00
    const plain = first ? plainPair(unit, text.charCodeAt(from + index + 1)) : plainPair(text.charCodeAt(from + index - 1), unit)
    if (plain !== undefined) units[index] = first ? skippedCode : plain
  }
}

/** Folds the letters of a regular expression beyond ASCII the way texts are folded; escapes and ASCII stay as written. */
export function foldPattern(source: string): string {
  let folded = ''
  for (const char of source) {
    folded += char.length === 1 && char.charCodeAt(0) > 0x7f ? String.fromCharCode(table[char.charCodeAt(0)] as number) : char
  }
  return folded
}
