/** What the API's tests share: an alert, a receiver that answers as it is told, and a hand that feeds the outbox. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Alert } from '../../schemas/alert.ts'
import type { Bus, Handler, StoredRec, Topic } from '../../schemas/bus.ts'
import { encodeEvent, encodeVerdict, type Verdict } from '../../schemas/codec.ts'
import type { McpEvent } from '../../schemas/event.ts'

export const sampleAlert = (over: Partial<Alert> = {}): Alert => ({
  alertId: '0123456789abcdef0123456789abcdef',
  tenant: 'default',
  time: 1_767_225_600_123_456_789n,
  detector: 'tool-definition-changed',
  detectorVersion: 1,
  severity: 'high',
  confidence: 0.9,
  title: 'A tool changed after it was approved',
  summary: 'read_file of files changed its description',
  about: 'files/read_file',
  evidence: { tool: 'read_file', server: 'files', before: 'Reads a file.', changed: ['description'] },
  maps: {
    family: ['D1'],
    attack: ['T1195.002', 'T1059'],
    atlas: ['AML.T0110'],
    cosai: ['MCP-T6'],
    owaspMcp: ['MCP03'],
    owaspAsi: [],
    safeMcp: ['SAFE-T1201'],
  },
  actor: 'ana@laptop',
  serverKey: 'srv_1',
  serverAlias: 'files',
  toolName: 'read_file',
  threadId: 'thread-1',
  eventId: 'e2',
  events: ['e1', 'e2'],
  ...over,
})

export const sampleEvent = (over: Partial<McpEvent> = {}): McpEvent => ({
  eventId: 'e1',
  time: 1_767_225_600_000_000_001n,
  kind: 'request',
  dialect: 'tap',
  signal: 'wire',
  vantage: 'host',
  direction: 'client_to_server',
  contentLevel: 'full',
  captureTier: 'redacted',
  tenant: 'default',
  source: 'tap',
  actor: 'ana@laptop',
  actorGrade: 'observed',
  actorSource: 'os_user',
  serverKey: 'srv_1',
  serverAlias: 'files',
  era: 'legacy',
  transport: 'stdio',
  method: 'tools/call',
  toolName: 'read_file',
  ...over,
})

export type Received = Readonly<{ headers: IncomingHttpHeaders; body: string; path: string }>
export type Receiver = AsyncDisposable & { url: string; received: Received[]; answer: (response: ServerResponse, index: number) => void }

export async function openReceiver(): Promise<Receiver> {
  const received: Received[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks).toString(), path: request.url ?? '' })
      receiver.answer(response, received.length - 1)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const receiver: Receiver = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    answer: (response) => response.end('ok'),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((done) => server.close(done))
    },
  }
  return receiver
}

/** A bus with one consumer and no memory: `feed` resolves when the consumer has taken the verdicts. */
export function createFeed() {
  const handlers: { topics: readonly Topic[]; handler: Handler }[] = []
  let offset = 0n
  const hand = async (topic: Topic, values: readonly Uint8Array[]) => {
    const records: StoredRec[] = values.map((bytes) => ({ key: 'k', bytes, offset: offset++ }))
    for (const { topics, handler } of handlers) {
      if (topics.includes(topic)) await handler.batch({ topic, partition: 0 }, records, 1)
    }
  }
  const bus: Bus = {
    partitions: 1,
    publish: async () => [],
    async consume(topics, _group, handler) {
      handlers.push({ topics, handler })
      return { stop: async () => undefined, lag: async () => new Map() }
    },
    async [Symbol.asyncDispose]() {},
  }
  const feed = (...verdicts: readonly Verdict[]) => hand('mcp.alerts', verdicts.map(encodeVerdict))
  const feedEvents = (...events: readonly McpEvent[]) => hand('mcp.events', events.map(encodeEvent))
  return { bus, feed, feedEvents }
}

export async function until(condition: () => boolean | Promise<boolean>, waitMsMax = 10_000): Promise<void> {
  const end = Date.now() + waitMsMax
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('waited in vain')
    await new Promise((done) => setTimeout(done, 10))
  }
}
