/** What parsed JSON has lost: one linear scan over a message's text, before JSON.parse, without recursion. */
import { isUtf8 } from 'node:buffer'

/** Deeper messages are not parsed: no honest MCP message is near, and several parsers in the field fall over. */
export const depthMax = 64
/** Larger messages are not parsed; their size is a fact. */
const messageBytesMax = 32 * 1024 * 1024
/** Elements of a batch that get facts (and events) of their own. */
export const batchMax = 1000
/** Distinct argument names compared for duplicates. */
const argumentNamesMax = 10_000

export type RawScan = Readonly<{
  text: string
  bytes: number
  depth: number
  /** Where the first JSON value ends. */
  end: number
  /** Facts about the whole text. */
  facts: readonly string[]
  /** Facts about one element: number 0 unless the text is a batch. */
  elementFacts: ReadonlyMap<number, readonly string[]>
  /** False: JSON.parse must not be tried. */
  parseable: boolean
}>
export type ScanLimits = Readonly<{ depthMax?: number; bytesMax?: number }>

// Roles of an open container. Only the first three have members the protocol names.
const ROOT = 1
const PARAMS = 2
const ARGUMENTS = 3
const OBJECT = 4
const ARRAY = 5
const BATCH = 6

const rootKeys: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params', 'result', 'error'])
const paramsKeys: ReadonlySet<string> = new Set(['name', 'arguments', 'uri', '_meta'])

/** As Go's encoding/json folds names: also the long s (U+017F) and the Kelvin sign (U+212A) equal their ASCII letters. */
export const foldKey = (key: string): string => key.toUpperCase().toLowerCase()

/** What is kept of a message that is too large. */
const headMax = 128 * 1024

/** Bytes → text. Invalid UTF-8 is decoded with replacement characters and told; a byte order mark is removed and told. */
function decodeText(raw: string | Uint8Array): { text: string; facts: string[] } {
  const facts: string[] = []
  let text = typeof raw === 'string' ? raw : Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength).toString('utf8')
  if (typeof raw !== 'string' && !isUtf8(raw)) facts.push('invalid_utf8')
  if (text.charCodeAt(0) === 0xfeff) {
    facts.push('bom')
    text = text.slice(1)
  }
  if (typeof raw === 'string' && !text.isWellFormed()) facts.push('lone_surrogate')
  return { text, facts }
}

/** Skips JSON white space. */
function pastBlanks(text: string, from: number): number {
  let at = from
  for (; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code !== 32 && code !== 10 && code !== 13 && code !== 9) break
  }
  return at
}

const hexUnit = (text: string, at: number): number => {
  const digits = text.slice(at, at + 4)
  return /^[0-9a-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : -1
}
const isHigh = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff

/** The index of the closing quote (or the end of the text), and whether an escaped surrogate stands alone. */
function stringEnd(text: string, from: number): { end: number; lone: boolean } {
  let lone = false
  let at = from
  while (at < text.length) {
    const code = text.charCodeAt(at)
    if (code === 34) break
    if (code !== 92) {
      at += 1
      continue
    }
    const unit = text.charCodeAt(at + 1) === 117 ? hexUnit(text, at + 2) : -1
    if (isHigh(unit)) {
      const paired = text.charCodeAt(at + 6) === 92 && text.charCodeAt(at + 7) === 117 && isLow(hexUnit(text, at + 8))
      if (!paired) lone = true
      at += paired ? 12 : 6
    } else {
      if (isLow(unit)) lone = true
      at += 2
    }
  }
  return { end: Math.min(at, text.length), lone }
}

function decodedKey(text: string, from: number, end: number): string {
  const written = text.slice(from, end)
  if (!written.includes('\\')) return written
  try {
    return String(JSON.parse(`"${written}"`))
  } catch {
    return written
  }
}

/** What an `id` looks like in the text; JSON.parse rounds large ones silently. */
function idFact(text: string, at: number): string | undefined {
  const token = /^[^,}\]\s]{1,400}/.exec(text.slice(at, at + 400))?.[0] ?? ''
  if (token === 'null') return 'null_id'
  if (token === 'true' || token === 'false') return 'bool_id'
  if (!/^-?\d/.test(token)) return undefined
  if (/[.eE]/.test(token)) return 'fractional_id'
  return Number.isSafeInteger(Number(token)) ? undefined : 'big_id'
}

type Notes = { add: (fact: string, element?: number) => void; facts: Set<string>; elements: Map<number, Set<string>> }
function notes(): Notes {
  const facts = new Set<string>()
  const elements = new Map<number, Set<string>>()
  const add = (fact: string, element?: number) => {
    if (element === undefined || element >= batchMax) return void facts.add(fact)
    const known = elements.get(element)
    if (known) known.add(fact)
    else elements.set(element, new Set([fact]))
  }
  return { add, facts, elements }
}

/** The protocol's names seen in the objects that are open now: a name twice, or equal but for case. */
function keyWatch(note: Notes['add']) {
  const seen: readonly Set<string>[] = [new Set(), new Set(), new Set(), new Set()]
  return {
    opened: (role: number) => seen[role]?.clear(),
    key(role: number, text: string, from: number, end: number, element: number): string {
      const key = decodedKey(text, from, end)
      if (key.includes('\0')) note('nul_in_key', element)
      if (role > ARGUMENTS) return key
      const names = seen[role] as Set<string>
      if (role === ARGUMENTS) {
        if (names.has(key)) note('duplicate_argument', element)
        else if (names.size < argumentNamesMax) names.add(key)
        return key
      }
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
      if (/[\u0001-\u001f\u007f]/.test(key)) note('control_in_key', element)
      // biome-ignore lint/suspicious/noControlCharactersInRegex: some parsers see a name that ends at its NUL
      const cut = key.replace(/[\u0000-\u001f\u007f].*$/s, '')
      const folded = foldKey(cut)
      if (!(role === ROOT ? rootKeys : paramsKeys).has(folded)) return key
      if (cut !== folded) note(`case_variant:${folded}`, element)
      if (key === folded && end - from !== key.length) note(`escaped_key:${folded}`, element)
      if (names.has(cut)) note(`duplicate_key:${folded}`, element)
      names.add(cut)
      return folded
    },
  }
}

/** The role of a container from what it stands in. */
function roleOf(object: boolean, depth: number, parent: number, key: string): number {
  if (depth === 1) return object ? ROOT : BATCH
  if (!object) return ARRAY
  if (parent === BATCH) return ROOT
  if (parent === ROOT && key === 'params') return PARAMS
  if (parent === PARAMS && key === 'arguments') return ARGUMENTS
  return OBJECT
}

/** Walks the text once. `roles` and `names` are fixed in size: below the depth limit only the depth is counted. */
function walk(text: string, note: Notes['add'], limit: number): { depth: number; end: number } {
  const roles = new Uint8Array(limit + 2)
  const names: string[] = new Array(limit + 2).fill('')
  const watch = keyWatch(note)
  let depth = 0
  let deepest = 0
  let element = 0
  let keyNext = false
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    const role = depth <= limit ? (roles[depth] as number) : ARRAY
    if (code === 34) {
      const { end, lone } = stringEnd(text, at + 1)
      if (lone) note('lone_surrogate', element)
      if (keyNext && depth <= limit) names[depth] = watch.key(role, text, at + 1, end, element)
      keyNext = false
      at = end
    } else if (code === 123 || code === 91) {
      if (role === ROOT && names[depth] === 'id' && !keyNext) note('object_id', element)
      depth += 1
      deepest = Math.max(deepest, depth)
      keyNext = code === 123
      if (depth <= limit) {
        const opened = roleOf(code === 123, depth, role, names[depth - 1] as string)
        roles[depth] = opened
        names[depth] = ''
        if (opened === BATCH) note('batch')
        if (opened <= ARGUMENTS) watch.opened(opened)
      }
    } else if (code === 125 || code === 93) {
      depth -= 1
      keyNext = false
      if (depth <= 0) return { depth: deepest, end: at + 1 }
    } else if (code === 44) {
      if (role === BATCH) element += 1
      keyNext = role === ROOT || role === PARAMS || role === ARGUMENTS || role === OBJECT
    } else if (code === 58 && role === ROOT && names[depth] === 'id') {
      const fact = idFact(text, pastBlanks(text, at + 1))
      if (fact) note(fact, element)
    }
  }
  return { depth: deepest, end: text.length }
}

/** The facts of one message's text. Never throws; linear in its length. */
export function scanRaw(raw: string | Uint8Array, limits: ScanLimits = {}): RawScan {
  const limit = limits.depthMax ?? depthMax
  const size = typeof raw === 'string' ? Buffer.byteLength(raw) : raw.byteLength
  if (size > (limits.bytesMax ?? messageBytesMax)) {
    // Only the head is decoded: beyond 512 MiB no text could hold it.
    const { text } = decodeText(typeof raw === 'string' ? raw.slice(0, headMax) : raw.subarray(0, headMax))
    return { text, bytes: size, depth: 0, end: text.length, facts: ['too_large'], elementFacts: new Map(), parseable: false }
  }
  const { text, facts } = decodeText(raw)
  const found = notes()
  for (const fact of facts) found.add(fact)
  const { depth, end } = walk(text, found.add, limit)
  if (depth > limit) found.add('depth')
  if (pastBlanks(text, end) < text.length) found.add('trailing_data')
  const elementFacts = new Map([...found.elements].map(([element, set]) => [element, [...set]]))
  return { text, bytes: size, depth, end, facts: [...found.facts], elementFacts, parseable: depth <= limit }
}
