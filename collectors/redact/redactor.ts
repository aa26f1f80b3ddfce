/** The last step of every collector: no secret leaves it, and of each kind of content only as much as its capture tier allows. */
import type { Config } from '../../schemas/config.ts'
import type { Json, McpEvent } from '../../schemas/event.ts'
import { fingerprintContent, fingerprintKey, flatten } from '../../schemas/fingerprint.ts'
import type { KeyedHash } from '../keys.ts'
import type { NameKind } from './context-rules.ts'
import { createSecretFinder, type FindSecrets } from './find-secrets.ts'
import { canonical, scrubJson, shapeOf } from './scrub-json.ts'
import { kindOfName, type ScrubOptions, scrubText } from './scrub-text.ts'

export type CaptureTier = McpEvent['captureTier']
/** Per kind of content; `full` keeps personal numbers and length, but no secret either. */
export type CaptureTiers = Config['capture']
export type Redact = (event: McpEvent) => McpEvent
export type RedactorOptions = Readonly<{ keyedHash: KeyedHash; tiers: CaptureTiers; find?: FindSecrets }>

type Category = keyof CaptureTiers
type ContentField = 'arguments' | 'result' | 'params' | 'body'
type Draft = { -readonly [K in keyof McpEvent]: McpEvent[K] }

/** Envelope strings repeat from event to event: those without a secret are remembered and not looked at again. */
const cleanMax = 20_000
const cleanCharsMax = 256

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
const openFields = ['http', 'labels', 'unmapped'] as const

export function createRedactor({ keyedHash, tiers, find = createSecretFinder() }: RedactorOptions): Redact {
  const fingerprintWith = fingerprintKey(keyedHash)
  const lowest = Object.values(tiers).reduce((a, b) => least(tierOrder, a, b))
  const clean = new Set<string>()
  const kinds = new Map<string, NameKind | undefined>()
  const kindOf = (name: string): NameKind | undefined => {
    if (kinds.has(name)) return kinds.get(name)
    const kind = kindOfName(name)
    if (kinds.size >= cleanMax) kinds.clear()
    if (name.length <= cleanCharsMax) kinds.set(name, kind)
    return kind
  }
  const scrubField = (text: string, options: ScrubOptions): string => {
    if (clean.has(text)) return text
    const scrubbed = scrubText(text, {}, options).text
    if (scrubbed === text && text.length <= cleanCharsMax) {
      if (clean.size >= cleanMax) clean.clear()
      clean.add(text)
    }
    return scrubbed
  }
  return (event) => {
    const draft: Draft = { ...event }
    const secrets = new Set(event.secrets)
    const scrubOptions = (tier: CaptureTier): ScrubOptions => ({
      find,
      keyedHash,
      personal: tier !== 'full',
      lengthMax: tier === 'full' ? fullLengthMax : lengthMax,
      found: (secret) => secrets.size < secretsMax && secrets.add(secret),
      kindOf,
    })
    const usual = scrubOptions('redacted')
    for (const field of textFields) {
      const text = event[field]
      // `token:HASH` is made by us: the hash must not be taken for the token.
      if (field === 'actor' && event.actorSource === 'token_hash') continue
      if (text !== undefined) draft[field] = scrubField(text, usual)
    }
    if (event.authScopes) draft.authScopes = event.authScopes.map((scope) => scrubField(scope, usual))
    if (event.rawFacts) draft.rawFacts = event.rawFacts.map((fact) => scrubField(fact, usual))
    for (const field of openFields) {
      const value = event[field]
      if (value === undefined) continue
      const { value: clean } = scrubJson(value, usual)
      // Attributes that nobody consumed may be content under a name that we do not know.
      draft[field] = field === 'unmapped' && tierOrder.indexOf(lowest) < tierOrder.indexOf('redacted') ? shapeOf(clean) : clean
    }
    for (const field of ['arguments', 'result', 'params', 'body'] as const) {
      const value = event[field]
      if (value !== undefined) keep(field, value, event, draft)
    }
    if (secrets.size > 0) draft.secrets = [...secrets]
    return draft

    function keep(field: ContentField, value: Json, source: McpEvent, target: Draft): void {
      const category = categoryOf(field, source)
      const tier = category === undefined ? 'redacted' : tiers[category]
      const { value: clean, cut, same } = scrubJson(value, scrubOptions(tier), category === 'definitions')
      if (category !== undefined) {
        target.captureTier = least(tierOrder, target.captureTier, tier)
        target.contentLevel = least(levelOrder, target.contentLevel, levelAt(tier))
      }
      if (cut) target.contentLevel = least(levelOrder, target.contentLevel, 'truncated')
      const text = same || tierOrder.indexOf(tier) >= tierOrder.indexOf('hash') ? canonical(clean) : undefined
      measure(field, value, same ? text : undefined, target)
      if (text !== undefined && tierOrder.indexOf(tier) >= tierOrder.indexOf('hash')) stamp(field, text, target)
      if (tier === 'none' || tier === 'hash') delete target[field]
      else target[field] = tier === 'shape' ? shapeOf(clean) : clean
      if (tier === 'hash') {
        const prints = flatten(fingerprintContent(clean, fingerprintWith))
        if (isOutgoing(field)) target.argsFingerprints = prints
        else target.resultFingerprints = prints
      }
    }

    function stamp(field: ContentField, text: string, target: Draft): void {
      if (field === 'params' && target.argsHash !== undefined) return // the arguments say more
      if (field === 'params' && categoryOf(field, event) === undefined) return
      if (isOutgoing(field)) target.argsHash = keyedHash(text)
      else target.resultHash = keyedHash(text)
    }
  }
}

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
