/** The OTLP/HTTP door: what it answers, that a 2xx is durable, and that nothing a sender does takes it down. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { SpanKind, SpanStatusCode } from '@opentelemetry/api'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { openLog } from '../../collectors/bus/log.ts'
import { createJoiner, runJoiner } from '../../collectors/joiner.ts'
import { encodingOf } from '../../collectors/otlp/http.ts'
import { Fault } from '../../schemas/errors.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { descending, encode, fastmcpCall, keyValues, logs, sdkCall, traces } from './otlp-bodies.ts'
import { bounds, openReceiver, post, types } from './otlp-receiver.ts'

const oneCall = traces('shop', { 'mcp-python-sdk': sdkCall(1, 'add') })
const bytes = encode('Traces', oneCall, descending)
const bad = { attributes: [{ key: 'a', value: {} }], timeUnixNano: String(2n ** 63n) }

test('answers by path, method, type and encoding, in the encoding of the request', async () => {
  await using receiver = await openReceiver()
  const json = JSON.stringify(oneCall)
  const table: [string, string, Uint8Array | string, Record<string, string>, number][] = [
    ['protobuf', '/v1/traces', bytes, types.protobuf, 200],
    ['JSON', '/v1/traces', json, { 'content-type': 'Application/JSON; charset=utf-8' }, 200],
    ['gzip', '/v1/traces', gzipSync(bytes), { ...types.protobuf, 'content-encoding': 'gzip' }, 200],
    ['query', '/v1/traces?a=%zz', bytes, types.protobuf, 200],
    ['empty', '/v1/logs', '', types.protobuf, 200],
    ['empty JSON', '/v1/metrics', '{}', types.json, 200],
    ['empty gzip', '/v1/logs', '', { ...types.protobuf, 'content-encoding': 'gzip' }, 200],
    ['no protobuf', '/v1/traces', json, types.protobuf, 400],
    ['no JSON', '/v1/traces', '{', types.json, 400],
    ['not gzip', '/v1/traces', bytes, { ...types.protobuf, 'content-encoding': 'gzip' }, 400],
    ['cut gzip', '/v1/traces', gzipSync(bytes).subarray(0, -9), { ...types.protobuf, 'content-encoding': 'gzip' }, 400],
    ['other path', '/v1/profiles', bytes, types.protobuf, 404],
    ['odd path', '/%', bytes, types.protobuf, 404],
    ['other type', '/v1/traces', bytes, { 'content-type': 'text/plain' }, 415],
    ['odd type', '/v1/traces', json, { 'content-type': 'application/json\ta' }, 415],
    ['brotli', '/v1/traces', brotliCompressSync(bytes), { ...types.protobuf, 'content-encoding': 'br' }, 415],
    ['deflate', '/v1/traces', deflateSync(bytes), { ...types.protobuf, 'content-encoding': 'deflate' }, 415],
    ['gzip twice', '/v1/traces', gzipSync(gzipSync(bytes)), { ...types.protobuf, 'content-encoding': 'gzip, gzip' }, 415],
  ]
  for (const [name, path, body, headers, status] of table) {
    const answer = await post(receiver, path, body, headers)
    assert.equal(answer.status, status, name)
    const encoding = encodingOf(headers['content-type']) ?? 'json'
    assert.equal(answer.headers.get('content-type'), types[encoding]['content-type'], name)
    if (encoding === 'json') assert.ok(JSON.parse(String(answer.body)), name)
  }
  assert.equal((await fetch(`${receiver.http.url}/v1/traces`)).status, 405)
  assert.equal(receiver.sent.length, 8)
  assert.deepEqual(receiver.http.stats(), { accepted: 7, refused: { 400: 4, 404: 2, 405: 1, 415: 5 } })
  assert.equal(receiver.intake.stats().spans, 8)
})

test('spans go to mcp.spans by trace, logs to mcp.events by tenant and actor, without a call id', async () => {
  await using receiver = await openReceiver()
  await post(receiver, '/v1/traces', bytes)
  await post(receiver, '/v1/logs', encode('Logs', logs('x', [{ body: { stringValue: 'hi' } }])))
  assert.deepEqual(
    receiver.sent.map(({ topic, record }) => [topic, record.key]),
    [...sdkCall(1, 'add').map(({ traceId }) => ['mcp.spans', traceId]), ['mcp.events', 'default/otlp']],
  )
  assert.ok(receiver.events().every(({ callId, tenant, source }) => callId === undefined && tenant === 'default' && source === 'otlp'))
  assert.equal(receiver.intake.stats().unclassified, 1)
})

test('what is too large is refused: as sent, unpacked, or by its ratio', async () => {
  await using receiver = await openReceiver()
  const gzip = { ...types.protobuf, 'content-encoding': 'gzip' }
  const zeros = (size: number) => gzipSync(Buffer.alloc(size))
  const members = Buffer.concat(Array.from({ length: 2_000 }, () => zeros(10_000)))
  for (const [name, body, headers] of [
    ['plain', Buffer.alloc(bounds.decompressedBytesMax + 1), types.protobuf],
    ['packed', Buffer.alloc(bounds.compressedBytesMax + 1), gzip],
    ['bomb', zeros(128 * 1024 * 1024), gzip],
    ['many members', members, gzip],
    ['by ratio', zeros(4 * 1024 * 1024), gzip],
  ] as const)
    assert.equal((await post(receiver, '/v1/logs', body, headers)).status, 413, name)
  const chunked = new ReadableStream({
    pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
  })
  const endless = fetch(`${receiver.http.url}/v1/logs`, {
    method: 'POST',
    body: chunked,
    headers: types.protobuf,
    duplex: 'half',
  } as RequestInit)
  assert.equal(
    await endless.then(
      ({ status }) => status,
      () => 413,
    ),
    413,
  )
  assert.equal((await post(receiver, '/v1/traces', bytes)).status, 200)
})

test('a body without a length is taken', async () => {
  await using receiver = await openReceiver()
  const body = new Blob([Buffer.from(bytes)]).stream()
  const { status } = await fetch(`${receiver.http.url}/v1/traces`, {
    method: 'POST',
    body,
    headers: types.protobuf,
    duplex: 'half',
  } as RequestInit)
  assert.equal(status, 200)
  assert.equal(receiver.sent.length, 2)
})

test('records that can never be taken are named; their neighbours are on the bus before the answer', async () => {
  await using receiver = await openReceiver()
  const message = logs('x', [{ body: { stringValue: 'good' } }, bad])
  const json = await post(receiver, '/v1/logs', JSON.stringify(message), types.json)
  assert.equal(json.status, 200)
  assert.deepEqual(JSON.parse(String(json.body)), { partialSuccess: { rejectedLogRecords: '1', errorMessage: 'time out of range' } })
  const protobuf = await post(receiver, '/v1/logs', encode('Logs', message))
  assert.equal(protobuf.body.toString('hex'), `0a15${'0801'}1211${Buffer.from('time out of range').toString('hex')}`)
  assert.equal(receiver.sent.length, 2)
  const tap = await post(
    receiver,
    '/v1/logs',
    encode('Logs', logs('lapwing', [{ attributes: keyValues({ 'lapwing.event.kind': 'call' }) }])),
  )
  assert.match(tap.body.toString(), /missing/)
  assert.equal(receiver.intake.stats().rejected, 3)
})

test('whatever fails behind the door is 503 with Retry-After, and the same body is taken later', async () => {
  const failures = [
    new Fault('BUS_FULL', 'full'),
    new Fault('RECORD_INVALID', 'not theirs'),
    new Fault('INPUT_TOO_LARGE', 'nor this'),
    new TypeError('odd'),
    'text',
  ]
  let protectFails = false
  await using receiver = await openReceiver({
    protect(event) {
      if (protectFails) throw new Fault('RECORD_INVALID', 'on purpose')
      return event
    },
  })
  for (const failure of failures) {
    receiver.before.publish = () => Promise.reject(failure)
    for (const [body, headers] of [
      [bytes, types.protobuf],
      [JSON.stringify(oneCall), types.json],
    ] as const) {
      const answer = await post(receiver, '/v1/traces', body, headers)
      assert.equal(answer.status, 503, String(failure))
      assert.match(String(answer.headers.get('retry-after')), /^\d+$/)
      assert.equal(answer.headers.get('content-type'), headers['content-type'])
    }
  }
  receiver.before.publish = async () => undefined
  protectFails = true
  assert.equal((await post(receiver, '/v1/traces', bytes)).status, 503)
  protectFails = false
  assert.equal((await post(receiver, '/v1/traces', bytes)).status, 200)
  assert.equal(receiver.faults.length, 11)
  assert.equal(receiver.intake.stats().spans, 2)
})

test('no answer before the records are durable', async () => {
  await using receiver = await openReceiver()
  const gate = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  receiver.before.publish = () => {
    asked.resolve()
    return gate.promise
  }
  let answered = false
  const answer = post(receiver, '/v1/traces', bytes).then(({ status }) => {
    answered = true
    return status
  })
  await asked.promise
  await new Promise((resolve) => setTimeout(resolve, 20))
  assert.equal(answered, false)
  gate.resolve()
  assert.equal(await answer, 200)
})

test('bytes in flight are bounded over all requests: 429, and room again afterwards', async () => {
  await using receiver = await openReceiver({ inFlightBytesMax: 3 * bytes.length })
  const gate = Promise.withResolvers<void>()
  let waiting = 0
  const all = Promise.withResolvers<void>()
  receiver.before.publish = () => {
    waiting += 1
    if (waiting === 3) all.resolve()
    return gate.promise
  }
  const held = [1, 2, 3].map(() => post(receiver, '/v1/traces', bytes))
  await all.promise
  const refused = await post(receiver, '/v1/traces', bytes)
  assert.equal(refused.status, 429)
  assert.ok(refused.headers.get('retry-after'))
  gate.resolve()
  assert.deepEqual(
    (await Promise.all(held)).map(({ status }) => status),
    [200, 200, 200],
  )
  assert.equal((await post(receiver, '/v1/traces', bytes)).status, 200)
})

test('a token is needed where one is set, and decides tenant and source', async () => {
  const credentials = new Map([['t-acme', { tenant: 'acme', source: 'gateway', actor: 'ci' }]])
  await using receiver = await openReceiver({
    token: 'secret',
    tenantOf: (token) => credentials.get(token ?? ''),
    tenantKey: (tenant) => `key of ${tenant}`,
  })
  const bearer = (token: string) => ({ ...types.protobuf, authorization: `Bearer ${token}` })
  assert.equal((await post(receiver, '/v1/traces', bytes)).status, 401)
  for (const wrong of ['', 'secre', 'secret2', 'Secret'])
    assert.equal((await post(receiver, '/v1/traces', bytes, bearer(wrong))).status, 401)
  assert.equal((await post(receiver, '/v1/traces', bytes, bearer('secret'))).status, 200)
  assert.equal((await post(receiver, '/v1/traces', bytes, bearer('t-acme'))).status, 200)
  assert.deepEqual(
    receiver.events().map(({ tenant, source, actor }) => [tenant, source, actor]),
    [
      ['default', 'otlp', 'otlp'],
      ['default', 'otlp', 'otlp'],
      ['acme', 'gateway', 'ci'],
      ['acme', 'gateway', 'ci'],
    ],
  )
  const key = (headers: Record<string, string>) => fetch(`${receiver.http.url}/lapwing/key`, { headers })
  assert.equal((await key({})).status, 401)
  assert.deepEqual(await (await key({ authorization: 'Bearer t-acme' })).json(), { tenant: 'acme', key: 'key of acme' })
})

/** Headers that fetch would not let us set. */
function raw(port: number, lines: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let answer = ''
    socket.on('data', (chunk) => {
      answer += chunk
    })
    socket.on('error', reject).on('close', () => resolve(answer.split('\r\n')[0] ?? ''))
    socket.end(`${lines.join('\r\n')}\r\n\r\n`)
  })
}

test('pages in a browser get nothing, not even the key by a re-bound name', async () => {
  await using receiver = await openReceiver({ tenantKey: () => 'k' })
  const { port } = receiver.http
  const get = (path: string, ...headers: string[]) => raw(port, [`GET ${path} HTTP/1.1`, 'connection: close', ...headers])
  assert.match(await get('/lapwing/key', `host: 127.0.0.1:${port}`), / 200 /)
  assert.match(await get('/lapwing/key', `host: localhost:${port}`, 'origin: http://localhost:7878'), / 200 /)
  assert.match(await get('/lapwing/key', 'host: evil.example:80'), / 403 /)
  assert.match(await get('/lapwing/key', `host: 127.0.0.1:${port}`, 'origin: https://evil.example'), / 403 /)
  assert.match(await get('/lapwing/key', `host: 127.0.0.1:${port}`, 'origin: null'), / 403 /)
  assert.match(await get('/lapwing/key', `host: 127.0.0.1:${port}`, 'sec-fetch-site: cross-site'), / 403 /)
  assert.equal((await post(receiver, '/v1/traces', bytes, { ...types.protobuf, origin: 'https://evil.example' })).status, 403)
})

test('requests that are no HTTP get 400 or an end, and hurt nobody', async () => {
  await using receiver = await openReceiver()
  const { port } = receiver.http
  const head = ['POST /v1/traces HTTP/1.1', 'host: a', 'connection: close', 'content-type: application/json']
  for (const lines of [
    ['GARBAGE'],
    ['POST /v1/traces HTTP/1.1', 'host: a', 'content-length: 5', 'transfer-encoding: chunked'],
    ['POST /v1/traces HTTP/1.1', 'host: a', `x: ${'a'.repeat(40_000)}`],
    [...head, 'content-length: -1'],
    [...head, 'expect: the-unexpected'],
    ['GET http://[ HTTP/1.1', 'host: ['],
  ])
    assert.match(await raw(port, lines), /^$| 40\d /, lines[0])
  assert.match(await raw(port, [...head, '__proto__: x', 'content-length: 0']), / 400 /)
  const aborted = connect(port, '127.0.0.1')
  aborted.write([...head, 'content-length: 100', '', '{"reso'].join('\r\n'))
  await new Promise((resolve) => setTimeout(resolve, 20))
  aborted.destroy()
  assert.equal((await post(receiver, '/v1/traces', bytes)).status, 200)
  assert.deepEqual(receiver.faults, [])
})

test('an address that others can reach needs a token', async () => {
  for (const host of ['0.0.0.0', '::', '192.0.2.1', '']) await assert.rejects(openReceiver({ host }), { code: 'START_REFUSED' }, host)
  await using open = await openReceiver({ host: '0.0.0.0', token: 'secret' })
  assert.ok(open.http.port > 0)
  await assert.rejects(openReceiver({ port: open.http.port, host: '0.0.0.0', token: 'secret' }), { code: 'START_REFUSED' })
})

for (const [name, Exporter] of [
  ['JSON', JsonExporter],
  ['protobuf', ProtobufExporter],
] as const) {
  test(`the ${name} exporter of OpenTelemetry: every span is in the durable log once its export has succeeded`, async () => {
    const dir = mkdtempSync(join(tmpdir(), 'otlp-'))
    try {
      await using bus = await openLog({ dir, bytesMax: 64 * 1024 * 1024, seal: () => '' })
      await using receiver = await openReceiver({ bus })
      let busy = 1
      receiver.before.publish = async () => {
        busy -= 1
        if (busy === 0) throw new Fault('BUS_FULL', 'once')
      }
      const exporter = new Exporter({ url: `${receiver.http.url}/v1/traces`, ...(name === 'JSON' ? {} : { compression: 'gzip' as never }) })
      const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
      const span = provider.getTracer('some.library', '1.2').startSpan('tools/call add', {
        kind: SpanKind.SERVER,
        attributes: { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'add', 'error.type': 'tool_error' },
      })
      span.setStatus({ code: SpanStatusCode.ERROR, message: 'no' }).end()
      await provider.forceFlush()
      await provider.shutdown()
      const read = Promise.withResolvers<McpEvent>()
      const running = await bus.consume(['mcp.spans'], 'test', {
        batch: async (_part, [record]) => read.resolve(record?.value as McpEvent),
      })
      const event = await read.promise
      await running.stop()
      assert.equal(event.spanId, span.spanContext().spanId)
      assert.deepEqual(
        [event.dialectVersion, event.vantage, event.toolName, event.outcome, event.errorMessage],
        ['1.2', 'server', 'add', 'tool_error', 'no'],
      )
      assert.equal(receiver.sent.length, 1)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  })
}

test('from the door through the log and the joiner: every span once, three calls of three, keyed by actor', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'otlp-'))
  try {
    await using bus = await openLog({ dir, bytesMax: 64 * 1024 * 1024, seal: () => '' })
    await using receiver = await openReceiver({ bus })
    const trios = [1, 2, 3].map((n) => fastmcpCall(n, 'add'))
    const server = traces('server', { fastmcp: trios.flatMap(({ implicit, server }) => [implicit, server]) })
    const client = traces('client', { 'mcp-python-sdk': trios.map(({ sdk }) => sdk), fastmcp: trios.map(({ client }) => client) })
    const running = await runJoiner(bus, createJoiner())
    const seen: McpEvent[] = []
    const all = Promise.withResolvers<void>()
    const reading = await bus.consume(['mcp.events'], 'test', {
      async batch(_part, records) {
        seen.push(...records.map(({ value }) => value as McpEvent))
        if (seen.length >= 12) all.resolve()
      },
    })
    for (const body of [server, client]) assert.equal((await post(receiver, '/v1/traces', encode('Traces', body, descending))).status, 200)
    await all.promise
    await running.stop()
    await reading.stop()
    assert.equal(new Set(seen.map(({ eventId }) => eventId)).size, 12)
    const calls = Map.groupBy(
      seen.filter(({ kind }) => kind === 'call'),
      ({ callId }) => callId,
    )
    assert.deepEqual(
      [...calls.values()].map((events) => events.map(({ callObservation }) => callObservation).sort()),
      [
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
      ],
    )
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
