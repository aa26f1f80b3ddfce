/** Finds secrets in a text: one pass for the literals, then each rule looks at its own few places. */
import { secretTokenPattern } from '../../schemas/secret.ts'
import { createTextUnits } from '../../schemas/text-units.ts'
import { type ContextRule, contextRules, type Spot } from './context-rules.ts'
import { compileLiterals, sieveChars } from './literals.ts'
import { findPersonal } from './personal.ts'
import { type VendorRule, vendorRules } from './vendor-rules.ts'

export type Secret = Readonly<{ kind: string; start: number; end: number; value: string }>
export type FindSecrets = (text: string) => readonly Secret[]
export { isNamedSecret, nameKind } from './context-rules.ts'

/** Kinds that are personal data and no credentials. */
export const personalKinds: readonly string[] = ['pii-card', 'pii-iban']
/** Every kind a finding can have. */
export const secretKinds: readonly string[] = [
  ...new Set([
    ...vendorRules.map((rule) => rule.kind),
    ...[
      'password',
      'api-key',
      'token',
      'aws-secret-key',
      'named-key',
      'basic-auth',
      'bearer-token',
      'url-password',
      'private-key',
      'one-time-code',
    ],
    ...personalKinds,
  ]),
].sort()

/** A text of nothing but openings is not worth more looks than this; whatever was found so far counts. */
const looksMax = 200_000

/** Nothing that is shorter is a secret. */
export const textMin = 6
const none: readonly Secret[] = []
type Owner = Readonly<{ literal: string; telling: boolean; vendor?: VendorRule; context?: ContextRule }>

/** Compiles the rules once; what it returns keeps nothing of a text but scratch that the next one writes over. */
export function createSecretFinder(): FindSecrets {
  const owners: Owner[] = [
    ...vendorRules.flatMap((vendor) => vendor.literals.map((literal) => ({ vendor, literal, telling: isTelling(literal) }))),
    ...contextRules.flatMap((context) => context.literals.map((literal) => ({ context, literal, telling: false }))),
  ]
  const scan = compileLiterals(owners.map(({ literal }) => literal))
  const codesOf = createTextUnits(sieveChars)
  return (text) => {
    if (text.length < textMin) return none
    const codes = codesOf(text)
    const strong: Spot[] = []
    const weak: Spot[] = []
    let looks = 0
    scan(codes, text.length, (hit, end) => {
      if (looks >= looksMax) return
      looks += 1
      const { literal, vendor, context, telling } = owners[hit] as Owner
      const start = end - literal.length
      if (vendor) push(strong, lookVendor(vendor, text, start, telling))
      else if (context) push(weak, context.look(text, start, end))
    })
    for (const spot of findPersonal(text)) weak.push(spot)
    if (strong.length === 0 && weak.length === 0) return none
    return settle(text, strong, weak)
  }
}

function push(spots: Spot[], spot: Spot | undefined): void {
  if (spot) spots.push(spot)
}

/** `ghp_` is no part of a word, so a letter glued before it hides nothing; `sk-` and `akia` are in many. */
const isTelling = (literal: string): boolean => literal.length > 3 && /[_-]/.test(literal)

function lookVendor(rule: VendorRule, text: string, literalStart: number, telling: boolean): Spot | undefined {
  const { pattern } = rule
  const from = Math.max(0, literalStart - rule.back)
  if (rule.back === 0 ? !telling && isInsideWord(text, literalStart) : !beforeLiteral.test(text.charAt(literalStart - 1))) return undefined
  pattern.lastIndex = from
  const match = rule.back === 0 ? pattern.exec(text) : searchNear(pattern, text, from, literalStart)
  if (!match) return undefined
  const whole = match.index
  if (!telling && isInsideWord(text, whole)) return undefined
  const value = match[1] ?? match[0]
  const start = whole + match[0].length - value.length
  const end = start + value.length
  if ((!telling && isWordCode(text.charCodeAt(end))) || !rule.accept(value)) return undefined
  return { kind: rule.kind, start, end }
}

/** Whatever a `back` rule matches has one of these right before its literal; in other texts a `|` or `-us` mostly has not. */
const beforeLiteral = /[\w~.-]/

/** `back` rules: the pattern may begin anywhere up to the literal, and must reach it. Bounded by `back` times the pattern. */
function searchNear(pattern: RegExp, text: string, from: number, literalStart: number): RegExpExecArray | null {
  const window = text.slice(from, literalStart + 256)
  pattern.lastIndex = 0
  const match = pattern.exec(window)
  if (!match || from + match.index > literalStart || from + match.index + match[0].length <= literalStart) return null
  match.index += from
  return match
}

const isWordCode = (code: number): boolean => (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57)

/** A letter or digit before the secret means that it is a piece of something longer, unless that letter belongs to an escape (`\n`, `%3D`). */
function isInsideWord(text: string, start: number): boolean {
  if (start === 0 || !isWordCode(text.charCodeAt(start)) || !isWordCode(text.charCodeAt(start - 1))) return false
  if (text[start - 2] === '\\' && /[nrt]/.test(text[start - 1] as string)) return false
  return !/^%[0-9A-Fa-f]{2}$/.test(text.slice(Math.max(0, start - 3), start))
}

/** Overlaps: what is known by its own form beats what its place suggests, then the longer one. Tokens of earlier redaction beat all. */
function settle(text: string, strong: readonly Spot[], weak: readonly Spot[]): Secret[] {
  const tokens = text.includes('⟦')
    ? [...text.matchAll(secretTokenPattern)].map(({ 0: { length }, index }) => ({ kind: '', start: index, end: index + length }))
    : []
  const ranked = [tokens, strong, weak].flatMap((spots, rank) => spots.map((spot) => ({ spot, rank })))
  ranked.sort((a, b) => a.spot.start - b.spot.start)
  const taken: typeof ranked = []
  for (const next of ranked) {
    const last = taken.at(-1)
    if (last === undefined || last.spot.end <= next.spot.start) taken.push(next)
    else if (last.rank === 1 && next.rank === 1 && next.spot.end > last.spot.end && next.spot.start > last.spot.start) {
      // Two secrets without anything between them: the first took the opening of the second along.
      taken[taken.length - 1] = { spot: { ...last.spot, end: next.spot.start }, rank: last.rank }
      taken.push(next)
    } else if (next.rank < last.rank || (next.rank === last.rank && lengthOf(next.spot) > lengthOf(last.spot)))
      taken[taken.length - 1] = next
  }
  return taken
    .filter(({ rank }) => rank > 0)
    .map(({ spot }) => ({ ...spot, value: text.slice(spot.start, spot.end) }))
    .filter(({ value }) => !/[⟦⟧]/.test(value))
}

const lengthOf = (spot: Spot): number => spot.end - spot.start
