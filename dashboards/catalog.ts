/** All dashboards, in the order they are shown. */
import type { Dashboard } from '../schemas/dashboard.ts'
import exfiltration from './exfiltration.ts'
import injectionAndPoisoning from './injection-and-poisoning.ts'
import overview from './overview.ts'
import pipelineHealth from './pipeline-health.ts'
import serversAndDrift from './servers-and-drift.ts'

export const dashboards: readonly Dashboard[] = [overview, exfiltration, injectionAndPoisoning, serversAndDrift, pipelineHealth]
