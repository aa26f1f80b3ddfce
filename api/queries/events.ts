/**
 * The list of events, newest first, from a place on. The page is found by its narrow columns; only its own rows are read whole.
 * Words are looked for in the text itself, any part of a word, in any case: no index serves that, and reading the text is
 * what it costs. So the page is one value, which the engine finds once; a named subquery would be run at each mention.
 */
import { z } from 'zod'
import { before, defineQuery, filter, filters, limit, since, until } from '../../schemas/query.ts'
import { EventRow, eventColumns } from '../event-row.ts'

export default defineQuery({
  name: 'events',
  about:
    'Events, newest first. `words`: words or phrases; each must occur in the names, arguments, results or errors of the event, in any case.',
  params: z.object({
    kind: filters,
    method: filter,
    tool: filter,
    server: filter,
    actor: filter,
    call: filter,
    thread: filter,
    words: filters,
    since,
    until,
    ...before,
    limit: limit(100, 1_001),
  }),
  row: EventRow,
  sql: `
    WITH (SELECT groupArray((time, id)) FROM (
      SELECT time, \`lapwing.event.id\` AS id FROM events
      WHERE \`lapwing.tenant\` = {tenant:String}
        AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
        AND time <= fromUnixTimestamp64Nano({before_time:Int64})
        AND (time, \`lapwing.event.id\`) < (fromUnixTimestamp64Nano({before_time:Int64}), {before_id:String})
        AND (empty({kind:Array(String)}) OR \`lapwing.event.kind\` IN {kind:Array(String)})
        AND ({method:String} = '' OR \`mcp.method.name\` = {method:String})
        AND ({tool:String} = '' OR \`gen_ai.tool.name\` = {tool:String})
        AND ({server:String} = '' OR \`lapwing.server.id\` = {server:String} OR \`lapwing.server.alias\` = {server:String})
        AND ({actor:String} = '' OR \`lapwing.actor\` = {actor:String})
        AND ({call:String} = '' OR \`lapwing.call.id\` = {call:String})
        AND ({thread:String} = '' OR \`lapwing.event.id\` IN (
          SELECT event_id FROM thread_links WHERE tenant = {tenant:String} AND thread_id = {thread:String}))
        AND (empty({words:Array(String)}) OR arrayAll(at -> at > 0, multiSearchAllPositionsCaseInsensitiveUTF8(
          concatWithSeparator('\\n', \`gen_ai.tool.name\`, \`mcp.method.name\`, \`lapwing.server.alias\`, \`mcp.resource.uri\`,
            \`gen_ai.tool.call.arguments\`, \`gen_ai.tool.call.result\`, \`lapwing.params\`, \`lapwing.result\`, \`lapwing.error.message\`),
          if(empty({words:Array(String)}), [''], {words:Array(String)}))))
      ORDER BY time DESC, id DESC
      LIMIT 1 BY id
      LIMIT {limit:UInt32})) AS page
    SELECT ${eventColumns} FROM events
    WHERE \`lapwing.tenant\` = {tenant:String}
      AND time >= arrayMin(page.1) AND time <= arrayMax(page.1)
      AND \`lapwing.event.id\` IN (SELECT arrayJoin(page.2))
    ORDER BY time DESC, \`lapwing.event.id\` DESC
    LIMIT 1 BY \`lapwing.event.id\`
    LIMIT {limit:UInt32}`,
})
