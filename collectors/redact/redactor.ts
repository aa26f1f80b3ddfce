/** The last step of every collector: no secret leaves it, and of each kind of content only as much as its capture tier allows. */
import type { Config } from '../../schemas/config.ts'
import type { Json, McpEvent } from '../../schemas/event.ts'
import { fingerprintContent, fingerprintKey, flatten } from '../../schemas/fingerprint.ts'
import { remembered } from '../../schemas/remembered.ts'
import type { KeyedHash } from '../keys.ts'
import { createSecretFinder, type FindSecrets } from './find-secrets.ts'
import { canonical, keyMax, scrubJson, shapeOf } from './scrub-json.ts'
import { createCleanTexts, kindOfName, type ScrubOptions, scrubText } from './scrub-text.ts'

export type CaptureTier = McpEvent['captureTier']
/** Per kind of content; `full` keeps personal numbers and length, but no secret either. */
export type CaptureTiers = Config['capture']
export type Redact = (event: McpEvent) => McpEvent
export type RedactorOptions = Readonly<{ keyedHash: KeyedHash; tiers: CaptureTiers; find?: FindSecrets }>

type Category = keyof CaptureTiers
type ContentField = 'arguments' | 'result' | 'params' | 'body'
type Draft = { -readonly [K in keyof McpEvent]: McpEvent[K] }

/** Characters of one string under tier `redacted`. */
export const lengthMax = 64 * 1024
const fullLengthMax = 16 * 1024 * 1024
const secretsMax = 256

const tierOrder: readonly CaptureTier[] = ['none', 'shape', 'hash', 'redacted', 'full']
const levelOrder: readonly McpEvent['contentLevel'][] = ['none', 'metadata', 'shape', 'truncated', 'text', 'full']
const least = <T>(order: readonly T[], a: T, b: T): T => (order.indexOf(a) <= order.indexOf(b) ? a : b)

const definitionMethods: ReadonlySet<string> = new Set([
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
  'initialize',
  'server/discover',
])
const promptMethods: ReadonlySet<string> = new Set(['prompts/get', 'sampling/createMessage', 'elicitation/create', 'completion/complete'])

/** Strings of the envelope that others write. Ids that we make ourselves are not looked at. */
const textFields = [
  ...['actor', 'principal', 'serverAlias', 'serverName', 'serverTitle', 'serverVersion', 'serverCommand', 'serverOrigin', 'serverAddress'],
  ...['hostApp', 'clientName', 'clientVersion', 'serviceName', 'agentName', 'conversationId', 'authSubject', 'authClientId', 'authIssuer'],
  ...[
    'authAudience',
    'eventName',
    'method',
    'requestId',
    'connectionId',
    'toolName',
    'toolNameRaw',
    'toolCallId',
    'promptName',
    'resourceUri',
  ],
  ...['resultType', 'errorType', 'errorCode', 'errorMessage', 'decisionSource', 'decisionReason'],
] as readonly ('actor' | 'method' | 'errorMessage')[] // safe: every one of them is a string field of an event

const kindsMax = 20_000

export function createRedactor({ keyedHash, tiers, find = createSecretFinder() }: RedactorOptions): Redact {
  const fingerprintWith = fingerprintKey(keyedHash)
  const lowest = Object.values(tiers).reduce((a, b) => least(tierOrder, a, b))
  const kindOf = remembered(kindOfName, kindsMax)
  /** Of the event in hand. */
  let secrets: Set<string> | undefined
  const found = (secret: string): void => {
    secrets ??= new Set()
    if (secrets.size < secretsMax) secrets.add(secret)
  }
  const optionsAt = (tier: CaptureTier): ScrubOptions => {
    const options = { find, keyedHash, personal: tier !== 'full', lengthMax: tier === 'full' ? fullLengthMax : lengthMax, found, kindOf }
    return { ...options, ofKeys: { ...options, lengthMax: keyMax, clean: createCleanTexts() } }
  }
  const inContent: ReadonlyMap<CaptureTier, ScrubOptions> = new Map(tierOrder.map((tier) => [tier, optionsAt(tier)]))
  const inEnvelope: ScrubOptions = { ...optionsAt('redacted'), clean: createCleanTexts() }
  const isShaped = tierOrder.indexOf(lowest) < tierOrder.indexOf('redacted')

  function envelope(event: McpEvent, draft: Draft): void {
    for (const field of textFields) {
      const text = event[field]
      // `token:HASH` is made by us: the hash must not be taken for the token.
      if (text === undefined || (field === 'actor' && event.actorSource === 'token_hash')) continue
      const scrubbed = scrubText(text, inEnvelope)
      if (scrubbed !== text) draft[field] = scrubbed
    }
    if (event.authScopes) draft.authScopes = event.authScopes.map((scope) => scrubText(scope, inEnvelope))
    if (event.rawFacts) draft.rawFacts = event.rawFacts.map((fact) => scrubText(fact, inEnvelope))
    if (event.http !== undefined) draft.http = scrubJson(event.http, inEnvelope).value
    if (event.labels !== undefined) draft.labels = scrubJson(event.labels, inEnvelope).value
    if (event.unmapped === undefined) return
    const unmapped = scrubJson(event.unmapped, inEnvelope).value
    // Attributes that nobody consumed may be content under a name that we do not know.
    draft.unmapped = isShaped ? shapeOf(unmapped) : unmapped
  }

  function keep(field: ContentField, event: McpEvent, draft: Draft): void {
    const value = event[field]
    if (value === undefined) return
    const category = categoryOf(field, event)
    const tier = category === undefined ? 'redacted' : tiers[category]
    const { value: clean, cut, same } = scrubJson(value, inContent.get(tier) as ScrubOptions, category === 'definitions')
    if (category !== undefined) {
      draft.captureTier = least(tierOrder, draft.captureTier, tier)
      draft.contentLevel = least(levelOrder, draft.contentLevel, levelAt(tier))
    }
    if (cut) draft.contentLevel = least(levelOrder, draft.contentLevel, 'truncated')
    const hashed = tierOrder.indexOf(tier) >= tierOrder.indexOf('hash')
    const text = same || hashed ? canonical(clean) : undefined
    measure(field, value, same ? text : undefined, draft)
    if (text !== undefined && hashed) stamp(field, category, text, draft)
    if (tier === 'none' || tier === 'hash') delete draft[field]
    else draft[field] = tier === 'shape' ? shapeOf(clean) : clean
    if (tier !== 'hash') return
    const prints = flatten(fingerprintContent(clean, fingerprintWith))
    if (isOutgoing(field)) draft.argsFingerprints = prints
    else draft.resultFingerprints = prints
  }

  function stamp(field: ContentField, category: Category | undefined, text: string, draft: Draft): void {
    if (field === 'params' && (draft.argsHash !== undefined || category === undefined)) return // the arguments say more
    if (isOutgoing(field)) draft.argsHash = keyedHash(text)
    else draft.resultHash = keyedHash(text)
  }

  return (event) => {
    const draft: Draft = { ...event }
    secrets = event.secrets ? new Set(event.secrets) : undefined
    envelope(event, draft)
    for (const field of contentFields) keep(field, event, draft)
    if (secrets !== undefined && secrets.size > 0) draft.secrets = [...secrets]
    return draft
  }
}

const contentFields: readonly ContentField[] = ['arguments', 'result', 'params', 'body']
const isOutgoing = (field: ContentField): boolean => field === 'arguments' || field === 'params'

/** Which tier rules a field; undefined for protocol facts, which are always kept redacted. */
function categoryOf(field: ContentField, event: McpEvent): Category | undefined {
  const method = event.method ?? ''
  if (field === 'arguments') return 'arguments'
  if (field === 'result') return 'results'
  if (event.kind === 'user_prompt' || promptMethods.has(method)) return 'prompts'
  if (field === 'params') return event.kind === 'definition' ? 'definitions' : undefined
  return definitionMethods.has(method) || event.kind === 'definition' ? 'definitions' : 'results'
}

function levelAt(tier: CaptureTier): McpEvent['contentLevel'] {
  if (tier === 'none' || tier === 'hash') return 'metadata'
  return tier === 'shape' ? 'shape' : 'full'
}

/** Sizes stay, whatever the tier: of what arrived, in bytes of JSON. `text` is as long as that, where nothing was replaced. */
function measure(field: ContentField, value: Json, text: string | undefined, draft: Draft): void {
  if (field === 'params' || (field === 'body' && draft.result !== undefined)) return
  if ((field === 'arguments' ? draft.argsBytes : draft.resultBytes) !== undefined) return
  try {
    const bytes = Buffer.byteLength(text ?? JSON.stringify(value))
    // Each by its name: a computed one would make a slow object of an event.
    if (field === 'arguments') draft.argsBytes = bytes
    else draft.resultBytes = bytes
  } catch {} // deeper than the stack: the size stays unknown, the walk will cut it
}
