/** Reads the part of RE2 syntax that our patterns are written in, as a tree. What it does not know it says so, and guesses nothing. */

/** Characters of a class. `ranges` hold code units, lower case; `letters` and `numbers` are all of Unicode. */
export type Chars = Readonly<{ negated: boolean; ranges: readonly (readonly [number, number])[]; letters: boolean; numbers: boolean }>
export type Edge = 'start' | 'end' | 'word' | 'not-word'
export type Tree =
  | Readonly<{ kind: 'chars'; chars: Chars }>
  | Readonly<{ kind: 'edge'; edge: Edge }>
  | Readonly<{ kind: 'all'; parts: readonly Tree[] }>
  | Readonly<{ kind: 'any'; options: readonly Tree[] }>
  | Readonly<{ kind: 'repeat'; part: Tree; min: number; max: number }>

type Range = readonly [number, number]
/** `plain`: characters that stand for themselves, each made once: they are nearly all there is. */
type Reader = { text: string; at: number; depth: number; plain: Map<string, Tree> }
const DEPTH_MAX = 200

/** Thrown to give up, never let out. */
const unclear = Symbol('unclear')

const spaces: readonly Range[] = [[9, 10], [12, 13], [32, 32]] // biome-ignore format: one line
const digits: readonly Range[] = [[48, 57]]
const wordRanges: readonly Range[] = [[48, 57], [95, 95], [97, 122]] // biome-ignore format: one line
const anyChar: Chars = { negated: true, ranges: [], letters: false, numbers: false }
export const wordChars: Chars = { negated: false, ranges: wordRanges, letters: false, numbers: false }

/** Of an expression that ignores case; undefined where it holds something that is not understood. */
export function readPattern(source: string): Tree | undefined {
  try {
    const from: Reader = { text: source, at: 0, depth: 0, plain: new Map() }
    const tree = alternatives(from)
    return from.at < source.length ? undefined : tree
  } catch (error) {
    if (error === unclear) return undefined
    throw error
  }
}

function alternatives(from: Reader): Tree {
  from.depth += 1
  if (from.depth > DEPTH_MAX) throw unclear
  const options = [sequence(from)]
  while (from.text[from.at] === '|') {
    from.at += 1
    options.push(sequence(from))
  }
  from.depth -= 1
  return options.length === 1 ? (options[0] as Tree) : { kind: 'any', options }
}

function sequence(from: Reader): Tree {
  const parts: Tree[] = []
  for (let next = from.text[from.at]; next !== undefined && next !== '|' && next !== ')'; next = from.text[from.at])
    parts.push(repeated(from))
  return parts.length === 1 ? (parts[0] as Tree) : { kind: 'all', parts }
}

/** Greedy or lazy is one: it decides where a match ends, not whether there is one. A repeat of a repeat is not understood. */
function repeated(from: Reader): Tree {
  const part = atom(from)
  const found = repeatAt(from)
  if (!found) return part
  if (part.kind === 'edge' || repeatAt(from)) throw unclear
  return { kind: 'repeat', part, ...found }
}

const count = /\{(\d{1,3})(?:(,)(\d{1,3})?)?\}/y
function repeatAt(from: Reader): { min: number; max: number } | undefined {
  const sign = from.text[from.at]
  let found: { min: number; max: number } | undefined
  if (sign === '?') found = { min: 0, max: 1 }
  else if (sign === '*') found = { min: 0, max: Number.POSITIVE_INFINITY }
  else if (sign === '+') found = { min: 1, max: Number.POSITIVE_INFINITY }
  else if (sign === '{') {
    count.lastIndex = from.at
    const [all, min, comma, max] = count.exec(from.text) ?? []
    if (all === undefined) throw unclear
    from.at += all.length - 1
    const most = max !== undefined ? Number(max) : comma ? Number.POSITIVE_INFINITY : Number(min)
    if (most < Number(min)) throw unclear
    found = { min: Number(min), max: most }
  }
  if (!found) return undefined
  from.at += 1
  if (from.text[from.at] === '?') from.at += 1
  return found
}

function atom(from: Reader): Tree {
  const char = from.text[from.at] as string
  from.at += 1
  const known = from.plain.get(char)
  if (known) return known
  if (char === '(') return group(from)
  if (char === '[') return { kind: 'chars', chars: bracket(from) }
  if (char === '\\') return escaped(from)
  if (char === '.') return { kind: 'chars', chars: anyChar }
  if (char === '^') return { kind: 'edge', edge: 'start' }
  if (char === '$') return { kind: 'edge', edge: 'end' }
  if (char === '*' || char === '+' || char === '?' || char === '{') throw unclear
  const tree: Tree = { kind: 'chars', chars: { ...none(), ranges: [one(char)] } }
  from.plain.set(char, tree)
  return tree
}

function group(from: Reader): Tree {
  if (from.text[from.at] === '?') {
    if (from.text[from.at + 1] !== ':') throw unclear
    from.at += 2
  }
  const tree = alternatives(from)
  if (from.text[from.at] !== ')') throw unclear
  from.at += 1
  return tree
}

const edges = new Map<string, Edge>([
  ['b', 'word'],
  ['B', 'not-word'],
  ['A', 'start'],
  ['z', 'end'],
])
function escaped(from: Reader): Tree {
  const edge = edges.get(from.text[from.at] ?? '')
  if (!edge) return { kind: 'chars', chars: escapedChars(from) }
  from.at += 1
  return { kind: 'edge', edge }
}

const none = () => ({ negated: false, ranges: [] as Range[], letters: false, numbers: false })
const controls = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])
/** The characters of an escape, after its backslash. */
function escapedChars(from: Reader): Chars {
  const letter = from.text[from.at] ?? ''
  from.at += 1
  const lower = letter.toLowerCase()
  if (lower === 's' || lower === 'd' || lower === 'w')
    return { ...none(), negated: lower !== letter, ranges: lower === 's' ? spaces : lower === 'd' ? digits : wordRanges }
  if (letter === 'p') {
    const name = from.text.slice(from.at, from.at + 3)
    if (name !== '{L}' && name !== '{N}') throw unclear
    from.at += 3
    return { ...none(), letters: name === '{L}', numbers: name === '{N}' }
  }
  const control = controls.get(letter)
  if (letter === '' || (control === undefined && /[A-Za-z0-9]/.test(letter))) throw unclear
  return { ...none(), ranges: [one(control ?? letter)] }
}

/** One code unit; half of a pair would not be the character that is meant. */
function one(char: string): Range {
  const code = char.charCodeAt(0)
  if (code >= 0xd800 && code <= 0xdfff) throw unclear
  const lower = code < 128 ? char.toLowerCase().charCodeAt(0) : code
  return [lower, lower]
}

function bracket(from: Reader): Chars {
  const chars = none()
  if (from.text[from.at] === '^') {
    chars.negated = true
    from.at += 1
  }
  for (let first = true; first || from.text[from.at] !== ']'; first = false) {
    const char = from.text[from.at]
    from.at += 1
    if (char === undefined || (char === '[' && from.text[from.at] === ':')) throw unclear
    if (char === '\\') {
      const inner = escapedChars(from)
      if (inner.negated) throw unclear
      chars.ranges.push(...inner.ranges)
      chars.letters ||= inner.letters
      chars.numbers ||= inner.numbers
      if (from.text[from.at] === '-' && from.text[from.at + 1] !== ']') throw unclear
    } else chars.ranges.push(rangeFrom(char, from))
  }
  from.at += 1
  return chars
}

function rangeFrom(char: string, from: Reader): Range {
  const last = from.text[from.at + 1]
  if (from.text[from.at] !== '-' || last === undefined || last === ']') return one(char)
  // A range over letters of both cases, or beyond ASCII, would have to be folded piece by piece.
  if (!/^(?:[a-z]{2}|[A-Z]{2}|[0-9]{2})$/.test(char + last) || last < char) throw unclear
  from.at += 2
  return [one(char)[0], one(last)[0]]
}
