/** How bad it is that content of one place turns up on its way to another: by what it is, where it goes, and who named the place. */
import type { Severity } from '../../schemas/alert.ts'
import { severityRank } from '../../schemas/alert.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { remembered } from '../../schemas/remembered.ts'
import { type Argument, wordsOf } from './arguments.ts'
import type { Act, AddressKind, Destination } from './destinations.ts'
import { harvestOf, spelled, worksWithModels } from './harvest.ts'
import type { Match } from './taint.ts'

/** A literal address that a text named: of a server’s definitions, or of content that outsiders write. */
export type Named = {
  kind: AddressKind
  serverKey: string
  server: string
  tool: string
  where: 'definition' | 'content'
  eventId: string
  /** A verb of sending stands before it. */
  ordered: boolean
}

export type Flow = Readonly<{
  match: Match
  act: Act
  sinkKey: string
  sinkTool: string
  sinkServer: string
  sinkPlace: string
  sinkVisibility: 'private' | 'public' | undefined
  named: Named | undefined
  /** The user's own words name the destination. */
  asked: boolean
  /** Somebody outside could write into the thread before: at all, and for certain. */
  outsideText: boolean
  outsider: boolean
  /** Two or more plain numbers stand beside the field, as in a sum. */
  calculates: boolean
  retried: boolean
}>
export type Verdict = Readonly<{ severity: Severity; confidence: number; reason: string }>

const weakSideWords = new Set(
  'note notes sidenote context comment comments metadata remark remarks extra info debug trace tag tags memo annotation feedback hint background details telemetry diagnostics addendum supplement'.split(
    ' ',
  ),
)
/** Is it by its name a free text that nobody needs? */
const asideOf = remembered((name): 'strong' | 'weak' | undefined => {
  if (/^side_?notes?$/i.test(name) || harvestOf(name) !== undefined) return 'strong'
  return wordsOf(name).some((word) => weakSideWords.has(word)) ? 'weak' : undefined
})
/** Tools that exist to be told things. */
const listens = /think|reason|reflect|plan|brainstorm|critique|log|track|record|report/i

/** A free text that the tool’s purpose does not need. */
export function sideChannelOf({ match, act, sinkTool, sinkServer, calculates }: Flow): 'strong' | 'weak' | undefined {
  const name = match.field?.name
  if (name === undefined || match.field?.isUrl) return undefined
  if (worksWithModels(sinkTool, sinkServer) || listens.test(sinkTool)) return undefined
  const aside = asideOf(name)
  if (aside !== 'weak') return aside
  return act === 'read' || (act === 'write' && calculates) ? 'weak' : undefined
}

const runs = /(?:^|[^a-z])(?:run|exec|execute|shell|bash|terminal|command|script)(?:[^a-z]|$)/
const calls = /https?:|\b(?:curl|wget|ncat|nc|scp|rsync|ssh|ftp|Invoke-WebRequest)\b/i
/** A command that uses what an environment file holds, on the same machine. */
const usedInCommand = ({ sinkTool, match }: Flow): boolean =>
  runs.test(spelled(sinkTool).replaceAll('_', ' ')) && !calls.test(match.field?.text ?? '')

const say = (severity: Severity, confidence: number, reason: string): Verdict => ({ severity, confidence, reason })

/** `guarded`: something secret or labelled private was read before. */
export type Call = Readonly<{
  act: Act
  named: Named | undefined
  failedAt: bigint | undefined
  guarded: boolean
  given: readonly Argument[]
}>
const givenMax = 100

/**
 * Can `judge` have something to say of a call, whatever it carries? Most calls read, or write what stays: what they carry
 * need not be looked for anywhere.
 */
export function mayMatter({ act, named, failedAt, guarded, given }: Call): boolean {
  if (act === 'send' || act === 'fetch' || named !== undefined || failedAt !== undefined || guarded) return true
  return given.length > givenMax || given.some(({ name }) => asideOf(name) !== undefined)
}

/** Undefined: the normal work of an agent, which reads here and writes there. */
export function judge(flow: Flow): Verdict | undefined {
  const { match, act, named, asked, sinkVisibility, outsider, outsideText, retried } = flow
  const { source, field, transform } = match
  const crossing = source.serverKey !== flow.sinkKey
  const leaves = act === 'send' || (act === 'fetch' && field?.isUrl === true)
  const side = sideChannelOf(flow)
  if (source.grade === 'public') return undefined
  const sensitive = source.grade !== 'plain'
  // One number or address in common can be anybody’s.
  const thin = match.tokens < 2 && match.shingles < 2
  const verdicts: Verdict[] = []
  const add = (severity: Severity, confidence: number, reason: string) => verdicts.push(say(severity, confidence, reason))

  if (named?.where === 'definition' && !asked) {
    const reason = `the destination stands in a definition of ${named.server}`
    const own = named.serverKey === flow.sinkKey
    // Web addresses stand in definitions as documentation and examples; persons and accounts do not.
    if (named.kind === 'host') {
      if (!own && sensitive && (leaves || act === 'write')) add(named.ordered ? 'high' : 'low', named.ordered ? 0.8 : 0.4, reason)
    } else if (own) {
      if (sensitive && crossing) add('medium', 0.6, reason)
    } else if (sensitive) add('critical', 0.95, reason)
    else if (leaves) add('high', 0.85, reason)
  }
  if (named?.where === 'content' && named.eventId !== source.eventId && sensitive && !asked && (leaves || act === 'write'))
    add('high', 0.85, `the destination was named by text that ${named.server} brought in`)
  if (named?.where === 'content' && named.eventId !== source.eventId && !sensitive && crossing && !thin && !asked && leaves)
    add('medium', 0.6, `the destination was named by text that ${named.server} brought in`)
  if (source.grade === 'secret' && (crossing || act === 'send') && !(asked && !crossing)) {
    if ((leaves || act === 'write' || side) && !usedInCommand(flow))
      add('high', 0.9, `content of a guarded place (${source.why}) leaves for another`)
    else add('medium', 0.6, `content of a guarded place (${source.why}) is passed to another server`)
    if (retried && crossing)
      add('critical', 0.9, `content of a guarded place (${source.why}) is handed over after the tool had failed without it`)
  }
  if (source.grade === 'private' && !(source.place !== '' && source.place === flow.sinkPlace)) {
    if (sinkVisibility === 'public') {
      if (outsideText && !thin) add('high', 0.9, 'private content is written to a public place after text of outsiders was read')
      else if (!asked) add('medium', 0.7, 'private content is written to a public place')
    } else if (crossing && leaves && !asked && sinkVisibility === undefined)
      outsider
        ? add('high', 0.8, 'private content leaves after text of outsiders was read')
        : add('medium', 0.5, 'private content leaves for another server')
  }
  if (side && crossing && sensitive) {
    if (side === 'strong' && !thin) add('high', 0.9, `content of ${source.server} stands in an argument that the tool does not need`)
    else add('medium', 0.6, `content of ${source.server} stands in an argument that the tool hardly needs`)
  }
  if (transform !== 'none' && sensitive && leaves && !asked && (field?.isUrl || field?.isProse))
    add('high', 0.85, `the content was encoded (${transform}) on its way`)
  if (transform !== 'none' && !sensitive && crossing && leaves && field?.isUrl && !asked && !thin)
    add('high', 0.75, `what ${source.server} returned stands encoded (${transform}) in a web address`)
  if (field?.isImage && sensitive && leaves && !asked)
    add('high', 0.8, 'content stands in the address of an image, which the reader’s client fetches by itself')
  if (field?.isUrl && sensitive && leaves && !asked && outsider)
    add('high', 0.75, 'content stands in a web address after text of outsiders was read')
  if (field?.isUrl && sensitive && leaves && crossing && !asked && match.tokens >= 2 && (field.text.match(/\+|%20| /g) ?? []).length >= 3)
    add('medium', 0.5, 'numbers and addresses of a record stand among words in a web address')
  if (retried && crossing && sensitive) add('medium', 0.55, 'the content is handed over after the tool had failed without it')
  if (verdicts.length === 0 && crossing && act === 'send' && sensitive && !asked)
    add('low', 0.3, 'records of one server are sent with another')
  return verdicts.sort((a, b) => severityRank(b.severity) - severityRank(a.severity) || b.confidence - a.confidence)[0]
}

const giving =
  /\b(?:send|post|publish|copy|write|add|e-?mail|mail|share|upload|forward|put|push|tell|reply|comment|create|report|save|update|transfer|pay|invite|message|schick|sende|schreib|envoie|envoyer|envía|enviar|manda|invia|verstuur|wyślij|отправ)|发|送|发送|写|送信|보내/i

/** Did the user name it? A person or account by itself is enough; a place must come with the wish to give. */
export function askedFor(prompts: readonly string[], destinations: readonly Destination[]): boolean {
  return destinations.some(({ kind, value }) =>
    prompts.some((prompt) => {
      const lower = prompt.toLowerCase()
      if (kind === 'phone') return lower.replace(/[ ().-]/g, '').includes(value)
      if (kind === 'account') return lower.replace(/ /g, '').includes(value)
      if (!lower.includes(value)) return false
      return kind === 'email' || giving.test(prompt)
    }),
  )
}

const reference = /id|num|index|page|limit|count|amount|price|line|offset|size/i

/** Numbers to reckon with, rather than ids and sizes. */
export function calculates(event: McpEvent): boolean {
  const args = event.arguments
  if (typeof args !== 'object' || args === null || Array.isArray(args)) return false
  return Object.entries(args).filter(([name, value]) => typeof value === 'number' && !reference.test(name)).length >= 2
}
