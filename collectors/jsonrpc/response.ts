/** Answers → the fields of their event, joined to the request they answer. */
import type { Json } from '../../schemas/event.ts'
import { hashId } from '../../schemas/ids.ts'
import { type Handles, hideHandles } from './handles.ts'
import type { Call } from './pending.ts'
import { type Direction, isObject, type JsonObject, metaOf, objectOf, outcomeOf, textOf, traceOf } from './protocol.ts'
import { bytesOf, canonical, idOf, type Loose, type ParamHeaders, type Work, without } from './work.ts'

const opposite = (direction: Direction): Direction => (direction === 'client_to_server' ? 'server_to_client' : 'client_to_server')

/** Members only one method's result has. For answers whose request was not seen: a tap may start in the middle. */
const tellTales: readonly (readonly [string, string])[] = [
  ['tools', 'tools/list'],
  ['content', 'tools/call'],
  ['contents', 'resources/read'],
  ['resources', 'resources/list'],
  ['resourceTemplates', 'resources/templates/list'],
  ['prompts', 'prompts/list'],
  ['supportedVersions', 'server/discover'],
]
export function methodByShape({ direction, message }: Work): string | undefined {
  const result = objectOf(message.result)
  if (!result || direction !== 'server_to_client') return undefined
  if (isObject(result.serverInfo) && typeof result.protocolVersion === 'string') return 'initialize'
  return tellTales.find(([member]) => Array.isArray(result[member]))?.[1]
}

/** The request of this answer. Some servers turn a number into text, or the other way round. */
export function requestOf({ state, direction, message, party }: Work): Call | undefined {
  const asked = opposite(direction)
  const id = idOf(message.id)
  const found = state.pending.find(asked, id, party, true)
  if (found || id.type === 'null' || id.type === 'other') return found
  return state.pending.find(asked, { type: id.type === 'int' ? 'string' : 'int', id: id.id }, party, true)
}

/** Names a definition copies into headers; more of one tool, or longer ones, are not looked at. */
const paramHeadersMax = 32

function paramHeadersOf(tool: JsonObject): ParamHeaders {
  const properties = objectOf(objectOf(tool.inputSchema)?.properties) ?? {}
  const headers = Object.entries(properties).flatMap(([name, schema]): [string, string][] => {
    const header = textOf(objectOf(schema)?.['x-mcp-header'])
    return header ? [[`mcp_param_${header.toLowerCase().replaceAll('-', '_')}`, name]] : []
  })
  return new Map(headers.slice(0, paramHeadersMax))
}

function remember(
  { state }: Work,
  call: Call | undefined,
  method: string | undefined,
  result: JsonObject | undefined,
  hidden: Handles,
): void {
  if (method === 'tools/list' && Array.isArray(result?.tools)) {
    for (const tool of result.tools) {
      const headers = isObject(tool) && typeof tool.name === 'string' ? paramHeadersOf(tool) : undefined
      if (headers?.size) state.paramHeaders.set(String(objectOf(tool)?.name), headers)
    }
  }
  if (!call) return
  const next = { ...call, observation: call.observation + 1 }
  if (hidden.requestStateHash) state.states.set(hidden.requestStateHash, next)
  if (hidden.taskHash && call.method === 'tools/call') state.tasks.set(hidden.taskHash, next)
}

function errorFields(error: Json | undefined): Loose {
  const fault = objectOf(error)
  const code = fault?.code
  return {
    errorCode: typeof code === 'number' || typeof code === 'string' ? String(code) : undefined,
    errorMessage: textOf(fault?.message) ?? textOf(error),
  }
}

/** Version and era of an answer are its request's, unless it says so itself. */
function eraFields(call: Call, version: Loose, result: JsonObject | undefined): Loose {
  const saysItself = typeof result?.resultType === 'string' || call.era === 'unknown' || call.method === 'initialize'
  return {
    era: saysItself ? version.era : call.era,
    ...(call.version && call.method !== 'initialize' ? { protocolVersion: call.version, protocolVersionSource: call.versionSource } : {}),
  }
}

export function ofResponse(work: Work, call: Call | undefined, method: string | undefined, version: Loose): Loose {
  const { keyedHash, message, state } = work
  const { result, error } = message
  const fields = objectOf(result)
  const hidden = hideHandles(result, keyedHash)
  remember(work, call, method, fields, hidden)
  const id = idOf(message.id)
  const taskHash = hidden.taskHash ?? call?.taskHash
  // The late result of a task is the result of the tool that started it.
  const started = taskHash && method?.startsWith('tasks/') ? state.tasks.get(taskHash) : undefined
  const isToolResult = method === 'tools/call' || (method === 'tasks/result' && started !== undefined)
  const outcome = outcomeOf(result, error, work.http?.status)
  const trace = traceOf(metaOf(result).traceparent)
  const compared = fields ? without(fields, '_meta') : result
  return {
    kind: 'response',
    requestId: id.id,
    requestIdType: id.type,
    method,
    ...(call?.named ?? {}),
    ...(started ? { toolName: started.named.toolName } : {}),
    callId: call?.callId ?? hashId('call', work.eventId),
    callObservation: (call?.observation ?? 0) + 1,
    ...trace,
    traceId: trace.traceId ?? call?.traceId,
    argsHash: call?.argsHash,
    ...(isToolResult
      ? { result: hidden.value, resultHash: compared === undefined ? undefined : keyedHash(canonical(compared)) }
      : { body: hidden.value }),
    resultBytes: bytesOf(result),
    requestStateHash: hidden.requestStateHash,
    taskHash,
    resultType: textOf(fields?.resultType),
    cacheTtlMs: typeof fields?.ttlMs === 'number' && outcome !== 'task_created' ? fields.ttlMs : undefined,
    cacheScope: textOf(fields?.cacheScope),
    outcome,
    errorType: outcome === 'tool_error' ? 'tool_error' : undefined,
    ...errorFields(error),
    ...(call ? eraFields(call, version, fields) : {}),
  }
}
