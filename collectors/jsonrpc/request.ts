/** Requests and notifications → the fields of their event; requests are remembered for their answer. */
import { hashId } from '../../schemas/ids.ts'
import { hideHandles } from './handles.ts'
import { type Call, compatible } from './pending.ts'
import { isObject, metaOf, type Named, namedBy, outcomeOfStatus, traceOf } from './protocol.ts'
import { bytesOf, canonical, idOf, type Loose, type Work, without } from './work.ts'

type Asked = Pick<Call, 'method' | 'named' | 'argsHash'>

const sameNames = (a: Named, b: Named): boolean =>
  a.toolName === b.toolName && a.promptName === b.promptName && a.resourceUri === b.resourceUri

/** Another round of a call that asked for input: the same party repeats the same request with the state it was given. */
function earlierRound({ state, party }: Work, hash: string | undefined, asked: Asked): Call | undefined {
  const issued = hash === undefined ? undefined : state.states.get(hash)
  if (!hash || !issued || issued.method !== asked.method || issued.argsHash !== asked.argsHash) return undefined
  if (!sameNames(issued.named, asked.named) || !compatible(issued.party, party)) return undefined
  return state.states.take(hash) // used up: the same state again is not this call
}

/** What was cancelled, if its answer is still awaited. */
function cancelled({ state, direction, party, message }: Work): Loose {
  const params = message.params
  if (!isObject(params)) return { outcome: 'cancelled' }
  const call = state.pending.find(direction, idOf(params.requestId), party, false)
  return { outcome: 'cancelled', ...(call ? { callId: call.callId, callObservation: call.observation + 1, ...call.named } : {}) }
}

export function ofRequest(work: Work, method: string, version: Loose): Loose {
  const { keyedHash, message, state } = work
  const params = message.params
  const hidden = hideHandles(params, keyedHash)
  const named = namedBy(method, params)
  const given = isObject(params) ? params.arguments : undefined
  const argsHash = given === undefined ? undefined : keyedHash(canonical(given))
  const trace = traceOf(metaOf(params).traceparent ?? work.http?.traceparent)
  const isCall = method === 'tools/call'
  const shown = isCall && isObject(hidden.value) ? without(hidden.value, 'arguments') : hidden.value
  const { requestStateHash, taskHash } = hidden
  const fields: Loose = {
    kind: 'notification',
    method,
    params: shown,
    arguments: isCall ? given : undefined,
    argsBytes: bytesOf(given),
    argsHash,
    requestStateHash,
    taskHash,
    outcome: outcomeOfStatus(work.http?.status),
    ...named,
    ...trace,
  }
  if (!Object.hasOwn(message, 'id')) return method === 'notifications/cancelled' ? { ...fields, ...cancelled(work) } : fields
  const earlier = earlierRound(work, requestStateHash, { method, named, argsHash })
  const call: Call = {
    callId: earlier?.callId ?? hashId('call', work.eventId),
    observation: (earlier?.observation ?? 0) + 1,
    method,
    named,
    argsHash,
    requestStateHash,
    taskHash,
    traceId: trace.traceId,
    era: version.era ?? 'unknown',
    version: version.protocolVersion,
    versionSource: version.protocolVersionSource,
    party: work.party,
  }
  const id = idOf(message.id)
  state.pending.add(work.direction, id, call)
  return { ...fields, kind: 'request', callId: call.callId, callObservation: call.observation, requestId: id.id, requestIdType: id.type }
}
