/** A stored event as the API shows it: external names, JSON as JSON, what is not known left out. */
import { z } from 'zod'
import { type FieldType, fields, semconv } from '../schemas/semconv.ts'

const typeOf: ReadonlyMap<string, FieldType> = new Map(fields.map((field) => semconv[field]))

/** The columns of an event, for a SELECT; from our own table of names. */
export const eventColumns = [...typeOf.keys()].map((column) => `\`${column}\``).join(', ')

export const EventRow = z.looseObject({ 'lapwing.event.id': z.string(), time: z.string() })
export type EventRow = z.infer<typeof EventRow>
/** Any of the names of schemas/semconv.ts, and the thread the event was linked to. */
export const ShownEvent = z
  .looseObject({ 'lapwing.event.id': z.string(), time: z.string(), thread_id: z.string().optional() })
  .meta({ id: 'Event' })

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text // cut off by a sender’s limit: shown as it is
  }
}

/** Kept as JSON text: Array columns that share a prefix would be one Nested. */
const isText: ReadonlySet<FieldType | undefined> = new Set(['json', 'strings', 'ints'])
/** Absent: null, and the empty value of a column that cannot be null. */
const isAbsent = (value: unknown): boolean => value === null || value === ''

export function shownEvent(row: EventRow): z.infer<typeof ShownEvent> {
  const shown: [string, unknown][] = []
  for (const [name, value] of Object.entries(row)) {
    if (isAbsent(value)) continue
    const type = typeOf.get(name)
    if (isText.has(type) && typeof value === 'string') shown.push([name, json(value)])
    else if (type === 'bool') shown.push([name, Boolean(value)])
    else shown.push([name, value])
  }
  return Object.fromEntries(shown) as z.infer<typeof ShownEvent>
}
