/** Does a value look like a real secret, or like what documentation and code write in its place? */

/** What people write where a secret would stand. Anywhere in the value. */
const standIn =
  /x{5,}|\*{3,}|\.{3,}|#{4,}|<[^>]{0,60}>|\$\{|\{\{|\$\(|%[sdv]$|^\$|^%\w{1,40}%$|^@|your[_-]?|change[_-]?me|placeholder|redacted|replace[_-]?(?:me|with)|insert[_-]|example|todo|⟦|⟧/i
/** The whole value: types, words for "no value", and the names of what stands there. */
const wholeStandIn =
  /^(?:string|number|boolean|true|false|null|none|undefined|nil|void|optional|required|default|unknown|anonymous|empty|hidden|masked|user|username|pass|passwd|password|pwd|secret|token|key|apikey|api[_-]?key|(?:access|auth|my|the|some|test|bot)[_-]?(?:token|key|secret|password|pass)|foo|bar|baz|abc|bearer|basic|process\.env.*|os\.environ.*|env\..*|(?:[a-z]{1,12}_)?[A-Z]+(?:_[A-Z]+)*)$/
const uuid = /^\{?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\}?$/i
const expression = /^[A-Za-z_$][\w$]{0,60}(?:\.[A-Za-z_$][\w$]{0,60}){1,8}$/
const path = /^(?:~?\.{0,2}\/|[A-Za-z]:\\|https?:|file:|data:|arn:|urn:)/

export const isStandIn = (value: string): boolean => standIn.test(value.slice(0, 512)) || wholeStandIn.test(value.slice(0, 128))
export const isUuid = (value: string): boolean => uuid.test(value)

export function distinct(value: string): number {
  return new Set(value.slice(0, 256)).size
}

/** Shannon entropy in bits a character. */
export function entropy(value: string): number {
  const counts = new Map<string, number>()
  for (const character of value) counts.set(character, (counts.get(character) ?? 0) + 1)
  let bits = 0
  for (const count of counts.values()) bits -= (count / value.length) * Math.log2(count / value.length)
  return bits
}

/** A run that only counts or repeats (`123456789…`, `0000…`) is nobody’s key. */
function isSequence(value: string): boolean {
  let same = 0
  let step = 0
  for (let at = 1; at < value.length; at += 1) {
    const difference = value.charCodeAt(at) - value.charCodeAt(at - 1)
    if (difference === 0) same += 1
    if (difference === 1) step += 1
  }
  return value.length > 3 && (same >= (value.length - 1) * 0.8 || step >= (value.length - 1) * 0.85)
}

/** A value under a name such as `api_key` or `token`: letters and digits, varied, no path, no expression. */
export function isPlausibleKey(value: string, uuidCounts: boolean): boolean {
  if (value.length < 10 || value.length > 1_024 || /[\s⟦⟧]/.test(value) || isStandIn(value) || isSequence(value)) return false
  if (isUuid(value)) return uuidCounts
  if (path.test(value) || /[(){}[\]<>]/.test(value)) return false
  if (!/\d/.test(value))
    return value.length >= 24 && /[a-z]/.test(value) && /[A-Z]/.test(value) && !expression.test(value) && entropy(value) > 4
  if (!/[A-Za-z]/.test(value)) return value.length >= 20 && distinct(value) >= 6
  // Words joined by dashes with one number ("chatglm3-6b-32k", "us-east-1-prod") are names, not keys.
  if (/^[a-z]+\d{0,2}(?:[-_.][a-z]*\d{0,2}[a-z]?)+$/.test(value) && entropy(value) < 3.6) return false
  return distinct(value) >= 7 && entropy(value) > 2.7
}

/** A value under a name such as `password`: people choose these, so the bar is lower; plain words stay quiet. */
export function isPlausiblePassword(value: string, quoted: boolean): boolean {
  if (value.length < 6 || value.length > 512 || isStandIn(value) || isSequence(value)) return false
  if (path.test(value) || /[\s(){}[\]⟦⟧]/.test(value)) return false
  if (expression.test(value) && !/\d/.test(value)) return false
  const digits = /\d/.test(value)
  const letters = /[A-Za-z]/.test(value)
  const mixed = /[a-z]/.test(value) && /[A-Z]/.test(value)
  const symbols = /[^A-Za-z0-9_.\-:/\\]/.test(value)
  if (!letters) return digits && value.length >= 8 && distinct(value) >= 5
  if (digits) return distinct(value) >= 5
  return quoted && symbols && (mixed || value.length >= 8)
}

/** The password part of `user:pass@` and `curl -u user:pass`: the place itself says what it is. */
export function isPlausiblePart(value: string): boolean {
  if (value.length < 4 || /^(?:test|demo|\d{1,5}|\[.*|\/.*|.*[>\]])$/i.test(value)) return false
  return !isStandIn(value) && distinct(value) >= 3
}

/** A value of an issuer’s form. One character six times in a row does not happen in a short random one. */
export const isPlausibleToken = (value: string, distinctMin: number): boolean =>
  distinct(value) >= distinctMin &&
  !/x{6,}|\*{3,}|\.{4,}|#{4,}/i.test(value.slice(0, 40)) && // the beginning decides: padding behind a real one hides nothing
  !/example$|here$|redacted/i.test(value) &&
  !(value.length <= 80 && /(.)\1{5}/.test(value))

/** What follows a secret that somebody has already masked by hand. */
export const isMaskedAfter = (following: string): boolean => /^[-_]?(?:#{3}|\*{3}|\.{2}|x{4}|…|\[redacted)/i.test(following)
