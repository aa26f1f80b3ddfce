/** Undoes the encodings in which content hides on its way from a source to a sink: eight of them, nested up to three deep, within a budget. */
import { encodedRuns, type Layer } from './encoded-runs.ts'

export { type EncodedRun, encodedRuns, type Layer } from './encoded-runs.ts'

/** `bytesMax` bounds all decoded text of one call; `layersMax` how deep encodings are followed. */
export type UnwrapBudget = Readonly<{ bytesMax: number; layersMax?: number; outputsMax?: number }>
export type Unwrapped = Readonly<{ text: string; layers: readonly string[] }>

/** Every text hidden in this one, nearest first; not the text itself. Nothing is decoded twice. */
export function unwrap(text: string, budget: UnwrapBudget): readonly Unwrapped[] {
  const { layersMax = 3, outputsMax = 32 } = budget
  const found: Unwrapped[] = []
  let left = budget.bytesMax
  let peeled = layersMax > 0 ? peel(text, left) : []
  if (peeled.length === 0) return found // most texts: nothing else is set up for them
  const seen = new Set([text])
  let round: Unwrapped[] = []
  const take = (outer: readonly string[]): boolean => {
    for (const inner of peeled) {
      if (seen.has(inner.text) || found.length >= outputsMax) continue
      left -= inner.text.length
      if (left < 0) return false
      seen.add(inner.text)
      const unwrapped = { text: inner.text, layers: [...outer, ...inner.layers] }
      found.push(unwrapped)
      round.push(unwrapped)
    }
    return true
  }
  if (!take([])) return found
  for (let depth = 1; depth < layersMax && round.length > 0; depth += 1) {
    const outers = round
    round = []
    for (const outer of outers) {
      peeled = peel(outer.text, left)
      if (!take(outer.layers)) return found
    }
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
  if (text.includes('%') && /%[0-9A-Fa-f]{2}/.test(text)) rewrite('percent', percentDecoded(text))
  if (text.includes('\\')) rewrite('json', jsonUnescaped(text))
  if (text.includes('&')) rewrite('html', htmlUnescaped(text))
  if (text.includes('=') && /=[0-9A-F]{2}|=\r?\n/.test(text)) rewrite('quoted-printable', quotedPrintableDecoded(text))
  return peeled
}

/** A byte that stands alone says little: most of those in a log or an address are none that somebody wrote, such as `took=90`. */
const aloneByte: readonly string[] = Array.from({ length: 256 }, (_, byte) => (byte < 128 ? String.fromCharCode(byte) : '\ufffd'))
const bytesOf = (run: string, sign: string): string =>
  run.length === 3
    ? (aloneByte[Number.parseInt(run.slice(1), 16)] as string)
    : Buffer.from(run.replaceAll(sign, ''), 'hex').toString('utf8')

const percentDecoded = (text: string): string => text.replace(/(?:%[0-9A-Fa-f]{2})+/g, (run) => bytesOf(run, '%'))

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
  text.replace(/=\r?\n/g, '').replace(/(?:=[0-9A-F]{2})+/g, (run) => bytesOf(run, '='))
