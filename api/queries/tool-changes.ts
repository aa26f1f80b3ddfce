/** Tools that were not always what they are now. */
import { z } from 'zod'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'tool-changes',
  about: 'Tools with more than one definition whose newest one came in this time.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    server_id: z.string(),
    alias: z.string(),
    tool: z.string(),
    versions: z.number(),
    first_seen: z.string(),
    changed: z.string(),
  }),
  sql: `
    SELECT server_key AS server_id, any(alias) AS alias, tool_name AS tool, count() AS versions, min(seen) AS first_seen, max(seen) AS changed
    FROM (
      SELECT server_key, tool_name, definition_hash, min(first_seen) AS seen, anyLast(server_alias) AS alias FROM definitions
      WHERE tenant = {tenant:String} GROUP BY server_key, tool_name, definition_hash)
    GROUP BY server_id, tool
    HAVING versions > 1 AND changed >= fromUnixTimestamp64Nano({since:Int64}) AND changed < fromUnixTimestamp64Nano({until:Int64})
    ORDER BY changed DESC, server_id, tool
    LIMIT {limit:UInt32}`,
})
