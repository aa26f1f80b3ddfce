/** What a SQL statement, a shell command or a GraphQL mutation would destroy. Reads statements, never prose; linear, texts are capped. */

import { destructiveCommands } from './destructive-commands.ts'

/** `backup`: what would bring the rest back. `store`: holds much. `whole`: all of something. `thing`, `record`: one of many. `slight`: made to be thrown away. */
export type Worth = 'backup' | 'store' | 'whole' | 'thing' | 'record' | 'slight'
export type Destruction = Readonly<{ act: string; target: string; worth: Worth }>

const TEXT_MAX = 4_096
const STATEMENTS_MAX = 50
const found = (act: string, target: string, worth: Worth): Destruction => ({ act, target: target.slice(0, 200), worth })

const throwaway =
  /(?:^|[^a-z])(?:tmp|temp|temporary|test|tests|staging_?tmp|stg_tmp|scratch|sandbox|dummy|sample|demo|fixture|fixtures|cache|old_tmp)(?:[^a-z]|$)/i
export const isThrowaway = (name: string): boolean => throwaway.test(name.slice(0, 300))
const backupName = /backup|snapshot|(?:^|[_./-])bak(?:[_./-]|$)|\.bak$|recovery_?point|replica(?:s|tion)?slot/i
export const namesBackup = (name: string): boolean => backupName.test(name.slice(0, 300))

/** Strings and comments out, so that their words are nobody's orders. */
function bareSql(text: string): string {
  return text
    .slice(0, TEXT_MAX)
    .replace(/'(?:[^'\\]|''|\\.)*'|\/\*[^*]*(?:\*(?!\/)[^*]*)*\*\/|--[^\n]*/g, (part) => (part.startsWith("'") ? "''" : ' '))
    .replace(/\s+/g, ' ')
}
const object = '["`\\[]?([\\w.$"`\\]\\[-]{1,200})'
const drop = new RegExp(
  `^drop (table|database|schema|keyspace|collection|tablespace|materialized view|stage|catalog)(?: if exists)? ${object}`,
  'i',
)
const truncate = new RegExp(
  `^truncate (?:table )?(?:only )?${object} ?(?:,.{0,200}|cascade|restrict|restart identity.{0,20}|continue identity.{0,20})?$`,
  'i',
)
const remove = new RegExp(`^(?:with .{1,1000}\\) )?delete from (?:only )?${object}(.*)$`, 'i')
const update = new RegExp(`^update (?:only )?${object} (?:as )?(?:\\w{1,30} )?set (.*)$`, 'i')
const alwaysTrue = /\bwhere \(?(?:1 ?= ?1|true|''? ?= ?''?|0 ?= ?0|id is not null|1)\)?(?: |$)/i

const plain = (name: string): string => name.replace(/["`[\]]/g, '')
function statement(sql: string): Destruction | undefined {
  const graded = (name: string): Worth => (namesBackup(name) ? 'backup' : isThrowaway(name) ? 'slight' : 'store')
  const dropped = drop.exec(sql)
  if (dropped) return found(`DROP ${(dropped[1] as string).toUpperCase()}`, plain(dropped[2] as string), graded(dropped[2] as string))
  const truncated = truncate.exec(sql)
  if (truncated) return found('TRUNCATE', plain(truncated[1] as string), graded(truncated[1] as string))
  const removed = remove.exec(sql)
  if (removed) {
    const rest = removed[2] as string
    // A name is followed by an alias at most: anything else is a sentence, not a statement.
    if (!/^(?: (?:as )?\w{1,30})?(?: (?:using|where|returning|limit|order by)\b.*)?$/i.test(rest)) return undefined
    if (/ (?:where|limit|using)\b/i.test(rest) && !alwaysTrue.test(rest)) return undefined
    return found('DELETE without WHERE', plain(removed[1] as string), graded(removed[1] as string))
  }
  const updated = update.exec(sql)
  if (updated && (!/\bwhere\b/i.test(updated[2] as string) || alwaysTrue.test(updated[2] as string)) && /=/.test(updated[2] as string))
    return found('UPDATE without WHERE', updated[1] as string, isThrowaway(updated[1] as string) ? 'slight' : 'whole')
  return undefined
}

/** One of these begins each statement below. */
const sqlVerb = /drop|truncate|delete|update/i

/** Statements that destroy; none when the transaction is rolled back. A table that is made again is replaced, not lost. */
export function destructionsInSql(text: string): Destruction[] {
  if (!sqlVerb.test(text)) return []
  const bare = bareSql(text)
  const statements = bare.split(';', STATEMENTS_MAX).map((one) => one.trim())
  if (statements.some((one) => /^rollback\b/i.test(one))) return []
  const made = new Set(
    statements.map((one) => /^create (?:or replace )?(?:\w+ )?table (?:if not exists )?["`]?([\w.]+)/i.exec(one)?.[1]?.toLowerCase()),
  )
  return statements
    .map(statement)
    .filter((one): one is Destruction => one !== undefined)
    .map((one) => (made.has(one.target.toLowerCase()) ? { ...one, worth: 'slight' } : one))
}

const builtPlaces =
  /(?:^|\/)(?:node_modules|dist|build|target|out|coverage|vendor|tmp|temp|\.?cache|__pycache__|\.next|\.nuxt|\.turbo|\.venv|venv|bin|obj|logs?|\.pytest_cache|\.gradle|\.tox|[\w.-]*(?:test|fixture|sandbox|scratch)[\w.-]*)(?:\/|$|\*)/i

/** How much a path of `rm -r` holds. */
function worthOfPath(path: string): Worth {
  const bare = path.replace(/^["']|["']$/g, '').replace(/\/+\*?$/, '')
  if (/^\/?(?:var\/)?tmp(?:\/|$)|^\$\{?tmp/i.test(bare)) return 'slight'
  if (namesBackup(bare)) return 'backup'
  if (/^(?:\/|~|\$\{?HOME\}?|\/root|[a-z]:\\?|%\w+%|\$env:\w+)?$/i.test(bare)) return 'store'
  if (bare === '*' || bare === '.*' || bare === '..' || bare === '.' || bare === './') return 'whole'
  if (builtPlaces.test(bare)) return 'slight'
  if (/^\/(?:etc|usr|var|boot|opt|srv|home|data|mnt|media|lib|root|Users|Volumes|db|www|storage|export)(?:\/[^/]+){0,1}$/i.test(bare))
    return 'store'
  if (
    /^\/var\/lib\/[^/]+|^(?:~|\$\{?HOME\}?)\/(?:Documents|Desktop|Pictures|\.ssh|\.config)\/?$|(?:^|\/)\.git$|^[a-z]:\\(?:users|windows|data)\b/i.test(
      bare,
    )
  )
    return 'store'
  return 'thing'
}

/** Words of one simple command, quotes taken off. */
const wordsIn = (command: string): string[] =>
  (command.match(/"[^"]{0,500}"|'[^']{0,500}'|[^\s"']+/g) ?? []).slice(0, 200).map((word) => word.replace(/^["']|["']$/g, ''))

function removal(words: readonly string[]): Destruction[] {
  const flags = words.filter((word) => word.startsWith('-')).join(' ')
  if (!/(?:^|\s)-\w*r|--recursive/i.test(flags)) return []
  return words
    .slice(1)
    .filter((word) => !word.startsWith('-'))
    .map((path) => found('recursive removal', path, worthOfPath(path)))
}

const shared = /^(?:main|master|trunk|develop|production|prod|release|stable)(?:$|[/-])/i
function gitPush(words: readonly string[]): Destruction[] {
  const rest = words.slice(words.indexOf('push') + 1)
  const force = rest.some((word) => word === '--force' || word === '-f' || word === '--mirror' || /^\+/.test(word))
  const gone = rest.some((word) => word === '--delete' || word === '-d' || /^:\S/.test(word))
  if (!force && !gone) return []
  const branch = (rest.filter((word) => !word.startsWith('-'))[1] ?? '').replace(/^\+?(?:HEAD)?:?(?:refs\/heads\/)?/, '')
  const named = branch.split(':').at(-1) ?? ''
  return [
    found(
      force ? 'force push' : 'removal of a remote branch',
      named || 'the current branch',
      shared.test(named) || (force && named === '') ? 'store' : 'slight',
    ),
  ]
}

function simpleCommand(command: string): Destruction[] {
  const bare = command
    .trim()
    .replace(/^(?:(?:sudo|doas|env|nohup|time|exec|command|xargs|\w{1,40}=\S{0,100}|-[a-zA-Z0-9]{1,3})\s+){1,6}/, '')
  if (/(?:^|\s)--(?:dry-?run|help|plan)(?:\s|=|$)|^(?:terraform|tofu|terragrunt)\b.{0,100}\splan\b/i.test(bare)) return []
  const words = wordsIn(bare)
  const first = (words[0] ?? '').split('/').at(-1)?.toLowerCase()
  if (first === 'rm') return removal(words)
  if (first === 'git' && words.includes('push')) return gitPush(words)
  if (first === 'psql' || first === 'mysql' || first === 'sqlite3' || first === 'mariadb' || first === 'clickhouse-client')
    return words.slice(1).flatMap(destructionsInSql)
  if (first === 'bash' || first === 'sh' || first === 'zsh' || first === 'ssh')
    return words
      .slice(1)
      .filter((word) => word.includes(' '))
      .flatMap((inner) => (inner.length < bare.length ? destructionsInShell(inner) : []))
  if (first === 'curl' || first === 'http' || first === 'https' || first === 'wget')
    return [...destructionsInGraphql(bare), ...deletedUrl(bare)]
  const known = destructiveCommands.find(([pattern]) => pattern.test(bare))
  if (!known) return []
  const [, act, worth] = known
  const drive = worth === 'thing' && /(?:^|\s)["']?[a-z]:\\?(?:\*|["']?\s|["']?$|users|windows|data)/i.test(bare) ? 'store' : worth
  return [found(act, bare, drive !== 'slight' && isThrowaway(bare) ? 'slight' : drive)]
}

function deletedUrl(command: string): Destruction[] {
  if (!/(?:^|\s)(?:-X\s?|--request[= ])["']?DELETE\b|^https? delete\b/i.test(command)) return []
  const url = /https?:\/\/[^\s"']{1,500}/i.exec(command)?.[0] ?? ''
  return url === '' ? [] : [destroyedByUrl(url)]
}
/** A DELETE request: what stands at the end of its path tells how much goes. */
export function destroyedByUrl(url: string): Destruction {
  const path = url
    .slice(0, 500)
    .replace(/^[a-z]+:\/\/[^/]*/i, '')
    .replace(/[?#].*$/, '')
  const kind =
    path
      .split('/')
      .filter((part) => /^[a-z_-]{3,40}$/i.test(part))
      .at(-1) ?? ''
  const worth = namesBackup(kind)
    ? 'backup'
    : /^(?:volumes?|databases?|dbs?|buckets?|clusters?|instances?|servers?|droplets?|vms?|disks?|namespaces?|projects?|repos|repositories|indices|collections)$/i.test(
          kind,
        )
      ? 'store'
      : 'thing'
  return found('DELETE request', url, worth)
}

/** Cuts at separators outside quotes; by hand, because an open quote makes every pattern for it quadratic. */
function commandsIn(text: string): string[] {
  const parts: string[] = []
  let from = 0
  let quote = ''
  for (let at = 0; at < text.length && parts.length < STATEMENTS_MAX; at += 1) {
    const char = text[at] as string
    if (char === '\\' && quote !== "'") at += 1
    else if (quote !== '') quote = char === quote ? '' : quote
    else if (char === '"' || char === "'") quote = char
    else if (char === ';' || char === '&' || char === '|' || char === '\n') {
      if (at > from) parts.push(text.slice(from, at))
      from = at + 1
    }
  }
  return from < text.length && parts.length < STATEMENTS_MAX ? [...parts, text.slice(from)] : parts
}

/** Commands joined by `;`, `&&`, `|` or line ends; text inside a here-document or after echo is data. */
export function destructionsInShell(text: string): Destruction[] {
  const joined = text
    .slice(0, TEXT_MAX)
    .replace(/\\\n/g, ' ')
    .replace(/<<-?\s*["']?(\w{1,20})["']?[\s\S]*$/, '')
  const all: Destruction[] = []
  let inThrowaway = false
  for (const one of commandsIn(joined)) {
    const place = /^\s*cd\s+(\S{1,300})/.exec(one)?.[1]
    if (place !== undefined) inThrowaway = worthOfPath(place) === 'slight'
    for (const destruction of simpleCommand(one)) {
      const relative = destruction.act === 'recursive removal' && !/^[/~$%]|^[a-z]:/i.test(destruction.target)
      all.push(inThrowaway && relative ? { ...destruction, worth: 'slight' } : destruction)
    }
  }
  return all
}

const mutationName = /\b([a-z]\w{2,60})\s*\(/gi
const undoing = /delete|destroy|drop|purge|wipe|terminate|remove|truncate/i
const bigName =
  /volume|database|bucket|cluster|instance|server|disk|project|repository|namespace|environment|tenant|organi[sz]ation|table|service|domain/i
/** Fields of a mutation that undo something. */
export function destructionsInGraphql(text: string): Destruction[] {
  const from = text.slice(0, TEXT_MAX)
  const start = from.search(/\bmutation\b[^{]{0,300}\{/i)
  if (start < 0) return []
  const names = [...from.slice(start).matchAll(mutationName)].slice(0, STATEMENTS_MAX).map((match) => match[1] as string)
  return names
    .filter((name) => undoing.test(name) && name.toLowerCase() !== 'mutation')
    .map((name) => found(`mutation ${name}`, name, namesBackup(name) ? 'backup' : bigName.test(name) ? 'store' : 'thing'))
}
