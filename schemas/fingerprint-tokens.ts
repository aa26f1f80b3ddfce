/** Exact tokens of a text: secrets, addresses, phone and other long numbers, ids. What tells one content from all others. */

const wordMax = 256
const splitter = /[\s"'`<>(){}[\]|,;:=?&\\!]/
const secretShape = /⟦secret:[a-z0-9-]{1,40}:([0-9a-f]{16})⟧/g
const phoneShape = /\+\d(?:[ ().-]{0,2}\d){6,14}/g
const groupedShape = /\d{1,3}(?:[,'’]\d{3}){1,4}/g

/** Tells every token of a text, repeats too, whatever stands around them. */
export function eachToken(text: string, add: (token: string) => void): void {
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

const splits = 1
const tells = 2
/** Of each ASCII character whether it parts words, and whether a word with it can be a token. */
const wordMarks: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  return splitter.test(character) ? splits : /[\d@]/.test(character) ? tells : 0
})

/** Words that can be tokens: most words are neither long nor have a digit, and are never cut out of the text. */
function eachWord(text: string, found: (word: string) => void): void {
  let start = 0
  let telling = false
  for (let at = 0; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : 32
    const mark = code < 128 ? (wordMarks[code] as number) : splitter.test(text[at] as string) ? splits : 0
    if (mark === tells) telling = true
    else if (mark === splits) {
      const length = at - start
      if (length >= 6 && length <= wordMax && (telling || length >= 24)) found(text.slice(start, at))
      start = at + 1
      telling = false
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
