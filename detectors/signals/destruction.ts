/** What a tool call would destroy, by the tool's name, by its action argument, and by the statements inside its arguments. */
import type { Json, McpEvent } from '../../schemas/event.ts'
import { remembered } from '../../schemas/remembered.ts'
import { type Argument, argumentsOf, wordsOf } from './arguments.ts'
import {
  type Destruction,
  destroyedByUrl,
  destructionsInGraphql,
  destructionsInShell,
  destructionsInSql,
  isThrowaway,
} from './destructive-text.ts'

export type Found = Destruction & Readonly<{ pointer: string; excerpt: string; count: number }>

const LIST_MAX = 1_000
/** Beyond it the names are not asked one by one whether they are worth a look. */
const KEYS_MAX = 50
const setOf = (words: string): ReadonlySet<string> => new Set(words.split(' '))
const verbs = setOf(
  'delete deletes del destroy drop purge wipe erase terminate truncate decommission nuke obliterate rm rmdir unlink trash deprovision',
)
const weakVerbs = setOf('remove reset clear empty prune detach flush format')
const stores = setOf(
  'database databases db volume volumes disk disks bucket buckets cluster clusters instance instances vm vms server servers droplet droplets namespace namespaces keyspace schema filesystem storage datastore vault tenant tenants stack stacks infrastructure datacenter warehouse table tables collection collections index indices repository repositories repo repos',
)
const wholes = setOf(
  'project projects environment environments organization organizations org account accounts workspace workspaces domain domains zone',
)
const backups = setOf('backup backups snapshot snapshots recovery pitr')
const slights = setOf(
  'cache caches cdn draft drafts tmp temp session sessions cookie cookies tab tabs history selection highlight cart filter filters breakpoint breakpoints context memory console log logs notification notifications cell row rows slide slides shape shapes paragraph node nodes layer layers tensor reaction',
)
const records = setOf(
  'message messages email emails mail mails label labels comment comments event events note notes issue issues task tasks todo todos item items reminder alarm branch branches tag tags bookmark post posts',
)

const says = { action: 1, kind: 2, dry: 4, list: 8, request: 16, force: 32 } as const
const listNames = ['args', 'argv', 'command', 'cmd']
const dryNames = setOf('dry_run dryRun dryrun preview explain check plan_only')
const requestNames = setOf('method http_method verb')
/** What an argument of this name can tell: what is done, to what kind of thing, that it is only tried … */
const telling = remembered(
  (name) =>
    (/^(?:action|operation|op|verb|method|command|mode|type|act)$/i.test(name) ? says.action : 0) |
    (/^(?:resource|resource_?type|type|kind|object|object_?type|entity|entity_?type|target_?type|scope)$/i.test(name) ? says.kind : 0) |
    (dryNames.has(name) ? says.dry : 0) |
    (listNames.includes(name) ? says.list : 0) |
    (requestNames.has(name) ? says.request : 0) |
    (name === 'force' ? says.force : 0),
)
const objectOf = (value: Json | undefined): { [key: string]: Json } | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined

type Deed = Readonly<{ verb: string; weak: boolean; words: readonly string[] }>
const harmless = setOf('undelete restore list get preview simulate')

function deedIn(words: readonly string[], actions: readonly string[], kinds: readonly string[]): Deed | undefined {
  const all = [...words, ...actions, ...kinds]
  if (all.some((word) => harmless.has(word))) return undefined
  const deed = [...words, ...actions]
  const verb = deed.find((word) => verbs.has(word)) ?? deed.find((word) => weakVerbs.has(word))
  return verb === undefined ? undefined : { verb, weak: weakVerbs.has(verb), words: all }
}

const programs = setOf('git kubectl terraform tofu aws gcloud az docker helm gh psql redis')

/** All that the name of a tool says. */
const readTool = remembered((name) => {
  // `database.modify_columns` is about columns; `volume.delete` is about the volume.
  const last = wordsOf(name.split('.').at(-1) ?? name)
  const words = last.length > 1 ? last : wordsOf(name)
  return {
    words,
    deed: deedIn(words, [], []),
    /** `run_git` with `push --force`: the program stands in the name of the tool. */
    program: wordsOf(name).find((word) => programs.has(word)),
    deletesMany: /delete_?many|remove_?many|delete_?all/i.test(name),
    pushes: /push/i.test(name),
  }
})
type Tool = ReturnType<typeof readTool>

/** Words of the name, and of the argument that says what to do. */
function deedOf(event: McpEvent, { words, deed }: Tool, keys: readonly string[]): Deed | undefined {
  if (keys.length === 0) return deed
  const args = objectOf(event.arguments) ?? {}
  const actions: string[] = []
  const kinds: string[] = []
  for (const key of keys.slice(0, KEYS_MAX)) {
    const value = args[key]
    if (typeof value !== 'string' || value.length > 40) continue
    const said = telling(key)
    if ((said & says.action) !== 0 && wordsOf(value).length <= 4) actions.push(...wordsOf(value))
    if ((said & says.kind) !== 0) kinds.push(...wordsOf(value))
  }
  return actions.length === 0 && kinds.length === 0 ? deed : deedIn(words, actions, kinds)
}

/** How many things one call names: a list of ids is many deletes. */
function countOf(args: Json | undefined): number {
  const lists = Object.values(objectOf(args) ?? {}).filter((value) => Array.isArray(value))
  return Math.max(1, ...lists.map((list) => Math.min(LIST_MAX, new Set(list.map((one) => JSON.stringify(one))).size)))
}

function targetOf(given: readonly Argument[]): Argument | undefined {
  return (
    given.find(({ name }) =>
      /(?:^|_)(?:id|ids|name|path|uri|url|key|table|database|volume|bucket|file|target|resource)$|Id$|Name$/i.test(name),
    ) ?? given.find(({ text }) => text.length <= 200)
  )
}

/** Ids are often numbers: without one, two losses would look like the same. */
function numberIn(args: Json | undefined): string {
  const number = Object.values(objectOf(args) ?? {}).find((value) => typeof value === 'number')
  return number === undefined ? '' : String(number)
}

/** `keys`: names of arguments that may say what is done; none where no name does. */
function byName(event: McpEvent, tool: Tool, keys: readonly string[], given: readonly Argument[]): Found | undefined {
  const deed = deedOf(event, tool, keys)
  if (!deed) return undefined
  const { verb, weak, words } = deed
  const target = targetOf(given)
  const text = target?.text ?? numberIn(event.arguments)
  const has = (names: ReadonlySet<string>) => words.some((word) => names.has(word))
  // `delete_backup` takes the backup away; `delete_file backup.zip` takes a file that is called so.
  const worth: Destruction['worth'] = has(backups)
    ? 'backup'
    : has(slights)
      ? 'slight'
      : has(records)
        ? 'record'
        : isThrowaway(text)
          ? 'slight'
          : has(stores)
            ? 'store'
            : has(wholes) && words.length <= 3
              ? 'whole'
              : 'thing'
  if (weak && worth !== 'store' && worth !== 'backup') return undefined
  // `remove_user_from_project`, `reset_table_view`: the whole stays.
  if (weak && (words.includes('from') || words.includes('view') || words.includes('filter'))) return undefined
  const things = words.filter((word) => word !== verb && !actionWords.has(word)).join(' ')
  return {
    act: `${verb}${things === '' ? '' : ` ${things}`}`.slice(0, 100),
    target: text.slice(0, 200),
    worth: worth === 'thing' && verb === 'wipe' ? 'store' : worth,
    pointer: target?.pointer ?? '/arguments',
    excerpt: text.slice(0, 200),
    count: countOf(event.arguments),
  }
}
const actionWords = setOf('action manage tool api call request execute resource')

const sqlTool =
  /sql|query|postgres|mysql|maria|sqlite|database|\bdb\b|db_|_db|snowflake|bigquery|redshift|clickhouse|duckdb|supabase|execute|neon|oracle|cassandra|cql/i
const searchTool = /search|grep|find|lookup|google|bing|web|doc/i

function* byText(event: McpEvent, { program }: Tool, given: readonly Argument[]): Generator<Found> {
  const tool = `${event.toolName ?? ''} ${event.serverAlias ?? ''}`
  for (const { pointer, name, text, kind } of given) {
    if (kind === 'code' && program !== undefined && !text.trimStart().startsWith(program)) {
      for (const one of destructionsInShell(`${program} ${text}`).slice(0, 20))
        yield { ...one, pointer, excerpt: text.slice(0, 200), count: 1 }
    }
    const asSql = kind === 'code' || (kind === 'query' && sqlTool.test(tool) && !searchTool.test(event.toolName ?? ''))
    if (!asSql && kind !== 'query') continue
    const inText = asSql
      ? [
          ...destructionsInSql(text),
          ...(/^(?:sql|statement|query|html|markdown|xml|yaml|regex|pattern|css|diff|patch)$/i.test(name) ? [] : destructionsInShell(text)),
          ...destructionsInGraphql(text),
        ]
      : destructionsInGraphql(text)
    for (const one of inText.slice(0, 20)) yield { ...one, pointer, excerpt: text.slice(0, 200), count: 1 }
  }
}

/** A command given as a list of words. */
function* byWords(args: { [key: string]: Json }, tool: Tool): Generator<Found> {
  const first = typeof args.command === 'string' ? args.command : ''
  for (const name of listNames) {
    const list = args[name]
    if (!Array.isArray(list) || list.length === 0) continue
    const words = list.slice(0, 100).filter((word) => typeof word === 'string')
    const program = name === 'args' && first !== '' ? first : tool.program
    const line = [...(program !== undefined && program !== words[0] ? [program] : []), ...words]
      .map((word) => (/[\s;&|]/.test(word) ? `'${word.replaceAll("'", '"')}'` : word))
      .join(' ')
    for (const one of destructionsInShell(line)) yield { ...one, pointer: `/arguments/${name}`, excerpt: line.slice(0, 200), count: 1 }
  }
}

function byRequest(args: { [key: string]: Json }): Found | undefined {
  const method = args.method ?? args.http_method ?? args.verb
  const url = args.url ?? args.uri ?? args.path ?? args.endpoint
  if (typeof method !== 'string' || method.toUpperCase() !== 'DELETE' || typeof url !== 'string') return undefined
  return { ...destroyedByUrl(url), pointer: '/arguments/url', excerpt: url.slice(0, 200), count: 1 }
}

function byFlag(args: { [key: string]: Json }, { pushes }: Tool): Found | undefined {
  if (args.force !== true || !pushes) return undefined
  const branch = typeof args.branch === 'string' ? args.branch : ''
  const shared = branch === '' || /^(?:main|master|trunk|develop|production|prod|release|stable)(?:$|[/-])/i.test(branch)
  return {
    act: 'force push',
    target: branch || 'the current branch',
    worth: shared ? 'store' : 'slight',
    pointer: '/arguments/force',
    excerpt: branch,
    count: 1,
  }
}

const nothing: readonly Found[] = []
const noKeys: readonly string[] = []
const holdsStatements = ({ kind }: Argument): boolean => kind === 'code' || kind === 'query'

/** Everything this call would destroy; a dry run destroys nothing. */
export function destructionsIn(event: McpEvent): Found[] {
  const args = objectOf(event.arguments) ?? {}
  const keys = Object.keys(args)
  let said = 0
  if (keys.length > KEYS_MAX) said = ~0
  else for (const key of keys) said |= telling(key)
  if ((said & says.dry) !== 0 && keys.some((key) => dryNames.has(key) && args[key] === true)) return []
  const tool = readTool(event.toolName ?? '')
  const given = argumentsOf(event)
  const request = (said & says.request) === 0 ? undefined : byRequest(args)
  const named = request ? undefined : byName(event, tool, (said & (says.action | says.kind)) === 0 ? noKeys : keys, given)
  const flag = (said & says.force) === 0 ? undefined : byFlag(args, tool)
  const inText = given.some(holdsStatements) ? byText(event, tool, given) : nothing
  const inWords = (said & says.list) === 0 ? nothing : byWords(args, tool)
  if (!named && !flag && !request && inText === nothing && inWords === nothing) return []
  const found = [flag, ...inText, ...inWords, request].filter((one): one is Found => one !== undefined)
  const emptyFilter = tool.deletesMany && isEmpty(args.filter ?? args.query ?? null)
  // The statement tells more than the name of the tool that carries it.
  if (found.length === 0 && named)
    found.push(emptyFilter && named.worth === 'thing' ? { ...named, worth: 'store', act: `${named.act} without a filter` } : named)
  return found.map((one) => (one.worth === 'thing' && keptCopy.test(one.target) ? { ...one, worth: 'backup' } : one))
}
/** A file among the backups, or a dump that is called one. */
const keptCopy = /(?:^|\/)(?:backups?|snapshots?)\/|(?:backup|snapshot)[\w.-]{0,60}\.(?:sql|dump|bak|tar|gz|tgz|zip|zst|snap|qcow2|vhdx?)$/i
const isEmpty = (value: Json): boolean => value !== null && typeof value === 'object' && Object.keys(value).length === 0
