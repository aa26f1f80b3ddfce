/** Which event a record becomes, per emitter; and that nothing it says of tenant or source is believed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createOtlpFileReader } from '../../collectors/otlp/file.ts'
import { decodeOtlpJson } from '../../collectors/otlp/json.ts'
import { type IngestContext, toEvent, unknownServerKey } from '../../collectors/otlp/to-event.ts'
import { decodeEvent, encodeEvent } from '../../schemas/codec.ts'
import { McpEvent } from '../../schemas/event.ts'
import { toLogAttributes } from '../../schemas/otlp-event.ts'
import { descending, encode, fastmcpCall, keyValues, logs, type Message, type SpanSketch, sdkCall, span, traces } from './otlp-bodies.ts'

const context: IngestContext = { tenant: 'acme', source: 'otlp', now: 1_795_270_999_000_000_000n, keyedHash: (text) => `h(${text.length})` }

function events(message: Message, from = context): McpEvent[] {
  const signal = 'resourceSpans' in message ? 'traces' : 'logs'
  return decodeOtlpJson({ elementsMax: 10_000 }, signal, Buffer.from(JSON.stringify(message))).records.map((record) => {
    const event = toEvent(record, from)
    assert.ok(typeof event === 'object', String(event))
    // Content apart: zod drops `__proto__` from JSON, which we keep.
    assert.deepEqual({ ...McpEvent.parse(event), unmapped: null }, { ...event, unmapped: null })
    assert.deepEqual(decodeEvent(encodeEvent(event)), event)
    return event
  })
}
const one = (scope: string, sketch: Partial<SpanSketch>, service = 'svc', from = context): McpEvent =>
  events(traces(service, { [scope]: [span({ trace: 1, id: 1, kind: 3, name: 'n', at: 0, ms: 5, ...sketch })] }), from)[0] as McpEvent

test('the facts of each dialect stand in their fields', () => {
  const [server, client] = sdkCall(1, 'add', true)
  const { server: fast, client: fastClient } = fastmcpCall(2, 'add', true)
  const table: [string, string, Message, Partial<McpEvent>][] = [
    ['SDK server', 'mcp-python-sdk', server, { vantage: 'server', toolName: 'add', outcome: 'tool_error', era: 'legacy', requestId: '1' }],
    [
      'SDK client: tool from the name, silence is not success',
      'mcp-python-sdk',
      client,
      { vantage: 'client', toolName: 'add', outcome: 'unknown' },
    ],
    [
      'FastMCP server',
      'fastmcp',
      fast,
      { vantage: 'server', serverName: 'office', toolNameRaw: 'tool:add@', era: 'modern', outcome: 'tool_error', sessionHash: 'h(7)' },
    ],
    ['FastMCP client', 'fastmcp', fastClient, { vantage: 'client', outcome: 'tool_error', errorMessage: "Error calling tool 'add'" }],
  ]
  for (const [name, scope, message, wanted] of table) {
    const [event] = events(traces('svc', { [scope]: [message] }))
    assert.equal(event?.kind, 'call', name)
    assert.equal(event.method, 'tools/call', name)
    for (const [field, value] of Object.entries(wanted)) assert.deepEqual(event[field as keyof McpEvent], value, `${name}: ${field}`)
  }
})

test('the convention: outcome by error type and code, content as JSON, transport and address', () => {
  const table: [object, Partial<McpEvent>][] = [
    [{}, { outcome: 'success', contentLevel: 'metadata' }],
    [{ 'error.type': 'tool_error' }, { outcome: 'tool_error' }],
    [{ 'error.type': '-32602' }, { outcome: 'protocol_error', errorType: '-32602' }],
    [
      { 'error.type': 'x', 'rpc.response.status_code': -32601 },
      { outcome: 'protocol_error', errorCode: '-32601' },
    ],
    [{ 'error.type': 'timeout' }, { outcome: 'timeout' }],
    [{ 'error.type': '403' }, { outcome: 'denied' }],
    [{ 'error.type': 'java.net.UnknownHostException' }, { outcome: 'transport_error' }],
    [
      { 'gen_ai.tool.call.arguments': '{"a":[1]}', 'gen_ai.tool.call.result': '{"isError":true}' },
      { arguments: { a: [1] }, result: { isError: true }, outcome: 'tool_error', contentLevel: 'full' },
    ],
    [{ 'gen_ai.tool.call.result': '{cut' }, { result: '{cut', outcome: 'success' }],
    [{ 'gen_ai.tool.call.result': '['.repeat(70) }, { result: '['.repeat(70) }],
    [{ 'gen_ai.tool.call.result': JSON.stringify({ a: `"${'['.repeat(70)}\\` }) }, { result: { a: `"${'['.repeat(70)}\\` } }],
    [{ 'network.transport': 'pipe' }, { transport: 'stdio' }],
    [
      { 'network.transport': 'tcp', 'network.protocol.name': 'http', 'server.address': 'h', 'server.port': 443 },
      { transport: 'streamable_http', serverAddress: 'h', serverPort: 443, serverGrade: 'observed' },
    ],
    [{ 'mcp.protocol.version': '2026-07-28' }, { era: 'modern', protocolVersion: '2026-07-28' }],
    [{ 'mcp.method.name': 'server/discover' }, { era: 'modern' }],
    [{ 'mcp.method.name': 'sampling/createMessage' }, { direction: 'server_to_client', vantage: 'server' }],
    [{ 'mcp.method.name': 'notifications/tools/list_changed' }, { kind: 'notification', direction: 'server_to_client' }],
    [{ 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 7 }, { toolName: '7' }],
  ]
  for (const [attributes, wanted] of table) {
    const event = one('some.library', { attributes: { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 't', ...attributes } })
    assert.equal(event.dialect, 'otel-semconv')
    for (const [field, value] of Object.entries(wanted))
      assert.deepEqual(event[field as keyof McpEvent], value, `${JSON.stringify(attributes)}: ${field}`)
  }
})

test('the content blocks of a failed C# tool are its result', () => {
  const attributes = { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 't', 'error.type': 'tool_error' }
  const event = one('Experimental.ModelContextProtocol', { attributes, error: '[{"type":"text","text":"no"}]' })
  assert.deepEqual(event.result, { content: [{ type: 'text', text: 'no' }], isError: true })
  assert.equal(event.contentLevel, 'full')
})

test('delegates, lists nobody asked for and notifications are no calls', () => {
  const { implicit, server } = fastmcpCall(1, 'add')
  const asked = { ...implicit, parentSpanId: server.spanId }
  const delegate = span({
    trace: 1,
    id: 5,
    parent: 1,
    kind: 1,
    name: 'delegate add',
    at: 0,
    ms: 1,
    attributes: { 'mcp.method.name': 'tools/call' },
  })
  const note = span({ trace: 1, id: 6, kind: 2, name: 'x', at: 0, ms: 0, attributes: { 'mcp.method.name': 'notifications/initialized' } })
  assert.deepEqual(
    events(traces('svc', { fastmcp: [implicit, asked, delegate], 'mcp-python-sdk': [note] })).map(({ kind, eventName, method }) => [
      kind,
      eventName ?? method,
    ]),
    [
      ['other', 'implicit_list'],
      ['call', 'tools/list'],
      ['other', 'delegate'],
      ['notification', 'notifications/initialized'],
    ],
  )
})

test('what nobody knows is unclassified and keeps everything', () => {
  const attributes = { 'http.request.method': 'GET', 'url.full': 'https://a/b', __proto__x: [1, { a: null }] }
  const event = one('@opentelemetry/instrumentation-http', { name: 'GET', attributes })
  assert.deepEqual([event.kind, event.dialect, event.serviceName], ['unclassified', 'unknown', 'svc'])
  assert.deepEqual(event.unmapped, {
    ...{ 'http.request.method': 'GET', 'url.full': 'https://a/b', __proto__x: [1, { a: null }] },
    ...{ 'scope.name': '@opentelemetry/instrumentation-http', 'span.name': 'GET', 'span.kind': 3, 'resource.service.instance.id': 'one' },
  })
  const [log] = events(
    logs('winston', [{ body: { stringValue: 'hello' }, timeUnixNano: '0', observedTimeUnixNano: '5', severityText: 'INFO' }]),
  )
  assert.equal(log?.kind, 'unclassified')
  assert.equal(log.time, 5n)
  assert.deepEqual(log.unmapped, { 'log.body': 'hello', 'log.severity': 'INFO', 'scope.name': 'winston' })
})

test('every attribute is either a field or unmapped, whatever its name', () => {
  const name = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString', 'lapwing.tenant', 'tenant', 'span.name'))
  fc.assert(
    fc.property(fc.uniqueArray(fc.tuple(name, fc.string({ minLength: 1 })), { selector: ([key]) => key, maxLength: 8 }), (pairs) => {
      const message = traces('svc', { x: [span({ trace: 1, id: 1, kind: 1, name: 'n', at: 0, ms: 1 })] })
      message.resourceSpans[0].scopeSpans[0].spans[0].attributes = pairs.map(([key, value]) => ({ key, value: { stringValue: value } }))
      const [event] = events(message)
      for (const [key, value] of pairs)
        assert.equal(Object.getOwnPropertyDescriptor(event?.unmapped, key === 'span.name' ? 'attribute.span.name' : key)?.value, value)
      assert.deepEqual([event?.tenant, event?.source], ['acme', 'otlp'])
      assert.equal(Object.getPrototypeOf(event?.unmapped), Object.prototype)
    }),
  )
})

test('an event of our own taps arrives as it was, but for what the receiver knows better', () => {
  const tap: McpEvent = {
    ...{
      eventId: 'ab'.repeat(16),
      time: 1_795_270_000_123_456_789n,
      kind: 'request',
      dialect: 'stdio-tap',
      signal: 'wire',
      vantage: 'client',
    },
    ...{ contentLevel: 'full', captureTier: 'redacted', tenant: 'someone-else', source: 'forged', callId: 'c1', callObservation: 1 },
    ...{ actor: 'ann@laptop', actorGrade: 'attested', actorSource: 'os_user', serverKey: 'srv_1', era: 'modern', transport: 'stdio' },
    ...{
      method: 'tools/call',
      toolName: 't',
      arguments: { a: { __proto__: null, b: [1, 2] } },
      samplingRatio: 0.5,
      secrets: ['aws-key:1'],
    },
  }
  const [event] = events(logs('lapwing', [{ attributes: toLogAttributes(tap) }]))
  const { eventId, ...rest } = event as McpEvent
  const { eventId: _sent, ...sent } = tap
  assert.match(eventId, /^[0-9a-f]{32}$/)
  assert.deepEqual(rest, {
    ...sent,
    ...{
      arguments: { a: { b: [1, 2] } },
      tenant: 'acme',
      source: 'otlp',
      actorGrade: 'observed',
      ingestedTime: context.now,
      serviceName: 'app',
    },
  })
  const other = events(logs('lapwing', [{ attributes: toLogAttributes(tap) }]), { ...context, tenant: 'umbrella' })[0]
  assert.notEqual(other?.eventId, eventId)
})

test('a tap record that is no event is refused with the reason', () => {
  const body = Buffer.from(JSON.stringify(logs('lapwing', [{ attributes: keyValues({ 'lapwing.event.kind': 'call' }) }])))
  const [record] = decodeOtlpJson({ elementsMax: 10 }, 'logs', body).records
  assert.match(String(record && toEvent(record, context)), /missing/)
})

test('the same observation has the same id, another tenant or source another', () => {
  const sketch = { attributes: { 'mcp.method.name': 'ping' } }
  const { eventId } = one('s', sketch)
  assert.equal(one('s', sketch, 'svc', { ...context, now: 7n }).eventId, eventId)
  for (const other of [{ tenant: 'x' }, { source: 'x' }])
    assert.notEqual(one('s', sketch, 'svc', { ...context, ...other }).eventId, eventId)
  const record = { timeUnixNano: '9', body: { stringValue: 'a' }, attributes: keyValues({ a: 1, b: 2 }) }
  const [first, again, different] = events(
    logs('s', [record, { ...record, attributes: keyValues({ b: 2, a: 1 }) }, { ...record, timeUnixNano: '10' }]),
  )
  assert.equal(first?.eventId, again?.eventId)
  assert.notEqual(first?.eventId, different?.eventId)
})

test('the actor is the strongest evidence there is', () => {
  const attributes = { 'mcp.method.name': 'tools/call', 'user.id': 'bob' }
  const table: [Partial<IngestContext>, string, string, string][] = [
    [{ configuredActor: 'ci', osUser: 'ann@host', peerAddress: '10.0.0.9' }, 'ci', 'configured', 'observed'],
    [{ osUser: 'ann@host' }, 'ann@host', 'os_user', 'observed'],
    [{ peerAddress: '10.0.0.9' }, '10.0.0.9', 'client_address', 'observed'],
    [{}, 'bob', 'declared', 'declared'],
  ]
  for (const [extra, actor, source, grade] of table) {
    const event = one('s', { attributes }, 'svc', { ...context, ...extra })
    assert.deepEqual([event.actor, event.actorSource, event.actorGrade], [actor, source, grade])
  }
  assert.equal(one('s', { attributes: { 'mcp.method.name': 'ping' } }).actor, 'otlp')
  const seen = one('s', { kind: 2, attributes: { ...attributes, 'client.address': '10.0.0.5' } }, 'svc', {
    ...context,
    peerAddress: '10.0.0.9',
  })
  assert.equal(seen.actor, '10.0.0.5')
})

test('a server is known by how it is reached, never by the name of its client', () => {
  const call = { 'mcp.method.name': 'tools/call' }
  const at = (port: number) => one('s', { attributes: { ...call, 'server.address': 'h', 'server.port': port } }).serverKey
  assert.equal(at(1), at(1))
  assert.notEqual(at(1), at(2))
  assert.equal(one('s', { attributes: call }, 'my-agent').serverKey, unknownServerKey('otlp'))
  const bound = (service: string) => one('s', { kind: 2, attributes: { ...call, 'server.address': 'localhost' } }, service).serverKey
  assert.notEqual(bound('shop'), bound('mail'), 'the address a server is bound to says nothing')
  const server = one('s', { kind: 2, attributes: call }, 'shop')
  assert.deepEqual([server.serverAlias, server.serverGrade], ['shop', 'declared'])
})

test('sampling is read from the trace state', () => {
  for (const [state, ratio] of [
    ['ot=th:8', 0.5],
    ['vendor=1,ot=rv:1;th:c', 0.25],
    ['ot=th:0', 1],
    ['ot=p:8', undefined],
    ['x=th:8', undefined],
  ] as const) {
    const message = traces('svc', { s: [{ ...span({ trace: 1, id: 1, kind: 1, name: 'n', at: 0, ms: 1 }), traceState: state }] })
    assert.equal(events(message)[0]?.samplingRatio, ratio, state)
  }
})

test('a body of a file says itself what it is', () => {
  const read = createOtlpFileReader({ elementsMax: 1_000 })
  const spans = traces('svc', { 'mcp-python-sdk': sdkCall(1, 'add') })
  const records = logs('x', [{ body: { stringValue: 'a' }, timeUnixNano: '5', attributes: keyValues({ a: 'b' }) }])
  for (const [type, message, signal, count] of [
    ['Traces', spans, 'span', 2],
    ['Logs', records, 'log', 1],
  ] as const)
    for (const body of [Buffer.from(` ${JSON.stringify(message)}`), encode(type, message), encode(type, message, descending)]) {
      const { events: found, rejected } = read(body, context)
      assert.deepEqual([found.map((event) => event.signal), rejected], [Array(count).fill(signal), 0])
    }
  assert.throws(() => read(Buffer.from('plain text'), context), { code: 'RECORD_INVALID' })
  assert.throws(() => read(Buffer.from('{"a":'), context), { code: 'RECORD_INVALID' })
})
