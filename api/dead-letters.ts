/** Dead letters one by one. Not among the named queries: what these answer is for the operator's command line, not for hunters. */
import { z } from 'zod'
import { before, defineQuery, filter, limit, since, until } from '../schemas/query.ts'

/** Topic, partition, offset and log: the record is the same however often it is refused. A topic has no colon in its name. */
const idSql = "concat(topic, ':', toString(partition), ':', toString(offset), if(log = '', '', concat(':', log)))"
const Id = /^([A-Za-z0-9._-]{1,249}):(\d{1,9}):(\d{1,19})(?::([0-9a-f]{8}))?$/

export function placeOf(id: string): { topic: string; partition: number; offset: string; log: string } | undefined {
  const [, topic, partition, offset, log = ''] = Id.exec(id) ?? []
  return topic === undefined || offset === undefined ? undefined : { topic, partition: Number(partition), offset, log }
}

const Row = z.object({
  id: z.string(),
  topic: z.string(),
  partition: z.number().int(),
  position: z.string(),
  reason: z.string(),
  detail: z.string(),
  at: z.string(),
})

/** What base64 of nonce, tag and record is in bytes, without the 28 of nonce and tag. */
const sizeSql = "greatest(0, intDiv(length(sealed) - 3, 4) * 3 - endsWith(sealed, '=') - endsWith(sealed, '==') - 28)"

export const deadLetters = defineQuery({
  name: 'dead-letter-list',
  about: 'Dead letters, newest first, without what is sealed in them. They have no tenant: only the default one sees them.',
  params: z.object({
    topic: filter,
    reason: filter,
    since,
    until,
    ...before,
    limit: limit(100, 1_001),
  }),
  row: Row.extend({ size: z.number().int() }),
  sql: `
    WITH page AS (
      SELECT topic, partition, offset, log, reason, detail, at, ${idSql} AS id
      FROM dead_letters FINAL
      WHERE {tenant:String} = 'default'
        AND at >= fromUnixTimestamp64Nano({since:Int64}) AND at < fromUnixTimestamp64Nano({until:Int64})
        AND ({topic:String} = '' OR topic = {topic:String})
        AND ({reason:String} = '' OR reason = {reason:String})
        AND (at, id) < (fromUnixTimestamp64Nano({before_time:Int64}), {before_id:String})
      ORDER BY at DESC, id DESC
      LIMIT {limit:UInt32})
    SELECT id, topic, partition, toString(offset) AS position, reason, detail, at, sizes.size AS size
    FROM page
    LEFT JOIN (
      SELECT topic, partition, offset, log, max(${sizeSql}) AS size FROM dead_letters
      WHERE (topic, partition, offset, log) IN (SELECT topic, partition, offset, log FROM page)
      GROUP BY topic, partition, offset, log) AS sizes USING (topic, partition, offset, log)
    ORDER BY at DESC, id DESC`,
})

export const deadLetter = defineQuery({
  name: 'dead-letter',
  about: 'One dead letter with its sealed original.',
  params: z.object({ topic: z.string(), partition: z.number().int(), offset: z.string(), log: z.string() }),
  row: Row.extend({ sealed: z.string() }),
  sql: `
    SELECT ${idSql} AS id, topic, partition, toString(offset) AS position, reason, detail, at, sealed
    FROM dead_letters
    WHERE {tenant:String} = 'default'
      AND topic = {topic:String} AND partition = {partition:UInt32} AND offset = {offset:UInt64} AND log = {log:String}
    ORDER BY at
    LIMIT 1`,
})
