/** Which kinds of attack are seen. */
import { z } from 'zod'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'alerts-by-family',
  about: 'Alerts per detector family.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    family: z.string(),
    alerts: z.number(),
    newest: z.string(),
  }),
  sql: `
    SELECT arrayJoin(families) AS family, uniqExact(alert_id) AS alerts, max(time) AS newest
    FROM alerts
    WHERE tenant = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
    GROUP BY family
    ORDER BY alerts DESC, family
    LIMIT {limit:UInt32}`,
})
