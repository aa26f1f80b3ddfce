/** What a batch of events says about sources and about the definitions that servers offer. */
import { canonicalJson, definitionHash } from '../../schemas/definition.ts'
import type { Json, McpEvent } from '../../schemas/event.ts'
import { dateTime } from './columns.ts'

export type DefinitionRow = Readonly<{
  tenant: string
  server_key: string
  tool_name: string
  definition_hash: string
  definition: string
  first_seen: string
  last_seen: string
  server_alias: string
  server_version: string
  event_id: string
}>
export type SourceRow = Readonly<{
  tenant: string
  source: string
  dialect: string
  vantage: string
  content_level: string
  first_seen: string
  last_seen: string
  events: number
}>

/** A hostile server may offer any number of tools, again and again. */
const definitionsMax = 2_000
/** Definitions seen lately, and how long one that is only seen again is not written again. */
const knownMax = 20_000
const againNs = 60_000_000_000n

function toolsOf(event: McpEvent): readonly Json[] {
  const body = event.body
  if (event.method !== 'tools/list' || body === null || typeof body !== 'object' || Array.isArray(body)) return []
  const tools = body['tools']
  return Array.isArray(tools) ? tools.slice(0, definitionsMax) : []
}

/** Remembers what was written, so that a list asked for every second is not a row every second. */
export function createDefinitionLedger() {
  const known = new Map<string, bigint>()
  return {
    rows(events: readonly McpEvent[]): DefinitionRow[] {
      const rows: DefinitionRow[] = []
      for (const event of events) {
        for (const tool of toolsOf(event)) {
          const hash = definitionHash(tool)
          const name =
            tool !== null && typeof tool === 'object' && !Array.isArray(tool) && typeof tool['name'] === 'string' ? tool['name'] : ''
          const key = JSON.stringify([event.tenant, event.serverKey, name, hash])
          const last = known.get(key)
          if (last !== undefined && event.time >= last && event.time - last < againNs) continue
          known.delete(key)
          known.set(key, event.time)
          if (known.size > knownMax) known.delete(known.keys().next().value ?? '')
          rows.push({
            tenant: event.tenant,
            server_key: event.serverKey,
            tool_name: name,
            definition_hash: hash,
            definition: canonicalJson(tool),
            first_seen: dateTime(event.time),
            last_seen: dateTime(event.time),
            server_alias: event.serverAlias ?? '',
            server_version: event.serverVersion ?? '',
            event_id: event.eventId,
          })
        }
      }
      return rows
    },
    /** After a failure nothing is known to be written. */
    forget: () => known.clear(),
  }
}

type Seen = { event: McpEvent; first: bigint; last: bigint; count: number }
/** Sources noted since the last time. A tenant may name any number of them. */
const sourcesMax = 10_000

/** Counts who sends what. One that is new is written at once, the rest when it is asked for. */
export function createSourceLedger() {
  const known = new Set<string>()
  const noted = new Map<string, Seen>()

  function take(keys: Iterable<string> = noted.keys()): SourceRow[] {
    const rows: SourceRow[] = []
    for (const key of [...keys]) {
      const seen = noted.get(key)
      if (seen !== undefined) rows.push(sourceRow(seen))
      noted.delete(key)
    }
    return rows
  }
  return {
    /** Answers the rows of sources that were not heard of before. */
    add(events: readonly McpEvent[]): SourceRow[] {
      const fresh = new Set<string>()
      for (const event of events) {
        const key = JSON.stringify([event.tenant, event.source, event.dialect, event.vantage, event.contentLevel])
        const seen = noted.get(key)
        if (seen === undefined) noted.set(key, { event, first: event.time, last: event.time, count: 1 })
        else {
          seen.count += 1
          if (event.time < seen.first) seen.first = event.time
          if (event.time > seen.last) seen.last = event.time
        }
        if (!known.has(key)) fresh.add(key)
      }
      for (const key of fresh) known.add(key)
      if (known.size > sourcesMax) known.clear()
      return take(noted.size > sourcesMax ? noted.keys() : fresh)
    },
    take,
  }
}

const sourceRow = ({ event, first, last, count }: Seen): SourceRow => ({
  tenant: event.tenant,
  source: event.source,
  dialect: event.dialect ?? '',
  vantage: event.vantage ?? '',
  content_level: event.contentLevel ?? '',
  first_seen: dateTime(first),
  last_seen: dateTime(last),
  events: count,
})
