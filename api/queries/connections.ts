/** What has arrived, by the way it came: tells a newcomer that a source is connected. */
import { z } from 'zod'
import { defineQuery } from '../../schemas/query.ts'

export default defineQuery({
  name: 'connections',
  about: 'Ways events came in: source, dialect, signal and transport, with the first and the newest.',
  params: z.object({}),
  row: z.object({
    source: z.string(),
    dialect: z.string(),
    signal: z.string(),
    transport: z.string(),
    events: z.number(),
    oldest: z.string(),
    newest: z.string(),
  }),
  sql: `
    SELECT \`lapwing.source\` AS source, \`lapwing.dialect\` AS dialect, \`lapwing.source.signal\` AS signal, \`lapwing.transport\` AS transport,
      count() AS events, min(time) AS oldest, max(time) AS newest
    FROM events
    WHERE \`lapwing.tenant\` = {tenant:String}
    GROUP BY source, dialect, signal, transport
    ORDER BY newest DESC, source, dialect, signal, transport
    LIMIT 200`,
})
