/** Records of the bus → rows of the tables. */
import { z } from 'zod'
import type { Alert } from '../../schemas/alert.ts'
import type { Part, StoredRec } from '../../schemas/bus.ts'
import { type AlertHit, decodeEvent, decodeVerdict, type ThreadLink, type Verdict } from '../../schemas/codec.ts'
import type { Signal } from '../../schemas/detector.ts'
import { Fault } from '../../schemas/errors.ts'
import type { McpEvent } from '../../schemas/event.ts'
import type { Row } from './columns.ts'
import type { StoredLetter } from './tables.ts'

export type Rows = {
  events: Row<McpEvent>[]
  alerts: Row<Alert>[]
  hits: Row<AlertHit>[]
  signals: Row<Signal>[]
  links: Row<ThreadLink>[]
  deadLetters: Row<StoredLetter>[]
}
export const noRows = (): Rows => ({ events: [], alerts: [], hits: [], signals: [], links: [], deadLetters: [] })

const Letter = z.object({
  topic: z.string(),
  partition: z.number().int().nonnegative(),
  offset: z.string().regex(/^\d{1,19}$/),
  reason: z.string(),
  detail: z.string(),
  sealed: z.string(),
  at: z.string(),
})

function letterOf(record: StoredRec, log: string): StoredLetter {
  try {
    const letter = Letter.parse(record.value ?? JSON.parse(Buffer.from(record.bytes).toString('utf8')))
    return { ...letter, log, time: BigInt(Math.trunc(Date.parse(letter.at) || 0)) * 1_000_000n }
  } catch (error) {
    throw new Fault('RECORD_INVALID', 'dead letter', error)
  }
}

/** Refuses the batch at its first record that is not whole: the bus then finds that record and buries it. */
export function addRecords(rows: Rows, part: Part, records: readonly StoredRec[], stored: number, log: string): void {
  for (const record of records) {
    const origin = { topic: part.topic, partition: part.partition, offset: record.offset, stored }
    const row = <T>(value: T): Row<T> => ({ value, origin })
    if (part.topic === 'mcp.events') {
      rows.events.push(row((record.value as McpEvent | undefined) ?? decodeEvent(record.bytes)))
    } else if (part.topic === 'mcp.dead') {
      rows.deadLetters.push(row(letterOf(record, log)))
    } else if (part.topic === 'mcp.alerts') {
      const verdict = (record.value as Verdict | undefined) ?? decodeVerdict(record.bytes)
      if (verdict.type === 'alert') rows.alerts.push(row(verdict.alert))
      else if (verdict.type === 'hits') rows.hits.push(...verdict.hits.map(row))
      else if (verdict.type === 'signals') rows.signals.push(...verdict.signals.map(row))
      else rows.links.push(...verdict.links.map(row))
    }
  }
}
