/** Facts about the bytes and headers of one message, graded: what lets two parsers read two messages, and what is only careless. */
import { type Severity, severityRank } from '../../schemas/alert.ts'
import type { Json, McpEvent } from '../../schemas/event.ts'

export type Oddity = Readonly<{ facts: readonly string[]; severity: Severity; says: string }>
export type HeaderOddity = Readonly<{ what: string; severity: Severity; accepted: Severity; header: string; body: string }>

type Grade = readonly [Severity, string]
/** Random 64-bit ids, missing versions, cut emoji and byte order marks are what half-ported software sends. */
const grades: ReadonlyMap<string, Grade> = new Map<string, Grade>([
  ['duplicate_key', ['high', 'a member of the protocol twice']],
  ['case_variant', ['high', 'a member of the protocol spelled in another case']],
  ['nul_in_key', ['high', 'a NUL inside a name']],
  ['control_in_key', ['high', 'a control character inside a name']],
  ['escaped_key', ['medium', 'a member of the protocol written with escapes']],
  ['duplicate_argument', ['medium', 'an argument twice']],
  ['mixed_message', ['medium', 'a request and an answer in one message']],
  ['trailing_data', ['medium', 'data behind the message']],
  ['bool_id', ['medium', 'an id that is true or false']],
  ['object_id', ['medium', 'an id that is an object or a list']],
  ['depth', ['medium', 'nested deeper than any parser must go']],
  ['too_large', ['medium', 'larger than any parser must take']],
  ['batch_too_large', ['medium', 'a batch of more messages than are read']],
  ['empty_batch', ['low', 'an empty batch']],
  ['fractional_id', ['low', 'an id that is no whole number']],
  ['big_id', ['low', 'an id that parsers round']],
  ['null_id', ['low', 'a request with a null id']],
  ['invalid_utf8', ['low', 'bytes that are no UTF-8']],
  ['lone_surrogate', ['low', 'half a character']],
  ['bom', ['low', 'a byte order mark']],
  ['jsonrpc_missing', ['low', 'no version of JSON-RPC']],
  ['jsonrpc_version', ['low', 'another version of JSON-RPC']],
  ['not_json', ['low', 'text that is no JSON']],
  ['not_rpc', ['low', 'JSON that is no message']],
])

const kindOf = (fact: string): string => fact.split(':', 1)[0] as string
const lower = (a: Severity, b: Severity): Severity => (severityRank(a) < severityRank(b) ? a : b)

function batchGrade(event: McpEvent): Grade | undefined {
  const says = 'a batch, which this version of the protocol does not have'
  if (event.protocolVersion === '2025-03-26') return undefined
  if (event.era === 'modern' || (event.protocolVersion ?? '') >= '2025-06-18') return ['medium', says]
  return ['low', says]
}

function gradeOf(fact: string, event: McpEvent): Grade | undefined {
  const kind = kindOf(fact)
  if (kind === 'batch') return batchGrade(event)
  const grade = grades.get(kind)
  // A client that cannot spell UTF-8 hides something; a server passes on what it read.
  if (kind === 'invalid_utf8' && event.direction === 'client_to_server') return ['medium', grade?.[1] ?? kind]
  return grade
}

/** A line of log on the wire can look like anything; only what was meant as a message counts. */
function ceilingOf(event: McpEvent, facts: readonly string[]): Severity {
  if (event.kind !== 'malformed') return 'high'
  if (facts.includes('depth') || facts.includes('too_large') || facts.includes('batch_too_large')) return 'medium'
  const text = textOf(event).slice(0, 4_000)
  return /^\s*(?:\[\s*)?\{/.test(text) && /"(?:jsonrpc|method)"/i.test(text) ? 'medium' : 'low'
}

const textOf = (event: McpEvent): string => {
  const { params } = event
  const text = typeof params === 'object' && params !== null && !Array.isArray(params) ? params.text : undefined
  return typeof text === 'string' ? text : ''
}
export const excerptOf = (event: McpEvent): string => textOf(event).slice(0, 200)

/** All that is odd in the bytes of one message, as one oddity of the worst grade; undefined: nothing. */
export function oddityOf(event: McpEvent): Oddity | undefined {
  const graded = (event.rawFacts ?? [])
    .slice(0, 100)
    .map((fact) => ({ fact, grade: gradeOf(fact, event) }))
    .filter((one): one is { fact: string; grade: Grade } => one.grade !== undefined)
    .sort((a, b) => severityRank(b.grade[0]) - severityRank(a.grade[0]) || (a.fact < b.fact ? -1 : 1))
  const worst = graded[0]
  if (!worst) return undefined
  // The names of what is worst make the finding: a careless sender must not hide behind other carelessness.
  const facts = graded.filter(({ grade }) => grade[0] === worst.grade[0]).map(({ fact }) => fact)
  const severity = lower(
    worst.grade[0],
    ceilingOf(
      event,
      graded.map(({ fact }) => fact),
    ),
  )
  return { facts, severity, says: worst.grade[1] }
}

const list = (value: Json | undefined): string[] =>
  (Array.isArray(value) ? value : [value]).filter((entry): entry is string => typeof entry === 'string').map((entry) => entry.trim())

function headerOf(event: McpEvent, name: string): string[] {
  const { http } = event
  return typeof http === 'object' && http !== null && !Array.isArray(http) && Object.hasOwn(http, name) ? list(http[name]) : []
}

/** What is left of a name after a sender that cannot write it into a header, or a proxy that changes its case. */
const worn = (name: string): string =>
  name
    .slice(0, 500)
    .toLowerCase()
    .replace(/[^\x21-\x7e]|\?/g, '')

const headerFacts: ReadonlyMap<string, readonly [string, Severity, Severity]> = new Map([
  ['method', ['mcp_method', 'medium', 'critical']],
  ['name', ['mcp_name', 'medium', 'critical']],
  ['param', ['mcp_param', 'medium', 'high']],
  ['version', ['mcp_protocol_version', 'low', 'low']],
])

/** Headers that say something else than the body; `accepted` is the grade when the server acted on it all the same. */
export function headerOdditiesOf(event: McpEvent): HeaderOddity[] {
  const facts = event.rawFacts ?? []
  const found: HeaderOddity[] = []
  for (const fact of facts) {
    const what = fact.startsWith('header_mismatch:') ? fact.slice(16) : ''
    const known = headerFacts.get(what)
    if (!known) continue
    const [name, severity, accepted] = known
    const body =
      what === 'method' ? (event.method ?? '') : what === 'name' ? namedIn(event) : what === 'version' ? (event.protocolVersion ?? '') : ''
    const lines = headerOf(event, name)
    const careless = lines.length > 0 && body !== '' && worn(body) !== '' && lines.every((line) => worn(line) === worn(body))
    const header = lines.join(', ').slice(0, 200)
    found.push({ what, severity: careless ? 'low' : severity, accepted: careless ? 'low' : accepted, header, body: body.slice(0, 200) })
  }
  // Other emitters say only that there was a mismatch.
  if (found.length === 0 && event.headerMismatch === true) {
    found.push({ what: 'header', severity: 'medium', accepted: 'high', header: '', body: namedIn(event).slice(0, 200) })
  }
  return found
}

const namedIn = (event: McpEvent): string => event.toolName ?? event.promptName ?? event.resourceUri ?? ''

/** Headers of the protocol that came twice: which line is believed is each reader's choice. */
export function doubledHeadersOf(event: McpEvent): { name: string; severity: Severity; values: string[] }[] {
  return (event.rawFacts ?? [])
    .filter((fact) => fact.startsWith('duplicate_header:'))
    .slice(0, 20)
    .map((fact) => {
      const name = fact.slice(17)
      const values = headerOf(event, name).map((value) => value.slice(0, 200))
      return { name, severity: values.length > 1 && new Set(values).size === 1 ? 'medium' : 'high', values }
    })
}
