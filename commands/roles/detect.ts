/** Role detect: joins spans to calls, and runs the rules, one engine per partition, from their checkpoints on. */
import { join } from 'node:path'
import { createJoiner, runJoiner } from '../../collectors/joiner.ts'
import type { Catalog } from '../../detectors/catalog.ts'
import { openCheckpoints } from '../../detectors/checkpoint.ts'
import { prepareDetectors, type Verdicts } from '../../detectors/engine.ts'
import { runWorker, type Worker } from '../../detectors/worker.ts'
import { hashId } from '../../schemas/ids.ts'
import { one } from '../health.ts'
import type { Base } from './base.ts'

export async function openDetect(base: Base, catalog: Catalog, onVerdicts?: (verdicts: Verdicts) => void): Promise<void> {
  const { bus, config, log, opening, groups, vitals, version } = base
  const revision = hashId(
    version,
    bus.id ?? '',
    ...catalog.detectors.map(({ id, version: own, memory }) => `${id} ${own} ${memory?.version ?? 0}`),
  )
  const worker = await runWorker({
    bus,
    prepared: prepareDetectors(catalog.detectors, new Map(Object.entries(config.detectors))),
    checkpoints: base.kafka?.checkpoints(revision) ?? openCheckpoints(join(config.dataDir, 'checkpoints'), revision),
    onError: (detector, error) => log.error({ detector, error }, 'detector failed'),
    ...(onVerdicts ? { onVerdicts } : {}),
  })
  opening.defer(() => worker.stop())
  const joiner = createJoiner()
  const joining = await runJoiner(bus, joiner)
  opening.defer(() => joining.stop())
  groups.set('joiner', joining).set('detect', worker)
  vitals.push({ name: 'detectors', report: () => reportOf(worker, catalog.failed), samples: () => samplesOf(worker) })
  vitals.push({ name: 'joiner', report: joiner.stats, samples: () => [] })
}

/** All engines together, and what did not load. */
function reportOf(worker: Worker, failed: Catalog['failed']) {
  const engines = worker.stats()
  const sum = (of: (stats: (typeof engines)[number]) => number) => engines.reduce((total, stats) => total + of(stats), 0)
  return {
    partitions: engines.length,
    events: sum(({ events }) => events),
    duplicates: sum(({ duplicates }) => duplicates),
    facts: sum(({ facts }) => facts),
    facts_too_large: sum(({ factsTooLarge }) => factsTooLarge),
    errors: sum(({ errors }) => [...errors.values()].reduce((total, count) => total + count, 0)),
    windows_skipped: Math.max(0, ...engines.map(({ windowsSkipped }) => windowsSkipped)),
    not_loaded: failed.map(({ id, reason }) => `${id}: ${reason}`).join('; ') || 'none',
  }
}

function samplesOf(worker: Worker) {
  const engines = worker.stats()
  const sum = (of: (stats: (typeof engines)[number]) => number) => engines.reduce((total, stats) => total + of(stats), 0)
  const errors = new Map<string, number>()
  const costs = new Map<string, number>()
  for (const stats of engines) {
    for (const [id, count] of stats.errors) errors.set(id, (errors.get(id) ?? 0) + count)
    for (const [id, ms] of stats.costsMs) costs.set(id, (costs.get(id) ?? 0) + ms / 1_000)
  }
  return [
    one(
      'lapwing_detector_subjects_total',
      'counter',
      'Events inspected',
      sum(({ events }) => events),
    ),
    one(
      'lapwing_detector_duplicates_total',
      'counter',
      'Events seen before',
      sum(({ duplicates }) => duplicates),
    ),
    {
      name: 'lapwing_detector_seconds_total',
      help: 'Time a detector took, from every 64th event',
      kind: 'counter' as const,
      values: [...costs].map(([detector, seconds]) => [{ detector }, seconds] as const),
    },
    {
      name: 'lapwing_detector_errors_total',
      help: 'Failures of a detector, by its id',
      kind: 'counter' as const,
      values: [...errors].map(([detector, count]) => [{ detector }, count] as const),
    },
  ]
}
