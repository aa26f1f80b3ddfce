/** Whose behaviour raises alerts. */
import { z } from 'zod'
import { Severity } from '../../schemas/alert.ts'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'alerts-by-actor',
  about: 'Alerts per actor, with the worst and the newest.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    actor: z.string(),
    alerts: z.number(),
    worst: Severity,
    newest: z.string(),
  }),
  sql: `
    SELECT actor, uniqExact(alert_id) AS alerts, argMax(severity, severity_rank) AS worst, max(time) AS newest
    FROM alerts
    WHERE tenant = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
    GROUP BY actor
    ORDER BY alerts DESC, actor
    LIMIT {limit:UInt32}`,
})
