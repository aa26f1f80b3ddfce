/** Texts that stand inside a text in another spelling: encoded, spaced out, rotated, reversed, with digits for letters. A model reads them all. */
import { encodedRuns, unwrap } from '../schemas/unwrap.ts'

const LOOK_MAX = 100_000
const BYTES_MAX = 65_536
const RUNS_MAX = 16

export type Disguised = Readonly<{ layer: string; text: string }>

const leetLetters = new Map(Object.entries({ '0': 'o', '1': 'i', '3': 'e', '4': 'a', '5': 's', '7': 't', '8': 'b', '@': 'a', $: 's' }))
const rotated = (text: string): string =>
  text.replace(/[a-z]/gi, (char) => {
    const base = char <= 'Z' ? 65 : 97
    return String.fromCharCode(((char.charCodeAt(0) - base + 13) % 26) + base)
  })

/** "S Y S T E M  N O T E" → "SYSTEM NOTE": one blank is inside a word, two are between words. */
const closedUp = (text: string): string =>
  text.replace(/(?<=(?:^|[^\p{L}\p{N}])[\p{L}\p{N}])[ ._·-](?=[\p{L}\p{N}](?:[^\p{L}\p{N}]|$))/gu, '').replace(/ {2,}/g, ' ')

/** Half of the words mix letters and the digits that stand for letters. */
function isLeet(full: string): boolean {
  const text = full.slice(0, 4_000)
  const { words, mixed } = ascii.test(text) ? countAscii(text) : countWords(text)
  return words >= 4 && mixed * 2 >= words
}
// biome-ignore lint/suspicious/noControlCharactersInRegex: the point is the ASCII range
const ascii = /^[\x00-\x7f]*$/

function countWords(text: string): { words: number; mixed: number } {
  const words = text.match(/[\p{L}\p{N}@$]{3,}/gu) ?? []
  return { words: words.length, mixed: words.filter((word) => word.length < 16 && /[013457@$]/.test(word) && /\p{L}/u.test(word)).length }
}

const inWord = 1
const isLetter = 2
const standsForLetter = 4
const marks: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code)
  return (
    (/[A-Za-z0-9@$]/.test(char) ? inWord : 0) | (/[A-Za-z]/.test(char) ? isLetter : 0) | (/[013457@$]/.test(char) ? standsForLetter : 0)
  )
})
/** The same count without cutting a word out of the text. */
function countAscii(text: string): { words: number; mixed: number } {
  let words = 0
  let mixed = 0
  let length = 0
  let seen = 0
  for (let at = 0; at <= text.length; at += 1) {
    const mark = at < text.length ? (marks[text.charCodeAt(at)] as number) : 0
    if (mark !== 0) {
      length += 1
      seen |= mark
      continue
    }
    if (length >= 3) words += 1
    if (length >= 3 && length < 16 && (seen & isLetter) !== 0 && (seen & standsForLetter) !== 0) mixed += 1
    length = 0
    seen = 0
  }
  return { words, mixed }
}

/** Three single characters in a row: a look that begins at separators only, before the one that begins at every letter. */
const piecewise =
  /[ ._·-](?:[\ud800-\udbff][\udc00-\udfff]|[^ ._·-])[ ._·-]{1,2}(?:[\ud800-\udbff][\udc00-\udfff]|[^ ._·-])[ ._·-]{1,2}(?:[\ud800-\udbff][\udc00-\udfff]|[^ ._·-])[ ._·-]/

/** The first 100,000 characters are looked at; each spelling has a cheap gate that ordinary texts do not pass. */
export function disguisedIn(full: string): Disguised[] {
  if (full.length < 12) return []
  const text = full.length > LOOK_MAX ? full.slice(0, LOOK_MAX) : full
  const found: Disguised[] = []
  for (const run of encodedRuns(text, BYTES_MAX).slice(0, RUNS_MAX)) found.push({ layer: run.layers.join('+'), text: run.text })
  if (/(?:%[0-9A-Fa-f]{2}[^%\s]{0,16}){4}/.test(text) && !/\s/.test(text.slice(0, 200).trim())) add('percent', rewritten(text, 'percent'))
  if (/(?:&#x?[0-9A-Fa-f]{2,5};){6}/.test(text)) add('html', rewritten(text, 'html'))
  if (/(?:\\u00[2-7][0-9A-Fa-f]){6}/.test(text)) add('json', rewritten(text, 'json'))
  if (piecewise.test(text) && /(?:[\p{L}\p{N}][ ._·-]{1,2}){8}/u.test(text)) add('spaced', closedUp(text))
  if (/\b(?:vtaber|vafgehpgvba|vafgehpgvbaf|cebzcg|flfgrz|erirny|cnffjbeq|nffvfgnag|erzrzore|qvfertneq)\b/i.test(text))
    add('rot13', rotated(text))
  if (/snoitcurtsni|tpmorp|drawssap|erongi\b/i.test(text)) add('reversed', [...text].reverse().join(''))
  if (isLeet(text))
    add(
      'leet',
      text.replace(/[013457 8@$]/g, (char) => leetLetters.get(char) ?? char),
    )
  return found

  function add(layer: string, inner: string | undefined): void {
    if (inner !== undefined && inner !== text) found.push({ layer, text: inner })
  }
}

const rewritten = (text: string, layer: string): string | undefined =>
  unwrap(text, { bytesMax: 4 * LOOK_MAX, layersMax: 1 }).find(({ layers }) => layers.length === 1 && layers[0] === layer)?.text
