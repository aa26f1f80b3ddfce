/** One text → the JSON-RPC messages in it, each with its raw facts; or the reason why there is none. */
import type { Json } from '../../schemas/event.ts'
import { isObject, type JsonObject } from './protocol.ts'
import { batchMax, depthMax, foldKey, type ScanLimits, scanRaw } from './raw-facts.ts'

/** Text of a malformed message (or of what trails one) that is kept. */
const textKeptMax = 64 * 1024

export type ParsedMessage = Readonly<{ value: JsonObject | undefined; text?: string; cut?: boolean; facts: readonly string[] }>
export type Parsed = Readonly<{
  /** Never empty. Without `value` it is malformed, and `text` is what can be shown. */
  messages: readonly ParsedMessage[]
  trailing?: string | undefined
  text: string
  bytes: number
  depth: number
  /** False when the text was made here from parsed JSON: then its bytes prove nothing. */
  asSent: boolean
}>

const kept = (text: string): string => text.slice(0, textKeptMax).toWellFormed()
const refused = (text: string, facts: readonly string[]): ParsedMessage => ({
  value: undefined,
  text: kept(text),
  cut: text.length > textKeptMax,
  facts,
})

/** Whether parsed JSON is deeper than the limit, without recursion. */
export function isDeeper(value: Json, limit: number): boolean {
  let level: Json[] = [value]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > limit) return true
    const next: Json[] = []
    for (const one of level) {
      if (one === null || typeof one !== 'object') continue
      for (const child of Array.isArray(one) ? one : Object.values(one)) if (child !== null && typeof child === 'object') next.push(child)
    }
    level = next
  }
  return false
}

/** Under a name that differs in case only, lenient parsers see the protocol's member: so do we, when it is not there itself. */
function asLenient(value: JsonObject, facts: readonly string[]): JsonObject {
  if (!facts.some((fact) => fact.startsWith('case_variant'))) return value
  const entries = Object.entries(value)
  return Object.fromEntries(
    entries.map(([name, given]): [string, Json] => {
      const folded = foldKey(name)
      const known = facts.includes(`case_variant:${folded}`) && !Object.hasOwn(value, folded)
      return [known ? folded : name, folded === 'params' && isObject(given) ? asLenient(given, facts) : given]
    }),
  )
}

function isMessage(value: Json): value is JsonObject {
  return isObject(value) && (typeof value.method === 'string' || Object.hasOwn(value, 'result') || Object.hasOwn(value, 'error'))
}

function judged(given: Json, facts: readonly string[]): ParsedMessage {
  const value = isObject(given) ? asLenient(given, facts) : given
  if (!isMessage(value)) return refused(JSON.stringify(given), [...facts, 'not_rpc'])
  const more: string[] = []
  if (value.jsonrpc === undefined) more.push('jsonrpc_missing')
  else if (value.jsonrpc !== '2.0') more.push('jsonrpc_version')
  if (value.method !== undefined && (Object.hasOwn(value, 'result') || Object.hasOwn(value, 'error'))) more.push('mixed_message')
  // An error answer to what could not be read has a null id by the rules.
  const own = facts.filter((fact) => fact !== 'null_id' || !Object.hasOwn(value, 'error'))
  return { value, facts: [...own, ...more] }
}

export function parseMessages(raw: string | Uint8Array | Json, limits: ScanLimits = {}): Parsed {
  const asSent = typeof raw === 'string' || raw instanceof Uint8Array
  const limit = limits.depthMax ?? depthMax
  if (!asSent && isDeeper(raw, limit)) {
    return { messages: [{ ...refused('', ['depth']), cut: true }], text: '', bytes: 0, depth: limit + 1, asSent }
  }
  const scan = scanRaw(asSent ? raw : (JSON.stringify(raw) ?? 'null'), limits)
  const { text, bytes, depth } = scan
  const malformed = (...more: string[]): Parsed => {
    const facts = [...new Set([...scan.facts, ...[...scan.elementFacts.values()].flat(), ...more])]
    return { messages: [refused(text, facts)], text, bytes, depth, asSent }
  }
  if (!scan.parseable) return malformed()
  let value: Json
  try {
    value = asSent ? (JSON.parse(text.slice(0, scan.end)) as Json) : raw
  } catch {
    return malformed('not_json')
  }
  const trailing = scan.end < text.length && scan.facts.includes('trailing_data') ? kept(text.slice(scan.end)) : undefined
  const factsOf = (element: number) => [...scan.facts, ...(scan.elementFacts.get(element) ?? [])]
  if (!Array.isArray(value)) return { messages: [judged(value, factsOf(0))], trailing, text, bytes, depth, asSent }
  if (value.length === 0) return malformed('empty_batch')
  const messages = value.slice(0, batchMax).map((one, element) => judged(one, factsOf(element)))
  if (value.length > batchMax) {
    messages.push({ ...refused(JSON.stringify(value.slice(batchMax, batchMax + 10)), [...scan.facts, 'batch_too_large']), cut: true })
  }
  return { messages, trailing, text, bytes, depth, asSent }
}
