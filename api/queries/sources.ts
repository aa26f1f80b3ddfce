/** Who sends what: from where, in which dialect, with how much content. */
import { z } from 'zod'
import { defineQuery } from '../../schemas/query.ts'

export default defineQuery({
  name: 'sources',
  about: 'Sources of events, with what they let us see. `events` is a hint: a batch stored again counts again.',
  params: z.object({}),
  row: z.object({
    source: z.string(),
    dialect: z.string(),
    vantage: z.string(),
    content_level: z.string(),
    first_seen: z.string(),
    last_seen: z.string(),
    events: z.number(),
  }),
  sql: `
    SELECT source, dialect, vantage, content_level, min(first_seen) AS first_seen, max(last_seen) AS last_seen, sum(s.events) AS events
    FROM sources AS s
    WHERE tenant = {tenant:String}
    GROUP BY source, dialect, vantage, content_level
    ORDER BY source, dialect, vantage, content_level
    LIMIT 10000`,
})
