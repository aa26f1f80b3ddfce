/** The alerts of a thread, and those that one of its events is part of. */
import { z } from 'zod'
import { Severity } from '../../schemas/alert.ts'
import { defineQuery } from '../../schemas/query.ts'

export default defineQuery({
  name: 'thread-alerts',
  about: 'The alerts of a thread, oldest first, with the events each is made of.',
  params: z.object({ thread_id: z.string().max(300) }),
  row: z.object({
    alert_id: z.string(),
    time: z.string(),
    detector: z.string(),
    severity: Severity,
    confidence: z.number(),
    title: z.string(),
    summary: z.string(),
    events: z.array(z.string()),
  }),
  sql: `
    WITH hits AS (
      SELECT alert_id, groupUniqArray(10000)(event_id) AS ids FROM alert_hits
      WHERE tenant = {tenant:String} AND event_id IN (
        SELECT event_id FROM thread_links WHERE tenant = {tenant:String} AND thread_id = {thread_id:String})
      GROUP BY alert_id)
    SELECT a.alert_id AS alert_id, a.time AS time, detector, severity, confidence, title, summary, arrayDistinct(arrayConcat(events, hits.ids)) AS events
    FROM (
      SELECT * FROM alerts FINAL
      WHERE tenant = {tenant:String} AND (thread_id = {thread_id:String} OR alert_id IN (SELECT alert_id FROM hits))) AS a
    LEFT JOIN hits ON hits.alert_id = a.alert_id
    ORDER BY time, alert_id
    LIMIT 1000`,
})
