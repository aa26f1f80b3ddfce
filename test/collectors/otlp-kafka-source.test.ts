/** What a Collector wrote to Kafka becomes the same events as over HTTP; what is no OTLP is buried with what to change, alone. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { deliver } from '../../collectors/bus/deliver.ts'
import { createIntake } from '../../collectors/otlp/intake.ts'
import { type KafkaBatch, openKafkaSource } from '../../collectors/otlp/kafka-source.ts'
import type { StoredRec } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { ascending, descending, encode, fastmcpCall, keyValues, logs, type Message, sdkCall, traceOf, traces } from './otlp-bodies.ts'
import { openReceiver, post, types } from './otlp-receiver.ts'

type Buried = Readonly<{ offset: bigint; error: unknown }>

/** A source whose topics are lists: batches are handed over, split and buried as every bus of ours does it. */
async function openSource(options: { encoding?: string; topics?: string[]; elementsMax?: number } = {}) {
  const sent: McpEvent[] = []
  const buried: Buried[] = []
  const bus = { fail: [] as unknown[] }
  const intake = createIntake({
    bus: {
      async publish(topic, records) {
        const failure = bus.fail.shift()
        if (failure) throw failure
        sent.push(...records.map(({ value }) => value as McpEvent))
        return records.map((_, at) => ({ topic, partition: 0, offset: BigInt(at) }))
      },
    },
    protect: (event) => event,
    keyedHash: () => (text) => `h${text.length}`,
    osUser: 'me@here',
    elementsMax: options.elementsMax ?? 20_000,
  })
  let batch: KafkaBatch | undefined
  let asked: readonly string[] = []
  await openKafkaSource({
    async consume(topics, _group, handed) {
      batch = handed
      asked = topics
      return { stop: async () => undefined, lag: async () => new Map() }
    },
    ...{ intake, tenant: 'default', source: 'otlp', bytesMax: 1024 * 1024 },
    topics: options.topics ?? ['otlp_spans', 'otlp_logs', 'otlp_metrics'],
    encoding: options.encoding ?? 'otlp_proto',
  })
  const hand = (topic: string, bodies: readonly (Uint8Array | string)[]) => {
    const records = bodies.map((body, at): StoredRec => ({ key: '', bytes: Buffer.from(body), offset: BigInt(at) }))
    return deliver(records, {
      handle: (some) => (batch as KafkaBatch)(topic, 0, some),
      bury: async ({ offset }, error) => void buried.push({ offset, error }),
      commit: async () => undefined,
      retryMs: () => 1,
      onFault: () => undefined,
      signal: new AbortController().signal,
    })
  }
  return { hand, sent, buried, bus, asked: () => asked }
}

const calls = (from: number, count: number): Message[] =>
  Array.from({ length: count }, (_, n) => traces('shop', { 'mcp-python-sdk': sdkCall(from + n, 'add') }))
const someLogs = (body: string): Message =>
  logs('com.anthropic.claude_code.events', [
    {
      timeUnixNano: '1795270000000000000',
      body: { stringValue: body },
      attributes: keyValues({ 'event.name': 'tool_result', tool_name: 'mcp__a__b' }),
    },
  ])
/** Without the time of arrival and the sender's machine, which Kafka hides. */
const content = ({ ingestedTime: _, actor: __, actorGrade: ___, actorSource: ____, ...event }: McpEvent) => event
const byId = (events: readonly McpEvent[]) => events.map(content).sort((a, b) => (a.eventId < b.eventId ? -1 : 1))

test('every encoding and order of fields gives the events that OTLP/HTTP gives', async () => {
  await using receiver = await openReceiver()
  const office = fastmcpCall(7, 'read')
  const bodies = [...calls(1, 3), traces('office', { fastmcp: [office.server, office.client], 'mcp-python-sdk': [office.sdk] })]
  for (const body of bodies) await post(receiver, '/v1/traces', JSON.stringify(body), types.json)
  await post(receiver, '/v1/logs', JSON.stringify(someLogs('one')), types.json)
  const expected = byId(receiver.events())
  assert.equal(expected.length, 10)
  for (const [encoding, write] of [
    ['otlp_proto', (type: string, body: Message) => encode(type, body, ascending)],
    ['otlp_proto', (type: string, body: Message) => encode(type, body, descending)],
    ['otlp_json', (_: string, body: Message) => JSON.stringify(body, null, 1)],
  ] as const) {
    const { hand, sent, buried } = await openSource({ encoding })
    await hand(
      'otlp_spans',
      bodies.map((body) => write('Traces', body)),
    )
    await hand('otlp_logs', [write('Logs', someLogs('one'))])
    await hand('otlp_metrics', [
      write('Metrics', { resourceMetrics: [{ scopeMetrics: [{ metrics: [{ gauge: { dataPoints: [{}] } }] }] }] }),
    ])
    assert.deepEqual(buried, [])
    assert.deepEqual(byId(sent), expected, encoding)
    assert.ok(
      sent.every(({ actor }) => actor === 'otlp'),
      'the sender is nobody of this machine',
    )
  }
})

test('delivered again, records give the same events', async () => {
  const bodies = calls(1, 5).map((body) => encode('Traces', body, descending))
  const [first, second] = [await openSource(), await openSource()]
  await first.hand('otlp_spans', bodies)
  await second.hand('otlp_spans', bodies)
  assert.deepEqual(byId(first.sent), byId(second.sent))
  assert.equal(new Set(first.sent.map(({ eventId }) => eventId)).size, 10)
})

const oneTrace = calls(1, 1)[0] as Message
const proto = encode('Traces', oneTrace, descending)
const protoLogs = encode('Logs', someLogs('x'), descending)
const asJson = JSON.stringify(oneTrace)
const badSpan = { ...oneTrace, resourceSpans: [{ scopeSpans: [{ scope: {}, spans: [{ name: 'no ids' }, ...sdkCall(60, 'kept')] }] }] }

for (const [what, encoding, topic, body, reason] of [
  [
    'JSON where protobuf is read',
    'otlp_proto',
    'otlp_spans',
    asJson,
    /JSON on a topic read as otlp_proto: set the encoding of this source to otlp_json/,
  ],
  ['indented JSON where protobuf is read', 'otlp_proto', 'otlp_spans', ` \n${asJson}`, /JSON on a topic read as otlp_proto/],
  [
    'protobuf where JSON is read',
    'otlp_json',
    'otlp_spans',
    proto,
    /protobuf on a topic read as otlp_json: set the encoding of this source to otlp_proto/,
  ],
  ['a raw log line', 'otlp_proto', 'otlp_logs', 'tool was called', /no OTLP protobuf: the exporter’s encoding is another \(raw/],
  ['a raw log line where JSON is read', 'otlp_json', 'otlp_logs', 'tool was called', /no OTLP JSON: the exporter’s encoding is another/],
  ['zipkin JSON', 'otlp_json', 'otlp_spans', '[{"traceId":"1"}]', /no OTLP JSON/],
  ['other JSON', 'otlp_json', 'otlp_spans', '{"traceId":"1"}', /no resourceSpans: the exporter’s encoding is another/],
  ['logs among traces', 'otlp_proto', 'otlp_spans', protoLogs, /read as traces in otlp_proto/],
  ['traces among logs', 'otlp_proto', 'otlp_logs', proto, /read as logs in otlp_proto/],
  ['JSON traces among logs', 'otlp_json', 'otlp_logs', asJson, /traces on a topic read as logs: name it TOPIC:traces/],
  ['a cut message', 'otlp_proto', 'otlp_spans', proto.subarray(0, proto.length - 3), /runs past the end.*read as traces/],
  ['too many bytes', 'otlp_proto', 'otlp_spans', Buffer.alloc(1024 * 1024 + 1, 0x0a), /1048576 are allowed/],
  [
    'too many spans',
    'otlp_proto',
    'otlp_spans',
    encode('Traces', traces('x', { y: Array.from({ length: 101 }, () => ({})) })),
    /more than 100 elements/,
  ],
  [
    'a span without ids, whose neighbours are taken',
    'otlp_proto',
    'otlp_spans',
    encode('Traces', badSpan),
    /1 of its traces refused, the others are taken: span without/,
  ],
] as const) {
  test(`${what}: buried alone, with the reason; neighbours are published once`, async () => {
    const { hand, sent, buried } = await openSource({ encoding, elementsMax: 100 })
    const write = (message: Message, type: string) =>
      encoding === 'otlp_json' ? JSON.stringify(message) : encode(type, message, descending)
    const neighbours =
      topic === 'otlp_logs'
        ? ['a', 'b', 'c', 'd', 'e'].map((text) => write(someLogs(text), 'Logs'))
        : calls(10, 5).map((one) => write(one, 'Traces'))
    assert.equal(await hand(topic, neighbours.toSpliced(3, 0, body as never)), true)
    assert.deepEqual(
      buried.map(({ offset }) => offset),
      [3n],
    )
    const { error } = buried[0] as Buried
    assert.ok(error instanceof Fault && !error.retry)
    assert.match(error.message, reason)
    const own = sent.filter(({ traceId }) => traceId !== traceOf(60))
    assert.equal(own.length, topic === 'otlp_logs' ? 5 : 10)
    assert.equal(sent.length - own.length, what.includes('neighbours') ? 2 : 0)
    assert.equal(new Set(own.map(({ eventId }) => eventId)).size, own.length, 'nothing published twice on the way')
  })
}

test('whatever the bytes, a neighbour is taken and nothing is retried for ever', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }),
      fc.constantFrom('otlp_proto', 'otlp_json'),
      async (bodies, encoding) => {
        const { hand, sent } = await openSource({ encoding })
        const whole = encoding === 'otlp_json' ? asJson : proto
        assert.equal(await hand('otlp_spans', [whole, ...bodies, whole]), true)
        assert.equal(sent.filter(({ toolName }) => toolName === 'add').length, 4)
      },
    ),
    { numRuns: 150 },
  )
})

test('a bus that is full is waited for: nothing is buried, and what was taken is not published again', async () => {
  const { hand, sent, buried, bus } = await openSource()
  bus.fail.push(undefined, new Fault('BUS_FULL', 'on purpose'), undefined, new Fault('BUS_FULL', 'on purpose'))
  const bodies = calls(1, 40).map((body) => encode('Traces', body, descending))
  assert.equal(await hand('otlp_spans', bodies.toSpliced(20, 0, 'poison' as never)), true)
  assert.deepEqual(
    buried.map(({ offset }) => offset),
    [20n],
  )
  assert.equal(sent.length, 80)
})

test('a bus that is full for a whole batch without poison is waited for as well', async () => {
  const { hand, sent, bus } = await openSource()
  bus.fail.push(...Array.from({ length: 7 }, () => new Fault('BUS_FULL', 'on purpose')))
  assert.equal(
    await hand(
      'otlp_spans',
      calls(1, 20).map((body) => encode('Traces', body, descending)),
    ),
    true,
  )
  assert.equal(new Set(sent.map(({ eventId }) => eventId)).size, 40)
})

test('order is kept within a batch', async () => {
  const { hand, sent } = await openSource()
  await hand(
    'otlp_spans',
    calls(1, 50).map((body) => encode('Traces', body, descending)),
  )
  const ids = sent.filter(({ vantage }) => vantage === 'server').map(({ requestId }) => Number(requestId))
  assert.deepEqual(
    ids,
    Array.from({ length: 50 }, (_, n) => n + 1),
  )
})

test('nothing, and a tombstone, are nothing', async () => {
  const { hand, sent, buried } = await openSource({ encoding: 'otlp_json' })
  assert.equal(await hand('otlp_spans', ['', asJson]), true)
  assert.deepEqual([sent.length, buried.length], [2, 0])
})

test('a topic says its signal by its name or in words, or is refused at the start', async () => {
  const { hand, asked, sent } = await openSource({ topics: ['acme.agents:traces', 'acme-logs', 'team_traces', 'x_spans'] })
  assert.deepEqual(asked(), ['acme.agents', 'acme-logs', 'team_traces', 'x_spans'])
  await hand('acme.agents', [proto])
  await hand('acme-logs', [protoLogs])
  assert.equal(sent.length, 3)
  for (const [topics, encoding, problem] of [
    [['agents'], 'otlp_proto', /what does topic agents carry\? Write agents:traces, agents:logs or agents:metrics/],
    [['log_spans'], 'otlp_proto', /what does topic log_spans carry/],
    [['agents:spans'], 'otlp_proto', /a topic carries traces, logs or metrics/],
    [['a b'], 'otlp_proto', /not a topic/],
    [[], 'otlp_proto', /no topics/],
    [['otlp_logs'], 'raw', /raw keeps the body of a log alone.*set encoding otlp_proto at the kafka exporter/],
    [['otlp_spans'], 'zipkin_json', /zipkin_json is not OTLP/],
    [['otlp_spans'], 'jaeger_proto', /jaeger_proto is not OTLP/],
  ] as const) {
    await assert.rejects(
      openSource({ topics: [...topics], encoding }),
      (error) => error instanceof Fault && error.code === 'CONFIG_INVALID' && problem.test(error.message),
    )
  }
})
