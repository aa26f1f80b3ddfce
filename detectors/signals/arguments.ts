/** The strings of a call's arguments with the kind of field each stands in, judged by the parameter's name and the tool's. */
import type { McpEvent } from '../../schemas/event.ts'
import { once, remembered } from '../remembered.ts'
import { walkStrings } from '../texts.ts'

/** `plain`: short values that a program uses as a word (ids, names, refs, hosts …); never shell, SQL or prose. */
export type FieldKind = 'path' | 'url' | 'host' | 'plain' | 'code' | 'query' | 'prose'
export type Argument = Readonly<{ pointer: string; name: string; text: string; kind: FieldKind }>

const ARGUMENTS_MAX = 500
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

export function fieldKindOf(name: string, tool: string): FieldKind {
  const { kind } = readName(name)
  return kind === 'query' && /sql|query|database|db_|mongo|graphql|cypher|select/i.test(tool) ? 'code' : kind
}

/** In document order; at most 500; each cut at 4,096 characters. */
export const argumentsOf = once((event: McpEvent): readonly Argument[] => {
  const found: Argument[] = []
  walkStrings(event.arguments, '/arguments', (pointer, text, name) => {
    if (found.length >= ARGUMENTS_MAX || text === '') return
    found.push({ pointer, name, text: text.slice(0, TEXT_MAX), kind: fieldKindOf(name, event.toolName ?? '') })
  })
  return found
})

const writing =
  /write|creat|edit|append|save|updat|mov|renam|delet|remov|put|upload|patch|insert|init|(^|_)add|set_|replac|mkdir|copy|commit|stage|download|extract|install|link/i
const reading = /read|get|list|search|find|view|show|open|cat|head|tail|info|stat|tree|grep/i

/** Does the tool change something, going by its name and by what it is given? */
export function writes(event: McpEvent): boolean {
  const tool = event.toolName ?? ''
  if (writing.test(tool)) return true
  if (reading.test(tool)) return false
  const args = event.arguments
  return (
    typeof args === 'object' &&
    args !== null &&
    !Array.isArray(args) &&
    ['content', 'contents', 'text', 'edits', 'new_str', 'data'].some((key) => Object.hasOwn(args, key))
  )
}
