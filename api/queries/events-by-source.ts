/** Who sends how much. */
import { z } from 'zod'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'events-by-source',
  about: 'Events per source and dialect.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    source: z.string(),
    dialect: z.string(),
    events: z.number(),
    newest: z.string(),
  }),
  sql: `
    SELECT \`lapwing.source\` AS source, \`lapwing.dialect\` AS dialect, count() AS events, max(time) AS newest
    FROM events
    WHERE \`lapwing.tenant\` = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
    GROUP BY source, dialect
    ORDER BY events DESC, source, dialect
    LIMIT {limit:UInt32}`,
})
