/** Where a call sends things: literal addresses in texts, the destinations among arguments, and what a tool does with what it is given. */
import type { Json, McpEvent } from '../../schemas/event.ts'
import { isObject } from '../../schemas/event.ts'
import { once, remembered } from '../../schemas/remembered.ts'
import { type Argument, argumentsOf, wordsOf } from './arguments.ts'

export type AddressKind = 'host' | 'email' | 'phone' | 'account'
/** `value` is what is compared: lower case, without separators. */
export type Literal = Readonly<{ kind: AddressKind; value: string; written: string }>
export type Destination = Readonly<{ kind: AddressKind | 'repo' | 'place'; value: string; pointer: string; name: string }>

const TEXT_MAX = 20_000
const LITERALS_MAX = 100
const DESTINATIONS_MAX = 40

/** Third: what every such address has in it, which is found out in a fraction of the time. */
const shapes: readonly (readonly [AddressKind, RegExp, (text: string) => boolean])[] = [
  ['email', /[\w.+-]{1,64}@[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63}){1,4}/gi, (text) => text.includes('@')],
  ['phone', /\+\d(?:[ ().-]{0,2}\d){6,14}/g, (text) => text.includes('+')],
  // Account numbers that pass their checksum have become tokens; others stand as they were written.
  ['account', /⟦secret:pii-[a-z0-9-]{1,40}:[0-9a-f]{16}⟧/g, (text) => text.includes('⟦')],
  [
    'account',
    /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])/g,
    (text) => /[A-Z]{2}\d{2}/.test(text),
  ],
  [
    'account',
    /(?<![A-Za-z0-9])(?:0x[a-fA-F0-9]{40}|bc1[a-z0-9]{25,60})(?![A-Za-z0-9])/g,
    (text) => text.includes('0x') || text.includes('bc1'),
  ],
  ['host', /(?:(?:https?|ftp|wss?):\/\/|(?<![\w@.])www\.)[^\s"'<>`)\]}\\]{3,500}/gi, (text) => text.includes('://') || /www\./i.test(text)],
]

function normal(kind: AddressKind, written: string): string {
  if (kind === 'phone') return written.replace(/\D/g, '')
  if (kind === 'host') return hostOf(written) ?? ''
  return written.replace(/ /g, '').toLowerCase().replace(/\.$/, '')
}

/** The host of a web address without `www.`; undefined when it is none. */
export const hostOf = remembered((text): string | undefined => {
  const trimmed = text.trim().slice(0, 500)
  const host = URL.parse(/^www\./i.test(trimmed) ? `http://${trimmed}` : trimmed)?.hostname
  return host === undefined || !/[.:]/.test(host)
    ? undefined
    : host
        .toLowerCase()
        .replace(/^www\./, '')
        .replace(/[.,;]$/, '')
}, 200)

/** Literal addresses of a text, without repeats. */
export function literalsOf(text: string): Literal[] {
  const found = new Map<string, Literal>()
  const part = text.slice(0, TEXT_MAX)
  for (const [kind, shape, possible] of shapes) {
    if (!possible(part)) continue
    for (const match of part.matchAll(shape)) {
      const value = normal(kind, match[0])
      if (value === '' || found.size >= LITERALS_MAX) continue
      if (!found.has(`${kind} ${value}`)) found.set(`${kind} ${value}`, { kind, value, written: match[0].slice(0, 200) })
    }
  }
  return [...found.values()]
}

const addressWords = new Set(
  'to recipient recipients cc bcc email emails mail address addressee phone number msisdn url urls uri link webhook endpoint host hostname domain target destination iban account payee beneficiary wallet participants attendees invitees members user users callback server site'.split(
    ' ',
  ),
)
const placeWords = new Set(
  'channel channels room chat group thread bucket space workspace board list project database table page parent'.split(' '),
)

const textAt = (value: Json | undefined, key: string): string =>
  isObject(value) && Object.hasOwn(value, key) && typeof value[key] === 'string' ? value[key] : ''

/** `owner/repo` of the arguments; empty when the call is about no repository. */
export function repoOf(args: Json | undefined): string {
  const repo = textAt(args, 'repo') || textAt(args, 'repository') || textAt(args, 'project_id') || textAt(args, 'repo_name')
  const owner = textAt(args, 'owner') || textAt(args, 'org') || textAt(args, 'organization')
  if (repo === '') return ''
  return (owner !== '' && !repo.includes('/') ? `${owner}/${repo}` : repo).toLowerCase().slice(0, 200)
}

/** Is this argument an address or a reference by its name, rather than content? */
export const isAddressField = ({ name, kind }: Pick<Argument, 'name' | 'kind'> & Partial<Argument>): boolean =>
  kind === 'url' || kind === 'host' || wordsOf(name).some((word) => addressWords.has(word))

/** Addresses the call is sent to; text that is sent there is not looked at. */
export const destinationsOf = once((event: McpEvent): readonly Destination[] => {
  if (event.arguments === undefined) return []
  const found: Destination[] = []
  for (const argument of argumentsOf(event)) {
    if (found.length >= DESTINATIONS_MAX) break
    const { name, text, pointer } = argument
    if (isAddressField(argument) && text.length <= 2_048) {
      for (const { kind, value } of literalsOf(text)) found.push({ kind, value, pointer, name })
      if (argument.kind === 'host' && /^[\w-]+(?:\.[\w-]+)+$/.test(text))
        found.push({ kind: 'host', value: text.toLowerCase(), pointer, name })
    } else if (wordsOf(name).some((word) => placeWords.has(word)) && text.length <= 100)
      found.push({ kind: 'place', value: text.toLowerCase(), pointer, name })
  }
  const repo = repoOf(event.arguments)
  if (repo !== '') found.push({ kind: 'repo', value: repo, pointer: '/arguments/repo', name: 'repo' })
  return found
})

/** `send`: leaves the house; `write`: changes a record; `fetch`: asks an address; `read`: only looks. */
export type Act = 'send' | 'write' | 'fetch' | 'read'

const sending =
  /^(?:send|sends|post|posts|publish|share|upload|forward|reply|respond|email|mail|sms|tweet|notify|invite|submit|comment|push|transfer|pay|payment|broadcast|webhook|deliver|announce|dm|text|whatsapp|transaction|message)$/
const writingWords =
  /^(?:create|update|add|append|write|insert|edit|upsert|set|put|patch|save|commit|merge|open|schedule|book|reserve|register|import|store|log|remember|modify|change|rename|delete|remove|execute|run)$/
const readingWords =
  /^(?:get|list|read|search|find|query|show|view|describe|lookup|count|check|browse|retrieve|fetch|load|download|select|inspect|analyze|analyse|summarize|summarise)$/
const fetchingWords = /^(?:fetch|http|request|browse|navigate|crawl|scrape|curl|webpage|url|visit|download|open)$/

/** A row among messages is read by whoever may write to them. */
const publishing =
  /\b(?:insert\s+into|update)\s+[\w."`[]{0,60}(?:message|comment|ticket|repl(?:y|ies)|post|chat|note|feedback|review|public)/i
const statementNames = ['sql', 'query', 'statement', 'q']
const publishesBySql = (args: Json | undefined): boolean =>
  isObject(args) && statementNames.some((key) => publishing.test(textAt(args, key).slice(0, 2_000)))

const ofTool = remembered((name) => {
  const words = wordsOf(name)
  return {
    verb: words.find((word) => sending.test(word) || writingWords.test(word) || readingWords.test(word)),
    fetches: words.some((word) => fetchingWords.test(word)),
    // `create_issue_comment`, `add_message`, `create_pull_request`: written where others read it.
    publishes: words.some((word) =>
      /^(?:comment|message|issue|gist|request|pull|post|review|event|invite|webhook|release|ticket|transaction|paste|snippet)$/.test(word),
    ),
  }
})

const bodyNames = ['body', 'data', 'payload', 'content', 'json']
const hasBody = (args: Json | undefined): boolean => isObject(args) && bodyNames.some((key) => Object.hasOwn(args, key))

/** By the name of the tool, first telling word first; a web address among the arguments makes a reader a fetcher. */
export const actOf = once((event: McpEvent): Act => {
  const { verb, fetches, publishes } = ofTool(event.toolName ?? '')
  const args = event.arguments
  const hasUrl = args !== undefined && argumentsOf(event).some(({ kind, text }) => kind === 'url' && /^https?:|^www\./i.test(text))
  if (hasUrl && (hasBody(args) || /^(?:post|put|patch)$/i.test(textAt(args, 'method')))) return 'send'
  if (hasUrl && (verb === undefined || !sending.test(verb)) && fetches) return 'fetch'
  if (verb === undefined) return hasUrl ? 'fetch' : 'read'
  if (publishesBySql(args)) return 'send'
  if (readingWords.test(verb)) return hasUrl ? 'fetch' : 'read'
  return sending.test(verb) || publishes ? 'send' : 'write'
})
