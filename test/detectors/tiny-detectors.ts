/** Small detectors with every kind of output, to prove engine and worker without the catalogue; and stories of many actors. */
import { z } from 'zod'
import { storyEvents } from '../../collectors/file.ts'
import { type AnyDetector, type Detector, defineDetector } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { exchange } from '../../schemas/story.ts'

type Shared = Omit<Detector<object, never>, 'id' | 'scope' | 'reads' | 'inspect' | 'memory' | 'facts' | 'keys'>
const shared: Shared = {
  title: 'tiny',
  why: 'to prove the engine',
  family: 'D9',
  severity: 'low',
  state: 'stable',
  version: 1,
  maps: { attack: [], atlas: [], cosai: ['MCP-T10'], owaspMcp: [], owaspAsi: [], safeMcp: [] },
  needs: [],
  blindSpots: [],
  playbook: [],
  settings: z.object({}),
  examples: [],
}

/** Every third call of an actor is a finding; what was counted is in its name, so that a lost or doubled event shows. */
export const everyThird = defineDetector({
  ...shared,
  id: 'every-third',
  scope: 'actor',
  reads: ['request'],
  memory: { version: 1, keysMax: 10_000, ttlMs: 86_400_000, initial: () => ({ count: 0 }) },
  *inspect({ subject, memories: [memory] }) {
    if (subject.kind !== 'event' || !memory) return
    memory.count += 1
    if (memory.count % 3 === 0) {
      yield { finding: `${subject.event.actor} ${memory.count}`, confidence: 1, summary: 'third', evidence: {} }
      yield { signal: 'third', weight: 0.1, summary: 'third', evidence: {} }
    }
  },
})
/** Tools that two actors used, learned from facts: the order of the facts must not matter. */
export const sharedTool = defineDetector({
  ...shared,
  id: 'shared-tool',
  scope: 'tenant',
  reads: ['fact:tool-used'],
  memory: { version: 1, keysMax: 10, ttlMs: 86_400_000, initial: () => new Map<string, Set<string>>() },
  *inspect({ subject, memories: [memory] }) {
    if (subject.kind !== 'fact' || !memory) return
    const { actor, body } = subject.fact
    const tool = String(body)
    const actors = memory.get(tool) ?? new Set<string>()
    if (actors.size < 100) memory.set(tool, actors.add(actor))
    if (actors.size >= 2) yield { finding: tool, confidence: 1, summary: 'shared', evidence: {} }
  },
  *facts({ event }) {
    if (event.kind === 'request' && event.toolName)
      yield { fact: 'tool-used', scope: 'tenant', key: event.tenant, body: event.toolName, once: true }
  },
})
/** Tells each signal again: a signal may lead to a finding. */
export const echo = defineDetector({
  ...shared,
  id: 'echo',
  scope: 'thread',
  reads: ['signal:third'],
  *inspect({ subject }) {
    if (subject.kind === 'signal') yield { finding: `${subject.signal.eventId}`, confidence: 1, summary: 'echo', evidence: {} }
  },
})
/** Remembers little, and throws on one tool. */
export const fragile = defineDetector({
  ...shared,
  id: 'fragile',
  scope: 'actor',
  reads: ['request'],
  memory: { version: 1, keysMax: 10, ttlMs: 86_400_000, initial: () => ({ seen: 0 }) },
  *inspect({ subject, memories: [memory] }) {
    if (subject.kind !== 'event' || !memory) return
    memory.seen += 1
    if (subject.event.toolName === 'boom') throw new Error('on purpose')
    if (memory.seen === 1) yield { finding: `first ${subject.event.actor}`, confidence: 1, summary: 'first', evidence: {} }
  },
})
export const tiny: readonly AnyDetector[] = [everyThird, sharedTool, echo, fragile]

export type Step = Readonly<{ actor: number; tool: string }>
/** Calls and their answers, one second apart. */
export const eventsOf = (steps: readonly Step[]): McpEvent[] =>
  storyEvents(
    steps.flatMap(({ actor, tool }, n) =>
      exchange('srv', 'tools/call', { name: tool, arguments: { n } }, { content: [] }, { t: n, principal: `actor-${actor}` }).map(
        (line) => ({
          ...line,
          msg: { ...(line.msg as object), id: n },
        }),
      ),
    ),
    { item: 'steps' },
  ).map(({ event }) => event)

export const manySteps = (count: number, actors = 7): Step[] =>
  Array.from({ length: count }, (_, n) => ({
    actor: (n * 5 + (n >> 3)) % actors,
    tool: ['a', 'b', 'c', 'd'][(n * 3 + (n >> 2)) % 4] as string,
  }))
