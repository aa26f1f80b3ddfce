/** What an event says, in one line; and the text inside it that a JSON pointer names. */
import type { Json, McpEvent } from './api.ts'

const text = (event: McpEvent, name: string): string => {
  const value = event[name]
  return typeof value === 'string' ? value : ''
}
export const serverOf = (event: McpEvent): string => text(event, 'lapwing.server.alias') || text(event, 'lapwing.server.id')
export const toolOf = (event: McpEvent): string => text(event, 'gen_ai.tool.name')
export const isAnswer = (event: McpEvent): boolean => text(event, 'lapwing.direction') === 'server_to_client'

const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The text blocks of a result; else its JSON. */
function contentOf(result: Json | undefined): string {
  if (result === undefined) return ''
  if (isObject(result) && Array.isArray(result.content)) {
    const texts = result.content.flatMap((block) => (isObject(block) && typeof block.text === 'string' ? [block.text] : []))
    if (texts.length > 0) return texts.join(' ')
  }
  return typeof result === 'string' ? result : JSON.stringify(result)
}

function argumentsOf(value: Json | undefined): string {
  if (!isObject(value)) return value === undefined ? '' : JSON.stringify(value)
  return Object.entries(value)
    .map(([name, one]) => `${name}: ${typeof one === 'string' ? one : JSON.stringify(one)}`)
    .join(', ')
}

function offersOf(body: Json | undefined): string {
  if (!isObject(body) || !Array.isArray(body.tools)) return contentOf(body)
  return body.tools.map((tool) => (isObject(tool) && typeof tool.name === 'string' ? tool.name : '?')).join(', ')
}

export type Saying = Readonly<{ verb: string; text: string }>
export function sayingOf(event: McpEvent): Saying {
  const [kind, method, tool] = [text(event, 'lapwing.event.kind'), text(event, 'mcp.method.name'), toolOf(event)]
  const error = text(event, 'lapwing.error.message')
  const body = event['lapwing.result']
  if (method === 'tools/call') {
    const args = argumentsOf(event['gen_ai.tool.call.arguments'])
    const result = contentOf(event['gen_ai.tool.call.result'] ?? body)
    if (isAnswer(event) && kind !== 'call') return { verb: `${tool || 'tool'} answered`, text: error || result }
    return { verb: `call ${tool}`, text: [args, kind === 'call' && result ? `→ ${result}` : ''].filter(Boolean).join(' ') }
  }
  if (isAnswer(event) && kind === 'response') return { verb: `answer to ${method}`, text: error || offersOf(body) }
  const params = argumentsOf(event['lapwing.params'])
  return { verb: method || text(event, 'lapwing.event.name') || kind, text: error || params || argumentsOf(event['lapwing.unmapped']) }
}

/** Pointers begin with the field’s name inside Lapwing; outside it has another. */
const roots = new Map([
  ['arguments', 'gen_ai.tool.call.arguments'],
  ['result', 'gen_ai.tool.call.result'],
  ['params', 'lapwing.params'],
  ['body', 'lapwing.result'],
])

/** The string at an RFC 6901 pointer such as `/body/tools/0/description`. */
export function textAt(event: McpEvent, pointer: string): string | undefined {
  const [root = '', ...path] = pointer.split('/').slice(1)
  let value: Json | undefined = event[roots.get(root) ?? root]
  for (const step of path) {
    const key = step.replaceAll('~1', '/').replaceAll('~0', '~')
    if (Array.isArray(value)) value = value[Number(key)]
    else if (isObject(value) && Object.hasOwn(value, key)) value = value[key]
    else return undefined
  }
  return typeof value === 'string' ? value : undefined
}
