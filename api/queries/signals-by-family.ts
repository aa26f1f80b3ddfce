/** What was noticed that is no alert by itself. */
import { z } from 'zod'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'signals-by-family',
  about: 'Signals per family and name.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    family: z.string(),
    signal: z.string(),
    detector: z.string(),
    signals: z.number(),
    threads: z.number(),
    newest: z.string(),
  }),
  sql: `
    SELECT family, signal, detector, uniqExact(event_id) AS signals, uniqExact(thread_id) AS threads, max(time) AS newest
    FROM signals
    WHERE tenant = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
    GROUP BY family, signal, detector
    ORDER BY signals DESC, family, signal, detector
    LIMIT {limit:UInt32}`,
})
