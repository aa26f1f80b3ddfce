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

/** JSON written into a text attribute; anything that is not JSON, or nests too deeply to pass on, stays the text it is. */
export function jsonInText(text: string): Json {
  const first = text.trimStart()[0]
  if (first !== '{' && first !== '[') return text
  if (scan(Buffer.from(text), jsonDepthMax).tooDeep) return text
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}
