/** What each source lets us see: the facts behind "can this detector fire?". */
import { z } from 'zod'
import { defineQuery, json, limit } from '../../schemas/query.ts'
import { type Field, type FieldType, semconv } from '../../schemas/semconv.ts'

/** Fields that detectors need; one that is not here is shown as unknown, never as seen. */
const fields: readonly Field[] = [
  ...(['arguments', 'result', 'params', 'body', 'toolName', 'method', 'actor', 'serverKey', 'principal', 'resourceUri'] as const),
  ...([
    'requestStateHash',
    'taskHash',
    'sessionHash',
    'connectionId',
    'authTokenHash',
    'authAudience',
    'authScopes',
    'authIssuer',
  ] as const),
  ...(['authSubject', 'secrets', 'rawFacts', 'http', 'headerMismatch', 'outcome', 'errorMessage', 'requestId', 'decisionOutcome'] as const),
  ...(['argsBytes', 'resultBytes', 'argsFingerprints', 'resultFingerprints', 'labels', 'hostApp', 'clientName', 'serverVersion'] as const),
]
const isText: ReadonlySet<FieldType> = new Set(['string', 'json', 'strings', 'ints'])
const counted = fields.map((field) => {
  const [name, type] = semconv[field]
  return `'${name}', countIf(${isText.has(type) ? `\`${name}\` != ''` : `isNotNull(\`${name}\`)`})`
})

export default defineQuery({
  name: 'field-coverage',
  about:
    'Per source, dialect and kind, over the newest events: how many have each field that detectors need, and how much was cut or sampled.',
  params: z.object({ limit: limit(20_000, 200_000) }),
  row: z.object({
    source: z.string(),
    dialect: z.string(),
    kind: z.string(),
    events: z.number(),
    sampling: z.number(),
    cut: z.number(),
    present: json(z.record(z.string(), z.number())),
  }),
  sql: `
    SELECT \`lapwing.source\` AS source, \`lapwing.dialect\` AS dialect, \`lapwing.event.kind\` AS kind, count() AS events,
      min(ifNull(\`lapwing.sampling.ratio\`, 1)) AS sampling, countIf(\`lapwing.content.level\` IN ('none', 'metadata', 'shape', 'truncated')) AS cut,
      toJSONString(map(${counted.join(', ')})) AS present
    FROM (
      SELECT * FROM events WHERE \`lapwing.tenant\` = {tenant:String} ORDER BY time DESC LIMIT {limit:UInt32})
    GROUP BY source, dialect, kind
    ORDER BY source, dialect, kind
    LIMIT 2000`,
})
