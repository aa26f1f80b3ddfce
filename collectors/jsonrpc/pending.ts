/** What one connection remembers: requests without an answer, issued states, tasks. All bounded, evictions counted. */
import type { McpEvent } from '../../schemas/event.ts'
import type { Direction, Named } from './protocol.ts'

export type Party = Readonly<{ principal?: string | undefined; peer?: string | undefined; session?: string | undefined }>
export type Call = Readonly<{
  callId: string
  observation: number
  method: string
  named: Named
  argsHash: string | undefined
  requestStateHash: string | undefined
  taskHash: string | undefined
  traceId: string | undefined
  era: McpEvent['era']
  version: string | undefined
  versionSource: McpEvent['protocolVersionSource'] | undefined
  party: Party
}>

/** Equal, or unknown on one side: an answer often carries less context than its request. */
const agrees = (a: string | undefined, b: string | undefined): boolean => a === undefined || b === undefined || a === b
export const compatible = (a: Party, b: Party): boolean =>
  agrees(a.principal, b.principal) && agrees(a.peer, b.peer) && agrees(a.session, b.session)
const likeness = (a: Party, b: Party): number =>
  Number(a.principal === b.principal) + Number(a.peer === b.peer) + Number(a.session === b.session)

export type IdKey = Readonly<{ type: string; id: string }>
/** Requests with one id that wait at the same time: several parties may use one connection. */
const sameIdMax = 64

export function createPending(waitingMax: number) {
  const waiting = new Map<string, Call[]>()
  let size = 0
  let evicted = 0
  const keyOf = (direction: Direction, id: IdKey): string => `${direction} ${id.type} ${id.id}`

  function dropOldest(): void {
    const oldest = waiting.entries().next().value
    if (!oldest) return
    const [key, list] = oldest
    list.shift()
    if (list.length === 0) waiting.delete(key)
    size -= 1
    evicted += 1
  }

  function add(direction: Direction, id: IdKey, call: Call): void {
    const key = keyOf(direction, id)
    const list = waiting.get(key) ?? []
    // The same party with the same id again: the earlier request can no longer be told from this one.
    const again = list.findIndex((other) => likeness(other.party, call.party) === 3)
    if (again >= 0) {
      list[again] = call
      return
    }
    list.push(call)
    size += 1
    waiting.set(key, list)
    if (list.length > sameIdMax) {
      list.shift()
      size -= 1
      evicted += 1
    }
    while (size > waitingMax) dropOldest()
  }

  function find(direction: Direction, id: IdKey, party: Party, take: boolean): Call | undefined {
    const key = keyOf(direction, id)
    const list = waiting.get(key)
    if (!list) return undefined
    let best = -1
    for (const [index, call] of list.entries()) {
      if (!compatible(call.party, party)) continue
      if (best < 0 || likeness(call.party, party) > likeness((list[best] as Call).party, party)) best = index
    }
    const call = list[best]
    if (!call || !take) return call
    list.splice(best, 1)
    size -= 1
    if (list.length === 0) waiting.delete(key)
    return call
  }
  return { add, find, stats: () => ({ waiting: size, evicted }) }
}

/** A table of handles that forgets the oldest. */
export function createTable<V>(entriesMax: number) {
  const entries = new Map<string, V>()
  let evicted = 0
  return {
    get: (key: string): V | undefined => entries.get(key),
    take(key: string): V | undefined {
      const value = entries.get(key)
      entries.delete(key)
      return value
    },
    set(key: string, value: V): void {
      entries.delete(key)
      entries.set(key, value)
      if (entries.size <= entriesMax) return
      entries.delete(entries.keys().next().value as string)
      evicted += 1
    },
    stats: () => ({ size: entries.size, evicted }),
  }
}
