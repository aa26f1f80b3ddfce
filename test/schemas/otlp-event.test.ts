/** The promises of the event ↔ OTLP attributes conversion: exact both ways, refuses what is not an event, never throws. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventKinds, type Json, McpEvent, outcomes } from '../../schemas/event.ts'
import { type AnyValue, attributeLimits, fromAttributes, type KeyValue, toLogAttributes } from '../../schemas/otlp-event.ts'
import { type Field, fieldByName, fields, semconv } from '../../schemas/semconv.ts'

const decoded = (value: AnyValue): unknown => {
  if ('stringValue' in value) return value.stringValue
  if ('intValue' in value) return BigInt(value.intValue)
  if ('boolValue' in value) return value.boolValue
  if ('doubleValue' in value) return value.doubleValue
  return value.arrayValue.values.map(decoded)
}
/** Through the wire form, as a receiver would see it. */
const received = (attributes: readonly KeyValue[]): Map<string, unknown> =>
  new Map((JSON.parse(JSON.stringify(attributes)) as KeyValue[]).map(({ key, value }) => [key, decoded(value)]))

const words = fc.string({ unit: 'binary', maxLength: 40 })
const whole = fc.nat({ max: Number.MAX_SAFE_INTEGER })
const json = fc.json({ maxDepth: 4 }).map((text) => JSON.parse(text) as Json)
const byType = {
  string: words,
  time: fc.bigInt({ min: 0n, max: 9_223_372_036_854_775_807n }),
  int: whole,
  float: fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value)),
  bool: fc.boolean(),
  json,
  strings: fc.array(words, { maxLength: 5 }),
  ints: fc.array(whole, { maxLength: 5 }),
}
const chosen: Partial<Record<Field, fc.Arbitrary<unknown>>> = {
  eventId: fc.stringMatching(/^[0-9a-f]{32}$/),
  kind: fc.constantFrom(...eventKinds),
  signal: fc.constantFrom('span', 'log', 'metric', 'hook', 'file', 'access_log', 'wire'),
  vantage: fc.constantFrom('client', 'server', 'gateway', 'host', 'kernel', 'scanner'),
  direction: fc.constantFrom('client_to_server', 'server_to_client'),
  contentLevel: fc.constantFrom('none', 'metadata', 'shape', 'truncated', 'text', 'full'),
  captureTier: fc.constantFrom('none', 'shape', 'hash', 'redacted', 'full'),
  actorGrade: fc.constantFrom('declared', 'observed', 'attested'),
  serverGrade: fc.constantFrom('declared', 'observed', 'attested'),
  requestIdType: fc.constantFrom('string', 'int', 'null', 'other'),
  protocolVersionSource: fc.constantFrom('negotiated', 'request_meta', 'header', 'sdk_constant', 'unknown'),
  era: fc.constantFrom('legacy', 'modern', 'unknown'),
  transport: fc.constantFrom('stdio', 'streamable_http', 'sse', 'websocket', 'in_process', 'unknown'),
  outcome: fc.constantFrom(...outcomes),
  decisionOutcome: fc.constantFrom('allow', 'deny', 'ask', 'modify'),
}
const needed = [
  'eventId',
  'time',
  'kind',
  'dialect',
  'signal',
  'vantage',
  'contentLevel',
  'captureTier',
  'tenant',
  'source',
  'actor',
  'actorGrade',
  'actorSource',
  'serverKey',
  'era',
  'transport',
] as const satisfies readonly Field[]
const events = fc.record(Object.fromEntries(fields.map((field) => [field, chosen[field] ?? byType[semconv[field][1]]])), {
  requiredKeys: [...needed],
}) as fc.Arbitrary<unknown> as fc.Arbitrary<McpEvent>
const one = fc.sample(events, { seed: 7, numRuns: 1 })[0] as McpEvent
const attributes = () => received(toLogAttributes(one))

test('an event comes back exactly as it was, through JSON', () => {
  fc.assert(
    fc.property(events, (event) => {
      const back = fromAttributes(received(toLogAttributes(event)))
      assert.deepEqual(back, { ...event })
      McpEvent.parse(back)
    }),
    { numRuns: 300 },
  )
})

test('an attribute we do not know is kept in unmapped, whatever its name', () => {
  const map = attributes()
  map.delete('lapwing.unmapped')
  const back = fromAttributes(map.set('__proto__', 'x').set('vendor.list', [1n, 'a'])) as McpEvent
  assert.equal(JSON.stringify(back.unmapped), '{"__proto__":"x","vendor.list":["1","a"]}')
})

test('too many or too large unknown attributes are counted, not kept', () => {
  const map = attributes()
  map.delete('lapwing.unmapped')
  for (let at = 0; at < attributeLimits.unknownMax + 10; at += 1) map.set(`x${at}`, at)
  map.set('x0', 'y'.repeat(attributeLimits.textCharsMax + 1))
  const { unmapped } = fromAttributes(map) as McpEvent
  assert.equal((unmapped as Record<string, Json>)['lapwing.unmapped.dropped'], 11)
})

for (const [name, key, value, reason] of [
  ['a missing id', 'lapwing.event.id', undefined, /lapwing\.event\.id: missing/],
  ['an id that is not ours', 'lapwing.event.id', 'abc', /not 32 hex/],
  ['an unknown kind', 'lapwing.event.kind', 'nonsense', /unknown value/],
  ['a number for a string', 'lapwing.actor', 7, /lapwing\.actor: not a string/],
  ['a string for a boolean', 'lapwing.http.header_mismatch', 'true', /not a boolean/],
  ['a negative count', 'process.pid', -1, /non-negative integer/],
  ['a fraction for a count', 'process.pid', 1.5, /non-negative integer/],
  ['a time in words', 'time', 'yesterday', /not nanoseconds/],
  ['broken JSON', 'lapwing.params', '{', /not JSON text/],
  ['an object for JSON text', 'lapwing.params', { a: 1 }, /not JSON text/],
  ['JSON too deep', 'lapwing.params', '['.repeat(600) + ']'.repeat(600), /too deep/],
  ['a text too long', 'lapwing.actor', 'a'.repeat(attributeLimits.textCharsMax + 1), /too long/],
  ['a list with another type in it', 'lapwing.raw.facts', ['a', 1], /not a string/],
  ['not a number', 'lapwing.sampling.ratio', Number.NaN, /not a number/],
] as const) {
  test(`${name} is refused with its reason`, () => {
    const map = attributes()
    if (value === undefined) map.delete(key)
    else map.set(key, value)
    const back = fromAttributes(map)
    assert.match(String(back), reason)
  })
}

test('tenant and source may be absent: the receiver knows them', () => {
  const map = attributes()
  map.delete('lapwing.tenant')
  map.delete('lapwing.source')
  const back = fromAttributes(map) as McpEvent
  assert.deepEqual([back.tenant, back.source], ['default', 'otlp'])
})

test('whatever the attributes hold, the answer is an event that passes its schema or a reason', () => {
  const values = fc.oneof(fc.anything(), fc.json(), fc.bigInt(), fc.constantFrom(...eventKinds))
  const map = fc.array(fc.tuple(fc.constantFrom(...fieldByName.keys(), 'x', '__proto__'), values), { maxLength: 6 })
  fc.assert(
    fc.property(map, (changes) => {
      const get = attributes()
      for (const [key, value] of changes) get.set(key, value)
      const back = fromAttributes(get)
      if (typeof back !== 'string') McpEvent.parse(back)
    }),
    { numRuns: 300 },
  )
})
