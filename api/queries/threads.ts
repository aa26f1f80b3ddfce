/** The latest threads: pieces of work of one actor, with what was raised in them. */
import { z } from 'zod'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'threads',
  about: 'Threads by their newest event, with actor, servers, calls and alerts.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    thread_id: z.string(),
    first_seen: z.string(),
    last_seen: z.string(),
    events: z.number(),
    calls: z.number(),
    actor: z.string(),
    servers: z.array(z.string()),
    alerts: z.number(),
  }),
  sql: `
    WITH latest AS (
      SELECT thread_id, min(time) AS first_seen, max(time) AS last_seen, uniqExact(event_id) AS events FROM thread_links
      WHERE tenant = {tenant:String}
        AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
      GROUP BY thread_id
      ORDER BY last_seen DESC, thread_id
      LIMIT {limit:UInt32}),
    members AS (
      SELECT thread_id, any(\`lapwing.actor\`) AS actor, countIf(\`mcp.method.name\` = 'tools/call' AND \`lapwing.event.kind\` IN ('request', 'call')) AS calls,
        groupUniqArray(20)(if(\`lapwing.server.alias\` != '', \`lapwing.server.alias\`, \`lapwing.server.id\`)) AS servers
      FROM (
        SELECT DISTINCT thread_id, event_id FROM thread_links
        WHERE tenant = {tenant:String} AND thread_id IN (SELECT thread_id FROM latest)) AS linked
      INNER JOIN (
        SELECT \`lapwing.event.id\`, \`lapwing.actor\`, \`mcp.method.name\`, \`lapwing.event.kind\`, \`lapwing.server.alias\`, \`lapwing.server.id\` FROM events
        WHERE \`lapwing.tenant\` = {tenant:String}
          AND time >= (SELECT min(first_seen) FROM latest) AND time <= (SELECT max(last_seen) FROM latest)
        LIMIT 1 BY \`lapwing.event.id\`) AS seen ON seen.\`lapwing.event.id\` = linked.event_id
      GROUP BY thread_id),
    raised AS (
      SELECT thread_id, uniqExact(alert_id) AS alerts FROM alerts
      WHERE tenant = {tenant:String} AND thread_id IN (SELECT thread_id FROM latest) GROUP BY thread_id)
    SELECT latest.thread_id AS thread_id, latest.first_seen AS first_seen, latest.last_seen AS last_seen, latest.events AS events,
      members.calls AS calls, members.actor AS actor, members.servers AS servers, raised.alerts AS alerts
    FROM latest LEFT JOIN members USING thread_id LEFT JOIN raised USING thread_id
    ORDER BY last_seen DESC, thread_id`,
})
