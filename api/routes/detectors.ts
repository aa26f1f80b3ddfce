/** The catalogue: what each detector looks for, why, what it maps to and what it cannot see. The rule files, handed in. */
import { z } from 'zod'
import { Mapping, Severity } from '../../schemas/alert.ts'
import type { AnyDetector } from '../../schemas/detector.ts'
import { semconv } from '../../schemas/semconv.ts'
import type { App, Context } from './context.ts'

const Detector = z
  .object({
    id: z.string(),
    title: z.string(),
    why: z.string(),
    family: z.string(),
    severity: Severity,
    state: z.enum(['shadow', 'stable']),
    version: z.number(),
    maps: Mapping,
    needs: z.array(z.string()).describe('fields it cannot work without'),
    blind_spots: z.array(z.string()),
    playbook: z.array(z.string()),
    scope: z.string(),
    reads: z.array(z.string()),
    settings: z.unknown().describe('JSON Schema of its settings'),
    examples: z.object({ fire: z.number(), quiet: z.number() }),
  })
  .meta({ id: 'Detector' })

function settingsOf({ settings }: AnyDetector): unknown {
  const { $schema: _, ...schema } = z.toJSONSchema(settings, { io: 'input', unrepresentable: 'any' })
  return schema
}

function shown(detector: AnyDetector): z.infer<typeof Detector> {
  const { id, title, why, family, severity, state, version, maps, scope, examples } = detector
  const fire = examples.filter((example) => example.fires.length > 0).length
  return {
    ...{ id, title, why, family, severity, state, version, scope },
    maps: { family: [family], ...maps },
    needs: detector.needs.map((field) => semconv[field][0]),
    blind_spots: [...detector.blindSpots],
    playbook: [...detector.playbook],
    reads: [...detector.reads],
    settings: settingsOf(detector),
    examples: { fire, quiet: examples.length - fire },
  }
}

export function detectorRoutes(app: App, { detectors }: Context): void {
  const items = detectors.map(shown)
  app.get(
    '/v1/detectors',
    { schema: { summary: 'All detectors', response: { 200: z.object({ items: z.array(Detector) }) } } },
    async () => ({ items }),
  )
}
