/** Which tools are used most, and how they fare. */
import { z } from 'zod'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'calls-by-tool',
  about: 'Tool calls per server and tool, with callers and failures.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    server_id: z.string(),
    alias: z.string(),
    tool: z.string(),
    calls: z.number(),
    actors: z.number(),
    failures: z.number(),
    newest: z.string(),
  }),
  sql: `
    SELECT \`lapwing.server.id\` AS server_id, argMax(\`lapwing.server.alias\`, time) AS alias, \`gen_ai.tool.name\` AS tool,
      countIf(\`mcp.method.name\` = 'tools/call' AND \`lapwing.event.kind\` IN ('request', 'call')) AS calls, uniq(\`lapwing.actor\`) AS actors,
      countIf(\`lapwing.outcome\` NOT IN ('', 'success', 'unknown', 'input_required', 'task_created')) AS failures, max(time) AS newest
    FROM events
    WHERE \`lapwing.tenant\` = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64}) AND \`gen_ai.tool.name\` != ''
    GROUP BY server_id, tool
    ORDER BY calls DESC, server_id, tool
    LIMIT {limit:UInt32}`,
})
