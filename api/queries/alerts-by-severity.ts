/** How bad the alerts are, and how many nobody has looked at. */
import { z } from 'zod'
import { Severity } from '../../schemas/alert.ts'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'alerts-by-severity',
  about: 'Alerts per severity, and how many of them are not acknowledged.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    severity: Severity,
    alerts: z.number(),
    open: z.number(),
  }),
  sql: `
    SELECT severity, uniqExact(alert_id) AS alerts, uniqExactIf(alert_id, alert_id NOT IN (
      SELECT alert_id FROM alert_events WHERE tenant = {tenant:String} AND what = 'acknowledged')) AS open
    FROM alerts
    WHERE tenant = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
    GROUP BY severity, severity_rank
    ORDER BY severity_rank DESC
    LIMIT {limit:UInt32}`,
})
