/** Secrets that only their place gives away: `password = …`, `Authorization: Bearer …`, `user:pass@host`, a PEM block, `curl -u`. */
import { distinct, isMaskedAfter, isPlausibleKey, isPlausiblePart, isPlausiblePassword, isStandIn } from './plausible.ts'

export type Spot = Readonly<{ kind: string; start: number; end: number }>
/** Looks at one place in the text, where a literal of `literals` lies between `start` and `end`. */
export type ContextRule = Readonly<{ literals: readonly string[]; look: (text: string, start: number, end: number) => Spot | undefined }>

const nameBackMax = 48
const valueMax = 1_024

/** How far what a name says can be trusted: a password may be short, a token must look like one. */
export type NameKind = 'password' | 'api-key' | 'token' | 'aws-secret-key' | 'named-key'

/** Names whose last word says secret although what they hold is not. */
const harmless =
  /(?:^|[_-])(?:progress|websocket|public_key|page|next|prev|previous|sync|continuation|cursor|start|end|max|min|num|total|count|stop|eos|bos|pad|unk|sep|cls|mask|special|first|last|new|public|primary|foreign|partition|sort|cache|row|group|unique|idempotency|hot|short|object|license|map|answer|i18n|translation|routing|message|issue|project|event|range|s3|file|design|rule|data|state|lookup|column|table|index|parent|item|entity|session)[_-]?(?:token|key|pass|secret)$/
const passwordWord = /(?:password|passwd|passphrase|passwort|pwd|[_-]pass|^pass|[_-]pw)$/
const keyWord =
  /(?:api|app|application|access|secret|private|auth|account|master|signing|encryption|shared|storage|service|client|consumer|admin|deploy|function|host|subscription|license|integration|rest|bot|write|read|ingest|instrumentation)[_-]?key(?:[_-]?(?:id|value))?$/
const secretWord = /(?:secret|secret[_-]?(?:key|value|access[_-]?key)|credentials?|client[_-]?s(?:ec)?re?t|api[_-]?secret)$/
const tokenWord =
  /(?:token|jwt|bearer|api[_-]?token|access[_-]?token|refresh[_-]?token|id[_-]?token|auth[_-]?token|token[_-]?value|[_-]pat)$/

/** `apiKey`, `API_KEY`, `x-api-key`, `spring.datasource.password` → which kind of secret such a name holds. */
export function nameKind(name: string): NameKind | undefined {
  if (name.length > 120) return undefined
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replace(/[.\s]/g, '_')
  if (/aws_?-?secret|secret_?-?access_?-?key/.test(words) && /key$/.test(words)) return 'aws-secret-key'
  if (harmless.test(words)) return undefined
  if (passwordWord.test(words)) return 'password'
  if (keyWord.test(words)) return 'api-key'
  if (secretWord.test(words)) return 'api-key'
  if (tokenWord.test(words)) return 'token'
  if (/[_-]key$/.test(words)) return 'named-key'
  return undefined
}

/** Is this value, standing under that name, a secret? */
export function isNamedSecret(kind: NameKind, value: string, quoted: boolean): boolean {
  if (kind === 'password') return isPlausiblePassword(value, quoted)
  if (kind === 'aws-secret-key') return /^[A-Za-z0-9/+=]{16,128}$/.test(value) && !isAwsStandIn(value)
  if (kind === 'named-key') return value.length >= 20 && distinct(value) >= 10 && isPlausibleKey(value, false)
  return isPlausibleKey(value, kind === 'api-key')
}
const isAwsStandIn = (value: string): boolean => /x{5,}|example|^your|_|\*/i.test(value) || distinct(value) < 3

const between =
  /\\{0,3}(?:["'`]|&quot;|%22)?\]?[ \t]{0,12}(?::=|=>|==?|:|%3[aAdD]|>|[ \t]is[ \t]|,(?=[ \t]?["'])|[ \t])[ \t]{0,12}(?:(?:Bearer|Basic|Token)[ \t]{1,4})?/y
const quotedValue = /\\{0,3}(["'`]|&quot;|%22)([^"'`\s⟦⟧\\&]{1,1024})/y
const bareValue = /[^\s"'`,;<>(){}[\]&|\\⟦⟧]{1,1024}/y

/** `name = value` in every notation: JSON, YAML, shell, properties, XML, query string, command-line flag. */
function assignment(text: string, _start: number, end: number): Spot | undefined {
  const nameEnd = forward(text, end, 24)
  const nameStart = backward(text, end, nameBackMax)
  between.lastIndex = nameEnd
  const operator = between.exec(text)?.[0]
  if (operator === undefined) return undefined
  const name = text.slice(nameStart, nameEnd)
  const before = text[nameStart - 1]
  // Most such words stand in prose, with a blank behind them: that is seen before the name is judged.
  if (/^[^=:,>%]*$/.test(operator) && !/ is /.test(operator) && !name.startsWith('--')) return undefined
  if (operator.includes('>') && !operator.includes('=>') && before !== '<') return undefined
  const kind = before === '⟦' ? undefined : nameKind(name) // a token of ours, perhaps cut off
  if (kind === undefined) return undefined
  const at = nameEnd + operator.length
  quotedValue.lastIndex = at
  const quoted = quotedValue.exec(text)
  bareValue.lastIndex = at
  if (!quoted && name === 'PASS' && operator.includes(':')) return undefined // a test runner’s report
  const value = quoted ? (quoted[2] as string) : (bareValue.exec(text)?.[0].replace(/[.,:!?]+$/, '') ?? '')
  if (value.length >= valueMax || !isNamedSecret(kind, value, quoted !== null)) return undefined
  // A call or a lookup after the value (`token = get(…`, `password = config["x"]`) is code.
  const valueStart = quoted ? at + quoted[0].length - value.length : at
  const after = text[valueStart + value.length]
  if (isMaskedAfter(text.slice(valueStart + value.length, valueStart + value.length + 12))) return undefined
  if (!quoted && (after === '(' || after === '[')) return undefined
  return { kind, start: valueStart, end: valueStart + value.length }
}

const isNameCode = (code: number): boolean =>
  (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95 || code === 45 || code === 46

function forward(text: string, from: number, max: number): number {
  let at = from
  while (at < text.length && at - from < max && isNameCode(text.charCodeAt(at))) at += 1
  return at
}
function backward(text: string, from: number, max: number): number {
  let at = from
  while (at > 0 && from - at < max && isNameCode(text.charCodeAt(at - 1))) at -= 1
  // In text that was escaped once more, `\n` before a name is not part of it.
  return text[at - 1] === '\\' && /[nrt]/.test(text[at] ?? '') ? at + 1 : at
}

const scheme =
  /authorization\\{0,3}["'`]?\s{0,4}[:=,]\s{0,4}\\{0,3}["'`]?(?:(Bearer|Basic|Token|Api-?Key|Api-Token|Negotiate|Digest)[ \t]{1,4})?([A-Za-z0-9_~+/.=-]{8,4096})/iy
/** `Authorization: …`, whatever the scheme. */
function authorization(text: string, start: number): Spot | undefined {
  scheme.lastIndex = start
  const match = scheme.exec(text)
  const value = match?.[2]
  if (!match || value === undefined) return undefined
  const kind = /basic/i.test(match[1] ?? '') ? 'basic-auth' : 'bearer-token'
  return credential(kind, value, scheme.lastIndex - value.length)
}
const bearerValue = /bearer[ \t]{1,4}([A-Za-z0-9_~+/.=-]{16,4096})/iy
function bearer(text: string, start: number): Spot | undefined {
  bearerValue.lastIndex = start
  const value = bearerValue.exec(text)?.[1]
  return value === undefined ? undefined : credential('bearer-token', value, bearerValue.lastIndex - value.length)
}
function credential(kind: string, value: string, start: number): Spot | undefined {
  const unsigned = /^eyJ[\w=-]+\.[\w=-]+\.$/.test(value)
  const plausible = kind === 'basic-auth' ? isBasic(value) : isPlausibleKey(value.slice(0, 1_000), true)
  return plausible && !unsigned ? { kind, start, end: start + value.length } : undefined
}
function isBasic(value: string): boolean {
  const [user, pass] = Buffer.from(value, 'base64').toString('latin1').split(':', 2)
  return user !== undefined && pass !== undefined && /^[\x20-\x7e]+$/.test(user + pass) && isPlausiblePart(pass)
}

const userInfo = /:\/\/([^\s/:@"'<>?#⟦⟧\\]{0,128}):([^\s/@"'<>?#⟦⟧\\]{3,256})@[\w[$-]/y
/** `scheme://user:password@host`: the password only, so that the place can still be read. */
function urlPassword(text: string, start: number): Spot | undefined {
  userInfo.lastIndex = start
  const match = userInfo.exec(text)
  const value = match?.[2]
  if (!match || value === undefined || !isPlausiblePart(value)) return undefined
  const valueStart = start + 3 + (match[1] as string).length + 1
  return { kind: 'url-password', start: valueStart, end: valueStart + value.length }
}

const curlUser = /(?:--user|[ \t]-u)[ =]{1,4}(["']?)([^\s:"'\\]{1,128})\1?:(["']?)([^\s"'@⟦⟧\\]{4,256})/y
/** `curl -u user:password`. */
function commandUser(text: string, start: number): Spot | undefined {
  curlUser.lastIndex = start
  const match = curlUser.exec(text)
  const [user, value] = [match?.[2], match?.[4]]
  if (user === undefined || value === undefined || isStandIn(user) || !isPlausiblePart(value)) return undefined
  return { kind: 'password', start: curlUser.lastIndex - value.length, end: curlUser.lastIndex }
}

const pemBegin = /-----BEGIN[ A-Z0-9_-]{0,40}PRIVATE KEY(?: BLOCK)?-----/y
const pemMax = 64 * 1024
/** A private key, whole or cut off: everything after the header that can belong to it. */
function privateKey(text: string, start: number): Spot | undefined {
  pemBegin.lastIndex = start
  const match = pemBegin.exec(text)
  if (!match) return undefined
  const bodyStart = pemBegin.lastIndex
  const close = text.indexOf('-----END', bodyStart)
  if (close !== -1 && close - bodyStart <= pemMax) {
    if (close - bodyStart < 40) return undefined // header and footer with next to nothing between: documentation
    const dashes = text.indexOf('-----', close + 8)
    return { kind: 'private-key', start, end: dashes !== -1 && dashes - close < 80 ? dashes + 5 : close + 8 }
  }
  let at = bodyStart
  while (at < text.length && at - bodyStart < pemMax && /[A-Za-z0-9+/=\s\\:,-]/.test(text[at] as string)) at += 1
  // Without anything of the key behind it the header is prose about keys, unless it is all there is.
  const some = /[A-Za-z0-9+/=]{16}/.test(text.slice(bodyStart, at)) || (at === text.length && text.slice(0, start).trim() === '')
  return some ? { kind: 'private-key', start, end: at } : undefined
}

const codeAfter = /[^\n\d]{0,24}?\b(\d{4,8})\b/y
/** A one-time code only where the words leave no doubt; "code 771204" alone is a number. */
function oneTimeCode(text: string, _start: number, end: number): Spot | undefined {
  codeAfter.lastIndex = end
  const value = codeAfter.exec(text)?.[1]
  return value === undefined ? undefined : { kind: 'one-time-code', start: codeAfter.lastIndex - value.length, end: codeAfter.lastIndex }
}

export const contextRules: readonly ContextRule[] = [
  { literals: ['key', 'token', 'secret', 'pass', 'pwd', 'credential', 'jwt', '_pat', '_pw', 'srt'], look: assignment },
  { literals: ['authorization'], look: authorization },
  { literals: ['bearer '], look: bearer },
  { literals: ['://'], look: urlPassword },
  { literals: ['--user', ' -u'], look: commandUser },
  { literals: ['-----begin'], look: privateKey },
  {
    literals: [
      'verification code',
      'one-time code',
      'one-time password',
      'one time password',
      'security code',
      'login code',
      '2fa code',
      'otp code',
      'your otp',
      'otp is',
      'otp:',
      'passcode',
    ],
    look: oneTimeCode,
  },
]
