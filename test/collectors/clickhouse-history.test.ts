/** Rows of an exporter become the events that the telemetry would have become live; sent in order, within bounds, each once. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type HistoryOptions, type HistoryTables, sendHistory } from '../../collectors/otlp/clickhouse-history.ts'
import { logOf, requestOf, spanOf } from '../../collectors/otlp/clickhouse-rows.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { toLogAttributes } from '../../schemas/otlp-event.ts'
import { eventOf } from '../api/store/store-tools.ts'
import { asRead, logRows, traceRows } from './exporter-tables.ts'
import { fastmcpCall, keyValues, logs, type Message, sdkCall, span, traces } from './otlp-bodies.ts'
import { openReceiver, post, types } from './otlp-receiver.ts'

const content = ({ ingestedTime: _, ...event }: McpEvent) => event
async function eventsOf(path: string, ...bodies: readonly (Message | Uint8Array)[]): Promise<unknown[]> {
  await using receiver = await openReceiver()
  for (const body of bodies) {
    const answer = await post(receiver, path, body instanceof Uint8Array ? body : JSON.stringify(body), types.json)
    assert.deepEqual([answer.status, String(answer.body)], [200, '{}'])
  }
  return receiver
    .events()
    .map(content)
    .sort((a, b) => (a.eventId < b.eventId ? -1 : 1))
}

const office = fastmcpCall(7, 'read', true)
const rich = span({
  ...{
    trace: 9,
    id: 91,
    kind: 3,
    name: 'tools/call send',
    at: 5,
    ms: 1,
    error: 'no' as const,
    links: [
      [1, 11],
      [2, 21],
    ] as [number, number][],
  },
  attributes: {
    ...{
      'mcp.method.name': 'tools/call',
      'gen_ai.tool.name': 'send',
      'server.address': 'mcp.example',
      'server.port': 443,
      'error.type': 'tool_error',
    },
    ...{ 'gen_ai.tool.call.arguments': '{"to":"a@b.example","n":1}', odd: 'kept "\u0000" ⟦x⟧', ['__proto__']: 'own' },
  },
})
rich['events'] = [{ timeUnixNano: '1795270000000000001', name: 'exception', attributes: keyValues({ 'exception.message': 'boom' }) }]
rich['traceState'] = 'ot=th:c'

test('spans give the same events as live', async () => {
  const bodies = [
    traces('shop', { 'mcp-python-sdk': [...sdkCall(1, 'add'), ...sdkCall(2, 'sub', true)] }),
    traces('office', { fastmcp: [office.server, office.client, office.implicit], 'mcp-python-sdk': [office.sdk], other: [rich] }),
  ]
  const items = bodies.flatMap(traceRows).map((row) => spanOf(asRead(row)))
  assert.ok(items.every((item) => typeof item !== 'string'))
  const live = (await eventsOf('/v1/traces', ...bodies)) as Message[]
  assert.equal(live.length, 9)
  // Flags are not among the exporter's columns.
  const expected = live.map((event) => ({ ...event, traceFlags: 0 }))
  assert.deepEqual(await eventsOf('/v1/traces', requestOf('traces', items as never)), expected)
})

test('logs of our own taps come back whole, with the types of their fields', async () => {
  const event = eventOf(5, {
    ...{
      method: 'tools/call',
      toolName: 'x',
      arguments: { a: [1, { b: null }] },
      serverPort: 443,
      headerMismatch: false,
      samplingRatio: 0.25,
    },
    ...{
      rawFacts: ['duplicate_key:method', 'a,b'],
      argsFingerprints: [1, 2, 4_294_967_295],
      observedTime: 1_767_225_600_000_000_001n,
      labels: { a: 'b' },
    },
  })
  const body = logs('lapwing', [
    { timeUnixNano: String(event.time), eventName: 'lapwing.call', severityNumber: 9, attributes: toLogAttributes(event) },
  ])
  const items = logRows(body).map((row) => logOf(asRead(row)))
  const live = await eventsOf('/v1/logs', body)
  assert.equal(live.length, 1)
  assert.deepEqual(await eventsOf('/v1/logs', requestOf('logs', items)), live)
})

test('columns of type JSON, whose dots made objects, give their names back', () => {
  const row = {
    time: '5',
    attributes: { mcp: { method: { name: 'tools/list' } }, n: 4, list: ['a', 1], flag: true },
    resource: { service: { name: 's' } },
  }
  const { record, group } = logOf(row)
  const named = Object.fromEntries(
    (JSON.parse(record) as { attributes: { key: string; value: unknown }[] }).attributes.map(({ key, value }) => [key, value]),
  )
  assert.deepEqual(named, {
    'mcp.method.name': { stringValue: 'tools/list' },
    n: { intValue: '4' },
    list: { arrayValue: { values: [{ stringValue: 'a' }, { intValue: '1' }] } },
    flag: { boolValue: true },
  })
  assert.match(group, /"service\.name"/)
})

test('words of kinds and states are those of any age of the exporter; what has no ids is said', () => {
  const ids = { trace_id: 'A'.repeat(32), span_id: 'b'.repeat(16) }
  for (const [kind, status, numbers] of [
    ['Client', 'Error', [3, 2]],
    ['SPAN_KIND_SERVER', 'STATUS_CODE_OK', [2, 1]],
    ['', undefined, [0, 0]],
    ['Alien', 'Unset', [0, 0]],
  ] as const) {
    const item = spanOf({ ...ids, kind, status })
    assert.ok(typeof item !== 'string')
    const made = JSON.parse(item.record) as { kind: number; status: { code: number } }
    assert.deepEqual([made.kind, made.status.code], numbers)
  }
  assert.equal(spanOf({ ...ids, trace_id: '' }), 'a span without trace id and span id')
  assert.equal(spanOf({ span_id: {}, trace_id: ['x'] }), 'a span without trace id and span id')
})

const second = 1_000_000_000n
const begin = 1_795_270_000n * second
/** `n` spans and `n` logs, one a second; every kind of row in the order of its time. */
function tablesOf(n: number): HistoryTables & { asked: [bigint, bigint][] } {
  const rows = (kind: string, range: { since: bigint; until: bigint }) =>
    Array.from({ length: n }, (_, at) => ({ at, time: begin + BigInt(at) * second + (kind === 'logs' ? 1n : 0n) }))
      .filter(({ time }) => time >= range.since && time < range.until)
      .map(({ at, time }) => ({
        ...{ time: String(time), trace_id: at.toString(16).padStart(32, 'a'), span_id: at.toString(16).padStart(16, 'b') },
        ...{ span_name: `s${at}`, body: `l${at}`, attributes: {}, resource: { 'service.name': `service ${at % 2}` } },
      }))
  const asked: [bigint, bigint][] = []
  return {
    asked,
    counts: async (kind, range, step) => {
      const counts = new Map<bigint, number>()
      for (const { time } of rows(kind, range))
        counts.set((BigInt(time) / step) * step, (counts.get((BigInt(time) / step) * step) ?? 0) + 1)
      return counts
    },
    async *rows(kind, range) {
      asked.push([range.since, range.until])
      yield* rows(kind, range)
    },
  }
}
const namesIn = (request: Uint8Array): string[] =>
  [
    ...Buffer.from(request)
      .toString()
      .matchAll(/"(?:name|stringValue)":"([sl]\d+)"/g),
  ].map((match) => match[1] as string)
const whole = { since: begin, until: begin + 100_000n * second, onWindow: () => undefined, onRefused: () => undefined }
const taken = { rejected: 0, reason: '' }

test('every row is sent once and in order, in windows of bounded size, whatever the windows are', async () => {
  for (const windowRowsMax of [1, 150, 100_000]) {
    const tables = tablesOf(700)
    const sent: string[] = []
    const ends: bigint[] = []
    const counts = await sendHistory({
      ...{ ...whole, tables, windowRowsMax, onWindow: (until: bigint) => void ends.push(until) },
      send: async (_kind, request) => {
        sent.push(...namesIn(request))
        return taken
      },
    })
    assert.deepEqual(counts, { spans: 700, logs: 700, refused: 0 })
    for (const letter of ['s', 'l']) {
      const own = sent.filter((name) => name.startsWith(letter)).map((name) => Number(name.slice(1)))
      assert.deepEqual(
        own,
        Array.from({ length: 700 }, (_, at) => at),
      )
    }
    assert.deepEqual(
      ends,
      ends.toSorted((a, b) => (a < b ? -1 : 1)),
    )
    if (windowRowsMax === 150) assert.ok(tables.asked.every(([since, until]) => until - since <= 120n * second))
    if (windowRowsMax === 100_000) assert.equal(ends.length, 1)
  }
})

test('wherever sending ends, it can go on from the time that was said, and nothing is left out', async () => {
  for (let strike = 1; strike <= 9; strike += 1) {
    const tables = tablesOf(300)
    const sent = new Set<string>()
    let since = begin
    let requests = 0
    const options: HistoryOptions = {
      ...{ ...whole, tables, windowRowsMax: 100 },
      onWindow: (until) => {
        since = until
      },
      send: async (_kind, request) => {
        requests += 1
        if (requests === strike) throw new Error('on purpose')
        for (const name of namesIn(request)) sent.add(name)
        return taken
      },
    }
    await assert.rejects(sendHistory(options), /on purpose/)
    await sendHistory({ ...options, since })
    assert.equal(sent.size, 600, `strike ${strike}`)
  }
})

test('a row that is refused with its neighbours is found and said, and the neighbours are sent', async () => {
  const refused: [number, string][] = []
  const sent: string[] = []
  const counts = await sendHistory({
    ...{ ...whole, tables: tablesOf(40), onRefused: (count: number, reason: string) => void refused.push([count, reason]) },
    send: async (_kind, request) => {
      const names = namesIn(request)
      if (names.includes('s17') || names.length > 15) return { refused: 'HTTP 413' }
      sent.push(...names)
      return names.includes('l3') ? { rejected: 1, reason: 'odd' } : taken
    },
  })
  assert.deepEqual(counts, { spans: 39, logs: 39, refused: 2 })
  assert.deepEqual(refused.toSorted(), [
    [1, 'HTTP 413'],
    [1, 'odd'],
  ])
  assert.equal(new Set(sent).size, 79)
})
