/** The engine without a bus: facts come straight back. For files, history and tests; the verdicts are those of the stream. */
import type { Fact } from '../schemas/detector.ts'
import type { McpEvent } from '../schemas/event.ts'
import { createEngine, type EngineOptions, type EngineStats, type Verdicts } from './engine.ts'

/** A fact may lead to a fact, but not for ever. */
const ROUNDS_MAX = 4

export type Inline = Readonly<{ event: (event: McpEvent) => Verdicts; snapshot: () => Uint8Array; stats: () => EngineStats }>

export function createInline(options: EngineOptions): Inline {
  const engine = createEngine(options)
  return {
    event: (event) => {
      const verdicts = engine.event(event)
      let facts: readonly Fact[] = verdicts.facts
      for (let round = 0; round < ROUNDS_MAX && facts.length > 0; round += 1) {
        const next: Fact[] = []
        for (const fact of facts) {
          const more = engine.fact(fact)
          verdicts.alerts.push(...more.alerts)
          verdicts.hits.push(...more.hits)
          verdicts.signals.push(...more.signals)
          next.push(...more.facts)
        }
        facts = next
      }
      return verdicts
    },
    snapshot: engine.snapshot,
    stats: engine.stats,
  }
}
