/** How much traffic there is. */
import { z } from 'zod'
import { defineQuery, limit, since, step, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'events-over-time',
  about: 'Events, tool calls and failures per interval.',
  params: z.object({ since, until, step, limit: limit(5_000, 20_000) }),
  row: z.object({
    at: z.string(),
    events: z.number(),
    calls: z.number(),
    failures: z.number(),
  }),
  sql: `
    SELECT toStartOfInterval(time, toIntervalSecond({step:UInt32}), 'UTC') AS at, count() AS events, countIf(\`mcp.method.name\` = 'tools/call' AND \`lapwing.event.kind\` IN ('request', 'call')) AS calls,
      countIf(\`lapwing.outcome\` NOT IN ('', 'success', 'unknown', 'input_required', 'task_created')) AS failures
    FROM events
    WHERE \`lapwing.tenant\` = {tenant:String}
      AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
    GROUP BY at
    ORDER BY at
    LIMIT {limit:UInt32}`,
})
