/** A stored alert as the API shows it. */
import { z } from 'zod'
import { Evidence, Mapping, Severity } from '../schemas/alert.ts'
import { json } from '../schemas/query.ts'

const common = {
  alert_id: z.string(),
  time: z.string().describe('RFC 3339, of the event that completed the finding'),
  detector: z.string(),
  detector_version: z.number(),
  severity: Severity,
  confidence: z.number(),
  title: z.string(),
  summary: z.string(),
  about: z.string(),
  actor: z.string(),
  server_key: z.string(),
  server_alias: z.string(),
  tool_name: z.string(),
  thread_id: z.string(),
  event_id: z.string(),
  events: z.array(z.string()),
  hits: z.number().describe('exact number of events that raised it'),
  acknowledged_by: z.string().nullable(),
}

/** The columns of an alert, for a SELECT from `page`. */
export const alertColumns = [
  ...['alert_id', 'time', 'detector', 'detector_version', 'severity', 'confidence', 'title', 'summary', 'about', 'evidence', 'maps'],
  ...['actor', 'server_key', 'server_alias', 'tool_name', 'thread_id', 'event_id', 'events'],
]
  .map((column) => `page.${column} AS ${column}`)
  .join(', ')

export const AlertRow = z.object({
  ...common,
  evidence: json(Evidence),
  maps: json(Mapping),
  last_hit: z.string().nullable(),
  acknowledged_at: z.string().nullable(),
})
export type AlertRow = z.infer<typeof AlertRow>

export const ShownAlert = z
  .object({
    ...common,
    evidence: Evidence,
    maps: Mapping,
    last_hit: z.string(),
    status: z.enum(['new', 'acknowledged']),
    acknowledged_at: z.string().nullable(),
  })
  .meta({ id: 'Alert' })

/** The store answers the epoch for a join that found nothing. */
const isAbsent = (time: string | null): boolean => time === null || time.startsWith('1970-01-01T00:00:00.0')

export function shownAlert(row: AlertRow): z.infer<typeof ShownAlert> {
  const acknowledged = !isAbsent(row.acknowledged_at)
  return {
    ...row,
    hits: Math.max(row.hits, 1), // the alert and its first hit are stored one after the other
    last_hit: isAbsent(row.last_hit) ? row.time : (row.last_hit ?? row.time),
    status: acknowledged ? 'acknowledged' : 'new',
    acknowledged_at: acknowledged ? row.acknowledged_at : null,
    acknowledged_by: acknowledged ? row.acknowledged_by : null,
  }
}
