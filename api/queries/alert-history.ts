/** What people did to an alert, oldest first. */
import { z } from 'zod'
import { defineQuery, json } from '../../schemas/query.ts'

export default defineQuery({
  name: 'alert-history',
  about: 'The triage of one alert: who did what, when.',
  params: z.object({ alert_id: z.string().max(300) }),
  row: z.object({ time: z.string(), who: z.string(), what: z.string(), detail: json(z.record(z.string(), z.string())) }),
  sql: `
    SELECT time, who, what, detail FROM alert_events FINAL
    WHERE tenant = {tenant:String} AND alert_id = {alert_id:String}
    ORDER BY time, id
    LIMIT 1000`,
})
