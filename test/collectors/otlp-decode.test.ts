/** What OTLP bodies become: the same records from both encodings, in any order of fields, within limits. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import fc from 'fast-check'
import { decodeOtlpJson } from '../../collectors/otlp/json.ts'
import { jsonDepthMax, jsonInText } from '../../collectors/otlp/json-text.ts'
import { createProtobufDecoder } from '../../collectors/otlp/protobuf.ts'
import type { Decoded, OtlpSignal } from '../../collectors/otlp/record.ts'
import { createIntern } from '../../collectors/otlp/wire.ts'
import { Fault } from '../../schemas/errors.ts'
import { anyValue, ascending, descending, encode, keyValues, logs, type Message, type Order, sdkCall, span, traces } from './otlp-bodies.ts'

const limits = { elementsMax: 2_000 }
const protobuf = createProtobufDecoder(limits)
const json = (signal: OtlpSignal, message: unknown): Decoded =>
  decodeOtlpJson(limits, signal, Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)))

const fault = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof Fault && error.code === code && words.test(error.message)
const refused = (run: () => unknown, words: RegExp, code = 'RECORD_INVALID') => assert.throws(run, fault(code, words))

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.constantFrom('', '__proto__', 'constructor', 'a'.repeat(60), '\u0000é漢😀'),
)
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const time = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String)
const hex = (bytes: number) =>
  fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((id) => Buffer.from(id.fill(1, 0, 1)).toString('hex'))
const { value: valueTree } = fc.letrec<{ value: Message }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.oneof(fc.maxSafeInteger(), int64.map(String)).map((intValue) => ({ intValue })),
    fc.oneof(fc.double(), fc.constantFrom(0, 1)).map((n) => ({ doubleValue: Number.isFinite(n) ? n : String(n) })),
    fc.uint8Array({ maxLength: 9 }).map((bytes) => ({ bytesValue: Buffer.from(bytes).toString('base64') })),
    fc.constant({}),
    fc.array(tie('value'), { maxLength: 3 }).map((values) => ({ arrayValue: { values } })),
    fc.array(fc.record({ key: text, value: tie('value') }), { maxLength: 3 }).map((values) => ({ kvlistValue: { values } })),
  ),
}))
const attributeList = fc.array(fc.record({ key: text, value: valueTree }, { requiredKeys: ['key'] }), { maxLength: 4 })
const some = { requiredKeys: [] as never[] }
const anySpan = fc.record(
  {
    traceId: hex(16),
    spanId: hex(8),
    parentSpanId: fc.oneof(hex(8), fc.constant('')),
    traceState: text,
    flags: fc.nat(),
    name: text,
    kind: fc.nat(5),
    startTimeUnixNano: time,
    endTimeUnixNano: time,
    attributes: attributeList,
    droppedAttributesCount: fc.nat(),
    events: fc.array(fc.record({ timeUnixNano: time, name: text, attributes: attributeList }, some), { maxLength: 2 }),
    links: fc.array(fc.record({ traceId: hex(16), spanId: hex(8) }), { maxLength: 2 }),
    status: fc.record({ code: fc.nat(2), message: text }, some),
  },
  { requiredKeys: ['traceId', 'spanId'] },
)
const anyLog = fc.record(
  {
    timeUnixNano: time,
    observedTimeUnixNano: time,
    severityNumber: fc.nat(24),
    severityText: text,
    body: valueTree,
    attributes: attributeList,
    flags: fc.nat(),
    traceId: fc.oneof(hex(16), fc.constant('')),
    spanId: fc.oneof(hex(8), fc.constant('')),
    eventName: text,
  },
  some,
)
const resource = fc.record({ attributes: attributeList }, some)
const scope = fc.record({ name: text, version: text, attributes: attributeList }, some)
const group = <T>(outer: string, inner: string, leaf: string, item: fc.Arbitrary<T>) =>
  fc.record({
    [outer]: fc.array(
      fc.record({
        resource,
        [inner]: fc.array(fc.record({ scope, [leaf]: fc.array(item, { maxLength: 3 }) }), { maxLength: 2 }),
      }),
      { maxLength: 2 },
    ),
  }) as fc.Arbitrary<Message>

/** Any order at all, decided by a seed. */
const shuffled =
  (seed: number): Order =>
  (fields) => {
    let state = seed
    return fields
      .map((field) => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) | 0
        return [state, field] as const
      })
      .sort(([a], [b]) => a - b)
      .map(([, field]) => field)
  }

for (const [signal, type, message] of [
  ['traces', 'Traces', group('resourceSpans', 'scopeSpans', 'spans', anySpan)],
  ['logs', 'Logs', group('resourceLogs', 'scopeLogs', 'logRecords', anyLog)],
] as const) {
  test(`${signal}: protobuf in any order of fields and JSON give identical records`, () => {
    fc.assert(
      fc.property(message, fc.integer(), (body, seed) => {
        const wanted = json(signal, body)
        for (const order of [ascending, descending, shuffled(seed)])
          assert.deepStrictEqual(protobuf(signal, encode(type, body, order)), wanted)
      }),
      { numRuns: 400 },
    )
  })
}

test('resource and scope are bound though they come after the spans, keys though they come after their values', () => {
  const [server, client] = sdkCall(1, 'add')
  const { records } = protobuf('traces', encode('Traces', traces('shop', { 'mcp-python-sdk': [server, client] }), descending))
  assert.deepEqual(
    records.map(({ resource, scope, span }) => [
      resource.get('service.name'),
      scope.name,
      span?.name,
      span?.attributes.get('jsonrpc.request.id'),
    ]),
    [
      ['shop', 'mcp-python-sdk', 'tools/call add', '1'],
      ['shop', 'mcp-python-sdk', 'MCP send tools/call add', '1'],
    ],
  )
})

test('an attribute named __proto__ is an attribute', () => {
  const message = traces('a', { s: [span({ trace: 1, id: 1, kind: 1, name: 'n', at: 0, ms: 1 })] })
  const proto = { key: '__proto__', value: { kvlistValue: { values: [{ key: '__proto__', value: { stringValue: 'x' } }] } } }
  message.resourceSpans[0].scopeSpans[0].spans[0].attributes = [proto]
  for (const decoded of [json('traces', message), protobuf('traces', encode('Traces', message))]) {
    const value = decoded.records[0]?.span?.attributes.get('__proto__')
    assert.equal(JSON.stringify(value), '{"__proto__":"x"}')
    assert.equal(({} as Message).x, undefined)
  }
})

test('JSON: names of enums, upper-case ids, bare 64-bit numbers and unknown fields are taken', () => {
  const body = `{"_note":1,"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"${'AB'.repeat(16)}","spanId":"${'CD'.repeat(8)}",
    "kind":"SPAN_KIND_SERVER","startTimeUnixNano":1795166100123456789,"newer":{"a":[1]},"status":{"code":"STATUS_CODE_ERROR"},
    "attributes":[{"key":"n","value":{"intValue":9007199254740993}},{"key":"n","value":{"intValue":9007199254740995}}]}]}]}]}`
  const [record] = json('traces', body).records
  assert.equal(record?.span?.traceId, 'ab'.repeat(16))
  assert.equal(record?.span?.kind, 2)
  assert.equal(record?.span?.start, 1_795_166_100_123_456_789n)
  assert.equal(record?.span?.statusCode, 2)
  assert.equal(record?.span?.attributes.get('n'), '9007199254740995')
  assert.deepEqual(record?.facts, ['duplicate_key:n'])
})

const nest = (depth: number): Message => {
  let value: Message = { stringValue: 'deep' }
  for (let n = 0; n < depth; n += 1) value = { arrayValue: { values: [value] } }
  return value
}
const oneLog = (attributes: Message[]): Message => logs('s', [{ attributes }, { attributes: keyValues({ good: true }) }])

test('a record over a limit is refused alone: its neighbours are taken', () => {
  const cases: [string, Message, RegExp][] = [
    ['too deep', oneLog([{ key: 'a', value: nest(40) }]), /deeper than 32/],
    ['too many attributes', oneLog(Array.from({ length: 1_025 }, (_, n) => ({ key: `k${n}`, value: anyValue(n) }))), /1024 attributes/],
    ['time beyond 2262', logs('s', [{ timeUnixNano: String(2n ** 63n) }, { attributes: keyValues({ good: true }) }]), /time/],
  ]
  for (const [name, message, reason] of cases) {
    const { records, rejected, reason: given } = protobuf('logs', encode('Logs', message))
    assert.deepEqual([records.length, rejected], [1, 1], name)
    assert.equal(records[0]?.log?.attributes.get('good'), true)
    assert.match(given, reason)
  }
  const badIds = traces('a', { s: [{ traceId: '00', spanId: 'zz' }, sdkCall(1, 'a')[0]] })
  assert.deepEqual([json('traces', badIds).records.length, json('traces', badIds).rejected], [1, 1])
})

test('a resource over a limit is refused with all its records, and no others', () => {
  const message = logs('s', [{}, {}])
  message.resourceLogs.push(logs('s', [{}]).resourceLogs[0])
  message.resourceLogs[0].resource.attributes = [{ key: 'a', value: nest(40) }]
  for (const order of [ascending, descending]) {
    const { records, rejected } = protobuf('logs', encode('Logs', message, order))
    assert.deepEqual([records.length, rejected], [1, 2])
  }
})

test('long values are cut at a character, and say so', () => {
  const long = '漢'.repeat(30_000)
  const message = logs('s', [{ attributes: keyValues({ note: long, 'gen_ai.tool.call.result': long }) }])
  for (const { records } of [json('logs', message), protobuf('logs', encode('Logs', message))]) {
    assert.equal(records[0]?.log?.attributes.get('note'), '漢'.repeat(21_845))
    assert.equal(records[0]?.log?.attributes.get('gen_ai.tool.call.result'), long)
    assert.deepEqual(records[0]?.facts, ['truncated:note'])
  }
})

test('bombs are refused before they unfold', () => {
  const elements = logs('s', [{ body: { arrayValue: { values: Array.from({ length: 3_000 }, () => ({})) } } }])
  refused(() => protobuf('logs', encode('Logs', elements)), /elements/, 'INPUT_TOO_LARGE')
  refused(() => json('logs', elements), /elements/, 'INPUT_TOO_LARGE')
  const attributes = logs('s', [{ attributes: Array.from({ length: 11_000 }, () => ({ key: 'a' })) }])
  refused(() => protobuf('logs', encode('Logs', attributes)), /attributes/, 'INPUT_TOO_LARGE')
  refused(() => json('logs', '['.repeat(1_000_000)), /deeper than 64/)
  refused(() => json('logs', `{"a":"${'\\"['.repeat(100)}","b":${'['.repeat(65)}`), /deeper than 64/)
  assert.equal(json('logs', JSON.stringify({ a: '['.repeat(1_000) })).records.length, 0)
  let deep: Uint8Array = new Uint8Array(0)
  for (let n = 0; n < 2_000; n += 1) deep = new BinaryWriter().tag(5, 2).fork().tag(1, 2).bytes(deep).join().finish()
  const body = new BinaryWriter().tag(1, 2).fork().tag(2, 2).fork().tag(2, 2).fork().tag(5, 2).bytes(deep).join().join().join().finish()
  assert.deepEqual(protobuf('logs', body).rejected, 1)
})

test('bytes that are no message are refused with the reason', () => {
  const table: [string, readonly number[], RegExp][] = [
    ['cut varint', [0x80], /varint is cut off/],
    ['varint of eleven bytes', Array.from({ length: 11 }, () => 0xff), /varint is longer/],
    ['length beyond the end', [0x0a, 0x05, 0x00], /length runs past/],
    ['length of 4 GiB', [0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f], /length runs past/],
    ['length beyond its message', [0x0a, 0x03, 0x12, 0x04, 0x00, 0x00, 0x00], /length runs past/],
    ['group', [0x0b, 0x0c], /wire type/],
    ['unknown group', [0x7b], /wire type 3/],
    ['field zero', [0x00, 0x00], /field number/],
    ['wrong type of a known field', [0x08, 0x01], /field 1 has wire type 0/],
    ['cut fixed64', [0x79, 0x00], /fixed64 is cut off/],
  ]
  for (const [name, bytes, words] of table)
    assert.throws(() => protobuf('traces', Uint8Array.from(bytes)), fault('RECORD_INVALID', words), name)
  for (const [body, words] of [
    ['', /not JSON/],
    ['[]', /not an object/],
    ['null', /not an object/],
    ['{"resourceSpans":{}}', /not an array/],
    ['{"resourceSpans":[1]}', /not an object/],
    ['{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":1}]}]}]}', /name is not a string/],
    ['{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"1e9"}]}]}]}', /not an integer/],
    ['{"resourceSpans":[{"scopeSpans":[{"spans":[{"startTimeUnixNano":"-1"}]}]}]}', /out of range/],
    ['{"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":"SPAN_KIND_ODD"}]}]}]}', /kind is unknown/],
  ] as const)
    refused(() => json('traces', body), words)
})

test('metrics are counted, not kept', () => {
  const points = (n: number) => ({ dataPoints: Array.from({ length: n }, () => ({ timeUnixNano: '1' })) })
  const metrics = [
    { name: 'a', gauge: points(2) },
    { name: 'b', histogram: points(3) },
    { name: 'c', sum: points(1) },
  ]
  const message = { resourceMetrics: [{ scopeMetrics: [{ metrics }] }] }
  for (const decoded of [json('metrics', message), protobuf('metrics', encode('Metrics', message, descending))])
    assert.deepEqual([decoded.points, decoded.records.length], [6, 0])
})

test('JSON in a text is read up to 64 levels, wherever brackets stand', () => {
  const nested = fc.tuple(fc.integer({ min: 60, max: 68 }), fc.string({ unit: fc.constantFrom(...'[{]}\\"a'), maxLength: 90 }))
  fc.assert(
    fc.property(nested, ([depth, inner]) => {
      const text = `${'['.repeat(depth)}${JSON.stringify(inner)}${']'.repeat(depth)}`
      assert.deepEqual(jsonInText(text), depth <= jsonDepthMax ? JSON.parse(text) : text)
    }),
  )
})

test('a text is what its bytes say, however often it and others came before', () => {
  const read = createIntern()
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom(...'abé\u0000'), maxLength: 9 }), { maxLength: 60 }), (texts) => {
      const bytes = Buffer.from(texts.join(''))
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      let at = 0
      for (const text of texts) {
        const end = at + Buffer.byteLength(text)
        assert.equal(read(bytes, view, at, end), text)
        at = end
      }
    }),
  )
})
