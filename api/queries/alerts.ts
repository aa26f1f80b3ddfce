/** The list of alerts, newest first, from a place on. */
import { z } from 'zod'
import { before, defineQuery, filter, filters, limit, since, until } from '../../schemas/query.ts'
import { AlertRow, alertColumns } from '../alert-row.ts'

export default defineQuery({
  name: 'alerts',
  about: 'Alerts, newest first, with the exact number of their hits and whether somebody has acknowledged them.',
  params: z.object({
    severity: filters,
    detector: filters,
    server: filter,
    actor: filter,
    status: filter,
    since,
    until,
    ...before,
    limit: limit(100, 1_001),
  }),
  row: AlertRow,
  sql: `
    WITH
      acknowledged AS (
        SELECT alert_id, min(time) AS at, argMin(who, (time, id)) AS by FROM alert_events
        WHERE tenant = {tenant:String} AND what = 'acknowledged' GROUP BY alert_id),
      page AS (
        SELECT * FROM alerts FINAL
        WHERE tenant = {tenant:String}
          AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
          AND (time, alert_id) < (fromUnixTimestamp64Nano({before_time:Int64}), {before_id:String})
          AND (empty({severity:Array(String)}) OR severity IN {severity:Array(String)})
          AND (empty({detector:Array(String)}) OR detector IN {detector:Array(String)})
          AND ({server:String} = '' OR server_key = {server:String} OR server_alias = {server:String})
          AND ({actor:String} = '' OR actor = {actor:String})
          AND ({status:String} = '' OR ({status:String} = 'acknowledged') = (alert_id IN (SELECT alert_id FROM acknowledged)))
        ORDER BY time DESC, alert_id DESC
        LIMIT {limit:UInt32})
    SELECT ${alertColumns},
      counted.hits AS hits, counted.last AS last_hit, acknowledged.at AS acknowledged_at, acknowledged.by AS acknowledged_by
    FROM page
    LEFT JOIN (
      SELECT alert_id, uniqExact(event_id) AS hits, max(time) AS last FROM alert_hits
      WHERE tenant = {tenant:String} AND alert_id IN (SELECT alert_id FROM page) GROUP BY alert_id) AS counted USING alert_id
    LEFT JOIN acknowledged USING alert_id
    ORDER BY time DESC, alert_id DESC`,
})
