/** Alerts that name a source: what was read at one place and given to another. */
import { z } from 'zod'
import { Severity } from '../../schemas/alert.ts'
import { defineQuery, limit, since, until } from '../../schemas/query.ts'

export default defineQuery({
  name: 'taint-paths',
  about:
    'Alerts whose evidence names a source event, with server and tool of both ends, newest first. Without a sink event it is the event that completed the finding.',
  params: z.object({ since, until, limit: limit(100, 1_000) }),
  row: z.object({
    alert_id: z.string(),
    time: z.string(),
    severity: Severity,
    actor: z.string(),
    source: z.string(),
    sink: z.string(),
    summary: z.string(),
  }),
  sql: `
    WITH paths AS (
      SELECT alert_id, time, severity, actor, summary,
        if(JSONType(evidence, 'sourceEvent') = 'Array', JSONExtractString(evidence, 'sourceEvent', 1), JSONExtractString(evidence, 'sourceEvent')) AS source_event,
        multiIf(NOT JSONHas(evidence, 'sinkEvent'), event_id, JSONType(evidence, 'sinkEvent') = 'Array',
          JSONExtractString(evidence, 'sinkEvent', 1), JSONExtractString(evidence, 'sinkEvent')) AS sink_event
      FROM alerts FINAL
      WHERE tenant = {tenant:String}
        AND time >= fromUnixTimestamp64Nano({since:Int64}) AND time < fromUnixTimestamp64Nano({until:Int64})
        AND JSONHas(evidence, 'sourceEvent')
      ORDER BY time DESC, alert_id
      LIMIT {limit:UInt32}),
    ends AS (
      SELECT \`lapwing.event.id\` AS id, any(concat(if(\`lapwing.server.alias\` != '', \`lapwing.server.alias\`, \`lapwing.server.id\`),
        if(\`gen_ai.tool.name\` = '', '', concat(' · ', \`gen_ai.tool.name\`)))) AS place
      FROM events
      WHERE \`lapwing.tenant\` = {tenant:String}
        AND (\`lapwing.event.id\` IN (SELECT source_event FROM paths) OR \`lapwing.event.id\` IN (SELECT sink_event FROM paths))
      GROUP BY id)
    SELECT paths.alert_id AS alert_id, paths.time AS time, paths.severity AS severity, paths.actor AS actor,
      froms.place AS source, tos.place AS sink, paths.summary AS summary
    FROM paths
    LEFT JOIN ends AS froms ON froms.id = paths.source_event
    LEFT JOIN ends AS tos ON tos.id = paths.sink_event
    ORDER BY time DESC, alert_id`,
})
