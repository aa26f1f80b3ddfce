/** HTTP facts beside a message: headers against body, what may be kept of them, and credentials turned into hashes. */
import type { Json } from '../../schemas/event.ts'
import { eraOfVersion, isObject, type JsonObject } from './protocol.ts'

/**
 * Header facts as a tap or a file gives them. Members are headers or `status`, `path`, `method`, `url`; `headers` may hold
 * more: an object, or a list of [name, value] lines. Case and `-` or `_` in names do not matter. A header that came in
 * several lines has a list as its value.
 */
export type HttpFacts = Readonly<Record<string, Json | undefined>>

export type HttpReading = Readonly<{
  /** Flat, lower case, `_` between words (`host`, `path`, `status`, `www_authenticate`); no credentials, no handles. */
  kept: JsonObject
  status: number | undefined
  version: string | undefined
  session: string | undefined
  traceparent: string | undefined
  token: { scheme: string; value: string } | undefined
  lines: ReadonlyMap<string, readonly string[]>
}>

const credentials: ReadonlySet<string> = new Set([
  'authorization',
  'proxy_authorization',
  'cookie',
  'set_cookie',
  'x_api_key',
  'api_key',
  'x_auth_token',
  'mcp_session_id',
])
/** Header names of one message that are looked at. */
const headersMax = 200

const nameOf = (name: string): string => name.toLowerCase().replaceAll('-', '_')

function* pairs(http: HttpFacts): Generator<readonly [string, Json]> {
  for (const [name, value] of Object.entries(http)) {
    if (value === undefined || value === null) continue
    if (nameOf(name) !== 'headers' && nameOf(name) !== 'hdr') yield [nameOf(name), value]
    else if (isObject(value)) for (const [inner, given] of Object.entries(value)) yield [nameOf(inner), given]
    else if (Array.isArray(value)) {
      for (const line of value) {
        if (Array.isArray(line) && typeof line[0] === 'string' && line[1] !== undefined) yield [nameOf(line[0]), line[1]]
      }
    }
  }
}

function linesOf(http: HttpFacts): Map<string, Json[]> {
  const lines = new Map<string, Json[]>()
  for (const [name, value] of pairs(http)) {
    const known = lines.get(name)
    if (!known && lines.size >= headersMax) continue
    const given = Array.isArray(value) ? value : [value]
    if (known) known.push(...given)
    else lines.set(name, [...given])
  }
  return lines
}

/** A legacy SSE endpoint carries its session in the query: a handle like the header. */
const querySession = /([?&]session_?id=)([^&#\s]+)/i

export function readHttp(http: HttpFacts, keyedHash: (text: string) => string): HttpReading {
  const all = linesOf(http)
  const kept: [string, Json][] = []
  let session: string | undefined
  for (const [name, values] of all) {
    if (credentials.has(name)) continue
    const safe = values.map((value): Json => {
      if (name.startsWith('mcp_param_')) return keyedHash(JSON.stringify(value)) // copies of arguments
      if (typeof value !== 'string') return value
      session ??= querySession.exec(value)?.[2]
      return value.replace(querySession, (_, head: string, id: string) => `${head}${keyedHash(id)}`)
    })
    kept.push([name, safe.length === 1 ? (safe[0] as Json) : safe])
  }
  const texts = new Map([...all].map(([name, values]) => [name, values.filter((value) => typeof value === 'string')]))
  const first = (name: string): string | undefined => texts.get(name)?.[0]?.trim()
  const given = all.get('status')?.[0]
  const status = typeof given === 'string' || typeof given === 'number' ? Number(given) : Number.NaN // an object may have no text
  const authorization = /^([A-Za-z][A-Za-z0-9_-]{0,30})\s+(\S.*)$/s.exec(first('authorization') ?? '')
  const key = first('x_api_key') ?? first('api_key')
  return {
    kept: Object.fromEntries(kept),
    status: Number.isInteger(status) ? status : undefined,
    version: first('mcp_protocol_version') ?? first('mcp_version'),
    session: first('mcp_session_id') ?? session,
    traceparent: first('traceparent'),
    token: authorization
      ? { scheme: (authorization[1] as string).toLowerCase(), value: authorization[2] as string }
      : key
        ? { scheme: 'api_key', value: key }
        : undefined,
    lines: texts,
  }
}

/** `=?base64?…?=` holds what a header cannot. undefined: not decodable, so it names nothing. */
export function decodeHeader(value: string): string | undefined {
  const trimmed = value.trim()
  const encoded = /^=\?base64\?([A-Za-z0-9+/_=-]*)\?=$/i.exec(trimmed)
  if (!encoded) return /^=\?base64\?/i.test(trimmed) ? undefined : trimmed
  const bytes = Buffer.from(encoded[1] as string, 'base64')
  return bytes.toString('utf8')
}

/** Header bytes reach us as Latin-1; a sender that did not encode a UTF-8 name is careless, not an attacker. */
const sameName = (header: string, body: string): boolean => {
  const decoded = decodeHeader(header)
  return decoded !== undefined && (decoded === body.trim() || Buffer.from(decoded, 'latin1').toString('utf8') === body.trim())
}

export type Compared = Readonly<{ mismatch: boolean | undefined; facts: readonly string[] }>
type BodyNames = Readonly<{
  method: string
  named: string | undefined
  hasName: boolean
  version: string | undefined
  isRequest: boolean
  arguments: JsonObject | undefined
  /** What the tool's schema copies into headers. */
  paramHeaders: ReadonlyMap<string, string> | undefined
}>

/** Headers against the body of one client message. mismatch undefined: there was nothing to compare. */
export function compareHeaders(reading: HttpReading, body: BodyNames): Compared {
  const facts: string[] = []
  let compared = 0
  const check = (what: string, header: string, said: string | undefined) => {
    const lines = reading.lines.get(header)
    if (!lines?.length || (said === undefined && what === 'version')) return
    compared += 1
    if (said === undefined || !lines.every((line) => sameName(line, said))) facts.push(`header_mismatch:${what}`)
  }
  check('method', 'mcp_method', body.method)
  if (body.hasName) check('name', 'mcp_name', body.named)
  check('version', 'mcp_protocol_version', body.version)
  for (const [header, name] of body.paramHeaders ?? []) {
    const argument = body.arguments && Object.hasOwn(body.arguments, name) ? body.arguments[name] : undefined
    if (argument === undefined || argument === null) continue
    check(`param`, header, typeof argument === 'string' ? argument : JSON.stringify(argument))
  }
  for (const [name, lines] of reading.lines) {
    if (name.startsWith('mcp_') && lines.length > 1) facts.push(`duplicate_header:${name}`)
  }
  // The version header shows that headers are seen here, so one that a modern request must have is missing indeed.
  if (body.isRequest && eraOfVersion(reading.version) === 'modern') {
    if (!reading.lines.has('mcp_method')) facts.push('header_missing:mcp_method')
    if (body.hasName && !reading.lines.has('mcp_name')) facts.push('header_missing:mcp_name')
  }
  const mismatched = facts.some((fact) => fact.startsWith('header_mismatch'))
  return { mismatch: compared ? mismatched : undefined, facts: [...new Set(facts)] }
}
