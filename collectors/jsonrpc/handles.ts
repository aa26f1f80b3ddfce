/** `requestState` and task ids are bearer handles: each is replaced by a token, and its keyed hash kept for joining. */
import type { Json } from '../../schemas/event.ts'
import { isObject, type JsonObject } from './protocol.ts'

/** Stands where a handle stood. Not a secret token: a handle in its own place is not a leak. */
const handleToken = (kind: 'request-state' | 'task', hash: string): string => `⟦handle:${kind}:${hash}⟧`

export type Handles = Readonly<{ value: Json | undefined; requestStateHash?: string | undefined; taskHash?: string | undefined }>
type KeyedHash = (text: string) => string

const relatedTask = 'io.modelcontextprotocol/related-task'
/** Tasks of one list that are replaced one by one; the rest of the list is cut off. */
const listMax = 1000

const asText = (value: Json): string => (typeof value === 'string' ? value : JSON.stringify(value))

/** A copy of the object with some members put in place of others. Own properties only, so `__proto__` is a name like others. */
const replaced = (from: JsonObject, members: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(from).map(([name, value]) => [name, Object.hasOwn(members, name) ? (members[name] as Json) : value]))

export function hideHandles(value: Json | undefined, keyedHash: KeyedHash): Handles {
  if (!isObject(value)) return { value }
  const members: JsonObject = {}
  let taskHash: string | undefined
  let requestStateHash: string | undefined
  const task = (id: Json): Json => {
    const hash = keyedHash(asText(id))
    taskHash ??= hash
    return handleToken('task', hash)
  }
  const within = (holder: JsonObject): JsonObject =>
    holder.taskId === undefined ? holder : replaced(holder, { taskId: task(holder.taskId) })
  const state = value.requestState
  if (state !== undefined && state !== null) {
    requestStateHash = keyedHash(asText(state))
    members.requestState = handleToken('request-state', requestStateHash)
  }
  if (value.taskId !== undefined) members.taskId = task(value.taskId)
  if (isObject(value.task)) members.task = within(value.task)
  const meta = value._meta
  if (isObject(meta) && isObject(meta[relatedTask])) members._meta = replaced(meta, { [relatedTask]: within(meta[relatedTask]) })
  const own = taskHash
  if (Array.isArray(value.tasks)) members.tasks = value.tasks.slice(0, listMax).map((one) => (isObject(one) ? within(one) : one))
  const filter = value.notifications
  if (isObject(filter) && Array.isArray(filter.taskIds)) {
    members.notifications = replaced(filter, { taskIds: filter.taskIds.slice(0, listMax).map(task) })
  }
  // A list of tasks is not about one of them.
  return { value: Object.keys(members).length ? replaced(value, members) : value, requestStateHash, taskHash: own }
}
