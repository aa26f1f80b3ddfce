/**
 * Words without which a pattern cannot match, read off its source: a list of sets, of each of which one word has to occur.
 * What is not understood requires nothing, so that no match is ever lost.
 */
import { fold } from './fold.ts'

const EXACT_MAX = 64
const SETS_MAX = 3
const WORD_MIN = 3

/** `exact`: all that it can match, where these are few. `sets`: one word of each must occur. */
type Node = Readonly<{ exact: readonly string[] | undefined; sets: readonly (readonly string[])[] }>
const anything: Node = { exact: undefined, sets: [] }
const nothing: Node = { exact: [''], sets: [] }

/** Thrown to give up, never let out. */
const unclear = Symbol('unclear')
type Source = { text: string; at: number }

/** `given` are words of which one is known to occur: what they already answer is not asked. */
export function requiredWords(source: string, given: readonly string[]): string[][] {
  try {
    const from: Source = { text: source, at: 0 }
    const node = alternation(from)
    if (from.at < source.length) return []
    return usable(node)
      .map((set) => [...new Set(set.map(fold))])
      .filter((set) => !given.every((word) => set.some((required) => word.includes(required))))
      .slice(0, SETS_MAX)
  } catch (error) {
    if (error === unclear) return []
    throw error
  }
}

const shortest = (words: readonly string[]): number => words.reduce((least, word) => Math.min(least, word.length), Number.POSITIVE_INFINITY)
const usable = ({ exact, sets }: Node): (readonly string[])[] =>
  (exact ? [exact] : [...sets]).filter((set) => set.length > 0 && shortest(set) >= WORD_MIN)

function alternation(from: Source): Node {
  const branches = [sequence(from)]
  while (from.text[from.at] === '|') {
    from.at += 1
    branches.push(sequence(from))
  }
  if (branches.length === 1) return branches[0] as Node
  const exact = branches.flatMap((branch) => branch.exact ?? [])
  if (branches.every((branch) => branch.exact) && exact.length <= EXACT_MAX) return { exact, sets: [] }
  // Of each branch its most telling set: one of them all has to occur.
  const best = branches.map((branch) => usable(branch).sort((a, b) => shortest(b) - shortest(a))[0])
  return best.every((set) => set !== undefined) ? { exact: undefined, sets: [best.flat()] } : anything
}

function sequence(from: Source): Node {
  const sets: (readonly string[])[] = []
  let run: readonly string[] = ['']
  let whole = true
  while (from.at < from.text.length && from.text[from.at] !== '|' && from.text[from.at] !== ')') {
    const item = repeated(from)
    const joined = item.exact && item.exact.length * run.length <= EXACT_MAX ? run.flatMap((head) => item.exact?.map((tail) => head + tail) ?? []) : undefined
    if (joined) {
      run = joined
      continue
    }
    whole = false
    sets.push(run, ...(item.exact ? [] : item.sets))
    run = item.exact ?? ['']
  }
  return whole ? { exact: run, sets: [] } : { exact: undefined, sets: [...sets, run] }
}

function repeated(from: Source): Node {
  let node = atom(from)
  for (;;) {
    const rest = from.text.slice(from.at, from.at + 16)
    const count = /^(?:[?*+]|\{(\d+)(?:,\d*)?\})\??/.exec(rest)
    if (!count) return node
    from.at += count[0].length
    const sets = usable(node)
    if (rest[0] === '?') node = node.exact ? { exact: [...node.exact, ''], sets: [] } : anything
    else if (rest[0] === '+' || (rest[0] === '{' && Number(count[1]) > 0)) node = { exact: undefined, sets }
    else node = anything
  }
}

function atom(from: Source): Node {
  const char = from.text[from.at] as string
  if (char === '(') return group(from)
  if (char === '[') return characters(from)
  from.at += 1
  if (char === '\\') return escape(from)
  if (char === '^' || char === '$') return nothing
  if (char === '.') return anything
  if (/[?*+{]/.test(char)) throw unclear
  return { exact: [char.toLowerCase()], sets: [] }
}

function group(from: Source): Node {
  const opening = /^\((?:\?:|\?P?<[A-Za-z]\w*>|(?!\?))/.exec(from.text.slice(from.at, from.at + 64))
  if (!opening) throw unclear
  from.at += opening[0].length
  const node = alternation(from)
  if (from.text[from.at] !== ')') throw unclear
  from.at += 1
  return node
}

const controls = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])
function escape(from: Source): Node {
  const letter = from.text[from.at] as string
  from.at += 1
  if (/[bBAz]/.test(letter)) return nothing
  if (/[dDsSwW]/.test(letter)) return anything
  if (/[pP]/.test(letter)) {
    const name = /^(?:\{[^}]*\}|\w)/.exec(from.text.slice(from.at, from.at + 64))
    if (!name) throw unclear
    from.at += name[0].length
    return anything
  }
  const control = controls.get(letter)
  if (control === undefined && /[A-Za-z0-9]/.test(letter)) throw unclear
  return { exact: [control ?? letter], sets: [] }
}

/** A class of a few plain characters is each of them; any other is anything. */
function characters(from: Source): Node {
  const found = /^\[(\^?\]?(?:\[:[^\]]*:\]|\\[\s\S]|[^\]\\])*)\]/.exec(from.text.slice(from.at))
  if (!found) throw unclear
  from.at += found[0].length
  const inside = found[1] as string
  const few = /^[a-z0-9 _'’/.-]{1,4}$/.test(inside) && !/.-./.test(inside)
  return few ? { exact: [...inside], sets: [] } : anything
}
