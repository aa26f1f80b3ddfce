/**
 * Words without which a pattern cannot match, read off its source: of each list of words one has to occur, of lists all or any.
 * What is not understood requires nothing, so that no match is ever lost.
 */
import { fold } from './fold.ts'

const EXACT_MAX = 64
const WORD_MIN = 2
const TELLING_MIN = 3

export type Need<W> = Readonly<{ words: readonly W[] } | { all: readonly Need<W>[] } | { any: readonly Need<W>[] }>
/** `exact`: all that it can match, where these are few; else what it needs, undefined for nothing. */
type Node = Readonly<{ exact: readonly string[] } | { exact?: undefined; need: Need<string> | undefined }>
const anything: Node = { need: undefined }
const nothing: Node = { exact: [''] }

/** Thrown to give up, never let out. */
const unclear = Symbol('unclear')
type Source = { text: string; at: number }

/** `given` are words of which one is known to occur: what they already answer is not asked. */
export function needOf(source: string, given: readonly string[]): Need<string> | undefined {
  try {
    const from: Source = { text: source, at: 0 }
    const need = needed(alternation(from))
    if (need === undefined || from.at < source.length) return undefined
    const asked = ('all' in need ? need.all : [need]).filter(
      (one) => !('words' in one && given.every((word) => one.words.some((required) => word.includes(required)))),
    )
    return asked.length === 0 ? undefined : { all: asked }
  } catch (error) {
    if (error === unclear) return undefined
    throw error
  }
}

/** The same with each word replaced: by its number in an automaton, say. */
export function mapNeed<A, B>(need: Need<A>, map: (word: A) => B): Need<B> {
  if ('words' in need) return { words: need.words.map(map) }
  if ('all' in need) return { all: need.all.map((one) => mapNeed(one, map)) }
  return { any: need.any.map((one) => mapNeed(one, map)) }
}
export function answers<W>(need: Need<W>, occurs: (word: W) => boolean): boolean {
  if ('words' in need) {
    for (const word of need.words) if (occurs(word)) return true
    return false
  }
  if ('all' in need) {
    for (const one of need.all) if (!answers(one, occurs)) return false
    return true
  }
  for (const one of need.any) if (answers(one, occurs)) return true
  return false
}

const shortest = (words: readonly string[]): number => words.reduce((least, word) => Math.min(least, word.length), Number.POSITIVE_INFINITY)
const isShort = (need: Need<string>): boolean => 'words' in need && shortest(need.words) < TELLING_MIN

function needed(node: Node): Need<string> | undefined {
  if (!node.exact) return node.need
  const words = [...new Set(node.exact.map(fold))]
  return words.length > 0 && shortest(words) >= WORD_MIN ? { words } : undefined
}
function allOf(needs: readonly (Need<string> | undefined)[]): Need<string> | undefined {
  const flat = needs.flatMap((need) => (need === undefined ? [] : 'all' in need ? need.all : [need]))
  const telling = flat.filter((need) => !isShort(need))
  const kept = telling.length > 0 ? telling : flat
  return kept.length > 1 ? { all: kept } : kept[0]
}

function alternation(from: Source): Node {
  const branches = [sequence(from)]
  while (from.text[from.at] === '|') {
    from.at += 1
    branches.push(sequence(from))
  }
  if (branches.length === 1) return branches[0] as Node
  const exact = branches.flatMap((branch) => branch.exact ?? [])
  if (branches.every((branch) => branch.exact) && exact.length <= EXACT_MAX) return { exact }
  const any = branches.map(needed)
  return { need: any.every((need) => need !== undefined) ? { any } : undefined }
}

function sequence(from: Source): Node {
  const needs: (Need<string> | undefined)[] = []
  let run: readonly string[] = ['']
  let whole = true
  while (from.at < from.text.length && from.text[from.at] !== '|' && from.text[from.at] !== ')') {
    const item = repeated(from)
    const tails = item.exact
    if (tails && tails.length * run.length <= EXACT_MAX) {
      run = run.flatMap((head) => tails.map((tail) => head + tail))
      continue
    }
    whole = false
    needs.push(needed({ exact: run }), tails ? undefined : needed(item))
    run = tails ?? ['']
  }
  return whole ? { exact: run } : { need: allOf([...needs, needed({ exact: run })]) }
}

function repeated(from: Source): Node {
  let node = atom(from)
  for (;;) {
    const rest = from.text.slice(from.at, from.at + 16)
    const count = /^(?:[?*+]|\{(\d+)(?:,\d*)?\})\??/.exec(rest)
    if (!count) return node
    from.at += count[0].length
    if (rest[0] === '?') node = node.exact ? { exact: [...node.exact, ''] } : anything
    else if (rest[0] === '+' || (rest[0] === '{' && Number(count[1]) > 0)) node = { need: needed(node) }
    else node = anything
  }
}

function atom(from: Source): Node {
  const char = from.text[from.at] as string
  if (char === '(') return group(from)
  if (char === '[') return characters(from)
  from.at += 1
  if (char === '\\') return escaped(from)
  if (char === '^' || char === '$') return nothing
  if (char === '.') return anything
  if (/[?*+{]/.test(char)) throw unclear
  return { exact: [char.toLowerCase()] }
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
function escaped(from: Source): Node {
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
  return { exact: [control ?? letter] }
}

/** A class of a few plain characters is each of them; any other is anything. */
function characters(from: Source): Node {
  const found = /^\[(\^?\]?(?:\[:[^\]]*:\]|\\[\s\S]|[^\]\\])*)\]/.exec(from.text.slice(from.at))
  if (!found) throw unclear
  from.at += found[0].length
  const inside = found[1] as string
  const few = /^[a-z0-9 _'’/.-]{1,4}$/.test(inside) && !/.-./.test(inside)
  return few ? { exact: [...inside] } : anything
}
