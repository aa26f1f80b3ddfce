/** Events by their ids: what an alert was made of. */
import { z } from 'zod'
import { defineQuery, filters } from '../../schemas/query.ts'
import { EventRow, eventColumns } from '../event-row.ts'

export default defineQuery({
  name: 'events-by-id',
  about: 'Events by their ids, oldest first.',
  params: z.object({ ids: filters }),
  row: EventRow,
  sql: `
    SELECT ${eventColumns} FROM events
    WHERE \`lapwing.tenant\` = {tenant:String} AND has({ids:Array(String)}, \`lapwing.event.id\`)
    ORDER BY time, \`lapwing.event.id\`
    LIMIT 1 BY \`lapwing.event.id\`
    LIMIT 1000`,
})
