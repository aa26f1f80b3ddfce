/** Who does what. */
import { z } from 'zod'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'actors',
  about: 'Actors, with their events, calls and servers.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    actor: z.string(),
    grade: z.string(),
    events: z.number(),
    calls: z.number(),
    servers: z.number(),
    newest: z.string(),
  }),
  sql: `
    SELECT \`lapwing.actor\` AS actor, argMax(\`lapwing.actor.grade\`, time) AS grade, count() AS events, countIf(\`mcp.method.name\` = 'tools/call' AND \`lapwing.event.kind\` IN ('request', 'call')) AS calls,
      uniq(\`lapwing.server.id\`) AS servers, max(time) AS newest
    FROM events
    WHERE \`lapwing.tenant\` = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
    GROUP BY actor
    ORDER BY events DESC, actor
    LIMIT {limit:UInt32}`,
})
