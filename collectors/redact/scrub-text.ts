/** Replaces the secrets of one text by their tokens, also inside base64 and hex, and cuts what is too long. */
import { secretToken } from '../../schemas/secret.ts'
import { encodedRuns } from '../../schemas/unwrap.ts'
import type { KeyedHash } from '../keys.ts'
import type { NameKind } from './context-rules.ts'
import { type FindSecrets, isNamedSecret, nameKind, personalKinds, type Secret, textMin } from './find-secrets.ts'
import { distinct, isStandIn } from './plausible.ts'

export type ScrubOptions = Readonly<{
  find: FindSecrets
  keyedHash: KeyedHash
  personal: boolean
  lengthMax: number
  found: (secret: string) => void
  /** `nameKind`, remembered: names repeat. */
  kindOf?: (name: string) => NameKind | undefined
  /** Texts that were seen to hold nothing, for those that repeat. */
  clean?: CleanTexts
  /** The same for keys of objects. */
  ofKeys?: ScrubOptions
}>

/** Short texts that repeat from event to event: those without a secret are remembered and not looked at again. */
export type CleanTexts = Readonly<{ has: (text: string) => boolean; add: (text: string) => void }>
const cleanMax = 20_000
const cleanCharsMax = 256
export function createCleanTexts(): CleanTexts {
  const texts = new Set<string>()
  return {
    has: (text) => texts.has(text),
    add(text) {
      if (text.length > cleanCharsMax) return
      if (texts.size >= cleanMax) texts.clear()
      texts.add(text)
    },
  }
}

/** A replacement can bring a further secret to light (`token=⟦…⟧ghp_…`); three passes reach rest in practice and in the tests. */
const passesMax = 4
const encodedMax = 256 * 1024

/** `name` is what the text stands under, and may say what it is. `note` hears of a text that was cut. */
export function scrubText(text: string, options: ScrubOptions, name?: string, definition = false, note?: { cut: boolean }): string {
  const named = name === undefined ? undefined : wholeSecret(text, name, definition, options)
  if (named !== undefined) return named
  if (text.length < textMin || options.clean?.has(text)) return text
  const clean = scrubEncoded(scrubPlain(text, options), options)
  if (clean.length <= options.lengthMax) {
    if (clean === text) options.clean?.add(text)
    return clean
  }
  if (note) note.cut = true
  // The cut may part a secret from what kept it from being seen, so the remains are looked at once more.
  return scrubPlain(cutMiddle(clean, options.lengthMax), options)
}

function scrubPlain(text: string, options: ScrubOptions): string {
  let current = text
  for (let pass = 0; pass < passesMax; pass += 1) {
    const secrets = wanted(options.find(current), options)
    if (secrets.length === 0) return current
    current = replaceAll(current, secrets, options)
  }
  return current
}

const wanted = (secrets: readonly Secret[], options: ScrubOptions): readonly Secret[] =>
  options.personal ? secrets : secrets.filter((secret) => !personalKinds.includes(secret.kind))

function replaceAll(text: string, secrets: readonly Secret[], options: ScrubOptions): string {
  let rest = 0
  let result = ''
  for (const secret of secrets) {
    result += text.slice(rest, secret.start) + tokenFor(secret.kind, secret.value, options)
    rest = secret.end
  }
  return result + text.slice(rest)
}

function tokenFor(kind: string, value: string, options: ScrubOptions): string {
  const hash = options.keyedHash(value)
  options.found(`${kind}:${hash}`)
  return secretToken(kind, hash)
}

/** `{"API_KEY": "…"}`: the name is outside the text. Its own form, where it has one, says more than the name. */
function wholeSecret(text: string, name: string, definition: boolean, options: ScrubOptions): string | undefined {
  if (text.length < 4 || text.length > 4_096) return undefined
  if (/authorization$/i.test(name)) return headerSecret(text, options)
  const kind = options.kindOf ? options.kindOf(name) : kindOfName(name)
  if (kind === undefined) return undefined
  const plausible = isNamedSecret(kind, text, true) || (kind === 'password' && !definition && isChosen(text))
  if (!plausible) return undefined
  const own = options.find(text).find((secret) => secret.start === 0 && secret.end === text.length)
  return tokenFor(own?.kind ?? kind, text, options)
}

export const kindOfName = (name: string): NameKind | undefined => nameKind(name.replace(/^-{1,2}/, ''))

/** In data, unlike in prose and code, a string called `password` is one, however weak. */
const isChosen = (text: string): boolean => text.length <= 256 && !/[\s⟦⟧]/.test(text) && !isStandIn(text) && distinct(text) >= 3

function headerSecret(text: string, options: ScrubOptions): string | undefined {
  const prefix = 'authorization: '
  const secrets = wanted(options.find(prefix + text), options)
  return secrets.length === 0 ? undefined : replaceAll(prefix + text, secrets, options).slice(prefix.length)
}

/** A secret that hides in an encoding leaves as its token in the same encoding, so that decoding it downstream still shows the rest. */
function scrubEncoded(text: string, options: ScrubOptions): string {
  const runs = encodedRuns(text, encodedMax)
  if (runs.length === 0) return text
  let rest = 0
  let result = ''
  for (const run of runs) {
    if (run.start < rest) continue
    const inner = scrubPlain(run.text, options)
    if (inner === run.text) continue
    const encoded = Buffer.from(inner).toString(run.layers[0] === 'hex' ? 'hex' : run.layers[0] === 'base64url' ? 'base64url' : 'base64')
    result += text.slice(rest, run.start) + encoded
    rest = run.end
  }
  return result + text.slice(rest)
}

/** Head and tail with a marker between; never longer than `lengthMax`, and never through the middle of a pair of surrogates. */
function cutMiddle(text: string, lengthMax: number): string {
  const marker = `⟦cut:${text.length - lengthMax}⟧`
  const room = lengthMax - marker.length - 64 // a secret that only the cut reveals may have a longer token
  const head = Math.ceil(room * 0.75)
  return `${text.slice(0, head)}${marker}${text.slice(text.length - (room - head))}`.toWellFormed()
}
