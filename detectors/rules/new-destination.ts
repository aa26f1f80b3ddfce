/** The first time an actor sends something to a host, mail domain, number, account or repository. A signal: novelty is no act. */
import { z } from 'zod'
import { defineDetector, type Output } from '../../schemas/detector.ts'
import { isFirstObservation, type McpEvent } from '../../schemas/event.ts'
import { calls, host, type StoryLine, story } from '../../schemas/story.ts'
import { actOf, type Destination, destinationsOf } from '../signals/destinations.ts'
import { walkStrings } from '../texts.ts'

const SEEN_MAX = 1_000
const PROMPTS_MAX = 4
const PROMPT_CHARS_MAX = 2_000
const HOUR = 3_600_000_000_000n
const DAY = 24n * HOUR

/** `sends` counts calls that had a destination, `first` is the time of the first of them. */
type Memory = { seen: Map<string, bigint>; first: bigint; sends: number; prompts: string[]; forgotten: number }

const weights: ReadonlyMap<string, number> = new Map([
  ['account', 0.5],
  ['phone', 0.5],
  ['domain', 0.4],
  ['host', 0.4],
  ['repo', 0.35],
])
const LEARNING_WEIGHT = 0.1

/** A mail goes to a domain: a new colleague is no news. */
function placeOf({ kind, value }: Destination): { kind: string; value: string } | undefined {
  if (kind === 'email') return { kind: 'domain', value: value.slice(value.indexOf('@') + 1) }
  return kind === 'place' ? undefined : { kind, value }
}

function hear(memory: Memory, event: McpEvent): void {
  const parts: string[] = []
  walkStrings(event.params, '', (_, text) => {
    if (parts.length < 20) parts.push(text.slice(0, PROMPT_CHARS_MAX))
  })
  memory.prompts.push(parts.join('\n').slice(0, PROMPT_CHARS_MAX).toLowerCase())
  if (memory.prompts.length > PROMPTS_MAX) memory.prompts.shift()
}

/** True when it is new, or was not used for so long that it is new again. */
function isNew(memory: Memory, key: string, time: bigint, ageMax: bigint): boolean {
  const last = memory.seen.get(key)
  memory.seen.delete(key)
  memory.seen.set(key, time)
  if (memory.seen.size > SEEN_MAX) {
    memory.seen.delete(memory.seen.keys().next().value as string)
    memory.forgotten += 1
  }
  return last === undefined || time - last > ageMax
}

/** Thirty mails to one place, then one line to another. */
const usual = (count: number, minutes: number): StoryLine[] =>
  Array.from({ length: count }, (_, i) =>
    calls('mail', 'send_email', { to: `p${i % 7}@acme.example` }, 'ok', { t: i * minutes * 60 }),
  ).flat()
const later = { t: 200_000 }

export default defineDetector({
  id: 'new-destination',
  title: 'First time to this destination',
  why: 'Stolen content needs a place to go, and that place is seldom one that the actor has used before.',
  family: 'D7',
  severity: 'informational',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1567', 'T1102'],
    atlas: ['AML.T0086', 'AML.T0108'],
    cosai: ['MCP-T5', 'MCP-T8'],
    owaspMcp: ['MCP06', 'MCP10'],
    owaspAsi: ['ASI02', 'ASI10'],
    safeMcp: ['SAFE-T1901', 'SAFE-T1910'],
  },
  needs: ['arguments', 'toolName'],
  blindSpots: [
    'A destination used before, such as a shared drop site or a paste service.',
    'Destinations that are names of the server’s own (channels, folders, contacts).',
    'Until an actor has been seen for a day and twenty sendings, all is new and weighs little.',
  ],
  playbook: [
    'Who named {destination}: the user, or a text that {tool} on {server} or another tool had read?',
    'If nobody did, look at what was sent there and block it.',
  ],
  settings: z.object({
    warmUpHours: z.number().min(0).default(24),
    warmUpSends: z.int().min(0).default(20),
    ageDays: z.int().min(1).default(90),
  }),
  scope: 'actor',
  reads: ['request', 'call', 'user_prompt'],
  memory: {
    version: 1,
    keysMax: 20_000,
    ttlMs: 90 * 24 * 3_600_000,
    initial: (): Memory => ({ seen: new Map(), first: 0n, sends: 0, prompts: [], forgotten: 0 }),
  },

  inspect({ subject, memories: [memory], settings }) {
    const outputs: Output[] = []
    if (subject.kind !== 'event' || !memory) return outputs
    const { event } = subject
    if (event.kind === 'user_prompt') {
      hear(memory, event)
      return outputs
    }
    if (event.method !== 'tools/call' || event.arguments === undefined || !isFirstObservation(event)) return outputs
    const act = actOf(event)
    if (act !== 'send' && act !== 'write') return outputs
    const places = destinationsOf(event).map((destination) => ({ ...destination, ...placeOf(destination) }))
    const telling = places.filter(({ kind }) => weights.has(kind) && (act === 'send' || (act === 'write' && kind === 'repo')))
    if (telling.length === 0) return outputs
    if (memory.sends === 0) memory.first = event.time
    const learning =
      memory.sends < settings.warmUpSends || event.time - memory.first < (BigInt(Math.round(settings.warmUpHours * 3600)) * HOUR) / 3600n
    memory.sends += 1
    let best: { kind: string; value: string; pointer: string; weight: number } | undefined
    for (const { kind, value, pointer } of telling) {
      const fresh = isNew(memory, `${kind} ${value}`, event.time, BigInt(settings.ageDays) * DAY)
      if (!fresh || memory.prompts.some((prompt) => prompt.includes(value))) continue
      const weight = learning ? LEARNING_WEIGHT : (weights.get(kind) ?? 0)
      if (!best || weight > best.weight) best = { kind, value, pointer, weight }
    }
    if (!best) return outputs
    outputs.push({
      signal: 'new-destination',
      weight: best.weight,
      summary: `First time that ${event.toolName ?? 'a tool'} sends to ${best.kind} ${best.value.slice(0, 100)}`,
      evidence: {
        server: event.serverAlias ?? event.serverKey,
        tool: event.toolName ?? '',
        destination: best.value.slice(0, 200),
        destinationKind: best.kind,
        pointer: best.pointer,
        learning,
        known: memory.seen.size,
      },
    })
    return outputs
  },

  examples: [
    { name: 'the very first is new, at little weight', story: story(calls('mail', 'send_email', { to: 'a@acme.example' })), fires: [0] },
    {
      name: 'another mail domain after a day of one',
      story: story(usual(30, 60), calls('mail', 'send_email', { to: 'x@other.example' }, 'ok', later)),
      fires: [0, 60],
    },
    {
      name: 'a number nobody has written to',
      story: story(usual(30, 60), calls('wa', 'send_message', { recipient: '+13241234123', message: 'x' }, 'ok', later)),
      fires: [0, 60],
    },
    {
      name: 'a repository for the first time',
      story: story(usual(30, 60), calls('gh', 'create_or_update_file', { owner: 'o', repo: 'r', path: 'a', content: 'b' }, 'ok', later)),
      fires: [0, 60],
    },
    {
      name: 'a web address gets data',
      story: story(usual(30, 60), calls('http', 'http_post', { url: 'https://in.example/c', body: 'x' }, 'ok', later)),
      fires: [0, 60],
    },
    {
      name: 'another person of the same domain',
      story: story(usual(1, 1), calls('mail', 'send_email', { to: 'new@acme.example' })),
      fires: [0],
    },
    { name: 'a page is only read', story: story(calls('web', 'fetch', { url: 'https://a.example/' })), fires: [] },
    {
      name: 'the user named it',
      story: story(
        host('user_prompt', { text: 'mail the notes to Bo@Other.example' }),
        calls('mail', 'send_email', { to: 'bo@other.example' }),
      ),
      fires: [],
    },
    {
      name: 'a channel is a name of the server’s own',
      story: story(calls('chat', 'post_message', { channel: 'ops', text: 'hi' })),
      fires: [],
    },
    { name: 'a file is written', story: story(calls('fs', 'write_file', { path: '/a', content: 'mail a@b.example' })), fires: [] },
    { name: 'an address inside a text', story: story(calls('chat', 'post_message', { channel: 'a', text: 'ask a@b.example' })), fires: [] },
    { name: 'no arguments', story: story(calls('mail', 'send_email', {})), fires: [] },
  ],
})
