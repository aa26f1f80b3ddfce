/** Exact tokens of a text: secrets, addresses, phone and other long numbers, ids. What tells one content from all others. */

const wordMax = 256
const splitter = /[\s"'`<>(){}[\]|,;:=?&\\!]/
const secretShape = /⟦secret:[a-z0-9-]{1,40}:([0-9a-f]{16})⟧/g
const phoneShape = /\+\d(?:[ ().-]{0,2}\d){6,14}/g
const groupedShape = /\d{1,3}(?:[,'’]\d{3}){1,4}/g

/** Lower-case letters and digits stay, everything else becomes one space: what an encoding or a layout changes is gone. */
export type Folded = { codes: Uint16Array; length: number }

/** Tells every token of a text, repeats too, whatever stands around them, and folds the text: one pass for both. */
export function readText(text: string, add: (token: string) => void): Folded {
  const words: string[] = []
  const read = readAscii(text, words)
  if (read === undefined) {
    const folded = text.normalize('NFKC')
    eachToken(folded, add)
    return fold(folded.toLowerCase())
  }
  if (read.plus) for (const match of text.matchAll(phoneShape)) add(match[0].replace(/\D/g, ''))
  if (read.grouped) for (const match of text.matchAll(groupedShape)) addNumber(match[0].replace(/\D/g, ''), add)
  for (const word of words) addWord(word.toLowerCase(), add)
  return read
}

const splits = 1 << 8
const tells = 1 << 9
const joins = 1 << 10
const plus = 1 << 11
/** Of each ASCII character what it folds to, whether it parts words, whether a word with it can be a token, and what else it opens. */
const marks: Uint16Array = Uint16Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  return (
    (/[A-Za-z0-9]/.test(character) ? character.toLowerCase().charCodeAt(0) : 32) |
    (splitter.test(character) ? splits : 0) |
    (/[\d@]/.test(character) ? tells : 0) |
    (/[,']/.test(character) ? joins : 0) |
    (character === '+' ? plus : 0)
  )
})

const scratchMax = 16 * 1024
/** Read by nobody after the call that wrote it: memory of its own would cost each short text more than its folding. */
const scratch = new Uint16Array(scratchMax)
/** A byte is read in a fraction of the time that a character of a string takes. */
const bytesScratch = Buffer.allocUnsafeSlow(scratchMax)
const codesFor = (text: string): Uint16Array => (text.length <= scratchMax ? scratch : new Uint16Array(text.length))
const isDigit = (code: number): boolean => code >= 48 && code <= 57

/** Undefined where the text is not ASCII. Words that can be tokens: most words are neither long nor have a digit, and are never cut out. */
function readAscii(text: string, words: string[]): (Folded & { plus: boolean; grouped: boolean }) | undefined {
  if (Buffer.byteLength(text) !== text.length) return undefined
  const bytes = text.length <= scratchMax ? bytesScratch : Buffer.allocUnsafe(text.length)
  bytes.write(text, 'latin1')
  const codes = codesFor(text)
  const end = text.length
  let length = 0
  let before = 32
  let start = 0
  let seen = 0
  let all = 0
  let grouped = false
  for (let at = 0; at < end; at += 1) {
    const mark = marks[bytes[at] as number] as number
    const folded = mark & 0xff
    seen |= mark
    if (folded !== 32) {
      codes[length++] = folded
      before = folded
      continue
    }
    if (before !== 32) {
      codes[length++] = 32
      before = 32
    }
    if ((mark & splits) === 0) continue
    if ((mark & joins) !== 0 && at > 0 && at + 1 < end && isDigit(bytes[at - 1] as number) && isDigit(bytes[at + 1] as number))
      grouped = true
    if (at - start >= wordMin && canTell(at - start, seen)) words.push(text.slice(start, at))
    start = at + 1
    all |= seen
    seen = 0
  }
  if (end - start >= wordMin && canTell(end - start, seen)) words.push(text.slice(start))
  if (length > 0 && before === 32) length -= 1
  return { codes, length, plus: ((all | seen) & plus) !== 0, grouped }
}

const wordMin = 6
const canTell = (length: number, seen: number): boolean => length <= wordMax && ((seen & tells) !== 0 || length >= 24)

function fold(lower: string): Folded {
  const codes = codesFor(lower)
  let length = 0
  let before = 32
  for (let at = 0; at < lower.length; at += 1) {
    const code = lower.charCodeAt(at)
    const folded = code < 128 ? (marks[code] as number) & 0xff : code > 191 ? code : 32
    if (folded === 32 && before === 32) continue
    codes[length++] = folded
    before = folded
  }
  if (length > 0 && before === 32) length -= 1
  return { codes, length }
}

/** Of a text with more than ASCII in it. */
function eachToken(text: string, add: (token: string) => void): void {
  let rest = text
  if (text.includes('⟦')) {
    for (const match of text.matchAll(secretShape)) add(`secret ${match[1]}`)
    rest = text.replace(secretShape, ' ')
  }
  if (!/[\d@]/.test(rest) && rest.length < 20) return
  if (rest.includes('+')) for (const match of rest.matchAll(phoneShape)) add(match[0].replace(/\D/g, ''))
  if (/\d[,'’]\d/.test(rest)) for (const match of rest.matchAll(groupedShape)) addNumber(match[0].replace(/\D/g, ''), add)
  eachWord(rest, (word) => addWord(word.toLowerCase(), add))
}

function eachWord(text: string, found: (word: string) => void): void {
  let start = 0
  let seen = 0
  for (let at = 0; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : 32
    const mark = code < 128 ? (marks[code] as number) : splitter.test(text[at] as string) ? splits : 0
    if ((mark & splits) === 0) seen |= mark
    else {
      if (at - start >= wordMin && canTell(at - start, seen)) found(text.slice(start, at))
      start = at + 1
      seen = 0
    }
  }
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
    if (trimmed.length >= 24 && digits >= 2 && letters >= 8 && isVaried(trimmed) && !trimmed.includes('/')) add(trimmed)
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
