/** A sender as real ones are: keeps a body until it is acknowledged, sends it again after any failure, and notes what was said. */
import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { McpEvent } from '../../schemas/event.ts'
import { hashId } from '../../schemas/ids.ts'
import { eventScope, toLogAttributes } from '../../schemas/otlp-event.ts'
import type { Oracle, Sent } from './oracle.ts'

export type Load = Readonly<{
  /** Where to send from now on. */
  to: (otlp: string) => void
  /** Sends what is begun until it is acknowledged, then ends. */
  finish: () => Promise<void>
  stop: () => Promise<void>
  counts: () => { bodies: number; retries: number }
}>
export type LoadOptions = Readonly<{
  oracle: Oracle
  name: string
  senders?: number
  restMs?: number
  /** Is given every body that holds an attack, once it was acknowledged. */
  keep?: (body: Readonly<{ path: string; json: string }>) => void
}>

const eventsPerBody = 20
const attackEvery = 3
/** The start of today: alerts of one attack must not fall into two days. */
const epochNs = (now: number): bigint => BigInt(now - (now % 86_400_000)) * 1_000_000n + 3_600_000_000_000n

const words =
  'amber basalt cedar delta ember fjord garnet harbour iris juniper kelp larch meadow nectar otter pebble quartz reed sable thistle'.split(
    ' ',
  )
const prose = (number: number): string =>
  Array.from({ length: 12 }, (_, at) => words[(number * 7 + at * at * 3 + at) % words.length]).join(' ')

type Body = Readonly<{ path: string; json: string; events: readonly Sent[] }>

function observation(name: string, number: number, time: bigint): { event: McpEvent; sent: Sent } {
  const attack =
    number % (eventsPerBody * attackEvery) < 3
      ? `http://169.254.169.254/latest/${name}-${Math.floor(number / (eventsPerBody * attackEvery))}`
      : undefined
  const args = attack ? { url: attack } : { note: `${name} ${number} ${prose(number)}` }
  const event: McpEvent = {
    eventId: hashId('fault suite', name, number),
    time,
    kind: 'call',
    dialect: 'wire',
    signal: 'wire',
    vantage: 'client',
    contentLevel: 'full',
    captureTier: 'redacted',
    tenant: 'default',
    source: 'otlp',
    callId: hashId('fault suite call', name, number),
    callObservation: 1,
    actor: `actor-${number % 7}`,
    actorGrade: 'observed',
    actorSource: 'os_user',
    serverKey: `srv_${name}`,
    serverAlias: 'web',
    era: 'legacy',
    transport: 'stdio',
    direction: 'client_to_server',
    method: 'tools/call',
    toolName: attack ? 'fetch' : 'take_note',
    arguments: args,
    outcome: 'success',
  }
  // The receiver makes the id its own: no sender can take another's.
  const eventId = hashId('tap', 'default', 'otlp', event.eventId)
  return { event, sent: { eventId, payload: JSON.stringify(args), about: attack } }
}

function logBody(name: string, first: number, epoch: bigint): Body {
  const made = Array.from({ length: eventsPerBody }, (_, at) => observation(name, first + at, epoch + BigInt(first + at) * 1_000_000n))
  const logRecords = made.map(({ event }) => ({ timeUnixNano: String(event.time), attributes: toLogAttributes(event) }))
  const json = JSON.stringify({
    resourceLogs: [{ resource: { attributes: [] }, scopeLogs: [{ scope: { name: eventScope }, logRecords }] }],
  })
  return { path: '/v1/logs', json, events: made.map(({ sent }) => sent) }
}

/** Spans go the longer way, through the joiner. */
function spanBody(name: string, first: number, epoch: bigint): Body {
  const hex = (part: string, number: number, length: number) =>
    createHash('sha256').update(`${part} ${name} ${number}`).digest('hex').slice(0, length)
  const events: Sent[] = []
  const spans = Array.from({ length: eventsPerBody }, (_, at) => {
    const number = first + at
    const [traceId, spanId] = [hex('trace', number, 32), hex('span', number, 16)]
    const payload = JSON.stringify({ note: `${name} ${number} ${prose(number)}` })
    events.push({ eventId: hashId('span', 'default', 'otlp', traceId, spanId), payload, about: undefined })
    const start = epoch + BigInt(number) * 1_000_000n
    const attributes = {
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'take_note',
      'gen_ai.tool.call.arguments': payload,
      'server.address': `${name}.example`,
    }
    return {
      ...{
        traceId,
        spanId,
        name: 'tools/call take_note',
        kind: 3,
        startTimeUnixNano: String(start),
        endTimeUnixNano: String(start + 1_000n),
      },
      attributes: Object.entries(attributes).map(([key, stringValue]) => ({ key, value: { stringValue } })),
    }
  })
  const json = JSON.stringify({ resourceSpans: [{ resource: { attributes: [] }, scopeSpans: [{ scope: { name: 'test' }, spans }] }] })
  return { path: '/v1/traces', json, events }
}

export function startLoad({ oracle, name, senders = 4, restMs = 40, keep }: LoadOptions): Load {
  const epoch = epochNs(Date.now())
  const ending = new AbortController()
  let otlp = ''
  let next = 0
  let finishing = false
  const counts = { bodies: 0, retries: 0 }

  async function deliver(body: Body): Promise<void> {
    for (let attempt = 0; !ending.signal.aborted; attempt += 1) {
      if (attempt > 0) counts.retries += 1
      try {
        const signal = AbortSignal.any([ending.signal, AbortSignal.timeout(5_000)])
        const answer = await fetch(`${otlp}${body.path}`, {
          method: 'POST',
          body: body.json,
          headers: { 'content-type': 'application/json' },
          signal,
        })
        await answer.arrayBuffer()
        if (answer.ok) {
          oracle.acknowledged(body.events)
          if (keep && body.events.some(({ about }) => about !== undefined)) keep(body)
          return
        }
        if (answer.status !== 429 && answer.status !== 503) throw new Error(`refused for good: ${answer.status}`)
      } catch (error) {
        if (error instanceof Error && error.message.startsWith('refused')) throw error
      }
      await sleep(50)
    }
  }
  async function run(sender: number): Promise<void> {
    while (!finishing && !ending.signal.aborted) {
      const first = next
      next += eventsPerBody
      const body = (first / eventsPerBody) % 4 === 1 ? spanBody(name, first, epoch) : logBody(name, first, epoch)
      oracle.sent(body.events)
      counts.bodies += 1
      await deliver(body)
      await sleep(restMs + sender)
    }
  }
  const running = Promise.all(Array.from({ length: senders }, (_, sender) => run(sender)))
  running.catch(() => undefined) // told by `finish`
  return {
    to: (url) => {
      otlp = url
    },
    finish: async () => {
      finishing = true
      await running
    },
    stop: async () => {
      ending.abort()
      await running.catch(() => undefined)
    },
    counts: () => ({ ...counts }),
  }
}
