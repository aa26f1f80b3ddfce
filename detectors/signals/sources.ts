/** What came in with a result: how much it would hurt elsewhere, and who could have written it. */
import type { Json, McpEvent } from '../../schemas/event.ts'
import { isObject } from '../../schemas/event.ts'
import { once } from '../../schemas/remembered.ts'
import { argumentsOf, wordsOf } from './arguments.ts'
import { credentialPlace, parsePath } from './paths.ts'

/** `secret` opens something; `private` is labelled so; `personal` is somebody's mail, file or record; `plain` is anything; `public` is labelled so. */
export type Grade = 'secret' | 'private' | 'personal' | 'plain' | 'public'
export type SourceFacts = Readonly<{ grade: Grade; untrusted: boolean; why: string }>

export function labelsOf(event: McpEvent): ReadonlyMap<string, Json> {
  return new Map(isObject(event.labels) ? Object.entries(event.labels).slice(0, 50) : [])
}

const privateClasses = /^(?:private|internal|confidential|restricted|secret|sensitive|pii|personal|phi|pci|customer|financial|hr)$/i
const publicClasses = /^(?:public|open|published)$/i

/** Of labels such as `repo_visibility` and `data_class`. */
export function visibilityOf(event: McpEvent): 'private' | 'public' | undefined {
  if (event.labels === undefined) return undefined
  const labels = labelsOf(event)
  if (labels.get('sensitive_source') === true) return 'private'
  for (const name of ['repo_visibility', 'visibility', 'data_class', 'data_classification', 'classification', 'sensitivity', 'audience']) {
    const value = labels.get(name)
    if (typeof value !== 'string') continue
    if (privateClasses.test(value)) return 'private'
    if (publicClasses.test(value)) return 'public'
  }
  return undefined
}

const personalWords = new Set(
  'mail mails email emails inbox message messages chat chats dm conversation conversations thread doc docs document documents file files note notes drive folder sql query database db table rows record records contact contacts customer customers user profile account accounts transaction transactions balance calendar event events crm salesforce ticket tickets employee employees payroll salary salaries hr invoice invoices contract contracts legal payment payments bank banking medical health clinic patient patients lead leads deal deals candidate candidates whatsapp slack telegram teams gmail outlook sms memory memories clipboard screenshot'.split(
    ' ',
  ),
)
const outsideWords = new Set(
  'issue issues comment comments pull pr prs review reviews discussion web webpage page url fetch http browse search crawl scrape rss feed news mail email emails inbox message messages ticket tickets review reddit twitter tweet forum post posts gist readme'.split(
    ' ',
  ),
)

const publicPlaces = /web|wiki|arxiv|google|bing|duckduckgo|tavily|exa|weather|news|npm|pypi/i
/** A search in documentation reads what is printed for everybody. */
const isPublic = (words: readonly string[]): boolean =>
  publicPlaces.test(words.join(' ')) ||
  (words.includes('search') && words.some((word) => /^(?:docs?|documentation|library|api)$/.test(word)))

/** A query of a table or column whose name says what it holds. */
const readsSecrets =
  /\bfrom\s+[\w."`[]{0,80}(?:secret|credential|password|api_?key|(?:access|auth|oauth|refresh|session|integration|reset|user|service|personal|bearer)_?token)s?\b|\bselect\b[^;]{0,300}\b(?:password(?:_hash)?|api_?key|secret(?:_key)?|(?:access|auth|refresh)_token)\b/i

/** Of a call that brings content: by its labels, its paths, its name. Words grade, they never accuse. */
export const sourceOf = once((event: McpEvent): SourceFacts => {
  const labels = labelsOf(event)
  const words = [...wordsOf(event.toolName ?? event.method ?? ''), ...wordsOf(event.serverAlias ?? '')]
  const untrusted =
    labels.get('untrusted_source') === true || (labels.get('untrusted_source') !== false && words.some((word) => outsideWords.has(word)))
  for (const { kind, text } of event.arguments === undefined ? [] : argumentsOf(event)) {
    const isPath = kind === 'path' || /^(?:\/|~|\.{1,2}[/\\]|[A-Za-z]:[/\\]|file:\/\/)/.test(text)
    const canonical = isPath && kind !== 'prose' ? parsePath(text)?.canonical : undefined
    const place =
      canonical === undefined
        ? undefined
        : (credentialPlace(canonical) ??
          (/(^|\/)(?:\.?mcp\.json|mcp_config\.json|claude_desktop_config\.json)$/.test(canonical) ? 'agent configuration' : undefined))
    if (place) return { grade: 'secret', untrusted: false, why: place }
  }
  if (
    event.arguments !== undefined &&
    argumentsOf(event).some(({ kind, text }) => (kind === 'code' || kind === 'query') && readsSecrets.test(text))
  )
    return { grade: 'secret', untrusted: false, why: 'a table of credentials' }
  const uri = event.resourceUri === undefined ? undefined : parsePath(event.resourceUri)?.canonical
  const place = uri === undefined ? undefined : credentialPlace(uri)
  if (place) return { grade: 'secret', untrusted: false, why: place }
  const visibility = visibilityOf(event)
  if (visibility === 'private') return { grade: 'private', untrusted, why: 'labelled private' }
  if (visibility === 'public') return { grade: 'public', untrusted, why: 'labelled public' }
  if (words.some((word) => personalWords.has(word)) && !isPublic(words))
    return { grade: 'personal', untrusted, why: `${event.toolName ?? 'resource'} reads records` }
  return { grade: 'plain', untrusted, why: 'no mark' }
})
