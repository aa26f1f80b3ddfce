/** The events of a thread in order, each with the reason it belongs there. */
import { z } from 'zod'
import { defineQuery, filter, limit } from '../../schemas/query.ts'
import { EventRow, eventColumns } from '../event-row.ts'

export default defineQuery({
  name: 'thread-events',
  about: 'The events of a thread, oldest first, from a place on.',
  params: z.object({
    thread_id: z.string().max(300),
    after_time: z
      .string()
      .regex(/^\d{1,19}$/)
      .default('0'),
    after_id: filter,
    limit: limit(500, 1_001),
  }),
  row: EventRow.extend({ link_reason: z.string(), link_confidence: z.number() }),
  sql: `
    WITH linked AS (
      SELECT event_id, min(time) AS at, argMax(reason, confidence) AS link_reason, max(confidence) AS link_confidence FROM thread_links
      WHERE tenant = {tenant:String} AND thread_id = {thread_id:String}
        AND (time, event_id) > (fromUnixTimestamp64Nano({after_time:Int64}), {after_id:String})
      GROUP BY event_id ORDER BY at, event_id LIMIT {limit:UInt32})
    SELECT ${eventColumns}, linked.link_reason AS link_reason, linked.link_confidence AS link_confidence
    FROM events INNER JOIN linked ON events.\`lapwing.event.id\` = linked.event_id
    WHERE \`lapwing.tenant\` = {tenant:String}
      AND time >= (SELECT min(at) FROM linked) AND time <= (SELECT max(at) FROM linked)
    ORDER BY time, \`lapwing.event.id\`
    LIMIT 1 BY \`lapwing.event.id\`
    LIMIT {limit:UInt32}`,
})
