/** One call is one call, however many spans tell of it and in whatever order they come. */
import assert from 'node:assert/strict'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import fc from 'fast-check'
import { createJoiner, type Joiner, runJoiner } from '../../collectors/joiner.ts'
import { decodeOtlpJson } from '../../collectors/otlp/json.ts'
import { toEvent } from '../../collectors/otlp/to-event.ts'
import type { Handler, Rec } from '../../schemas/bus.ts'
import { decodeEvent, encodeEvent } from '../../schemas/codec.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { fastmcpCall, type Message, type SpanSketch, sdkCall, span, traces } from './otlp-bodies.ts'

function events(message: Message, tenant = 'acme'): McpEvent[] {
  const context = { tenant, source: 'otlp', now: 1n, keyedHash: (text: string) => `h:${text}` }
  return decodeOtlpJson({ elementsMax: 100_000 }, 'traces', Buffer.from(JSON.stringify(message))).records.map((record) => {
    const event = toEvent(record, context)
    assert.ok(typeof event === 'object', String(event))
    return event
  })
}
const from = (scope: string, ...sketches: Omit<SpanSketch, 'name'>[]): McpEvent[] =>
  events(traces('svc', { [scope]: sketches.map((sketch) => span({ name: 'n', ...sketch })) }))
const call = (tool?: string, more: object = {}) => ({
  attributes: { 'mcp.method.name': 'tools/call', ...(tool ? { 'gen_ai.tool.name': tool } : {}), ...more },
})

/** Calls as sorted lists of their spans. */
function callsOf(out: readonly McpEvent[]): string[][] {
  const calls = Map.groupBy(
    out.filter(({ callId }) => callId !== undefined),
    ({ callId }) => callId,
  )
  return [...calls.values()].map((spans) => [...new Set(spans.map(({ spanId }) => spanId ?? ''))].sort()).sort()
}
/** What all observations of a tools/call say together. */
function summaryOf(out: readonly McpEvent[]): string[] {
  const calls = Map.groupBy(
    out.filter(({ callId }) => callId !== undefined),
    ({ callId }) => callId,
  )
  return [...calls.values()]
    .filter((spans) => spans.some(({ method }) => method === 'tools/call'))
    .map((spans) => {
      const outcomes = new Set(spans.map(({ outcome }) => outcome))
      assert.deepEqual(
        spans.map(({ callObservation }) => callObservation),
        spans.map((_, at) => at + 1),
      )
      return `${[...new Set(spans.map(({ toolName }) => toolName))].join('|')} ${outcomes.has('tool_error') ? 'tool_error' : 'success'}`
    })
    .sort()
}
const oneByOne = (joiner: Joiner, all: readonly McpEvent[]): McpEvent[] => all.map(joiner.join)

const story = () => {
  const trio = [fastmcpCall(1, 'add'), fastmcpCall(2, 'add'), fastmcpCall(3, 'fail', true)]
  return events({
    resourceSpans: [
      ...traces('server', { fastmcp: trio.flatMap(({ implicit, server }) => [implicit, server]) }).resourceSpans,
      ...traces('client', { 'mcp-python-sdk': trio.map(({ sdk }) => sdk), fastmcp: trio.map(({ client }) => client) }).resourceSpans,
      ...traces('sdk', { 'mcp-python-sdk': [...sdkCall(4, 'add'), ...sdkCall(5, 'fail', true)] }).resourceSpans,
    ],
  })
}

test('spans of one call meet in any order and any split into batches', () => {
  const all = story()
  fc.assert(
    fc.property(
      fc.shuffledSubarray([...all.keys()], { minLength: all.length }),
      fc.array(fc.nat(all.length), { maxLength: 4 }),
      (places, cuts) => {
        const order = places.map((place) => all[place] as McpEvent)
        const joiner = createJoiner()
        const ends = [...cuts, all.length].sort((a, b) => a - b)
        const out = ends.flatMap((end, at) => joiner.joinAll(order.slice(ends[at - 1] ?? 0, end)))
        assert.deepEqual(
          out.map(({ eventId }) => eventId),
          order.map(({ eventId }) => eventId),
        )
        assert.deepEqual(summaryOf(out), ['add success', 'add success', 'add success', 'fail tool_error', 'fail tool_error'])
        assert.deepEqual(
          callsOf(out)
            .map((spans) => spans.length)
            .sort(),
          [2, 2, 3, 3, 3],
        )
      },
    ),
    { numRuns: 300 },
  )
})

/** One agent run: each call is a framework's span, the SDK's client and its server, below one root. */
const agentRun = (starts: readonly number[]): McpEvent[] => [
  ...from('agent', { trace: 1, id: 1, kind: 1, at: 0, ms: 100 }),
  ...starts.flatMap((at, n) => {
    const id = 10 * (n + 1)
    const tool = { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'add' }
    return [
      ...from('agent', { trace: 1, id, parent: 1, kind: 1, at, ms: 9, attributes: tool }),
      ...from('mcp-python-sdk', { trace: 1, id: id + 1, parent: id, kind: 3, at: at + 1, ms: 7, ...call() }),
      ...from('mcp-python-sdk', { trace: 1, id: id + 2, parent: id + 1, kind: 2, at: at + 2, ms: 5, ...call('add') }),
    ]
  }),
]

test('calls of one tool in one trace stay apart in any order; side by side, if they come in one batch', () => {
  for (const [starts, batched] of [
    [[0, 10, 20], false],
    [[0, 3, 6], true],
  ] as const) {
    const all = agentRun(starts)
    fc.assert(
      fc.property(fc.shuffledSubarray([...all.keys()], { minLength: all.length }), (places) => {
        const order = places.map((place) => all[place] as McpEvent)
        const calls = callsOf(batched ? createJoiner().joinAll(order) : oneByOne(createJoiner(), order))
        assert.deepEqual(
          calls.map((spans) => spans.length),
          [3, 3, 3],
        )
        assert.ok(callsOf(oneByOne(createJoiner(), order)).length >= 3, 'never fewer')
      }),
      { numRuns: 300 },
    )
  }
})

test('what really was sent is six calls', { skip: !existsSync('../shared/telemetry-samples/captures') }, () => {
  for (const file of globSync('../shared/telemetry-samples/captures/*mcp*.jsonl')) {
    const bodies = readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => events(JSON.parse(line)))
    for (const order of [bodies, bodies.toReversed()]) {
      const wanted = ['add success', 'add success', 'fail tool_error', 'http_post success', 'read_file success', 'weather success']
      const joiner = createJoiner()
      assert.deepEqual(summaryOf(order.flatMap(joiner.joinAll)), wanted, file)
      assert.deepEqual(summaryOf(oneByOne(createJoiner(), order.flat())), wanted, file)
    }
  }
})

test('a span sent again is the same observation of the same call', () => {
  const all = story()
  const joiner = createJoiner()
  const first = joiner.joinAll(all)
  assert.deepEqual(joiner.joinAll(all), first)
  assert.deepEqual(oneByOne(joiner, all.toReversed()), first.toReversed())
})

test('calls that only look alike stay apart', () => {
  const table: [string, McpEvent[], number][] = [
    [
      'two attempts under one parent',
      from(
        's',
        { trace: 1, id: 1, kind: 3, at: 0, ms: 9, ...call('a') },
        ...[2, 3].map((id) => ({ ...{ trace: 1, id, parent: 1 }, kind: 2 as const, at: id, ms: 1, ...call('a') })),
      ),
      2,
    ],
    [
      'another tool below',
      from(
        's',
        { trace: 1, id: 1, kind: 2, at: 0, ms: 9, ...call('a') },
        { ...{ trace: 1, id: 2, parent: 1 }, kind: 3, at: 1, ms: 5, ...call('b') },
      ),
      2,
    ],
    [
      'sampling inside a call',
      from(
        's',
        { trace: 1, id: 1, kind: 2, at: 0, ms: 9, ...call('a') },
        { ...{ trace: 1, id: 2, parent: 1 }, kind: 3, at: 1, ms: 5, attributes: { 'mcp.method.name': 'sampling/createMessage' } },
      ),
      2,
    ],
    [
      'one after the other in one trace',
      from(
        's',
        { trace: 1, id: 1, kind: 3, parent: 7, at: 0, ms: 9, ...call('a') },
        { trace: 1, id: 2, kind: 2, parent: 8, at: 9_000, ms: 5, ...call('a') },
      ),
      2,
    ],
    [
      'side by side, nothing missing between',
      from('s', { trace: 1, id: 1, kind: 3, at: 0, ms: 9, ...call('a') }, { trace: 1, id: 2, kind: 2, at: 1, ms: 5, ...call('a') }),
      2,
    ],
    [
      'the same request id in two sessions',
      from(
        's',
        ...[1, 2].map((n) => ({
          trace: n,
          id: n,
          kind: (n + 1) as 2 | 3,
          at: n,
          ms: 3,
          ...call('a', { 'jsonrpc.request.id': '1', 'mcp.session.id': `s${n}` }),
        })),
      ),
      2,
    ],
    [
      'the same arguments, a minute later',
      from(
        's',
        ...[1, 2].map((n) => ({
          trace: n,
          id: n,
          kind: (n + 1) as 2 | 3,
          at: n * 60_000,
          ms: 3,
          ...call('a', { 'gen_ai.tool.call.arguments': '{"x":1}' }),
        })),
      ),
      2,
    ],
  ]
  for (const [name, all, count] of table) {
    for (const order of [all, all.toReversed()]) {
      assert.equal(callsOf(createJoiner().joinAll(order)).length, count, name)
      assert.equal(callsOf(oneByOne(createJoiner(), order)).length, count, name)
    }
  }
  const two = createJoiner().joinAll([
    ...events(traces('s', { 'mcp-python-sdk': sdkCall(1, 'a') })),
    ...events(traces('s', { 'mcp-python-sdk': sdkCall(1, 'a') }), 'other'),
  ])
  assert.equal(callsOf(two).length, 2, 'two tenants')
  assert.equal(new Set(two.map(({ callId }) => callId)).size, 2)
})

test('calls meet through what stands between, by link, by session and by arguments', () => {
  const http = { trace: 1, id: 5, parent: 1, at: 1, ms: 7, kind: 3 as const }
  const table: [string, McpEvent[]][] = [
    [
      'through an HTTP span',
      [
        ...from(
          's',
          { trace: 1, id: 1, kind: 3, at: 0, ms: 9, ...call('a') },
          { trace: 1, id: 2, parent: 5, kind: 2, at: 2, ms: 5, ...call('a') },
        ),
        ...from('http', http),
      ],
    ],
    [
      'past an HTTP span nobody sent',
      from(
        's',
        { trace: 1, id: 1, kind: 3, at: 0, ms: 9, ...call('a') },
        { trace: 1, id: 2, parent: 5, kind: 2, at: 2, ms: 5, ...call('a') },
      ),
    ],
    [
      'through a delegate, to the proxied client',
      from(
        'fastmcp',
        { trace: 1, id: 1, kind: 2, at: 0, ms: 9, ...call('a') },
        { trace: 1, id: 2, parent: 1, kind: 1, at: 1, ms: 7, ...call() },
        { trace: 1, id: 3, parent: 2, kind: 3, at: 2, ms: 5, ...call('a') },
      ),
    ],
    [
      'by link',
      from(
        's',
        { trace: 1, id: 1, kind: 3, at: 0, ms: 9, ...call('a') },
        { trace: 2, id: 2, kind: 2, at: 2, ms: 5, links: [[1, 1]], ...call('a') },
      ),
    ],
    [
      'by session and request id',
      from(
        's',
        ...[1, 2].map((n) => ({
          trace: n,
          id: n,
          kind: (n + 1) as 2 | 3,
          at: 0,
          ms: 3,
          ...call(n === 1 ? 'a' : undefined, { 'jsonrpc.request.id': '1', 'mcp.session.id': 's' }),
        })),
      ),
    ],
    [
      'by conversation and tool call id',
      from(
        's',
        ...[1, 2].map((n) => ({
          trace: n,
          id: n,
          kind: (n + 1) as 2 | 3,
          at: 0,
          ms: 3,
          ...call('a', { 'gen_ai.tool.call.id': 't', 'gen_ai.conversation.id': 'c' }),
        })),
      ),
    ],
    [
      'by arguments, whatever their order',
      from(
        's',
        ...[1, 2].map((n) => ({
          trace: n,
          id: n,
          kind: (n + 1) as 2 | 3,
          at: n,
          ms: 9 / n,
          ...call('a', { 'gen_ai.tool.call.arguments': n === 1 ? '{"x":1,"y":2}' : '{"y":2,"x":1,"_meta":{}}' }),
        })),
      ),
    ],
    [
      'by a gateway’s name of the tool',
      from(
        's',
        { trace: 1, id: 1, kind: 3, at: 0, ms: 9, ...call('mcp__desk__get') },
        { trace: 1, id: 2, parent: 1, kind: 2, at: 1, ms: 5, ...call('get') },
      ),
    ],
  ]
  for (const [name, all] of table) {
    for (const order of [all, all.toReversed()]) {
      assert.equal(callsOf(createJoiner().joinAll(order)).length, 1, name)
      assert.equal(callsOf(oneByOne(createJoiner(), order)).length, 1, `${name}, one by one`)
    }
  }
})

test('a framework’s span learns that it was MCP, a client’s span which server it was', () => {
  const tool = from('agent', {
    trace: 1,
    id: 1,
    kind: 1,
    at: 0,
    ms: 9,
    attributes: { 'gen_ai.operation.name': 'execute_tool', 'gen_ai.tool.name': 'a' },
  })
  const client = from('mcp-python-sdk', {
    trace: 1,
    id: 2,
    parent: 1,
    kind: 3,
    at: 1,
    ms: 7,
    attributes: { 'mcp.method.name': 'tools/call' },
  })
  const server = from('fastmcp', { trace: 1, id: 3, parent: 2, kind: 2, at: 2, ms: 5, ...call('a', { 'fastmcp.server.name': 'office' }) })
  assert.equal(callsOf(tool.map(createJoiner().join)).length, 1)
  assert.equal(createJoiner().joinAll(tool)[0]?.method, undefined)
  const out = createJoiner().joinAll([...server, ...client, ...tool])
  assert.equal(callsOf(out).length, 1)
  for (const event of out) assert.deepEqual([event.method, event.toolName, event.serverName], ['tools/call', 'a', 'office'])
  assert.equal(new Set(out.map(({ serverKey }) => serverKey)).size, 1)
})

test('notifications seen from both sides are counted once and are no call', () => {
  const note = { attributes: { 'mcp.method.name': 'notifications/initialized' } }
  const out = createJoiner().joinAll(
    from('s', { trace: 1, id: 1, kind: 3, at: 0, ms: 1, ...note }, { trace: 1, id: 2, parent: 1, kind: 2, at: 0, ms: 1, ...note }),
  )
  assert.deepEqual(
    out.map(({ callId, callObservation }) => [callId, callObservation]),
    [
      [undefined, 1],
      [undefined, 2],
    ],
  )
})

test('memory is bounded by count and by time, whatever comes', () => {
  let now = 0
  const joiner = createJoiner({ nodesMax: 100, ttlMs: 1_000, now: () => now })
  const sketch = fc.record({
    trace: fc.nat(3),
    id: fc.nat(400),
    parent: fc.nat(400),
    kind: fc.constantFrom(1, 2, 3),
    at: fc.nat(99),
    ms: fc.nat(50),
    tool: fc.constantFrom('a', 'b', '__proto__'),
  })
  fc.assert(
    fc.property(fc.array(sketch, { minLength: 50, maxLength: 50 }), (sketches) => {
      now += 100
      const out = joiner.joinAll(from('s', ...sketches.map(({ tool, ...rest }) => ({ ...rest, ...call(tool) }) as SpanSketch)))
      assert.ok(out.every(({ callId }) => callId !== undefined))
      assert.ok(joiner.stats().nodes <= 100)
    }),
    { numRuns: 50 },
  )
  assert.ok(joiner.stats().evicted > 0)
  now += 5_000
  joiner.joinAll(from('s', { trace: 9, id: 999, kind: 1, at: 0, ms: 1 }))
  assert.equal(joiner.stats().nodes, 1)
})

test('a chain, a fan and a cycle of calls that all look alike are bounded work', () => {
  const count = 20_000
  const shapes: ((n: number) => number)[] = [(n) => n - 1, () => 0, (n) => (n % 100) + 1, (n) => n]
  for (const parentOf of shapes) {
    const joiner = createJoiner()
    const [sample] = from('s', { trace: 1, id: 1, kind: 2, at: 0, ms: 9, ...call('a') })
    for (let n = 1; n <= count; n += 1) {
      const spanId = n.toString(16).padStart(16, 'b')
      const parentSpanId = parentOf(n).toString(16).padStart(16, 'b')
      assert.ok(joiner.join({ ...(sample as McpEvent), eventId: spanId, spanId, parentSpanId }).callId)
    }
    assert.ok(joiner.stats().nodes <= count)
  }
})

test('every span read from the bus is published, keyed by tenant and actor; a failed publish changes nothing', async () => {
  const all = story()
  const records = all.map((event, at) => ({
    key: event.traceId ?? '',
    bytes: encodeEvent(event),
    offset: BigInt(at),
    ...(at % 2 ? { value: event } : {}),
  }))
  const published: Rec[] = []
  let failures = 1
  let handler: Handler | undefined
  await runJoiner(
    {
      async publish(_topic, sent) {
        if (failures-- > 0) throw new Error('on purpose')
        published.push(...sent)
        return []
      },
      async consume(_topics, _group, given) {
        handler = given
        return { stop: async () => undefined, lag: async () => new Map() }
      },
    },
    createJoiner(),
  )
  const part = { topic: 'mcp.spans', partition: 0 } as const
  await assert.rejects(async () => handler?.batch(part, records, 1))
  await handler?.batch(part, records, 1)
  const out = published.map(({ bytes }) => decodeEvent(bytes))
  assert.deepEqual(out, createJoiner().joinAll(all))
  assert.ok(published.every(({ key }) => key === 'acme/otlp'))
  await assert.rejects(async () => handler?.batch(part, [{ key: '', bytes: Buffer.from('{'), offset: 1n }], 1), { code: 'RECORD_INVALID' })
})
