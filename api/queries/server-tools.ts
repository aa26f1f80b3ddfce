/** Every definition a server ever offered, per tool. */
import { z } from 'zod'
import { defineQuery, limit } from '../../schemas/query.ts'

export default defineQuery({
  name: 'server-tools',
  about: 'The definitions of the tools of a server, per tool, oldest first.',
  params: z.object({ server: z.string().max(300), limit: limit(2_000, 5_000) }),
  row: z.object({
    tool: z.string(),
    definition_hash: z.string(),
    definition: z.string(),
    first_seen: z.string(),
    last_seen: z.string(),
    server_version: z.string(),
    event_id: z.string(),
  }),
  sql: `
    SELECT tool_name AS tool, definition_hash, definition, first_seen, last_seen, server_version, event_id FROM definitions FINAL
    WHERE tenant = {tenant:String} AND server_key = {server:String}
    ORDER BY tool, first_seen, definition_hash
    LIMIT {limit:UInt32}`,
})
