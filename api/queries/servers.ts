/** Every server that was ever seen, with what is known of it. */
import { z } from 'zod'
import { defineQuery, filter, limit } from '../../schemas/query.ts'

export default defineQuery({
  name: 'servers',
  about: 'Servers, by key, with counts of events, tools and alerts. A row stored twice counts twice until it is merged.',
  params: z.object({ server: filter, after: filter, limit: limit(100, 1_001) }),
  row: z.object({
    server_id: z.string(),
    alias: z.string(),
    name: z.string(),
    version: z.string(),
    transport: z.string(),
    grade: z.string(),
    actors: z.number(),
    events: z.number(),
    calls: z.number(),
    first_seen: z.string(),
    last_seen: z.string(),
    tools: z.number(),
    alerts: z.number(),
  }),
  sql: `
    WITH seen AS (
      SELECT \`lapwing.server.id\` AS server_id,
        argMaxIf(\`lapwing.server.alias\`, time, \`lapwing.server.alias\` != '') AS alias,
        argMaxIf(\`lapwing.server.name\`, time, \`lapwing.server.name\` != '') AS name,
        argMaxIf(\`lapwing.server.version\`, time, \`lapwing.server.version\` != '') AS version,
        argMax(\`lapwing.transport\`, time) AS transport,
        argMaxIf(\`lapwing.server.grade\`, time, \`lapwing.server.grade\` != '') AS grade,
        uniq(\`lapwing.actor\`) AS actors, count() AS events,
        countIf(\`mcp.method.name\` = 'tools/call' AND \`lapwing.event.kind\` IN ('request', 'call')) AS calls,
        min(time) AS first_seen, max(time) AS last_seen
      FROM events
      WHERE \`lapwing.tenant\` = {tenant:String} AND \`lapwing.server.id\` > {after:String}
        AND ({server:String} = '' OR \`lapwing.server.id\` = {server:String})
      GROUP BY server_id ORDER BY server_id LIMIT {limit:UInt32})
    SELECT seen.server_id AS server_id, seen.alias AS alias, seen.name AS name, seen.version AS version, seen.transport AS transport,
      seen.grade AS grade, seen.actors AS actors, seen.events AS events, seen.calls AS calls, seen.first_seen AS first_seen,
      seen.last_seen AS last_seen, offered.tools AS tools, raised.alerts AS alerts
    FROM seen
    LEFT JOIN (
      SELECT server_key AS server_id, uniqExact(tool_name) AS tools FROM definitions
      WHERE tenant = {tenant:String} GROUP BY server_key) AS offered USING server_id
    LEFT JOIN (
      SELECT server_key AS server_id, uniqExact(alert_id) AS alerts FROM alerts
      WHERE tenant = {tenant:String} GROUP BY server_key) AS raised USING server_id
    ORDER BY server_id`,
})
