/** Which kinds of secret travelled, and where: each was replaced before it was kept. */
import { z } from 'zod'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'secrets-seen',
  about: 'Secrets replaced, per kind, server and tool; `different` counts distinct values by their keyed hash.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    kind: z.string(),
    server_id: z.string(),
    tool: z.string(),
    events: z.number(),
    different: z.number(),
    newest: z.string(),
  }),
  sql: `
    SELECT splitByChar(':', secret)[1] AS kind, server_id, tool, uniqExact(id) AS events, uniqExact(secret) AS different, max(time) AS newest
    FROM (
      SELECT arrayJoin(JSONExtract(\`lapwing.secrets\`, 'Array(String)')) AS secret, \`lapwing.server.id\` AS server_id,
        \`gen_ai.tool.name\` AS tool, \`lapwing.event.id\` AS id, time
      FROM events
      WHERE \`lapwing.tenant\` = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64}) AND \`lapwing.secrets\` != '')
    GROUP BY kind, server_id, tool
    ORDER BY events DESC, kind, server_id, tool
    LIMIT {limit:UInt32}`,
})
