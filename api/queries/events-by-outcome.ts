/** How calls end. */
import { z } from 'zod'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'events-by-outcome',
  about: 'Events per outcome.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    outcome: z.string(),
    events: z.number(),
  }),
  sql: `
    SELECT \`lapwing.outcome\` AS outcome, count() AS events
    FROM events
    WHERE \`lapwing.tenant\` = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64}) AND \`lapwing.outcome\` != ''
    GROUP BY outcome
    ORDER BY events DESC, outcome
    LIMIT {limit:UInt32}`,
})
