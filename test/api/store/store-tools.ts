/** What the tests of the store share: events that differ only where it matters, a log to write from, and reading back. */
import { join } from 'node:path'
import type { Store } from '../../../api/store/connect.ts'
import type { StoreWriter } from '../../../api/store/writer.ts'
import { type Log, openLog } from '../../../collectors/bus/log.ts'
import type { Alert } from '../../../schemas/alert.ts'
import { encodeEvent, type Verdict } from '../../../schemas/codec.ts'
import type { Signal } from '../../../schemas/detector.ts'
import type { McpEvent } from '../../../schemas/event.ts'
import { hashId } from '../../../schemas/ids.ts'

export const start = 1_767_225_600_000_000_000n
export const eventOf = (number: number, more: Partial<McpEvent> = {}): McpEvent => ({
  eventId: hashId('event', number),
  time: start + BigInt(number) * 1_000_000n,
  kind: 'call',
  dialect: 'wire',
  signal: 'wire',
  vantage: 'host',
  contentLevel: 'full',
  captureTier: 'redacted',
  tenant: 'default',
  source: 'tap',
  actor: `actor ${number % 7}`,
  actorGrade: 'observed',
  actorSource: 'os_user',
  serverKey: 'srv_1',
  era: 'legacy',
  transport: 'stdio',
  ...more,
})
export const recordOf = (event: McpEvent) => ({ key: event.actor, bytes: encodeEvent(event) })

const alertOf = (number: number): Alert => ({
  alertId: hashId('alert', number),
  tenant: 'default',
  time: start + BigInt(number),
  detector: 'tool-definition-changed',
  detectorVersion: 1,
  severity: 'high',
  confidence: 0.9,
  title: 'a title',
  summary: "hostile '\\ text",
  about: 'srv_1',
  evidence: { tool: 'x', hashes: ['a', 'b'] },
  maps: { family: ['D5'], attack: [], atlas: [], cosai: ['MCP-T4'], owaspMcp: [], owaspAsi: [], safeMcp: [] },
  actor: 'alice',
  serverKey: 'srv_1',
  eventId: hashId('event', number),
  events: [hashId('event', number)],
})
const signalOf = (number: number): Signal => ({
  signal: 's',
  detector: 'd',
  family: 'D4',
  weight: 0.5,
  summary: '',
  evidence: {},
  tenant: 'default',
  time: start,
  eventId: hashId('event', number),
  events: [],
  actor: 'alice',
  serverKey: 'srv_1',
  threadId: `thread ${number % 3}`,
})
/** One verdict of each kind. */
export const verdictsOf = (number: number): Verdict[] => [
  { type: 'alert', alert: alertOf(number) },
  {
    type: 'hits',
    hits: [0, 1].map((more) => ({
      alertId: hashId('alert', number),
      eventId: `e${more}`,
      tenant: 'default',
      time: start,
      severity: 'high',
    })),
  },
  { type: 'signals', signals: [signalOf(number)] },
  { type: 'links', links: [{ eventId: `e${number}`, threadId: 't', reason: 'trace', confidence: 0.9, time: start, tenant: 'default' }] },
]

export const openTestLog = (dir: string, onFault: (error: unknown) => void = () => undefined): Promise<Log> =>
  openLog({
    dir: join(dir, 'log'),
    bytesMax: 256 * 1024 ** 2,
    seal: (bytes) => Buffer.from(bytes).toString('base64'),
    retryMs: () => 10,
    onFault,
  })

export async function ask<T>({ client }: Store, query: string, params: Record<string, unknown> = {}): Promise<T[]> {
  return await (await client.query({ query, query_params: params, format: 'JSONEachRow' })).json<T>()
}
export async function drained(writer: StoreWriter): Promise<void> {
  for (;;) {
    const lag = [...(await writer.lag()).values()].reduce((sum, one) => sum + one, 0n)
    if (lag === 0n) return
    await new Promise((done) => setTimeout(done, 10))
  }
}
