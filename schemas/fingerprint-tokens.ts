/** Exact tokens of a text: secrets, addresses, phone and other long numbers, ids. What tells one content from all others. */
import { createTextUnits } from './text-units.ts'

const wordMax = 256
const splitter = /[\s"'`<>(){}[\]|,;:=?&\\!]/
const secretShape = /⟦secret:[a-z0-9-]{1,40}:([0-9a-f]{16})⟧/g
const phoneShape = /\+\d(?:[ ().-]{0,2}\d){6,14}/g
const groupedShape = /\d{1,3}(?:[,'’]\d{3}){1,4}/g

/** Lower-case letters and digits stay, everything else becomes one space: what an encoding or a layout changes is gone. */
export type Folded = { codes: Uint16Array; length: number }

/** Tells every token of a text, repeats too, whatever stands around them, and folds the text. */
export function readText(text: string, add: (token: string) => void): Folded {
  // Of UTF-8 only ASCII is as long as its text.
  if (Buffer.byteLength(text) !== text.length) return readWide(text.normalize('NFKC'), add)
  const read = readUnits(text)
  if (read.plus) for (const match of text.matchAll(phoneShape)) add(match[0].replace(/\D/g, ''))
  if (read.grouped) for (const match of text.matchAll(groupedShape)) addNumber(match[0].replace(/\D/g, ''), add)
  for (const word of read.words) addWord(word.toLowerCase(), add)
  return read
}

/** Of a text with more than ASCII in it. */
function readWide(text: string, add: (token: string) => void): Folded {
  let rest = text
  if (text.includes('⟦')) {
    for (const match of text.matchAll(secretShape)) add(`secret ${match[1]}`)
    rest = text.replace(secretShape, ' ')
  }
  if (rest.includes('+')) for (const match of rest.matchAll(phoneShape)) add(match[0].replace(/\D/g, ''))
  if (/\d[,'’]\d/.test(rest)) for (const match of rest.matchAll(groupedShape)) addNumber(match[0].replace(/\D/g, ''), add)
  const lower = text.toLowerCase()
  // One pass does where each character has its small letter by itself: İ has two, and that of Σ depends on what follows.
  const alike = rest === text && lower.length === text.length && !text.includes('Σ')
  const read = readUnits(alike ? lower : rest)
  for (const word of read.words) addWord(word.toLowerCase(), add)
  return alike ? read : readUnits(lower)
}

const splits = 1 << 8
const tells = 1 << 9
const joins = 1 << 10
const plus = 1 << 11
const letter = 1 << 12
const wide = 1 << 13
/** Of each ASCII character what it folds to, whether it parts words, whether a word needs it to be a token, and what else it opens. */
const marks: Uint16Array = Uint16Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  return (
    (/[A-Za-z0-9]/.test(character) ? character.toLowerCase().charCodeAt(0) : 32) |
    (splitter.test(character) ? splits : 0) |
    (/[\d@]/.test(character) ? tells : 0) |
    (/[A-Za-z]/.test(character) ? letter : 0) |
    (/[,']/.test(character) ? joins : 0) |
    (character === '+' ? plus : 0)
  )
})
/** Of what is not ASCII: the same as `\s`. */
const isWideSpace = (code: number): boolean =>
  code === 0xa0 ||
  (code >= 0x1680 &&
    (code === 0x1680 ||
      (code >= 0x2000 && code <= 0x200a) ||
      code === 0x2028 ||
      code === 0x2029 ||
      code === 0x202f ||
      code === 0x205f ||
      code === 0x3000 ||
      code === 0xfeff))
const markOf = (code: number): number => (code < 128 ? (marks[code] as number) : isWideSpace(code) ? splits : wide)

const foldedMax = 16 * 1024
/** Read by nobody after the call that wrote it: memory of its own would cost each short text more than its folding. */
const folded = new Uint16Array(foldedMax)
const codesFor = (text: string): Uint16Array => (text.length <= foldedMax ? folded : new Uint16Array(text.length))
const unitsOf = createTextUnits()
const isDigit = (code: number): boolean => code >= 48 && code <= 57

type Read = Folded & { words: string[]; plus: boolean; grouped: boolean }

/**
 * Words that can be tokens have a digit or an at sign: looked at is what stands around the first of them, and most words never.
 * What is folded is right for ASCII and small letters.
 */
function readUnits(text: string): Read {
  const units = unitsOf(text)
  const codes = codesFor(text)
  const read: Read = { codes, length: 0, words: [], plus: false, grouped: false }
  const end = text.length
  let length = 0
  let before = 32
  let seen = 0
  let wordEnd = 0
  for (let at = 0; at < end; at += 1) {
    const code = units[at] as number
    let mark = wide
    let folded = code
    if (code < 128) {
      mark = marks[code] as number
      folded = mark & 0xff
    } else if (code < 192) folded = 32
    seen |= mark
    codes[length] = folded
    // One more, but for a blank behind a blank: a branch here would be guessed wrong at the end of every word.
    length += (((folded ^ 32) | (before ^ 32)) + 0xffff) >> 16
    before = folded
    if ((mark & tells) !== 0 && at >= wordEnd) wordEnd = readWord(text, units, at, read)
  }
  read.length = length > 0 && before === 32 ? length - 1 : length
  read.plus = (seen & plus) !== 0
  return read
}

const wordMin = 6
const longWordMin = 24

/** The word around the first digit or at sign in it: taken where it can be a token. Says where it ends. */
function readWord(text: string, units: Uint16Array, first: number, read: Read): number {
  let start = first
  let letters = 0
  let digits = 0
  let seen = 0
  for (; start > 0; start -= 1) {
    const mark = markOf(units[start - 1] as number)
    if ((mark & splits) !== 0) break
    if ((mark & letter) !== 0) letters += 1
    seen |= mark
  }
  let end = first
  for (; end < text.length; end += 1) {
    const code = units[end] as number
    const mark = markOf(code)
    if ((mark & splits) !== 0) {
      if ((mark & joins) !== 0 && isDigit(units[end - 1] as number) && end + 1 < text.length && isDigit(units[end + 1] as number))
        read.grouped = true
      break
    }
    if (isDigit(code)) digits += 1
    else if ((mark & letter) !== 0) letters += 1
    else if (code === 64) seen |= tells
    seen |= mark & wide
  }
  const length = end - start
  if (length < wordMin || length > wordMax) return end
  // What `addWord` asks of it, as far as small letters cannot change it.
  const many = digits >= 6 || (digits === 5 && letters > 0)
  const long = digits >= 2 && digits < 4 && length >= longWordMin && letters >= 8
  if (many || long || (seen & (tells | wide)) !== 0) read.words.push(text.slice(start, end))
  return end
}

function addWord(word: string, add: (token: string) => void): void {
  const trimmed = word.replace(/^[./*_#~-]{1,8}|[./*_#~-]{1,8}$/g, '')
  const sign = trimmed.indexOf('@')
  if (sign > 0) {
    if (trimmed.indexOf('.', sign + 2) > 0 && trimmed.length <= 128) add(trimmed)
    return
  }
  let digits = 0
  let letters = 0
  for (let at = 0; at < trimmed.length; at += 1) {
    const code = trimmed.charCodeAt(at)
    if (code >= 48 && code <= 57) digits += 1
    else if (code >= 97 && code <= 122) letters += 1
  }
  if (digits < 4) {
    if (trimmed.length >= longWordMin && digits >= 2 && letters >= 8 && isVaried(trimmed) && !trimmed.includes('/')) add(trimmed)
    return
  }
  if (digits >= 6) for (const run of trimmed.match(/\d{6,19}/g) ?? []) addNumber(run, add)
  if (letters > 0 && digits >= 5 && !isTime(trimmed) && !trimmed.includes('/') && isVaried(trimmed)) add(trimmed)
}

/** Dates, round numbers and repeated digits are everybody’s. */
function addNumber(digits: string, add: (token: string) => void): void {
  if (digits.length < 6 || new Set(digits).size < 3 || /0{3}$/.test(digits)) return
  if (/^(?:19|20)\d\d(?:0\d|1[0-2])(?:[0-2]\d|3[01])(?:\d{4}|\d{6})?$/.test(digits)) return
  add(digits)
}

const isTime = (word: string): boolean => /^\d{4}-?\d\d-?\d\d(?:t[\d:.]{0,16}(?:z|[+-][\d:]{2,5})?)?$|^\d{1,2}:\d\d/.test(word)
const isVaried = (word: string): boolean => new Set(word).size >= 5
