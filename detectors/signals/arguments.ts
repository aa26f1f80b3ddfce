/** The strings of a call's arguments, found in one walk for all rules: the kind of field each stands in, and the telling characters in it. */
import { isObject, type Json, type McpEvent } from '../../schemas/event.ts'
import { once, remembered } from '../../schemas/remembered.ts'

/** `plain`: short values that a program uses as a word (ids, names, refs, hosts …); never shell, SQL or prose. */
export type FieldKind = 'path' | 'url' | 'host' | 'plain' | 'code' | 'query' | 'prose'
/** `text`: its first 4,096 characters, of which `signs` are. */
export type Argument = Readonly<{ pointer: string; name: string; text: string; whole: string; kind: FieldKind; signs: number }>

const ARGUMENTS_MAX = 500
/** Empty ones are of use to none but those who count. */
const EMPTY_MAX = 500
const TEXT_MAX = 4_096

const kinds: readonly (readonly [FieldKind, readonly string[]])[] = [
  [
    'prose',
    'text message description comment title body content note notes prompt summary reason subject instructions context thought caption question answer details'.split(
      ' ',
    ),
  ],
  [
    'code',
    'code script command cmd shell bash python javascript js sql statement expression template html markdown xml json yaml diff patch regex pattern formula css program source args argv options option flags flag params cypher graphql'.split(
      ' ',
    ),
  ],
  ['url', 'url urls uri uris link links href endpoint webhook callback redirect website homepage feed'.split(' ')],
  [
    'path',
    'path paths file files filename filepath dir directory folder cwd root workdir destination dest output input repo_path document workspace'.split(
      ' ',
    ),
  ],
  ['host', 'host hostname domain ip server address target'.split(' ')],
  ['query', 'query q search filter where keyword keywords term terms criteria'.split(' ')],
]
const kindByWord = new Map(kinds.flatMap(([kind, words]) => words.map((word) => [word, kind] as const)))

/** The last telling word wins: `file_url` is a URL, `url_path` a path. */
const readName = remembered((name): { words: readonly string[]; kind: FieldKind } => {
  const words = name
    .slice(0, 100)
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '')
  const telling = words.findLast((word) => kindByWord.has(word))
  return { words, kind: (telling === undefined ? undefined : kindByWord.get(telling)) ?? 'plain' }
})

/** `repoPath`, `repo_path`, `repo-path` → ['repo', 'path']. */
export const wordsOf = (name: string): readonly string[] => readName(name).words

const writing =
  /write|creat|edit|append|save|updat|mov|renam|delet|remov|put|upload|patch|insert|init|(^|_)add|set_|replac|mkdir|copy|commit|stage|download|extract|install|link/i
const reading = /read|get|list|search|find|view|show|open|cat|head|tail|info|stat|tree|grep/i
const readTool = remembered((tool) => ({
  asksDatabase: /sql|query|database|db_|mongo|graphql|cypher|select/i.test(tool),
  writes: writing.test(tool) ? true : reading.test(tool) ? false : undefined,
}))

export function fieldKindOf(name: string, tool: string): FieldKind {
  const { kind } = readName(name)
  return kind === 'query' && readTool(tool).asksDatabase ? 'code' : kind
}

/** What many rules need to find in a text, so that those without it need no closer look. `//`, `..` and `w.` are two characters in a row. */
export const sign = {
  backslash: 1,
  percent: 2,
  nul: 4,
  colon: 8,
  dot: 16,
  dots: 32,
  slashes: 64,
  wDot: 128,
} as const

const signOfChar = new Uint8Array(128)
signOfChar[0x5c] = sign.backslash
signOfChar[0x25] = sign.percent
signOfChar[0] = sign.nul
signOfChar[0x3a] = sign.colon
signOfChar[0x2e] = sign.dot

export function signsOf(text: string): number {
  let signs = 0
  let before = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code < 128) {
      signs |= signOfChar[code] as number
      if (code === 0x2e) signs |= before === 0x2e ? sign.dots : (before | 32) === 0x77 ? sign.wDot : 0
      else if (code === 0x2f && before === 0x2f) signs |= sign.slashes
    }
    before = code
  }
  return signs
}

const escaped = (key: string): string => (/[~/]/.test(key) ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key)
const root = '/arguments'
/** Written once for each name, so that it is known by sight where it comes again. */
const pointerOf = remembered((key) => `${root}/${escaped(key)}`)

type Given = Readonly<{
  /** In document order, empty ones among them. */
  all: readonly Argument[]
  filled: readonly Argument[]
  /** A member somewhere has a name that begins with `$`. */
  hasOperator: boolean
}>

/** Without recursion: depth is the sender's to choose. What waits is on top of the others, the first of it topmost. */
const givenTo = once((event: McpEvent): Given => {
  const tool = event.toolName ?? ''
  const all: Argument[] = []
  let [filled, empty, hasOperator] = [0, 0, false]
  const values: Json[] = []
  const pointers: string[] = []
  const names: string[] = []
  const wait = (value: Json | undefined, pointer: string, name: string) => {
    if (typeof value !== 'string' && (typeof value !== 'object' || value === null)) return
    values.push(value)
    pointers.push(pointer)
    names.push(name)
  }
  wait(event.arguments, root, '')
  for (let value = values.pop(); value !== undefined; value = values.pop()) {
    const pointer = pointers.pop() as string
    const name = names.pop() as string
    if (typeof value === 'string') {
      if (value === '' ? empty >= EMPTY_MAX : filled >= ARGUMENTS_MAX) continue
      if (value === '') empty += 1
      else filled += 1
      const text = value.length > TEXT_MAX ? value.slice(0, TEXT_MAX) : value
      all.push({ pointer, name, text, whole: value, kind: fieldKindOf(name, tool), signs: signsOf(text) })
    } else if (Array.isArray(value)) {
      for (let i = value.length - 1; i >= 0; i -= 1) wait(value[i], `${pointer}/${i}`, name)
    } else if (isObject(value)) {
      const keys = Object.keys(value)
      for (let i = keys.length - 1; i >= 0; i -= 1) {
        const key = keys[i] as string
        if (key.charCodeAt(0) === 0x24) hasOperator = true
        wait(value[key], pointer === root ? pointerOf(key) : `${pointer}/${escaped(key)}`, key)
      }
    }
  }
  return { all, filled: empty === 0 ? all : all.filter(({ text }) => text !== ''), hasOperator }
})

/** In document order; at most 500; each cut at 4,096 characters. */
export const argumentsOf = (event: McpEvent): readonly Argument[] => givenTo(event).filled
/** The same with the empty ones, of which there are at most 500 more. */
export const allArgumentsOf = (event: McpEvent): readonly Argument[] => givenTo(event).all
/** Has a member somewhere in the arguments a name that begins with `$`? */
export const hasOperatorKey = (event: McpEvent): boolean => givenTo(event).hasOperator

const contentNames = ['content', 'contents', 'text', 'edits', 'new_str', 'data']

/** Does the tool change something, going by its name and by what it is given? */
export function writes(event: McpEvent): boolean {
  const byName = readTool(event.toolName ?? '').writes
  if (byName !== undefined) return byName
  const args = event.arguments
  return isObject(args) && contentNames.some((key) => Object.hasOwn(args, key))
}
