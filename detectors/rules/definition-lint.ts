/** Orders to the model in what a server offers: tools, prompts, resources, templates, instructions, and parameters that harvest. */
import { z } from 'zod'
import { type Severity, severityRank } from '../../schemas/alert.ts'
import { definitionHash } from '../../schemas/definition.ts'
import { defineDetector, type Hit, type Output, type TextPart, type TextPosition } from '../../schemas/detector.ts'
import { isObject, type Json, type McpEvent, resultOf } from '../../schemas/event.ts'
import { actMarks } from '../signals/acts.ts'
import { type Flaw, parameterFlaws, textFlaws, unknownKeyFlaws } from '../signals/definition.ts'
import { lintExamples } from '../signals/definition-examples.ts'
import { carries, harvestOf, worksWithModels } from '../signals/harvest.ts'
import { languageMarks } from '../signals/languages.ts'
import { type Mark, patternsOf } from '../signals/marks.ts'
import { orderMarks } from '../signals/orders.ts'
import { foundOf } from '../signals/score.ts'
import { steeringMarks } from '../signals/steering.ts'
import { walkStrings } from '../texts.ts'

const id = 'definition-lint'
const positions: readonly TextPosition[] = [
  'definition.name',
  'definition.description',
  'definition.schema',
  'definition.key',
  'instructions',
]
const marks = [...orderMarks, ...actMarks, ...steeringMarks, ...languageMarks]
const byPattern: ReadonlyMap<string, Mark> = new Map(marks.map((mark) => [`${id}/${mark.id}`, mark]))
const KINDS_MAX = 12
const REFS_MAX = 200

type Offer = { name: string; sort: string; parts: TextPart[]; definition: Json | undefined }

/** Texts by the definition they stand in; instructions and serverInfo are one of their own. */
function offersOf(event: McpEvent, texts: readonly TextPart[]): Offer[] {
  const result = resultOf(event)
  const found = new Map<string, Offer>()
  for (const part of texts) {
    if (!positions.includes(part.position)) continue
    const at = /^\/(?:body|result)\/(tools|prompts|resources|resourceTemplates)\/(\d+)/.exec(part.pointer)
    const key = at ? at[0] : 'server'
    let offer = found.get(key)
    if (!offer) {
      const list = at && isObject(result) ? result[at[1] as string] : undefined
      const definition = at && Array.isArray(list) ? list[Number(at[2])] : undefined
      const server = isObject(result) ? { instructions: result.instructions ?? null, serverInfo: result.serverInfo ?? null } : undefined
      offer = { name: at ? (part.tool ?? '') : 'instructions', sort: at?.[1] ?? 'server', parts: [], definition: at ? definition : server }
      found.set(key, offer)
    }
    offer.parts.push(part)
  }
  return [...found.values()]
}

function* refFlaws(definition: Json | undefined): Generator<Flaw> {
  const outside: Flaw[] = []
  walkStrings(definition, '', (pointer, text) => {
    if (pointer.endsWith('/$ref') && !text.startsWith('#') && outside.length < REFS_MAX)
      outside.push({ kind: 'external-ref', grade: /^[a-z]+:\/\//i.test(text) ? 'medium' : 'low', excerpt: text.slice(0, 200), pointer })
  })
  yield* outside
}

function flawsOf(offer: Offer, event: McpEvent, byPart: ReadonlyMap<TextPart, Hit[]>): Flaw[] {
  const flaws: Flaw[] = []
  for (const part of offer.parts) {
    const found = foundOf(byPart.get(part) ?? [], byPattern)
    if (part.position === 'definition.key' && found.length === 0 && part.text.length < 80) continue
    flaws.push(...textFlaws(part, found), ...unknownKeyFlaws(part, found))
  }
  const ownBusiness = worksWithModels(offer.name, event.serverAlias, event.serverName)
  if (offer.sort === 'tools') flaws.push(...parameterFlaws(offer.parts, ownBusiness), ...refFlaws(offer.definition))
  return flaws
}

/** The strongest flaw; two of medium grade and different kind stand for a high one. */
function severityOf(flaws: readonly Flaw[]): Severity {
  const strongest = flaws.reduce<Severity>((most, { grade }) => (severityRank(grade) > severityRank(most) ? grade : most), 'informational')
  const mediums = new Set(flaws.filter(({ grade }) => grade === 'medium').map(({ kind }) => kind))
  return strongest === 'medium' && mediums.size > 1 ? 'high' : strongest
}

function findingOf(offer: Offer, event: McpEvent, flaws: readonly Flaw[]): Output | undefined {
  const severity = severityOf(flaws)
  if (severityRank(severity) < severityRank('medium')) return undefined
  const ordered = [...flaws].sort((a, b) => severityRank(b.grade) - severityRank(a.grade))
  const kinds = [...new Set(ordered.filter(({ grade }) => grade !== 'low').map(({ kind }) => kind))].slice(0, KINDS_MAX)
  const [worst] = ordered as [Flaw]
  const what = offer.sort === 'server' ? 'server instructions' : offer.name
  const hash = definitionHash(offer.definition ?? offer.parts.map(({ text }) => text))
  return {
    finding: `${event.serverKey} ${offer.sort} ${offer.name} ${hash}`,
    severity,
    confidence: severity === 'high' ? 0.85 : 0.6,
    summary: `${what} holds ${kinds.slice(0, 4).join(', ')}`,
    evidence: {
      server: event.serverAlias ?? event.serverKey,
      tool: what,
      sort: offer.sort,
      kinds,
      pointer: worst.pointer,
      excerpt: worst.excerpt.slice(0, 200),
      excerpts: ordered.slice(0, 5).map(({ kind, excerpt }) => `${kind}: ${excerpt}`.slice(0, 200)),
      definition: hash,
    },
  }
}

/** A call that fills a parameter which asks for the conversation, a prompt or a key file. */
function* filled(event: McpEvent): Generator<Output> {
  if (!isObject(event.arguments) || worksWithModels(event.toolName, event.serverAlias, event.serverName)) return
  for (const key of Object.keys(event.arguments).slice(0, 100)) {
    const asks = harvestOf(key)
    if (!asks) continue
    const value = event.arguments[key]
    const text = typeof value === 'string' ? value : JSON.stringify(value ?? '').slice(0, 4_000)
    if (!carries(text)) continue
    const tool = event.toolName ?? 'unknown'
    yield {
      finding: `filled ${event.serverKey} ${tool} ${key.slice(0, 120)}`,
      severity: event.secrets && event.secrets.length > 0 ? 'high' : 'medium',
      confidence: 0.7,
      summary: `${tool} was given ${asks} in its parameter ${key.slice(0, 60)}`,
      evidence: {
        server: event.serverAlias ?? event.serverKey,
        tool,
        sort: 'call',
        kinds: ['harvest-parameter-filled'],
        pointer: `/arguments/${key.slice(0, 120).replaceAll('~', '~0').replaceAll('/', '~1')}`,
        excerpt: text.slice(0, 200),
        characters: text.length,
      },
    }
  }
}

export default defineDetector({
  id,
  title: 'Definition gives orders to the model',
  why: 'A model reads descriptions, schemas and instructions as part of its task: an order hidden there acts before any call and outside the view of the user.',
  family: 'D1',
  severity: 'high',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1195.002', 'T1204'],
    atlas: ['AML.T0110', 'AML.T0051.001', 'AML.T0104', 'AML.T0068', 'AML.T0056'],
    cosai: ['MCP-T4', 'MCP-T6', 'MCP-T5'],
    owaspMcp: ['MCP03', 'MCP06', 'MCP10'],
    owaspAsi: ['ASI01', 'ASI04', 'ASI02'],
    safeMcp: ['SAFE-T1001', 'SAFE-T1402', 'SAFE-T1405', 'SAFE-T1406', 'SAFE-T1501', 'SAFE-T1401', 'SAFE-T1008'],
  },
  needs: ['body'],
  blindSpots: [
    'Sources that do not carry list results: stock OpenTelemetry spans have none, and clients may keep lists for hours.',
    'An overreach stated as a feature in plain descriptive words.',
    'Orders cut into pieces over several descriptions without a common mark.',
    'Security and prompt-engineering servers that quote attacks are discounted; so is an attacker who imitates them.',
  ],
  playbook: [
    'Read {tool} of {server} at {pointer} in full, escapes decoded; compare with the publisher’s source.',
    'Was the tool, or any other tool, called after the model saw this list? Look at the thread from this event on.',
    'Take {server} out of the hosts that load it until the definition is explained; rotate what its calls carried.',
  ],
  settings: z.object({}),
  scope: 'event',
  reads: ['request', 'response', 'call', 'definition', 'notification', 'connection'],
  patterns: patternsOf(id, marks, positions),

  *inspect({ subject, hits }) {
    if (subject.kind !== 'event') return
    const { event, texts } = subject
    yield* filled(event)
    const byPart = Map.groupBy(hits, (hit) => hit.part)
    for (const offer of offersOf(event, texts)) {
      const flaws = flawsOf(offer, event, byPart)
      const finding = flaws.length > 0 ? findingOf(offer, event, flaws) : undefined
      if (finding) yield finding
    }
  },

  examples: lintExamples,
})
