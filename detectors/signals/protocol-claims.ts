/** What one side says of itself inside a message: capabilities it declares, and rights or identities nobody verified. */
import type { Severity } from '../../schemas/alert.ts'
import type { Json, McpEvent } from '../../schemas/event.ts'

type JsonObject = { [key: string]: Json }
export const objectOf = (value: Json | undefined): JsonObject | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined
const at = (value: Json | undefined, key: string): Json | undefined => {
  const object = objectOf(value)
  return object && Object.hasOwn(object, key) ? object[key] : undefined
}

const reserved = 'io.modelcontextprotocol/'
const reservedNames = new Set(
  'protocolVersion clientCapabilities clientInfo serverInfo serverCapabilities logLevel subscriptionId related-task model-immediate-response ui tasks progressToken traceparent tracestate baggage'.split(
    ' ',
  ),
)
const KEYS_MAX = 200
const none: readonly string[] = []

/** Names of the capabilities a client declares in this message; undefined: it says nothing about them. */
export function declaredBy(event: McpEvent): string[] | undefined {
  if (event.kind !== 'request' || event.direction === 'server_to_client') return undefined
  const given =
    event.method === 'initialize' ? at(event.params, 'capabilities') : at(at(event.params, '_meta'), `${reserved}clientCapabilities`)
  const object = objectOf(given)
  return object ? Object.keys(object).slice(0, KEYS_MAX) : undefined
}

const needed: ReadonlyMap<string, string> = new Map([
  ['sampling/createMessage', 'sampling'],
  ['elicitation/create', 'elicitation'],
  ['roots/list', 'roots'],
])
export const capabilityFor = (method: string): string | undefined => needed.get(method)

/** Methods a server asks of the client in this message: as a request of its own, or inside an answer. */
export function askedBy(event: McpEvent): readonly string[] {
  if (event.direction === 'client_to_server') return none
  if (event.kind === 'request' && event.direction === 'server_to_client') return event.method ? [event.method] : []
  const asked = objectOf(at(event.result ?? event.body, 'inputRequests'))
  if (!asked) return none
  const methods = Object.keys(asked)
    .slice(0, KEYS_MAX)
    .map((key) => at(asked[key], 'method'))
  return [...new Set(methods.filter((method): method is string => typeof method === 'string'))]
}

export type Claim = Readonly<{ key: string; value: string; severity: Severity; says: string }>

const whoKeys =
  /^(?:tenant|tenantid|org|orgid|organization|organizationid|accountid|userid|user|username|principal|subject|sub|actor|onbehalfof|impersonate|runas)$/
const rightKeys =
  /^(?:role|roles|admin|isadmin|superuser|root|approved|isapproved|approval|approvedby|preapproved|authorized|isauthorized|authenticated|trusted|istrusted|policy|policydecision|permission|permissions|privilege|privileges|scope|scopes|bypass|skipapproval|override|sudo|clearance)$/
const strong =
  /\b(?:admin|administrator|root|owner|superuser|system|allow|allowed|approved|bypass|true|yes|full|all|sudo|elevated|write|\*)\b|^\*$|^1$/i

/** `com.acme/tenant_id` → { name: 'tenantid', vendor: true }. */
function nameOf(key: string): { name: string; vendor: boolean } {
  const last = key.split('/').at(-1) ?? key
  const dotted = last.split('.')
  return {
    name: (dotted.at(-1) ?? last).slice(0, 100).toLowerCase().replace(/[_-]/g, ''),
    vendor: key.includes('/') || dotted.length > 1,
  }
}

function claimOf(key: string, value: Json, event: McpEvent): Claim | undefined {
  const { name, vendor } = nameOf(key)
  const said = (typeof value === 'string' ? value : JSON.stringify(value)).slice(0, 200)
  const inReserved = key.startsWith(reserved)
  if (rightKeys.test(name)) {
    if (value === false || value === null || !strong.test(said)) return undefined
    // A hop may add hints under a name of its own.
    return { key, value: said, severity: vendor && !inReserved ? 'medium' : 'high', says: 'a right that only the sender vouches for' }
  }
  if (whoKeys.test(name) && (typeof value === 'string' || typeof value === 'number')) {
    const isTenant = name.startsWith('tenant') || name.startsWith('org') || name.startsWith('account')
    const known = isTenant ? (event.tenant === 'default' ? undefined : event.tenant) : (event.principal ?? event.authSubject)
    if (known === said) return undefined
    if (known === undefined && strong.test(said))
      return { key, value: said, severity: 'high', says: 'an identity that only the sender vouches for' }
    if (known === undefined || isTenant)
      return { key, value: said, severity: vendor ? 'informational' : 'low', says: 'an identity that nobody verified' }
    return { key, value: said, severity: vendor ? 'medium' : 'high', says: 'another identity than the verified one' }
  }
  if (!inReserved || reservedNames.has(key.slice(reserved.length))) return undefined
  return {
    key,
    value: said,
    severity: event.direction === 'client_to_server' ? 'medium' : 'low',
    says: 'an unknown name under the protocol’s own prefix',
  }
}

/** `a=1,b=2;ttl` → pairs. */
function* baggageOf(value: Json | undefined): Generator<[string, Json]> {
  if (typeof value !== 'string') return
  for (const member of value.slice(0, 8_192).split(',').slice(0, KEYS_MAX)) {
    const [key = '', given] = (member.split(';', 1)[0] as string).split('=', 2)
    if (given !== undefined) yield [key.trim(), given.trim()]
  }
}

/** Most messages claim nothing: they have neither `_meta` nor baggage. */
export const mayClaim = ({ params, http }: McpEvent): boolean => at(params, '_meta') !== undefined || at(http, 'baggage') !== undefined

/** Identity, tenant, role and approval that a request claims for itself in `_meta` or baggage. */
export function claimsOf(event: McpEvent): Claim[] {
  if (event.kind !== 'request' && event.kind !== 'call' && event.kind !== 'notification') return []
  const meta = objectOf(at(event.params, '_meta')) ?? {}
  const pairs = [...Object.entries(meta).slice(0, KEYS_MAX), ...baggageOf(meta.baggage), ...baggageOf(at(event.http, 'baggage'))]
  return pairs.map(([key, value]) => claimOf(key, value, event)).filter((claim): claim is Claim => claim !== undefined)
}
