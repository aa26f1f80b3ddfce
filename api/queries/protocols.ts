/** Which protocol revisions and transports are in use. */
import { z } from 'zod'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'protocols',
  about: 'Events per protocol era, revision and transport.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    era: z.string(),
    version: z.string(),
    transport: z.string(),
    events: z.number(),
    servers: z.number(),
  }),
  sql: `
    SELECT \`lapwing.protocol.era\` AS era, \`mcp.protocol.version\` AS version, \`lapwing.transport\` AS transport, count() AS events,
      uniq(\`lapwing.server.id\`) AS servers
    FROM events
    WHERE \`lapwing.tenant\` = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
    GROUP BY era, version, transport
    ORDER BY events DESC, era, version, transport
    LIMIT {limit:UInt32}`,
})
