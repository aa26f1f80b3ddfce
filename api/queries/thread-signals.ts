/** The signals of a thread: what detectors noticed that is no alert by itself. */
import { z } from 'zod'
import { defineQuery } from '../../schemas/query.ts'

export default defineQuery({
  name: 'thread-signals',
  about: 'The signals of a thread, oldest first.',
  params: z.object({ thread_id: z.string().max(300) }),
  row: z.object({
    time: z.string(),
    event_id: z.string(),
    detector: z.string(),
    signal: z.string(),
    family: z.string(),
    weight: z.number(),
    summary: z.string(),
  }),
  sql: `
    SELECT time, event_id, detector, signal, family, weight, summary FROM signals FINAL
    WHERE tenant = {tenant:String} AND thread_id = {thread_id:String}
    ORDER BY time, event_id, detector, signal
    LIMIT 5000`,
})
