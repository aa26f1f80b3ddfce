/** Scrubs every string and key of a JSON value; a part with nothing to replace is passed on as it is. Also its shape and its canonical text. */
import { type Json, put } from '../../schemas/event.ts'
import { type ScrubOptions, scrubText } from './scrub-text.ts'

/** `same`: nothing was replaced, and `value` is what was given. */
export type ScrubbedJson = Readonly<{ value: Json; cut: boolean; same: boolean }>
type Members = { [key: string]: Json }
type Walk = { readonly options: ScrubOptions; readonly definition: boolean; nodes: number; cut: boolean }

/** Shallow enough for a walk by recursion. */
export const depthMax = 128
export const nodesMax = 200_000
const tooDeep = '⟦cut:depth⟧'
const tooMany = '⟦cut:count⟧'
export const keyMax = 1_024
/** A shorter key is no secret. */
const keyMin = 12

/** `definition`: schemas and descriptions name secrets without holding any, so names count for less there. */
export function scrubJson(json: Json, options: ScrubOptions, definition = false): ScrubbedJson {
  const walk: Walk = { options, definition, nodes: 0, cut: false }
  const value = scrub(walk, json, undefined, 0)
  return { value, cut: walk.cut, same: value === json && !walk.cut }
}

function scrub(walk: Walk, value: Json, name: string | undefined, depth: number): Json {
  walk.nodes += 1
  if (typeof value === 'string') return scrubText(value, walk.options, name, walk.definition, walk)
  if (typeof value === 'number' && Math.abs(value) >= 1e12) return scrubNumber(walk, value)
  if (value === null || typeof value !== 'object') return value
  if (depth >= depthMax || walk.nodes > nodesMax) {
    walk.cut = true
    return depth >= depthMax ? tooDeep : tooMany
  }
  return Array.isArray(value) ? scrubList(walk, value, name, depth + 1) : scrubMembers(walk, value, depth + 1)
}

/** A card number sent as a number. */
function scrubNumber({ options }: Walk, value: number): Json {
  const text = String(value)
  const scrubbed = scrubText(text, options)
  return scrubbed === text ? value : scrubbed
}

function scrubList(walk: Walk, list: Json[], name: string | undefined, depth: number): Json[] {
  let copy: Json[] | undefined
  for (let at = 0; at < list.length; at += 1) {
    if (walk.nodes > nodesMax) {
      walk.cut = true
      return copy ?? list.slice(0, at)
    }
    const value = list[at] as Json
    const scrubbed = scrub(walk, value, flagBefore(list, at) ?? name, depth)
    if (copy === undefined && scrubbed !== value) copy = list.slice(0, at)
    copy?.push(scrubbed)
  }
  return copy ?? list
}

function scrubMembers(walk: Walk, source: Members, depth: number): Members {
  const keys = Object.keys(source)
  let copy: Members | undefined
  for (let at = 0; at < keys.length; at += 1) {
    if (walk.nodes > nodesMax) {
      walk.cut = true
      return copy ?? copyOf(source, keys, at)
    }
    const name = keys[at] as string
    const key = scrubKey(name, walk.options)
    const value = source[name] as Json
    const scrubbed = scrub(walk, value, pairName(source, name) ?? name, depth)
    if (copy === undefined && (scrubbed !== value || key !== name)) copy = copyOf(source, keys, at)
    if (copy !== undefined) put(copy, key, scrubbed)
  }
  return copy ?? source
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

const scrubKey = (key: string, options: ScrubOptions): string =>
  key.length < keyMin ? key : scrubText(key, options.ofKeys ?? { ...options, lengthMax: keyMax })

/** The first so many members. */
function copyOf(source: Members, keys: readonly string[], count: number): Members {
  const copy: Members = {}
  for (let at = 0; at < count; at += 1) put(copy, keys[at] as string, source[keys[at] as string] as Json)
  return copy
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
