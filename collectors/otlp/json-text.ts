/** JSON text of unknown origin → a value: depth is bounded before anything is built, long integers stay exact. */
import { Fault } from '../../schemas/errors.ts'
import type { Json } from '../../schemas/event.ts'

export const jsonDepthMax = 64

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** The deepest nesting, and whether a number is long enough to be rounded. Stops at the first byte beyond `depthMax`. */
function scan(bytes: Uint8Array, depthMax: number): { tooDeep: boolean; longNumber: boolean } {
  let depth = 0
  let digits = 0
  let longNumber = false
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] as number
    if (byte === QUOTE) {
      at += 1
      while (at < bytes.length && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1
      digits = 0
    } else if (byte >= 0x30 && byte <= 0x39) {
      digits += 1
      if (digits >= 16) longNumber = true
    } else {
      digits = 0
      if (byte === 0x5b || byte === 0x7b) {
        depth += 1
        if (depth > depthMax) return { tooDeep: true, longNumber }
      } else if (byte === 0x5d || byte === 0x7d) depth -= 1
    }
  }
  return { tooDeep: false, longNumber }
}

/** Integers that a double would round become their decimal text; everything that reads integers takes either. */
const exact = (_key: string, value: unknown, context: { source?: string }): unknown =>
  typeof value === 'number' && !Number.isSafeInteger(value) && context.source !== undefined && /^-?\d{16,20}$/.test(context.source)
    ? context.source
    : value

export function parseBounded(bytes: Uint8Array): unknown {
  const { tooDeep, longNumber } = scan(bytes, jsonDepthMax)
  if (tooDeep) throw new Fault('RECORD_INVALID', `JSON nested deeper than ${jsonDepthMax}`)
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
  try {
    // safe: the reviver's third parameter is ES2025's source text access, which the library types lack
    return longNumber ? JSON.parse(text, exact as (key: string, value: unknown) => unknown) : JSON.parse(text)
  } catch (error) {
    throw new Fault('RECORD_INVALID', 'body is not JSON', error)
  }
}

/** So few brackets in all, in strings or out of them, cannot nest deeper: searching for each is cheaper than reading. */
function hasAtMost(text: string, openingsMax: number): boolean {
  let openings = 0
  for (let at = text.indexOf('['); at >= 0; at = text.indexOf('[', at + 1)) if (++openings > openingsMax) return false
  for (let at = text.indexOf('{'); at >= 0; at = text.indexOf('{', at + 1)) if (++openings > openingsMax) return false
  return true
}

/** Brackets outside strings; strings, which are most of a content, are skipped by searching for their end. */
function nestsTooDeep(text: string, depthMax: number): boolean {
  if (hasAtMost(text, depthMax)) return false
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    const code = text.charCodeAt(at)
    if (code === 0x5b || code === 0x7b) {
      depth += 1
      if (depth > depthMax) return true
    } else if (code === 0x5d || code === 0x7d) depth -= 1
    else if (code === QUOTE) {
      at = endOfString(text, at)
      if (at < 0) return false // no JSON at all
    }
  }
  return false
}
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end >= 0) {
    let backslashes = 0
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes += 1
    if (backslashes % 2 === 0) return end
    end = text.indexOf('"', end + 1)
  }
  return end
}

/** JSON written into a text attribute; anything that is not JSON, or nests too deeply to pass on, stays the text it is. */
export function jsonInText(text: string): Json {
  if (!/^\s*[[{]/.test(text) || nestsTooDeep(text, jsonDepthMax)) return text
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}
