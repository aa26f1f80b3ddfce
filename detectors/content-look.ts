/** One look at each character of a text, to say which spellings are worth a closer look. It may say one too many, never one too few. */

export type Look = Readonly<{
  ascii: boolean
  /** Words of 3 characters or more, and those of them that mix letters with digits that stand for letters; of an ASCII text. */
  words: number
  mixed: number
  /** So many single characters stood in a row, as in "S Y S T E M"; of an ASCII text. */
  singles: number
  /** A bit for each list of telling letters, in their order. */
  told: number
}>

const letterBits = 31
const inWord = 32
const standsForLetter = 64
const marks: Uint8Array = Uint8Array.from({ length: 128 }, (_, code) => {
  const char = String.fromCharCode(code)
  const letter = /[A-Za-z]/.test(char) ? char.toLowerCase().charCodeAt(0) - 96 : 0
  return letter | (/[A-Za-z0-9@$]/.test(char) ? inWord : 0) | (/[013457@$]/.test(char) ? standsForLetter : 0)
})
const runBits = 15
const runMask = (1 << runBits) - 1
const wordMax = 16

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
    let [words, mixed, singles, singlesMost, length, seen, run, told, beyond] = [0, 0, 0, 0, 0, 0, 0, 0, 0]
    for (let at = from; at <= to; at += 1) {
      const code = at < to ? (units[at] as number) : 0
      beyond |= code
      const mark = code < 128 ? (marks[code] as number) : 0
      run = ((run << 5) | (mark & letterBits)) & runMask
      told |= telling[run] as number
      if (mark !== 0) {
        length += 1
        seen |= mark
      } else if (length !== 0) {
        if (length === 1) {
          singles += 1
          if (singles > singlesMost) singlesMost = singles
        } else {
          singles = 0
          if (length >= 3) words += 1
          if (length >= 3 && length < wordMax && (seen & standsForLetter) !== 0 && (seen & letterBits) !== 0) mixed += 1
        }
        length = 0
        seen = 0
      }
    }
    return { ascii: beyond < 128, words, mixed, singles: singlesMost, told }
  }
}
