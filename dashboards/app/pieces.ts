/** Cuts hostile text into what is plain, what cannot be seen, and what is to be marked. */

export type Piece = Readonly<{ text: string; unseen?: string; marked: boolean }>

/** Control, format, private-use, unpaired and blank-looking characters, variation selectors and tags. U+FE0F only colours an emoji.
 * Long rows of spaces push words out of sight; rows of U+FFFD stand where the API took such characters out. */
const unseenRun =
  /(?:[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}\u00a0\u115f\u1160\u17b4\u17b5\u2000-\u200a\u202f\u205f\u2800\u3000\u3164\uffa0]|\u034f|[\ufe00-\ufe0e]|[\u{e0000}-\u{e0fff}])+|\ufffd{2,}| {24,}/gu
const names = new Map<number, string>([
  [0x00, 'NUL'],
  [0x07, 'BEL'],
  [0x08, 'BS'],
  [0x09, 'TAB'],
  [0x0a, 'LF'],
  [0x0d, 'CR'],
  [0x1b, 'ESC'],
  [0x7f, 'DEL'],
  [0xa0, 'NBSP'],
  [0x200b, 'ZWSP'],
  [0x200c, 'ZWNJ'],
  [0x200d, 'ZWJ'],
  [0x200e, 'LRM'],
  [0x200f, 'RLM'],
  [0x2028, 'LS'],
  [0x2029, 'PS'],
  [0x202a, 'LRE'],
  [0x202b, 'RLE'],
  [0x202c, 'PDF'],
  [0x202d, 'LRO'],
  [0x202e, 'RLO'],
  [0x2060, 'WJ'],
  [0x2066, 'LRI'],
  [0x2067, 'RLI'],
  [0x2068, 'FSI'],
  [0x2069, 'PDI'],
  [0xfeff, 'BOM'],
])
const shownRunMax = 64

/** Unicode tags spell ASCII that no font draws: they are shown as the words they hide. */
function labelOf(run: string): string {
  if (run[0] === ' ') return `${run.length} spaces`
  if (run[0] === '\ufffd') return `${run.length} hidden characters`
  const points = [...run].map((character) => character.codePointAt(0) ?? 0)
  const tags = points.filter((point) => point >= 0xe0020 && point <= 0xe007e)
  if (tags.length > 1) return `hidden: ${String.fromCharCode(...tags.slice(0, 2_000).map((point) => point - 0xe0000))}`
  const shown = points.slice(0, shownRunMax).map((point) => names.get(point) ?? `U+${point.toString(16).toUpperCase().padStart(4, '0')}`)
  return shown.join(' ') + (points.length > shownRunMax ? ` … ${points.length - shownRunMax} more` : '')
}

type Range = readonly [start: number, end: number]
const marksMax = 200
/** Rules quote text with its white space drawn together: any white space stands for any other. */
const finderOf = (mark: string): RegExp =>
  new RegExp(
    mark
      .trim()
      .split(/\s+/)
      .map((word) => word.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
      .join('\\s+'),
    'g',
  )
/** Where the marks stand, in order and not overlapping. */
function rangesOf(text: string, marks: readonly string[]): Range[] {
  const found: [number, number][] = []
  for (const mark of marks) {
    if (mark.trim() === '') continue
    for (const { index, 0: match } of text.matchAll(finderOf(mark))) {
      if (found.length < marksMax) found.push([index, index + match.length])
    }
  }
  found.sort((a, b) => a[0] - b[0])
  const merged: [number, number][] = []
  for (const [start, end] of found) {
    const last = merged.at(-1)
    if (last !== undefined && start <= last[1]) last[1] = Math.max(last[1], end)
    else merged.push([start, end])
  }
  return merged
}

function cut(text: string, marked: boolean, block: boolean): Piece[] {
  const pieces: Piece[] = []
  const plain = (part: string) => part !== '' && pieces.push({ text: part, marked })
  let from = 0
  for (const match of text.matchAll(unseenRun)) {
    plain(text.slice(from, match.index))
    from = match.index + match[0].length
    // In a block, line ends and tabs lay out the text as its author meant it.
    for (const part of block ? match[0].split(/([\n\t]+)/) : [match[0]]) {
      if (block && /^[\n\t]+$/.test(part)) plain(part)
      else if (part !== '') pieces.push({ text: part, unseen: labelOf(part), marked })
    }
  }
  plain(text.slice(from))
  return pieces
}

export function piecesOf(text: string, marks: readonly string[] = [], block = false): Piece[] {
  const pieces: Piece[] = []
  let from = 0
  for (const [start, end] of rangesOf(text, marks)) {
    pieces.push(...cut(text.slice(from, start), false, block), ...cut(text.slice(start, end), true, block))
    from = end
  }
  return [...pieces, ...cut(text.slice(from), false, block)]
}
