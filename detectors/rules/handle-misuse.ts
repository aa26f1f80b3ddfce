/** A handle in the wrong hands: requestState, task or session of one principal used by another, altered, replayed or guessed. */
import { z } from 'zod'
import { defineDetector, type Fact, type FactOutput } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { isObject } from '../../schemas/event.ts'
import { hashId } from '../../schemas/ids.ts'
import { exchange, type StoryLine, story } from '../../schemas/story.ts'
import { isLate } from '../signals/lateness.ts'

const SECOND = 1_000_000_000n
const HANDLES_MAX = 5_000
const ACTORS_MAX = 500
const GUESSES_MAX = 64
const modern = { _meta: { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' } }

type Kind = 'state' | 'task' | 'session'
type Act = 'issued' | 'used' | 'refused'
type Body = { kind: Kind; act: Act; handle: string; what: string; owner: string }
type Issued = {
  kind: Kind
  owner: string
  ownerSource: string
  address: string
  what: string
  time: bigint
  usedAt: bigint
  eventId: string
  issued: boolean
}
type Memory = { handles: Map<string, Issued>; guesses: Map<string, { handle: string; time: bigint }[]> }

const whatOf = (event: McpEvent): string =>
  hashId(event.method ?? '', event.toolName ?? event.promptName ?? event.resourceUri ?? '', event.argsHash ?? '').slice(0, 16)
const otherRequest = 'used a requestState with another request than it was issued for'
const nameOf = { state: 'a requestState', task: 'a task', session: 'a session' } as const

function handlesOf(event: McpEvent): Body[] {
  const found: Body[] = []
  const owner = isObject(event.labels) && typeof event.labels['task_owner'] === 'string' ? event.labels['task_owner'].slice(0, 100) : ''
  const asked = event.kind === 'request' || event.kind === 'call'
  if (event.requestStateHash) {
    if (event.resultType === 'input_required')
      found.push({ kind: 'state', act: 'issued', handle: event.requestStateHash, what: whatOf(event), owner })
    else if (event.kind === 'request')
      found.push({ kind: 'state', act: 'used', handle: event.requestStateHash, what: whatOf(event), owner })
  }
  if (event.taskHash && event.kind !== 'request') {
    const started = event.method === 'tools/call'
    const refused = event.outcome === 'protocol_error' || event.outcome === 'denied'
    if (started || event.method?.startsWith('tasks/'))
      found.push({
        kind: 'task',
        act: started ? 'issued' : refused ? 'refused' : 'used',
        handle: event.taskHash,
        what: event.method ?? '',
        owner,
      })
  }
  // A stream that is opened, or taken up again, with the session of somebody else.
  if (event.sessionHash && (asked || event.kind === 'http_request'))
    found.push({ kind: 'session', act: 'used', handle: event.sessionHash, what: '', owner: '' })
  return found
}

/** A token is renewed in the middle of a session: only with another address does its change mean another hand. */
function otherHand(issued: Issued, fact: Fact): boolean {
  if (issued.owner === fact.actor) return false
  const verified = issued.ownerSource === 'principal' && fact.actorSource === 'principal'
  return verified || (issued.address !== '' && fact.clientAddress !== undefined && issued.address !== fact.clientAddress)
}

export default defineDetector({
  id: 'handle-misuse',
  title: 'Handle used by the wrong principal',
  why: 'Sessions, tasks and requestState are bearer handles: whoever holds one continues another’s work (CVE-2025-6515, CVE-2026-52869, CVE-2026-52870).',
  family: 'D17',
  severity: 'high',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1563', 'T1550'],
    atlas: ['AML.T0012', 'AML.T0091.000'],
    cosai: ['MCP-T1', 'MCP-T7'],
    owaspMcp: ['MCP01', 'MCP07'],
    owaspAsi: ['ASI03', 'ASI07'],
    safeMcp: ['SAFE-T1202', 'SAFE-T1706'],
  },
  needs: ['actor', 'requestStateHash'],
  blindSpots: [
    'Where the vantage does not know the principal, all hands look alike.',
    'Handles issued before the sensor started are unknown to it.',
  ],
  playbook: [
    'Find out how {actor} came to hold {kind} that belongs to {owner}: shared account, leak in a log, or a guess.',
    'If {server} accepted it, it does not bind handles to principals: upgrade it or put a gateway in front.',
    'Revoke the handles and tokens of both principals and review what {actor} did since.',
  ],
  settings: z.object({
    guessesMin: z.int().min(2).default(5),
    guessMinutes: z.int().min(1).default(10),
    stateMinutes: z.int().min(1).default(60),
  }),
  scope: 'server',
  reads: ['fact:handle'],
  memory: { version: 1, keysMax: 5_000, ttlMs: 24 * 3_600_000, initial: (): Memory => ({ handles: new Map(), guesses: new Map() }) },

  facts({ event }): FactOutput[] {
    return handlesOf(event).map((body) => ({
      fact: 'handle',
      scope: 'server',
      key: event.serverKey,
      body,
      // A session stands on every request: one statement per actor is enough.
      ...(body.kind === 'session' ? { once: true } : {}),
    }))
  },

  *inspect({ subject, memories: [memory], settings }) {
    if (subject.kind !== 'fact' || !memory) return
    const { fact } = subject
    const { kind, act, handle, what, owner } = fact.body as Body
    const key = `${kind}:${handle}`
    const known = memory.handles.get(key)
    const server = fact.serverAlias ?? fact.serverKey
    const finding = (about: string, severity: 'medium' | 'high' | 'critical', says: string, belongsTo: string, by = fact.actor) => ({
      finding: `${fact.key} ${about}`,
      confidence: 0.9,
      severity,
      summary: `${by} ${says} on ${server}`,
      evidence: { server, actor: by, owner: belongsTo, kind: nameOf[kind], handle },
      events: known ? [known.eventId] : [],
    })
    if (owner !== '' && owner !== fact.actor && act !== 'refused') {
      yield finding(`${key} ${fact.actor}`, 'high', `got ${nameOf[kind]} of ${owner}`, owner)
      return
    }
    if (!known) {
      if (act !== 'refused') remember(memory, key, fact, { kind, what, issued: act === 'issued' })
      if (act === 'refused' && guesses(memory, fact, handle, settings.guessMinutes) >= settings.guessesMin) {
        yield finding(
          `guesses ${kind} ${fact.actor}`,
          'high',
          `tried ${settings.guessesMin} or more handles that nobody gave it`,
          'unknown',
        )
      }
      return
    }
    if (!known.issued && act !== 'refused' && isLate(fact.time, known.time)) {
      // Facts of several actors arrive in any order: who held it first is told by the clock of events.
      if (otherHand(known, fact))
        yield finding(`${key} ${known.owner}`, 'high', `used ${nameOf[kind]} of ${fact.actor}`, fact.actor, known.owner)
      if (kind === 'state' && act === 'issued' && known.what !== what)
        yield finding(`${key} other request`, 'high', otherRequest, fact.actor, known.owner)
      remember(memory, key, fact, { kind, what, issued: act === 'issued', usedAt: known.usedAt })
      return
    }
    if (act === 'issued') return
    if (otherHand(known, fact)) {
      yield finding(
        `${key} ${fact.actor}`,
        act === 'refused' ? 'medium' : 'high',
        `used ${nameOf[kind]} of ${known.owner}${act === 'refused' ? ', and was refused' : ''}`,
        known.owner,
      )
    }
    if (kind !== 'state') return
    if (known.issued && known.what !== what) yield finding(`${key} other request`, 'high', otherRequest, known.owner)
    else if (known.usedAt > 0n && fact.time - known.usedAt > 60n * SECOND)
      yield finding(`${key} replay`, 'medium', 'used a requestState again', known.owner)
    else if (fact.time - known.time > BigInt(settings.stateMinutes) * 60n * SECOND)
      yield finding(`${key} old`, 'medium', 'used a requestState long after it was issued', known.owner)
    if (known.usedAt === 0n) known.usedAt = fact.time
  },

  examples: [
    { name: 'a state in another hand', story: story(asks('anna', 'A1'), retries('mallory', 'A1')), fires: [2] },
    {
      name: 'a session in another hand, whose request arrives first',
      story: story(
        speaks('mallory', '10.0.0.7').map((line) => ({ ...line, t: 5 })),
        speaks('anna', '10.0.0.4').map((line) => ({ ...line, t: 2 })),
      ),
      fires: [2],
    },
    {
      name: 'a state used by another, where the question arrives later',
      story: story(
        retries('mallory', 'A1', 5),
        asks('anna', 'A1').map((line) => ({ ...line, t: 2 })),
      ),
      fires: [3],
    },
    { name: 'a state with another request', story: story(asks('anna', 'A1'), retries('anna', 'B9')), fires: [2] },
    { name: 'a state again much later', story: story(asks('anna', 'A1'), retries('anna', 'A1'), retries('anna', 'A1', 600)), fires: [4] },
    { name: 'a session in another hand', story: story(speaks('anna', '10.0.0.4'), speaks('mallory', '10.0.0.7')), fires: [2] },
    {
      name: 'tasks are guessed',
      story: story(...[1, 2, 3, 4, 5].map((id) => refused('mallory', `task-${id}`))),
      fires: [9],
    },
    {
      name: 'another’s task is read',
      story: story(
        exchange(
          'pay',
          'tasks/get',
          { taskId: 't9' },
          { status: 'completed', resultType: 'complete', taskId: 't9' },
          { principal: 'eve', labels: { task_owner: 'anna' } },
        ),
      ),
      fires: [1],
    },
    { name: 'the answer to a question', story: story(asks('anna', 'A1'), retries('anna', 'A1')), fires: [] },
    { name: 'a retry within seconds', story: story(asks('anna', 'A1'), retries('anna', 'A1'), retries('anna', 'A1')), fires: [] },
    { name: 'one session, one principal', story: story(speaks('anna', '10.0.0.4'), speaks('anna', '10.0.0.9')), fires: [] },
    { name: 'two sessions', story: story(speaks('anna', '10.0.0.4'), speaks('bob', '10.0.0.5', 's2')), fires: [] },
    {
      name: 'a task polled by its owner',
      story: story(
        ...[0, 1, 2].map(() => exchange('pay', 'tasks/get', { taskId: 't1' }, { status: 'working', taskId: 't1' }, { principal: 'anna' })),
      ),
      fires: [],
    },
    { name: 'a few unknown tasks', story: story(...[1, 2, 3].map((id) => refused('bob', `t-${id}`))), fires: [] },
  ],
})

type Held = { kind: Kind; what: string; issued: boolean; usedAt?: bigint }
function remember(memory: Memory, key: string, fact: Fact, { kind, what, issued, usedAt = 0n }: Held): void {
  memory.handles.set(key, {
    kind,
    owner: fact.actor,
    ownerSource: fact.actorSource,
    address: fact.clientAddress ?? '',
    what,
    time: fact.time,
    usedAt: kind === 'state' && !issued ? fact.time : usedAt,
    eventId: fact.eventId,
    issued,
  })
  if (memory.handles.size > HANDLES_MAX) memory.handles.delete(memory.handles.keys().next().value as string)
}

/** How many different unknown handles this actor was refused lately. */
function guesses(memory: Memory, fact: Fact, handle: string, minutes: number): number {
  const tried = (memory.guesses.get(fact.actor) ?? []).filter(
    (guess) => guess.handle !== handle && fact.time - guess.time < BigInt(minutes) * 60n * SECOND,
  )
  tried.push({ handle, time: fact.time })
  memory.guesses.delete(fact.actor)
  memory.guesses.set(fact.actor, tried.slice(-GUESSES_MAX))
  if (memory.guesses.size > ACTORS_MAX) memory.guesses.delete(memory.guesses.keys().next().value as string)
  return tried.length
}

function asks(principal: string, order: string): StoryLine[] {
  const question = { c: { method: 'elicitation/create', params: { message: 'Confirm' } } }
  return exchange(
    'pay',
    'tools/call',
    { name: 'refund', arguments: { order }, ...modern },
    { resultType: 'input_required', inputRequests: question, requestState: 'state-one' },
    { principal },
  )
}
function retries(principal: string, order: string, after = 0): StoryLine[] {
  const answered = { c: { action: 'accept', content: {} } }
  const lines = exchange(
    'pay',
    'tools/call',
    { name: 'refund', arguments: { order }, inputResponses: answered, requestState: 'state-one', ...modern },
    { resultType: 'complete', content: [] },
    { principal },
  )
  return after > 0 ? lines.map((line) => ({ ...line, t: after })) : lines
}
function speaks(principal: string, peer: string, session = 's1'): StoryLine[] {
  return exchange('oat', 'tools/list', {}, { tools: [] }, { principal, peer, session })
}
function refused(principal: string, taskId: string): StoryLine[] {
  return exchange('pay', 'tasks/get', { taskId }, {}, { principal }).map((line, index) =>
    index === 0 ? line : { ...line, msg: { jsonrpc: '2.0', id: 'auto', error: { code: -32602, message: 'unknown task' } } },
  )
}
