/** One pass over a text that reports where any of many literals ends (Aho-Corasick as a dense table): cost does not grow with the rules. */

export type LiteralScan = (text: string, onHit: (literal: number, end: number) => void) => void

type Trie = { children: Map<number, number>[]; outputs: number[][] }

/** Literals are lower-case ASCII; the text is compared without case. */
export function compileLiterals(literals: readonly string[]): LiteralScan {
  const classes = classesOf(literals)
  const classCount = classes.at(-1) ?? 1
  const trie = trieOf(literals, classes)
  const { table, outputs } = automatonOf(trie, classCount)
  const rows = rowsOf(table, outputs, classCount)
  const codes = new Uint16Array(charsMax)
  const bytes = Buffer.from(codes.buffer)
  return (text, onHit) => {
    // Out of an array a character is read in a fraction of the time that a string takes.
    for (let from = 0, row = 0; from < text.length; from += charsMax) {
      const length = bytes.write(from === 0 ? text : text.slice(from), 'utf16le') >> 1
      for (let at = 0; at < length; at += 1) {
        const code = codes[at] as number
        const next = rows[row + (code < 128 ? (classes[code] as number) : 0)] as number
        row = next >>> 1
        if ((next & 1) === 0) continue
        for (const literal of outputs[row / classCount] as readonly number[]) onHit(literal, from + at + 1)
      }
    }
  }
}

const charsMax = 16 * 1024

/** The table with each next state as the place of its row, and one bit that says whether a literal ends there. */
function rowsOf(table: Uint16Array, outputs: readonly (readonly number[] | undefined)[], classCount: number): Uint32Array {
  return Uint32Array.from(table, (state) => ((state * classCount) << 1) | (outputs[state] === undefined ? 0 : 1))
}

/** Character → column of the table; 0 for every character in no literal. The last entry is the number of columns. */
function classesOf(literals: readonly string[]): Uint8Array {
  const classes = new Uint8Array(129)
  let count = 1
  for (const literal of literals) {
    for (const character of literal) {
      const code = character.charCodeAt(0)
      if (code >= 128) throw new RangeError(`literal is not ASCII: ${literal}`)
      if (classes[code] !== 0) continue
      classes[code] = count
      if (code >= 97 && code <= 122) classes[code - 32] = count
      count += 1
    }
  }
  classes[128] = count
  return classes
}

function trieOf(literals: readonly string[], classes: Uint8Array): Trie {
  const trie: Trie = { children: [new Map()], outputs: [[]] }
  literals.forEach((literal, index) => {
    let state = 0
    for (const character of literal) {
      const symbol = classes[character.charCodeAt(0)] as number
      let next = trie.children[state]?.get(symbol)
      if (next === undefined) {
        next = trie.children.length
        trie.children.push(new Map())
        trie.outputs.push([])
        trie.children[state]?.set(symbol, next)
      }
      state = next
    }
    trie.outputs[state]?.push(index)
  })
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
