/** Definitions by their hashes: what a tool said before and after. */
import { z } from 'zod'
import { defineQuery, filters } from '../../schemas/query.ts'

export default defineQuery({
  name: 'definitions-by-hash',
  about: 'Tool definitions by their hashes.',
  params: z.object({ hashes: filters }),
  row: z.object({
    server_key: z.string(),
    tool_name: z.string(),
    definition_hash: z.string(),
    definition: z.string(),
    first_seen: z.string(),
    last_seen: z.string(),
  }),
  sql: `
    SELECT server_key, tool_name, definition_hash, definition, first_seen, last_seen FROM definitions FINAL
    WHERE tenant = {tenant:String} AND has({hashes:Array(String)}, definition_hash)
    ORDER BY first_seen
    LIMIT 200`,
})
