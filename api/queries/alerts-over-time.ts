/** How many alerts came when. */
import { z } from 'zod'
import { Severity } from '../../schemas/alert.ts'
import { defineQuery, limit, since, step, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'alerts-over-time',
  about: 'Alerts per interval and severity.',
  params: z.object({ since, until, step, limit: limit(5_000, 20_000) }),
  row: z.object({
    at: z.string(),
    severity: Severity,
    alerts: z.number(),
  }),
  sql: `
    SELECT toStartOfInterval(time, toIntervalSecond({step:UInt32}), 'UTC') AS at, severity, uniqExact(alert_id) AS alerts
    FROM alerts
    WHERE tenant = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
    GROUP BY at, severity, severity_rank
    ORDER BY at, severity_rank DESC
    LIMIT {limit:UInt32}`,
})
