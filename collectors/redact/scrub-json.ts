/** Walks JSON of any depth without recursion and scrubs every string and key; also its shape and its canonical text. */
import type { Json } from '../../schemas/event.ts'
import { type ScrubOptions, scrubText } from './scrub-text.ts'

/** `same`: nothing was replaced, and `value` is a copy of what was given. */
export type ScrubbedJson = Readonly<{ value: Json; cut: boolean; same: boolean }>
type Container = Json[] | { [key: string]: Json }
type Frame = {
  source: Container
  target: Container
  keys: readonly string[] | undefined
  at: number
  depth: number
  name: string | undefined
}

export const depthMax = 128
export const nodesMax = 200_000
const tooDeep = '⟦cut:depth⟧'
const tooMany = '⟦cut:count⟧'
const keyMax = 1_024

/** `definition`: schemas and descriptions name secrets without holding any, so names count for less there. */
export function scrubJson(json: Json, options: ScrubOptions, definition = false): ScrubbedJson {
  const walk = { nodes: 0, cut: false, same: true }
  const stack: Frame[] = []
  const leaf = (value: Json, name: string | undefined, depth: number): Json => {
    walk.nodes += 1
    if (typeof value === 'string') return scrubString(value, name)
    if (typeof value === 'number' && Math.abs(value) >= 1e12) return scrubNumber(value)
    if (value === null || typeof value !== 'object') return value
    if (depth >= depthMax || walk.nodes > nodesMax) {
      walk.cut = true
      return depth >= depthMax ? tooDeep : tooMany
    }
    const frame = frameOf(value, depth + 1, name)
    stack.push(frame)
    return frame.target
  }
  const scrubString = (text: string, name: string | undefined): string => {
    const scrubbed = scrubText(text, { name, definition }, options)
    walk.cut ||= scrubbed.cut
    walk.same &&= scrubbed.text === text
    return scrubbed.text
  }
  /** A card number sent as a number. */
  const scrubNumber = (value: number): Json => {
    const text = String(value)
    const scrubbed = scrubText(text, {}, options).text
    walk.same &&= scrubbed === text
    return scrubbed === text ? value : scrubbed
  }
  const root = leaf(json, undefined, 0)
  for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
    const step = next(frame)
    if (step === undefined) stack.pop()
    else if (walk.nodes > nodesMax) {
      walk.cut = true
      stack.pop()
    } else {
      const key = keyOf(step.key, options)
      walk.same &&= key === step.key
      put(frame.target, key, leaf(step.value, step.name, frame.depth))
    }
  }
  return { value: root, cut: walk.cut, same: walk.same && !walk.cut }
}

const frameOf = (source: Container, depth: number, name: string | undefined): Frame => ({
  source,
  target: Array.isArray(source) ? [] : {},
  keys: Array.isArray(source) ? undefined : Object.keys(source),
  at: 0,
  depth,
  name,
})

function next(frame: Frame): { key: string | undefined; value: Json; name: string | undefined } | undefined {
  const { source, keys } = frame
  const at = frame.at
  frame.at += 1
  if (Array.isArray(source)) {
    if (at >= source.length) return undefined
    return { key: undefined, value: source[at] as Json, name: flagBefore(source, at) ?? frame.name }
  }
  const key = keys?.[at]
  if (key === undefined) return undefined
  return { key, value: source[key] as Json, name: pairName(source, key) ?? key }
}

/** `["--api-key", "…"]`: in a command line the name is the element before. */
function flagBefore(list: readonly Json[], at: number): string | undefined {
  const before = at > 0 ? list[at - 1] : undefined
  return typeof before === 'string' && /^--?[A-Za-z][\w-]{2,40}$/.test(before) ? before : undefined
}

/** `{"name": "API_KEY", "value": "…"}`: the name is the sibling. */
function pairName(source: { [key: string]: Json }, key: string): string | undefined {
  if (key !== 'value' && key !== 'Value') return undefined
  const { name, key: named, Name, Key } = source
  const found = name ?? named ?? Name ?? Key
  return typeof found === 'string' ? found : undefined
}

const keyOf = (key: string | undefined, options: ScrubOptions): string | undefined =>
  key === undefined || key.length < 12 ? key : scrubText(key, {}, { ...options, lengthMax: keyMax }).text

function put(target: Container, key: string | undefined, value: Json): void {
  if (Array.isArray(target)) target.push(value)
  // An assignment would take this key for the prototype; defining every property would make slow objects of all.
  else if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true })
  else target[key ?? ''] = value
}

const shapeToken = /^⟦(?:string:\d{1,16}|number|boolean)⟧$/

/** Names, types and lengths. The shape of a shape is itself. Only for what `scrubJson` has made shallow. */
export function shapeOf(json: Json): Json {
  if (json === null) return null
  if (typeof json === 'string') return shapeToken.test(json) ? json : `⟦string:${json.length}⟧`
  if (typeof json !== 'object') return `⟦${typeof json as 'number' | 'boolean'}⟧`
  if (Array.isArray(json)) return json.map(shapeOf)
  const shape: { [key: string]: Json } = {}
  for (const key of Object.keys(json)) put(shape, key, shapeOf(json[key] as Json))
  return shape
}

/** One text for equal values: keys sorted. Only for what `scrubJson` has made shallow. */
export const canonical = (json: Json): string => (isSorted(json) ? JSON.stringify(json) : sortedText(json))

function sortedText(json: Json): string {
  if (json === null || typeof json !== 'object') return JSON.stringify(json)
  if (Array.isArray(json)) return `[${json.map(sortedText).join(',')}]`
  let text = ''
  for (const key of Object.keys(json).sort()) {
    const value = json[key] as Json
    // What is in order as it stands is written in one go.
    text += `${text === '' ? '{' : ','}${quoted(key)}:${isSorted(value) ? JSON.stringify(value) : sortedText(value)}`
  }
  return text === '' ? '{}' : `${text}}`
}

const quoted = (key: string): string => (/^\w{1,60}$/.test(key) ? `"${key}"` : JSON.stringify(key))

/** All keys in it are in order, so that its usual text is its canonical one. */
function isSorted(json: Json): boolean {
  if (json === null || typeof json !== 'object') return true
  if (Array.isArray(json)) return json.every(isSorted)
  let before = ''
  for (const key in json) {
    if (key < before || !isSorted(json[key] as Json)) return false
    before = key
  }
  return true
}
