/** Finds every string of an event that a model or a program will read, with the position it stands in. */
import type { TextPart, TextPosition } from '../schemas/detector.ts'
import type { Json, McpEvent } from '../schemas/event.ts'
import { isObject, member, resultOf } from '../schemas/event.ts'
import { disguisedIn } from './disguise.ts'

const PARTS_MAX = 20_000

type Add = (position: TextPosition, pointer: string, text: Json | undefined, tool?: string) => void

const list = (value: Json | undefined): readonly Json[] => (Array.isArray(value) ? value : [])
const escaped = (key: string): string => (/[~/]/.test(key) ? key.replaceAll('~', '~0').replaceAll('/', '~1') : key)

/** Every string below `root`, without recursion: depth is the sender's to choose. */
export function walkStrings(root: Json | undefined, base: string, visit: (pointer: string, text: string, parentKey: string) => void): void {
  if (root === undefined) return
  const open: { value: Json; pointer: string; key: string }[] = [{ value: root, pointer: base, key: '' }]
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { value, pointer } = item
    if (typeof value === 'string') visit(pointer, value, item.key)
    else if (Array.isArray(value))
      for (let i = value.length - 1; i >= 0; i -= 1) open.push({ value: value[i] as Json, pointer: `${pointer}/${i}`, key: item.key })
    else if (isObject(value))
      for (const key of Object.keys(value).reverse()) open.push({ value: value[key] as Json, pointer: `${pointer}/${escaped(key)}`, key })
  }
}

/** Property names and all strings of a JSON Schema; names stand apart because a name can be an order too. */
function addSchema(schema: Json | undefined, base: string, tool: string, add: Add): void {
  if (!isObject(schema)) return
  const open: { value: Json; pointer: string; names: boolean }[] = [{ value: schema, pointer: base, names: false }]
  for (let item = open.pop(); item !== undefined; item = open.pop()) {
    const { value, pointer, names } = item
    if (typeof value === 'string') add('definition.schema', pointer, value, tool)
    else if (Array.isArray(value))
      for (const [i, entry] of value.entries()) open.push({ value: entry, pointer: `${pointer}/${i}`, names: false })
    else if (isObject(value)) {
      for (const key of Object.keys(value)) {
        if (names) add('definition.key', `${pointer}/${escaped(key)}`, key, tool)
        const inner = value[key] as Json
        const opensNames = !names && (key === 'properties' || key === '$defs' || key === 'definitions' || key === 'patternProperties')
        if (!names && (key === 'type' || key === '$schema' || key === 'required' || key === '$ref') && typeof inner === 'string') continue
        if (!names && key === 'required') continue
        open.push({ value: inner, pointer: `${pointer}/${escaped(key)}`, names: opensNames })
      }
    }
  }
}

function addDefinition(definition: Json, pointer: string, add: Add): void {
  if (!isObject(definition)) return
  const name = typeof definition.name === 'string' ? definition.name : ''
  add('definition.name', `${pointer}/name`, definition.name, name)
  for (const key of Object.keys(definition)) {
    const at = `${pointer}/${escaped(key)}`
    if (key === 'name') continue
    if (key === 'inputSchema' || key === 'outputSchema') addSchema(definition[key], at, name, add)
    else if (key === 'uri' || key === 'uriTemplate' || key === 'mimeType') add('definition.name', at, definition[key], name)
    else walkStrings(definition[key], at, (where, text) => add('definition.description', where, text, name))
  }
}

function addContent(content: Json | undefined, pointer: string, position: TextPosition, add: Add): void {
  for (const [index, block] of list(content).entries()) {
    const at = `${pointer}/${index}`
    if (typeof block === 'string') add(position, at, block)
    if (!isObject(block)) continue
    const kind = block.type
    if (kind === 'image' || kind === 'audio') continue
    add(position, `${at}/text`, block.text)
    add(position, `${at}/resource/text`, member(block.resource, 'text'))
    if (kind === 'resource_link') for (const key of ['uri', 'name', 'title', 'description']) add(position, `${at}/${key}`, block[key])
  }
}

/** A question of the server to the client: a legacy request, or one entry of `inputRequests`. */
function addQuestion(method: Json | undefined, params: Json | undefined, pointer: string, add: Add): void {
  if (method === 'elicitation/create') walkStrings(params, pointer, (at, text) => add('elicitation', at, text))
  if (method !== 'sampling/createMessage') return
  add('sampling', `${pointer}/systemPrompt`, member(params, 'systemPrompt'))
  for (const [index, message] of list(member(params, 'messages')).entries()) {
    const content = member(message, 'content')
    addContent(Array.isArray(content) ? content : [content ?? null], `${pointer}/messages/${index}/content`, 'sampling', add)
  }
}

function addResult(event: McpEvent, add: Add): void {
  const result = resultOf(event)
  const base = event.result === undefined ? '/body' : '/result'
  if (typeof result === 'string') add('result', base, result)
  if (!isObject(result)) return
  for (const kind of ['tools', 'prompts', 'resources', 'resourceTemplates']) {
    for (const [index, definition] of list(result[kind]).entries()) addDefinition(definition, `${base}/${kind}/${index}`, add)
  }
  add('instructions', `${base}/instructions`, result.instructions)
  walkStrings(result.serverInfo, `${base}/serverInfo`, (at, text) => add('definition.description', at, text))
  addContent(result.content, `${base}/content`, 'result', add)
  walkStrings(result.structuredContent, `${base}/structuredContent`, (at, text) => add('result', at, text))
  if (event.method?.startsWith('tasks/')) walkStrings(result.result, `${base}/result`, (at, text) => add('result', at, text))
  addContent(result.contents, `${base}/contents`, 'resource', add)
  for (const [index, entry] of list(result.contents).entries()) add('resource', `${base}/contents/${index}/text`, member(entry, 'text'))
  list(result.messages).forEach((message, index) => {
    const content = member(message, 'content')
    addContent(Array.isArray(content) ? content : [content ?? null], `${base}/messages/${index}/content`, 'prompt', add)
  })
  const asked = result.inputRequests
  if (isObject(asked)) {
    for (const key of Object.keys(asked))
      addQuestion(member(asked[key], 'method'), member(asked[key], 'params'), `${base}/inputRequests/${escaped(key)}`, add)
  }
}

/** In document order; at most 20,000 parts. The same (pointer) is never listed twice. */
export function textsOf(event: McpEvent): TextPart[] {
  const parts: TextPart[] = []
  const seen = new Set<string>()
  const add: Add = (position, pointer, text, tool) => {
    if (typeof text !== 'string' || text === '' || parts.length >= PARTS_MAX || seen.has(pointer)) return
    seen.add(pointer)
    const part = { position, pointer, text, tool: tool ?? event.toolName }
    parts.push(part)
    // What a program reads is taken as it stands; what a model reads it will also decode.
    if (position === 'argument' || position === 'definition.key' || position === 'definition.name') return
    for (const { layer, text: inner } of disguisedIn(text)) parts.push({ ...part, text: inner, layer })
  }
  walkStrings(event.arguments, '/arguments', (pointer, text) => add('argument', pointer, text))
  addQuestion(event.method, event.params, '/params', add)
  addResult(event, add)
  if (event.errorMessage) add('error', '/errorMessage', event.errorMessage)
  return parts
}
