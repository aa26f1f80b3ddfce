/** Which detectors speak most. */
import { z } from 'zod'
import { Severity } from '../../schemas/alert.ts'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'alerts-by-detector',
  about: 'Alerts per detector, with the newest.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    detector: z.string(),
    alerts: z.number(),
    worst: Severity,
    newest: z.string(),
  }),
  sql: `
    SELECT detector, uniqExact(alert_id) AS alerts, argMax(severity, severity_rank) AS worst, max(time) AS newest
    FROM alerts
    WHERE tenant = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
    GROUP BY detector
    ORDER BY alerts DESC, detector
    LIMIT {limit:UInt32}`,
})
