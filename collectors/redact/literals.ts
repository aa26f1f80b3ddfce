/**
 * Finds where any of many literals ends in a text, at a cost that does not grow with their number: a table of three characters
 * rules out most places, two at a time, and an automaton (Aho-Corasick as a dense table) walks on from those that are left.
 */

/** Characters of a text as numbers: out of an array they are read in a fraction of the time that a string takes. */
export type Codes = Uint16Array
/** `codes` has at least `sieveChars` places behind `length`; what they hold does not matter. Hits come in the order of their ends. */
export type LiteralScan = (codes: Codes, length: number, onHit: (literal: number, end: number) => void) => void

type Trie = { children: Map<number, number>[]; outputs: number[][] }

/** How many characters the sieve looks at in one place. */
export const sieveChars = 3

/** Literals are lower-case ASCII; the text is compared without case. */
export function compileLiterals(literals: readonly string[]): LiteralScan {
  const { classes, classCount } = classesOf(literals)
  const trie = trieOf(literals, classes)
  const shallow = (trie.children[0] as Map<number, number>).size * classCount // rows of the root and of all first characters
  const { table, outputs } = automatonOf(trie, classCount)
  const rows = rowsOf(table, outputs, classCount)
  const sieve = sieveOf(literals, classes, classCount)
  function nextBeginning(codes: Codes, from: number, length: number): number {
    let first = classes[codes[from] as number] as number
    for (let at = from; at < length; at += 2) {
      const third = classes[codes[at + 2] as number] as number
      if (sieve[(first << 12) | ((classes[codes[at + 1] as number] as number) << 6) | third] !== 0) return at
      first = third
    }
    return length
  }
  return (codes, length, onHit) => {
    let reported = 0
    for (let from = 0; from < length; ) {
      const at = nextBeginning(codes, from, length)
      if (at >= length) return
      // A literal begins here, one place before, or soon: walked until none is under way but by its first character.
      let end = at > 0 ? at - 1 : 0
      for (let row = 0; end < length && (row > shallow || end < at + sieveChars); ) {
        const next = rows[row + (classes[codes[end] as number] as number)] as number
        row = next >>> 1
        end += 1
        if ((next & 1) === 0 || end <= reported) continue
        for (const literal of outputs[row / classCount] as readonly number[]) onHit(literal, end)
      }
      reported = end
      from = end < length ? end - 1 : length
    }
  }
}

/**
 * For three classes of characters, whether a literal may lie there. Every second place of a text is looked at: a literal is seen
 * where it begins, or else one place further on, or one before if it has fewer than three characters.
 */
function sieveOf(literals: readonly string[], classes: Uint8Array, classCount: number): Uint8Array {
  if (classCount > 64) throw new RangeError('too many characters')
  const sieve = new Uint8Array(64 ** sieveChars)
  const mark = (...characters: readonly (string | undefined)[]): void => {
    const columns = characters.map((character) =>
      character === undefined ? Array.from({ length: classCount }, (_, column) => column) : [classes[character.charCodeAt(0)] as number],
    )
    for (const a of columns[0] ?? [])
      for (const b of columns[1] ?? []) for (const c of columns[2] ?? []) sieve[(a << 12) | (b << 6) | c] = 1
  }
  for (const literal of literals) {
    mark(literal[0], literal[1], literal[2])
    if (literal.length < sieveChars) mark(undefined, literal[0], literal[1])
    else mark(literal[1], literal[2], literal[3])
  }
  return sieve
}

/** The table with each next state as the place of its row, and one bit that says whether a literal ends there. */
function rowsOf(table: Uint16Array, outputs: readonly (readonly number[] | undefined)[], classCount: number): Uint32Array {
  return Uint32Array.from(table, (state) => ((state * classCount) << 1) | (outputs[state] === undefined ? 0 : 1))
}

/** Character → column of the tables; 0 for every character in no literal. */
function classesOf(literals: readonly string[]): { classes: Uint8Array; classCount: number } {
  const classes = new Uint8Array(0x1_0000)
  let classCount = 1
  for (const literal of literals) {
    for (const character of literal) {
      const code = character.charCodeAt(0)
      if (code >= 128) throw new RangeError(`literal is not ASCII: ${literal}`)
      if (classes[code] !== 0) continue
      classes[code] = classCount
      if (code >= 97 && code <= 122) classes[code - 32] = classCount
      classCount += 1
    }
  }
  return { classes, classCount }
}

/** The states of all first characters come right after the root. */
function trieOf(literals: readonly string[], classes: Uint8Array): Trie {
  const trie: Trie = { children: [new Map()], outputs: [[]] }
  const childOf = (state: number, character: string): number => {
    const symbol = classes[character.charCodeAt(0)] as number
    const known = trie.children[state]?.get(symbol)
    if (known !== undefined) return known
    const made = trie.children.push(new Map()) - 1
    trie.outputs.push([])
    trie.children[state]?.set(symbol, made)
    return made
  }
  for (const literal of literals) childOf(0, literal.charAt(0))
  for (const [index, literal] of literals.entries()) {
    let state = 0
    for (const character of literal) state = childOf(state, character)
    trie.outputs[state]?.push(index)
  }
  return trie
}

function automatonOf(trie: Trie, classCount: number): { table: Uint16Array; outputs: (readonly number[] | undefined)[] } {
  if (trie.children.length > 65_535) throw new RangeError('too many literals')
  const table = new Uint16Array(trie.children.length * classCount)
  const fallback = new Uint16Array(trie.children.length)
  const order: number[] = [0]
  for (let at = 0; at < order.length; at += 1) {
    const state = order[at] as number
    const below = fallback[state] as number
    for (let symbol = 0; symbol < classCount; symbol += 1) {
      const viaFallback = state === 0 ? 0 : (table[below * classCount + symbol] as number)
      const child = trie.children[state]?.get(symbol)
      table[state * classCount + symbol] = child ?? viaFallback
      if (child === undefined) continue
      fallback[child] = viaFallback
      trie.outputs[child]?.push(...(trie.outputs[viaFallback] as number[]))
      order.push(child)
    }
  }
  return { table, outputs: trie.outputs.map((ends) => (ends.length > 0 ? ends : undefined)) }
}
