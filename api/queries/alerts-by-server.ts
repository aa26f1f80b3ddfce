/** Which servers are spoken of most. */
import { z } from 'zod'
import { Severity } from '../../schemas/alert.ts'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'alerts-by-server',
  about: 'Alerts per server, with the worst and the newest.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    server_id: z.string(),
    alias: z.string(),
    alerts: z.number(),
    worst: Severity,
    newest: z.string(),
  }),
  sql: `
    SELECT server_key AS server_id, argMax(server_alias, time) AS alias, uniqExact(alert_id) AS alerts,
      argMax(severity, severity_rank) AS worst, max(time) AS newest
    FROM alerts
    WHERE tenant = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
    GROUP BY server_id
    ORDER BY alerts DESC, server_id
    LIMIT {limit:UInt32}`,
})
