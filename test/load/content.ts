/** The one content pass over all texts of calls: against a loop that only touches each character, and with sixteen times the patterns. */

import { createProtobufDecoder } from '../../collectors/otlp/protobuf.ts'
import { toEvent } from '../../collectors/otlp/to-event.ts'
import { loadCatalog } from '../../detectors/catalog.ts'
import { createContentPass } from '../../detectors/content.ts'
import { textsOf } from '../../detectors/texts.ts'
import type { Pattern, TextPart } from '../../schemas/detector.ts'
import { encode } from '../collectors/otlp-bodies.ts'
import { spans, tracesOf } from './events.ts'
import { alternate, type Figure, type Part, type Run } from './measure.ts'

function partsOf(count: number): TextPart[] {
  const { records } = createProtobufDecoder({ elementsMax: 1_000_000 })('traces', encode('Traces', tracesOf(spans(count))))
  const context = { tenant: 'default', source: 'otlp', now: 0n, keyedHash: (text: string) => text.slice(0, 16) }
  return records.flatMap((record) => {
    const event = toEvent(record, context)
    return typeof event === 'string' ? [] : textsOf(event)
  })
}

/** The same patterns with longer literals: as many more to look for, which no text here holds, so that looking alone is measured. */
const other = (pattern: Pattern, by: number): Pattern => ({
  ...pattern,
  id: `${pattern.id} ${by}`,
  literals: pattern.literals.map((literal) => `${literal}q${String.fromCharCode(97 + by)}zj`),
})

function touch(parts: readonly TextPart[]): number {
  let sum = 0
  for (const { text } of parts) for (let at = 0; at < text.length; at += 1) sum += text.charCodeAt(at)
  return sum
}

async function run({ quick, say }: Run): Promise<readonly Figure[]> {
  const { detectors } = await loadCatalog()
  const patterns = detectors.flatMap((detector) => detector.patterns ?? [])
  const parts = partsOf(quick ? 500 : 1_500)
  const once = createContentPass(patterns)
  const sixteen = createContentPass([
    ...patterns,
    ...Array.from({ length: 15 }, (_, n) => patterns.map((pattern) => other(pattern, n + 1))).flat(),
  ])
  const literals = createContentPass(patterns.map(({ verify: _, ...pattern }) => pattern))
  const [floor = 0, scan = 0, bare = 0, many = 0] = await alternate(
    [() => touch(parts), () => once.scan(parts), () => literals.scan(parts), () => sixteen.scan(parts)],
    quick ? 5 : 9,
  )
  say(
    `${patterns.length} patterns, ${parts.length} texts of ${Math.round(parts.reduce((sum, { text }) => sum + text.length, 0) / parts.length)} characters`,
  )
  return [
    { name: 'content scan with verification', value: scan / floor, unit: '× touching each character' },
    { name: 'content scan, literals only', value: bare / floor, unit: '× touching each character' },
    { name: 'content scan at 16 × the patterns', value: many / scan, unit: '× the patterns of today', aim: { atMost: 1.25 } },
  ]
}

export const contentPart: Part = { name: 'content', about: 'one pass for all patterns', run }
