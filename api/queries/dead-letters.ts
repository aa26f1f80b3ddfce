/** What no stage could take, by reason; the bytes themselves stay sealed. */
import { z } from 'zod'
import { defineQuery, limit } from '../../schemas/query.ts'

export default defineQuery({
  name: 'dead-letters',
  about: 'Dead letters per topic and reason. They have no tenant: only the default one, whose machine this is, sees them.',
  params: z.object({ limit: limit(100, 1_000) }),
  row: z.object({
    topic: z.string(),
    reason: z.string(),
    letters: z.number(),
    newest: z.string(),
  }),
  sql: `
    SELECT topic, reason, uniqExact((partition, offset, log)) AS letters, max(at) AS newest
    FROM dead_letters
    WHERE {tenant:String} = 'default'
    GROUP BY topic, reason
    ORDER BY letters DESC, topic, reason
    LIMIT {limit:UInt32}`,
})
