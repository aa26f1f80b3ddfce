/** Payment cards and bank accounts: numbers with a check of their own, so that an order number stays an order number. */
import type { Spot } from './context-rules.ts'

const cardShape = /(?<![\w.+-])(?:\d[ -]?){12,18}\d(?![\w-]|\.\d)/g
const ibanShape = /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![A-Za-z0-9])/g

/** Country → length: an IBAN of another length is none. */
const ibanLengths = new Map(
  (
    'AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 GB22 ' +
    'GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20 LU20 LV21 MC27 MD24 ME22 MK19 ' +
    'MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), Number(entry.slice(2))] as const),
)

/** What every shape holds: asked first, because these expressions begin nowhere in most texts and skip over them. */
const someDigits = /\d{4}/
const cardDigits = new RegExp(`\\d${'[ -]?\\d'.repeat(12)}`)
const ibanStart = /[A-Z]{2}\d{2}/

const none: readonly Spot[] = []

export function findPersonal(text: string): readonly Spot[] {
  if (!someDigits.test(text)) return none
  const found: Spot[] = []
  for (const match of cardDigits.test(text) ? text.matchAll(cardShape) : []) {
    if (isCard(match[0].replace(/[ -]/g, ''))) found.push({ kind: 'pii-card', start: match.index, end: match.index + match[0].length })
  }
  for (const match of ibanStart.test(text) ? text.matchAll(ibanShape) : []) {
    const whole = ibanIn(match[0])
    if (whole > 0) found.push({ kind: 'pii-iban', start: match.index, end: match.index + whole })
  }
  return found
}

function isCard(digits: string): boolean {
  const issued =
    /^(?:4\d{12}(?:\d{3})?|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|3[47]\d{13}|6(?:011|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12})$/.test(
      digits,
    )
  if (!issued || new Set(digits).size < 2) return false
  let sum = 0
  for (let at = 0; at < digits.length; at += 1) {
    const digit = digits.charCodeAt(digits.length - 1 - at) - 48
    const counted = at % 2 === 1 ? digit * 2 : digit
    sum += counted > 9 ? counted - 9 : counted
  }
  return sum % 10 === 0
}

/** The length, in the text, of the IBAN that begins here; 0 if none does. The shape may have taken a following word along. */
function ibanIn(shaped: string): number {
  const length = ibanLengths.get(shaped.slice(0, 2))
  if (length === undefined) return 0
  let taken = 0
  let compact = ''
  while (taken < shaped.length && compact.length < length) {
    if (shaped[taken] !== ' ') compact += shaped[taken]
    taken += 1
  }
  if (compact.length !== length || /[A-Z0-9]/.test(shaped[taken] ?? '')) return 0
  let remainder = 0
  for (const character of compact.slice(4) + compact.slice(0, 4)) {
    const code = character.charCodeAt(0)
    remainder = (code >= 65 ? remainder * 100 + (code - 55) : remainder * 10 + (code - 48)) % 97
  }
  return remainder === 1 ? taken : 0
}
