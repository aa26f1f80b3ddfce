/** Texts that stand inside a text in another spelling: encoded, spaced out, rotated, reversed, with digits for letters. A model reads them all. */
import { createTextUnits } from '../schemas/text-units.ts'
import { encodedRuns, unwrap } from '../schemas/unwrap.ts'
import { createLook } from './content-look.ts'

const LOOK_MAX = 100_000
const BYTES_MAX = 65_536
const RUNS_MAX = 16
/** Digits for letters are counted in so many characters. */
const LEET_MAX = 4_000
/** A run of spaced letters may begin before where the second look does. */
const OVERLAP = 64

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

function countWords(text: string): { words: number; mixed: number } {
  const words = text.match(/[\p{L}\p{N}@$]{3,}/gu) ?? []
  return { words: words.length, mixed: words.filter((word) => word.length < 16 && /[013457@$]/.test(word) && /\p{L}/u.test(word)).length }
}
/** Half of the words mix letters and the digits that stand for letters. */
const isLeet = ({ words, mixed }: Readonly<{ words: number; mixed: number }>): boolean => words >= 4 && mixed * 2 >= words

const rotatedWords = /\b(?:vtaber|vafgehpgvba|vafgehpgvbaf|cebzcg|flfgrz|erirny|cnffjbeq|nffvfgnag|erzrzore|qvfertneq)\b/i
const reversedWords = /snoitcurtsni|tpmorp|drawssap|erongi\b/i
/** Of each of these words three letters in a row that ordinary texts seldom have. */
const look = createLook([
  ['vta', 'pgv', 'zcg', 'fgr', 'rny', 'ffj', 'vfg', 'zrz', 'qvf'],
  ['tcu', 'tpm', 'wss', 'ngi'],
])
const ROTATED = 1
const REVERSED = 2

/** Three single characters in a row: a look that begins at separators only, before the one that begins at every letter. */
const piecewise =
  /[ ._·-](?:[\ud800-\udbff][\udc00-\udfff]|[^ ._·-])[ ._·-]{1,2}(?:[\ud800-\udbff][\udc00-\udfff]|[^ ._·-])[ ._·-]{1,2}(?:[\ud800-\udbff][\udc00-\udfff]|[^ ._·-])[ ._·-]/

/** The first 100,000 characters are looked at; each spelling has a cheap gate that ordinary texts do not pass. */
export function disguisedIn(full: string): Disguised[] {
  if (full.length < 12) return []
  const text = full.length > LOOK_MAX ? full.slice(0, LOOK_MAX) : full
  const found: Disguised[] = []
  for (const run of encodedRuns(text, BYTES_MAX).slice(0, RUNS_MAX)) found.push({ layer: run.layers.join('+'), text: run.text })
  if (text.includes('%') && !/\s/.test(text.slice(0, 200).trim()) && /(?:%[0-9A-Fa-f]{2}[^%\s]{0,16}){4}/.test(text))
    add('percent', rewritten(text, 'percent'))
  if (text.includes('&#') && /(?:&#x?[0-9A-Fa-f]{2,5};){6}/.test(text)) add('html', rewritten(text, 'html'))
  if (text.includes('\\u00') && /(?:\\u00[2-7][0-9A-Fa-f]){6}/.test(text)) add('json', rewritten(text, 'json'))
  const units = unitsOf(text)
  const head = look(units, 0, Math.min(text.length, LEET_MAX))
  const rest = text.length > LEET_MAX ? look(units, LEET_MAX - OVERLAP, text.length) : head
  const told = head.told | rest.told
  const maybeSpaced = head.spaced || rest.spaced || !head.ascii || !rest.ascii
  if (maybeSpaced && piecewise.test(text) && /(?:[\p{L}\p{N}][ ._·-]{1,2}){8}/u.test(text)) add('spaced', closedUp(text))
  if (told & ROTATED && rotatedWords.test(text)) add('rot13', rotated(text))
  if (told & REVERSED && reversedWords.test(text)) add('reversed', [...text].reverse().join(''))
  const maybeLeet = !head.ascii || isLeet({ words: head.words, mixed: head.mixedMost })
  if (maybeLeet && isLeet(countWords(text.slice(0, LEET_MAX))))
    add(
      'leet',
      text.replace(/[013457 8@$]/g, (char) => leetLetters.get(char) ?? char),
    )
  return found

  function add(layer: string, inner: string | undefined): void {
    if (inner !== undefined && inner !== text) found.push({ layer, text: inner })
  }
}

const unitsOf = createTextUnits()

const rewritten = (text: string, layer: string): string | undefined =>
  unwrap(text, { bytesMax: 4 * LOOK_MAX, layersMax: 1 }).find(({ layers }) => layers.length === 1 && layers[0] === layer)?.text
