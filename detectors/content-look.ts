/** One look at each character of a text, to say which spellings are worth a closer look. It may say one too many, never one too few. */

export type Look = Readonly<{
  ascii: boolean
  /** Words of 3 characters or more, and at least as many as mix letters with digits or signs; of an ASCII text of 10,000 characters at most. */
  words: number
  mixedMost: number
  /** Single characters may stand in a row, as in "S Y S T E M"; of an ASCII text. */
  spaced: boolean
  /** A bit for each list of telling letters, in their order. */
  told: number
}>

const letterBits = 31
const kindShift = 5
const notWord = 0
const isLetter = 1
const isOther = 2
/** Of each character its letter, and above that whether it is one, or a digit or sign that may stand for one, or none of a word. */
const marks: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code)
  if (/[A-Za-z]/.test(char)) return (char.toLowerCase().charCodeAt(0) - 96) | (isLetter << kindShift)
  return (/[0-9@$]/.test(char) ? isOther : notWord) << kindShift
})
const runBits = 15
const runMask = (1 << runBits) - 1

/** What four kinds in a row show, counted side by side in one number: words in the lower half, mixed ones above. */
const mixedShift = 14
const wordsMask = (1 << mixedShift) - 1
const shapeMask = 255
const kindsOf = (four: number): number[] => [6, 4, 2, 0].map((shift) => (four >> shift) & 3)
const shapes: Int32Array = Int32Array.from({ length: shapeMask + 1 }, (_, four) => {
  const [first = 0, second = 0, third = 0, last = 0] = kindsOf(four)
  const mixes = (one: number, other: number): boolean => one !== other && one !== notWord && other !== notWord
  const endsWord = last === notWord && third !== notWord && second !== notWord && first !== notWord
  return (endsWord ? 1 : 0) | (mixes(third, last) && !mixes(second, third) ? 1 << mixedShift : 0)
})
/** Neither two characters of a word in a row, nor three that are of none. */
const sparse: Uint8Array = Uint8Array.from({ length: shapeMask + 1 }, (_, four) => {
  const row = kindsOf(four)
    .map((kind) => (kind === notWord ? ' ' : 'x'))
    .join('')
  return /xx| {3}/.test(row) ? 0 : 1
})
/** Eight single characters, each with a separator behind it, are sixteen: so many times four of them stand in a row. */
const SPARSE_MIN = 13

/** `lists` of three letters each. */
export function createLook(lists: readonly (readonly string[])[]): (units: Uint16Array, from: number, to: number) => Look {
  const telling = new Uint8Array(1 << runBits)
  for (const [index, runs] of lists.entries()) {
    for (const run of runs) {
      let place = 0
      for (let at = 0; at < run.length; at += 1) place = ((place << 5) | ((marks[run.charCodeAt(at)] as number) & letterBits)) & runMask
      telling[place] = (telling[place] as number) | (1 << index)
    }
  }
  return (units, from, to) => {
    let [beyond, run, told, four, counts, sparseAt, sparseRow, sparseMost] = [0, 0, 0, 0, 0, -2, 0, 0]
    for (let at = from; at < to; at += 1) {
      const code = units[at] as number
      beyond |= code
      const mark = code < 128 ? (marks[code] as number) : 0
      run = ((run << 5) | (mark & letterBits)) & runMask
      told |= telling[run] as number
      four = ((four << 2) | (mark >> kindShift)) & shapeMask
      counts = (counts + (shapes[four] as number)) | 0
      if (sparse[four] === 0) continue
      sparseRow = sparseAt === at - 1 ? sparseRow + 1 : 1
      sparseAt = at
      if (sparseRow > sparseMost) sparseMost = sparseRow
    }
    // The last word ends with the text.
    counts += shapes[(four << 2) & shapeMask] as number
    return { ascii: beyond < 128, words: counts & wordsMask, mixedMost: counts >> mixedShift, spaced: sparseMost >= SPARSE_MIN, told }
  }
}
