/** The loop rule remembers the last calls of a thread in a compact form: it says what a look at the whole story says. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import loop from '../../detectors/rules/loop.ts'
import type { McpEvent } from '../../schemas/event.ts'

const settings = { sameMax: 4, minutes: 5, cyclesMax: 3, failuresMax: 3 }
type Step = { tool: string; seconds: number; outcome: 'success' | 'tool_error' | undefined }

const eventOf = ({ tool, outcome }: Step, at: number, time: number) =>
  ({
    kind: 'call',
    method: 'tools/call',
    toolName: tool,
    serverKey: 'srv',
    eventId: `e${at}`,
    arguments: {},
    outcome,
    time: BigInt(time) * 1_000_000_000n,
  }) as unknown as McpEvent

/** From all calls so far: what is said of the last, and of which events. */
function plainly(steps: readonly Step[], times: readonly number[]): string[] {
  const said: string[] = []
  const last = steps.at(-1) as Step
  const own = steps.filter(({ tool, outcome }) => tool === last.tool && outcome !== undefined)
  const failures = own.length - 1 - own.findLastIndex(({ outcome }) => outcome !== 'tool_error')
  if (last.outcome !== undefined && failures >= settings.failuresMax) said.push('failures')
  const first = Math.max(0, steps.length - 64)
  const now = times.at(-1) as number
  const same = steps.flatMap(({ tool }, at) =>
    at >= first && tool === last.tool && (times[at] as number) >= now - 60 * settings.minutes ? [`e${at}`] : [],
  )
  if (same.length >= settings.sameMax) return [...said, `same ${same.join()}`]
  const ring = steps.slice(first).map(({ tool }) => tool)
  for (const length of [2, 3, 4]) {
    const tail = ring.slice(-length * settings.cyclesMax)
    const repeats = tail.length === length * settings.cyclesMax && tail.every((tool, at) => tool === tail[at % length])
    if (repeats && new Set(tail).size > 1) return [...said, `cycle ${same.join()}`]
  }
  return said
}

it('says of every call what the whole story says of it', () => {
  const step = fc.record({
    tool: fc.constantFrom('a', 'b', 'c'),
    seconds: fc.constantFrom(-30, 0, 1, 60, 200),
    outcome: fc.constantFrom('success', 'tool_error', undefined),
  })
  const turns = fc
    .tuple(fc.constantFrom('ab', 'abc', 'aab', 'abcd', 'a'), fc.nat(12))
    .map(([round, times]) => [...round.repeat(times)].map((tool): Step => ({ tool, seconds: 70, outcome: undefined })))
  const story = fc.array(fc.oneof(fc.array(step, { maxLength: 8 }), turns), { maxLength: 8 }).map((parts) => parts.flat())
  fc.assert(
    fc.property(story, (steps) => {
      const ring = loop.memory?.initial()
      assert.ok(ring)
      const times: number[] = []
      for (const [at, one] of steps.entries()) {
        times.push((times.at(-1) ?? 1_000) + one.seconds)
        const event = eventOf(one, at, times.at(-1) as number)
        const subject = { kind: 'event', event, thread: { threadId: 't', reason: 'new', confidence: 1 }, texts: [] } as const
        const said: string[] = [...loop.inspect({ subject, hits: [], memories: [ring], settings })].map((output) => {
          const [what] = ('finding' in output ? output.finding : '').split(' ')
          return what === 'failures' ? 'failures' : `${what} ${output.events?.join()}`
        })
        assert.deepEqual(said, plainly(steps.slice(0, at + 1), times))
      }
    }),
    { numRuns: 500 },
  )
})
