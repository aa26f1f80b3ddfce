/** One alert, with the exact number of its hits. */
import { z } from 'zod'
import { defineQuery } from '../../schemas/query.ts'
import { AlertRow, alertColumns } from '../alert-row.ts'

export default defineQuery({
  name: 'alert',
  about: 'One alert by its id.',
  params: z.object({ alert_id: z.string().max(300) }),
  row: AlertRow,
  sql: `
    SELECT ${alertColumns},
      (SELECT uniqExact(event_id) FROM alert_hits WHERE tenant = {tenant:String} AND alert_id = {alert_id:String}) AS hits,
      (SELECT max(time) FROM alert_hits WHERE tenant = {tenant:String} AND alert_id = {alert_id:String}) AS last_hit,
      (SELECT min(time) FROM alert_events WHERE tenant = {tenant:String} AND alert_id = {alert_id:String} AND what = 'acknowledged') AS acknowledged_at,
      (SELECT argMin(who, (time, id)) FROM alert_events
        WHERE tenant = {tenant:String} AND alert_id = {alert_id:String} AND what = 'acknowledged') AS acknowledged_by
    FROM alerts AS page FINAL
    WHERE tenant = {tenant:String} AND alert_id = {alert_id:String}`,
})
