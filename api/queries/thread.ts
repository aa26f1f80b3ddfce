/** What is known of a thread as a whole. */
import { z } from 'zod'
import { defineQuery } from '../../schemas/query.ts'

export default defineQuery({
  name: 'thread',
  about: 'How many events a thread has, from when to when.',
  params: z.object({ thread_id: z.string().max(300) }),
  row: z.object({ events: z.number(), first_seen: z.string().nullable(), last_seen: z.string().nullable() }),
  sql: `
    SELECT uniqExact(event_id) AS events, minOrNull(time) AS first_seen, maxOrNull(time) AS last_seen FROM thread_links
    WHERE tenant = {tenant:String} AND thread_id = {thread_id:String}`,
})
