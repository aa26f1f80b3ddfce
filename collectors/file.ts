/** Files as input: stories of messages, conversations, tools, calls and OTLP documents, line by line, as events. */
import { createHmac } from 'node:crypto'
import { basename } from 'node:path'
import { Fault } from '../schemas/errors.ts'
import type { Json, McpEvent } from '../schemas/event.ts'
import type { StoryLine } from '../schemas/story.ts'
import { lineBytesMax, readLines } from './file/lines.ts'
import { createStoryReader, type ItemContext } from './file/story-lines.ts'
import { isObject, type JsonObject } from './jsonrpc/protocol.ts'

export const inputKinds = ['messages', 'conversations', 'tools', 'calls', 'otlp'] as const
export type InputKind = (typeof inputKinds)[number]
export type FileEvent = Readonly<{ item: string; message: number; event: McpEvent }>
export type FileOptions = Readonly<{
  kind?: InputKind | 'auto'
  keyedHash: (text: string) => string
  tenant?: string
  /** One OTLP request: a line, or the whole file where it is one document. Without it such files are refused. */
  otlp?: (request: Uint8Array) => readonly McpEvent[]
}>

/** What a line is, in the order of the contract; undefined: none of ours. */
function kindOf(line: JsonObject): InputKind | undefined {
  if (Array.isArray(line.messages)) return 'conversations'
  if (isObject(line.tool)) return line.ev === undefined && line.msg === undefined ? 'tools' : undefined
  if (line.msg !== undefined || line.raw !== undefined || line.ev !== undefined) return 'messages'
  if (typeof line.tool === 'string') return 'calls'
  if (line.resourceSpans !== undefined || line.resourceLogs !== undefined || line.resourceMetrics !== undefined) return 'otlp'
  return undefined
}

/** The base name without the extensions of such files: `S01.jsonl.gz` is `S01`. */
export const itemOf = (path: string): string => basename(path).replace(/(\.(gz|jsonl|ndjson|json))+$/i, '') || basename(path)

const unreadable = (message: string, cause?: unknown) => new Fault('INPUT_UNREADABLE', message, cause)

function parseLine(bytes: Buffer): JsonObject {
  let value: Json
  try {
    value = JSON.parse(bytes.toString('utf8').replace(/^\uFEFF/, '')) as Json
  } catch (error) {
    throw unreadable('not JSON', error)
  }
  if (!isObject(value)) throw unreadable('not a JSON object')
  return value
}

const textAt = (line: JsonObject, name: string): string | undefined => (typeof line[name] === 'string' ? (line[name] as string) : undefined)

/** A conversation's messages as story lines. */
function* conversation(line: JsonObject): Generator<JsonObject> {
  for (const [index, entry] of (line.messages as Json[]).entries()) {
    if (!isObject(entry) || entry.message === undefined) throw unreadable(`messages[${index}] has no message`)
    const dir = entry.direction === 'client_to_server' ? 'c2s' : entry.direction === 'server_to_client' ? 's2c' : null
    const ms = entry.t_ms ?? 0
    if (typeof ms !== 'number') throw unreadable(`messages[${index}].t_ms is not a number`)
    yield { t: ms / 1000, dir, srv: entry.server ?? null, msg: entry.message }
  }
}

/** One definition, as the answer that offers it. */
function* definition(line: JsonObject): Generator<JsonObject> {
  const srv = textAt(line, 'server') ?? 'server'
  yield { t: 0, srv, dir: 'c2s', msg: { jsonrpc: '2.0', id: 1, method: 'tools/list' } }
  yield { t: 0.1, srv, dir: 's2c', msg: { jsonrpc: '2.0', id: 1, result: { tools: [line.tool as Json] } } }
}

/** One call with its result; attacks in arguments come without one. */
function* call(line: JsonObject): Generator<JsonObject> {
  const srv = textAt(line, 'server') ?? 'server'
  const params = { name: line.tool as Json, arguments: line.arguments ?? {} }
  yield { t: 0, srv, dir: 'c2s', msg: { jsonrpc: '2.0', id: 1, method: 'tools/call', params } }
  const text = textAt(line, 'result_text')
  if (text) yield { t: 0.1, srv, dir: 's2c', msg: { jsonrpc: '2.0', id: 1, result: { content: [{ type: 'text', text }] } } }
}

/** Events of a line that is an item by itself. */
function* itemEvents(line: JsonObject, kind: InputKind, context: ItemContext): Generator<FileEvent> {
  const read = createStoryReader(context)
  const lines = kind === 'conversations' ? conversation(line) : kind === 'tools' ? definition(line) : call(line)
  let index = 0
  for (const one of lines) {
    for (const event of read(one, index)) yield { item: context.item, message: kind === 'conversations' ? index : 0, event }
    index += 1
  }
}

/** Nothing but blanks. Looks at a few bytes only: a line of spaces alone is refused as not JSON. */
const isBlank = (bytes: Buffer): boolean => bytes.length <= 80 && bytes.toString('latin1').trim() === ''

/** A file that is one OTLP document over several lines, or no JSON at all when `kind` says that it is OTLP. */
async function oneDocument(path: string, isOtlp: boolean): Promise<Buffer | undefined> {
  const parts: Buffer[] = []
  let bytesHeld = 0
  for await (const { bytes } of readLines(path)) {
    bytesHeld += bytes.length + 1
    if (bytesHeld > lineBytesMax) return undefined
    parts.push(bytes, newline)
  }
  const whole = Buffer.concat(parts.slice(0, -1))
  if (isOtlp) return whole
  try {
    return kindOf(parseLine(whole)) === 'otlp' ? whole : undefined
  } catch {
    // Else the first line's own fault is told.
    return isProtobuf(whole) ? whole : undefined
  }
}
const newline = Buffer.from('\n')
/** Every OTLP request is a list in field 1: its tag is a newline, and lengths and ids are no text. */
const isProtobuf = (whole: Buffer): boolean =>
  whole[0] === 0x0a && whole.subarray(0, 4096).some((byte) => byte < 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)

/** Every event of a file, in its order. Throws INPUT_UNREADABLE with file, line (from 1) and reason. */
export async function* readEvents(path: string, options: FileOptions): AsyncGenerator<FileEvent> {
  const { keyedHash, tenant = 'default', otlp } = options
  const file = itemOf(path)
  const story = createStoryReader({ item: file, tenant, keyedHash })
  const asked = options.kind === 'auto' ? undefined : options.kind
  let kind: InputKind | undefined
  const located = (number: number, error: unknown): unknown =>
    error instanceof Fault && error.code === 'INPUT_UNREADABLE' ? unreadable(`${path}:${number + 1}: ${error.message}`, error.cause) : error

  function* eventsOf(line: JsonObject, number: number, bytes: Buffer): Generator<FileEvent> {
    const own = kindOf(line)
    kind ??= asked ?? own
    if (!kind || !own) throw unreadable('neither messages, conversations, tools, calls nor OTLP')
    if (own !== kind) throw unreadable(`${own} in a file of ${kind}`)
    if (kind === 'messages') for (const event of story(line, number)) yield { item: file, message: number, event }
    else if (kind === 'otlp') {
      if (!otlp) throw unreadable('OTLP is not read here')
      for (const event of otlp(bytes)) yield { item: file, message: 0, event }
    } else yield* itemEvents(line, kind, { item: textAt(line, 'id') ?? `${file}:${number}`, tenant, keyedHash })
  }

  for await (const { number, bytes } of readLines(path)) {
    if (isBlank(bytes)) continue
    try {
      yield* eventsOf(parseLine(bytes), number, bytes)
    } catch (error) {
      const mayBeOne = otlp && kind === undefined && (asked === undefined || asked === 'otlp')
      const document = mayBeOne ? await oneDocument(path, asked === 'otlp') : undefined
      if (!otlp || !document) throw located(number, error)
      try {
        for (const event of otlp(document)) yield { item: file, message: 0, event }
      } catch (cause) {
        throw located(number, cause)
      }
      return
    }
  }
}

/** The events of a story in memory, by the same code as a file of `messages`. */
export function storyEvents(
  lines: readonly StoryLine[],
  options: Readonly<{ item?: string; tenant?: string; keyedHash?: (text: string) => string }> = {},
): { message: number; event: McpEvent }[] {
  const { item = 'story', tenant = 'default', keyedHash = exampleHash } = options
  const read = createStoryReader({ item, tenant, keyedHash })
  return lines.flatMap((line, message) => read(line as unknown as JsonObject, message).map((event) => ({ message, event })))
}

/** For stories without a tenant of their own (examples): stable, and no secret. */
const exampleHash = (text: string): string => createHmac('sha256', 'story').update(text).digest('hex').slice(0, 16)
