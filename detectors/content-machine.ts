/**
 * A pattern as a machine of nodes that are tried side by side. It may let through more than the pattern does (long counts have
 * no upper bound here), never less: it is there to say no.
 */
import { type Chars, type Edge, type Tree, wordChars } from './content-syntax.ts'

const NODES_MAX = 6_000
/** So many copies of a repeated part are written out, required or not; beyond, it is repeated without a bound. */
const COPIES_MAX = 8
const OPTIONAL_MAX = 4

export const MATCHED = 0
/** The set of characters of words, for edges. */
export const WORD_SET = 0
/** Node 0 is the match. Each other takes one character of a set, or holds at an edge, or is a fork of several. */
export type Node =
  | Readonly<{ kind: 'matched' }>
  | Readonly<{ kind: 'chars'; set: number; next: number }>
  | Readonly<{ kind: 'edge'; edge: Edge; next: number }>
  | Readonly<{ kind: 'fork'; options: number[] }>

export type Machine = Readonly<{ nodes: readonly Node[]; sets: readonly Chars[]; start: number }>

type Building = { nodes: Node[]; sets: Chars[]; setByText: Map<string, number>; setByChars: Map<Chars, number> }

/** Thrown to give up, never let out. */
const tooLarge = Symbol('too large')

export function machineOf(tree: Tree): Machine | undefined {
  const into: Building = { nodes: [{ kind: 'matched' }], sets: [], setByText: new Map(), setByChars: new Map() }
  setOf(into, wordChars)
  try {
    const start = build(into, tree, MATCHED)
    return { nodes: into.nodes, sets: into.sets, start }
  } catch (error) {
    if (error === tooLarge) return undefined
    throw error
  }
}

function setOf(into: Building, chars: Chars): number {
  const known = into.setByChars.get(chars)
  if (known !== undefined) return known
  const text = JSON.stringify(chars)
  const set = into.setByText.get(text) ?? into.sets.push(chars) - 1
  into.setByText.set(text, set)
  into.setByChars.set(chars, set)
  return set
}

function add(into: Building, node: Node): number {
  if (into.nodes.length >= NODES_MAX) throw tooLarge
  return into.nodes.push(node) - 1
}

/** From the end to the beginning: each node knows what comes after it. */
function build(into: Building, tree: Tree, next: number): number {
  if (tree.kind === 'chars') return add(into, { kind: 'chars', set: setOf(into, tree.chars), next })
  if (tree.kind === 'edge') return add(into, { kind: 'edge', edge: tree.edge, next })
  if (tree.kind === 'all') return tree.parts.reduceRight((after, part) => build(into, part, after), next)
  if (tree.kind === 'any') return add(into, { kind: 'fork', options: tree.options.map((option) => build(into, option, next)) })
  return repeat(into, tree, next)
}

function repeat(into: Building, { part, min, max }: Extract<Tree, { kind: 'repeat' }>, next: number): number {
  let after = next
  if (max - min > OPTIONAL_MAX || min > COPIES_MAX) {
    const options: number[] = []
    after = add(into, { kind: 'fork', options })
    options.push(build(into, part, after), next)
  } else {
    for (let copy = min; copy < max; copy += 1) after = add(into, { kind: 'fork', options: [build(into, part, after), next] })
  }
  for (let copy = 0; copy < Math.min(min, COPIES_MAX); copy += 1) after = build(into, part, after)
  return after
}
