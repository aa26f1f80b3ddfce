/** What leaves a collector: no secret in any field, nothing more than the capture tier allows, and the same when done twice. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { createSecretFinder } from '../../collectors/redact/find-secrets.ts'
import { type CaptureTiers, createRedactor, lengthMax } from '../../collectors/redact/redactor.ts'
import { Json, McpEvent } from '../../schemas/event.ts'
import { fingerprintContent, fingerprintKey, unflatten } from '../../schemas/fingerprint.ts'
import { hashId } from '../../schemas/ids.ts'
import { unwrap } from '../../schemas/unwrap.ts'

const keyedHash = (text: string): string => hashId('test key', text).slice(0, 16)
const find = createSecretFinder()
const usual: CaptureTiers = { arguments: 'redacted', results: 'redacted', definitions: 'redacted', prompts: 'redacted' }
const redactor = (tiers: Partial<CaptureTiers> = {}) => createRedactor({ keyedHash, find, tiers: { ...usual, ...tiers } })
const redact = redactor()

const event = (fields: Partial<McpEvent>): McpEvent => ({
  eventId: '00',
  time: 1n,
  kind: 'call',
  dialect: 'test',
  signal: 'wire',
  vantage: 'client',
  contentLevel: 'full',
  captureTier: 'full',
  tenant: 'default',
  source: 'test',
  actor: 'ada',
  actorGrade: 'observed',
  actorSource: 'test',
  serverKey: 'srv_1',
  era: 'unknown',
  transport: 'stdio',
  ...fields,
})
const random = 'q7RtZ2mK9xLw4VbN8cYd3HfJ6sPg1TaE5uQo'
const secret = `ghp_${random}`
const text = (value: unknown): string => JSON.stringify(value, (_key, each) => (typeof each === 'bigint' ? String(each) : each))

test('a secret survives in no field, at no depth, neither in values nor in keys', () => {
  const holders: readonly ((value: Json) => Partial<McpEvent>)[] = [
    (value) => ({ arguments: value }),
    (value) => ({ result: value }),
    (value) => ({ params: value, kind: 'request' }),
    (value) => ({ body: value, method: 'resources/read' }),
    (value) => ({ body: value, method: 'tools/list' }),
    (value) => ({ http: value }),
    (value) => ({ labels: value }),
    (value) => ({ unmapped: value }),
  ]
  const wrap: readonly ((value: string) => Json)[] = [
    (value) => value,
    (value) => ({ a: [{ b: `see ${value}.` }] }),
    (value) => ({ [value]: 1 }),
    (value) => [JSON.stringify({ env: { X: value } })],
    (value) => JSON.parse(`{"__proto__":${JSON.stringify([value])}}`),
    (value) => ({ text: Buffer.from(`{"note": "keep this", "token": "${value}"}`).toString('base64') }),
    (value) => ({ text: Buffer.from(`the token is ${value} so`).toString('hex') }),
    (value) => ({ text: gzipSync(`the token is ${value} so`).toString('base64') }),
  ]
  for (const hold of holders) {
    for (const within of wrap) {
      const out = redact(event(hold(within(secret))))
      const seen = text(out)
      const texts = [seen, ...unwrap(seen, { bytesMax: 1 << 20 }).map((layer) => layer.text)]
      for (const each of texts) assert.ok(!each.includes(random), each)
      assert.deepEqual(out.secrets, [`github-token:${keyedHash(secret)}`])
    }
  }
  for (const field of ['errorMessage', 'serverCommand', 'resourceUri', 'toolName', 'principal', 'decisionReason', 'actor'] as const) {
    const out = redact(event({ [field]: `x ${secret}` }))
    assert.equal(out[field], `x ⟦secret:github-token:${keyedHash(secret)}⟧`)
  }
})

test('a name gives its value away: as key, as sibling, as flag, as header', () => {
  for (const value of [
    { API_KEY: 'TESTKEY-000111222333444' },
    { env: [{ name: 'API_KEY', value: 'TESTKEY-000111222333444' }] },
    ['--api-key', 'TESTKEY-000111222333444'],
    { headers: { Authorization: 'Token TESTKEY-000111222333444' } },
    { headers: { 'X-Api-Key': ['TESTKEY-000111222333444'] } },
    { password: 'TESTKEY-000111222333444' },
  ] satisfies Json[]) {
    const out = redact(event({ arguments: value }))
    assert.ok(!text(out).includes('TESTKEY'), text(out.arguments))
    assert.equal(out.secrets?.length, 1)
    assert.equal(out.secrets?.[0]?.split(':')[1], keyedHash('TESTKEY-000111222333444'))
  }
  assert.ok(text(redact(event({ arguments: { password: 'letmein' } })).arguments).includes('⟦secret:password:'))
})

test('the same secret has the same hash wherever it is, and neighbours stay readable', () => {
  const inFile = redact(
    event({
      result: {
        content: [
          { type: 'text', text: '[default]\naws_access_key_id = AKIATESTTESTTESTTEST\naws_secret_access_key = TESTTESTTESTTESTTEST' },
        ],
      },
    }),
  )
  const inCall = redact(event({ arguments: { path: '.', context: '{"SecretAccessKey":"TESTTESTTESTTESTTEST"}' } }))
  const hashes = (each: McpEvent) => (each.secrets ?? []).map((entry) => entry.split(':')[1])
  assert.ok(hashes(inFile).includes(hashes(inCall)[0]))
  assert.match(text(inFile.result), /\[default\]\\naws_access_key_id = ⟦secret:aws-access-key:[0-9a-f]{16}⟧\\naws_secret_access_key = ⟦/)
})

test('unsecret content passes unchanged', () => {
  const image = 'iVBORw0KGgoAAAANSUhEUg'.padEnd(512, 'A')
  const schema = {
    type: 'object',
    properties: { password: { type: 'string', description: 'The password of the user' }, token: { type: 'string' } },
  }
  for (const value of [
    image,
    'Alice: +41790000001 see you at 8; Bank: code 771204',
    schema,
    { n: 12, b: true, z: null, s: '' },
    [[]],
    {},
  ] satisfies Json[]) {
    const out = redact(event({ arguments: value, result: value }))
    assert.deepEqual(out.arguments, value)
    assert.deepEqual(out.result, value)
    assert.equal(out.secrets, undefined)
    assert.equal(out.contentLevel, 'full')
    assert.equal(out.captureTier, 'redacted')
  }
})

test('each tier keeps what it says and no more', () => {
  const source = event({ arguments: { to: 'anna@partner.example', n: 5 }, argsBytes: 99 })
  const none = redactor({ arguments: 'none' })(source)
  assert.deepEqual(
    [none.arguments, none.argsHash, none.argsBytes, none.contentLevel, none.captureTier],
    [undefined, undefined, 99, 'metadata', 'none'],
  )
  const shape = redactor({ arguments: 'shape' })(source)
  assert.deepEqual(shape.arguments, { to: '⟦string:20⟧', n: '⟦number⟧' })
  assert.deepEqual([shape.argsHash, shape.contentLevel, shape.captureTier], [undefined, 'shape', 'shape'])
  const hash = redactor({ arguments: 'hash' })(source)
  assert.deepEqual([hash.arguments, hash.contentLevel, hash.captureTier], [undefined, 'metadata', 'hash'])
  assert.deepEqual(
    unflatten(hash.argsFingerprints ?? []),
    fingerprintContent({ to: 'anna@partner.example', n: 5 }, fingerprintKey(keyedHash)),
  )
  const kept = redact(source)
  assert.equal(kept.argsHash, hash.argsHash)
  assert.equal(kept.argsFingerprints, undefined)
  assert.equal(redact(event({ arguments: { n: 5, to: 'anna@partner.example' } })).argsHash, kept.argsHash)
  const full = redactor({ arguments: 'full' })(event({ arguments: { card: '4111 1111 1111 1111', token: secret } }))
  assert.ok(text(full.arguments).includes('4111 1111') && !text(full.arguments).includes(random))
})

test('the tier follows the kind of content', () => {
  const list = event({ kind: 'response', method: 'tools/list', body: { tools: [{ name: 'a' }] } })
  assert.equal(redactor({ definitions: 'none' })(list).body, undefined)
  assert.deepEqual(redactor({ results: 'none', prompts: 'none' })(list).body, list.body)
  const prompt = event({ kind: 'user_prompt', params: { text: 'hello' } })
  assert.equal(redactor({ prompts: 'none' })(prompt).params, undefined)
  const opened = event({ kind: 'request', method: 'initialize', params: { protocolVersion: '2025-06-18' } })
  assert.deepEqual(redactor({ arguments: 'none', results: 'none', definitions: 'none', prompts: 'none' })(opened).params, opened.params)
  assert.deepEqual(redactor({ prompts: 'none' })(event({ unmapped: { 'gen_ai.input.messages': 'hello' } })).unmapped, {
    'gen_ai.input.messages': '⟦string:5⟧',
  })
})

test('a long string keeps head and tail and is never longer than the cap', () => {
  const long = `head ${'word '.repeat(40_000)} tail`
  const out = redact(event({ arguments: { long } }))
  const kept = (out.arguments as { long: string }).long
  assert.ok(kept.length <= lengthMax && kept.startsWith('head ') && kept.endsWith(' tail') && kept.includes('⟦cut:'))
  assert.equal(out.contentLevel, 'truncated')
  assert.deepEqual(redact(out), out)
})

test('depth and number of values are bounded', () => {
  let deep: Json = secret
  for (let depth = 0; depth < 50_000; depth += 1) deep = [deep]
  const out = redact(event({ arguments: deep, result: Array.from({ length: 300_000 }, () => 0) }))
  assert.equal(out.contentLevel, 'truncated')
  assert.ok(text(out).length < 2_000_000)
  assert.ok(McpEvent.safeParse(out).success)
})

const anyText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.constantFrom(
    secret,
    `token=${secret}`,
    'password=',
    'hunter22x',
    'api_key: ',
    '"',
    '⟦',
    '⟧',
    '⟦string:5⟧',
    'Authorization: Basic ',
    'AKIATESTTESTTESTTEST',
    '4111 1111 1111 1111',
    '-----BEGIN PRIVATE KEY-----\n',
    'x'.repeat(70_000),
  ),
)
const anyJson = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { depthSize: 'small' },
    fc.array(anyText, { maxLength: 4 }).map((parts) => parts.join('')),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('json'), { maxLength: 4 }) as fc.Arbitrary<Json>,
    fc.dictionary(
      fc.oneof(
        anyText.map((each) => each.slice(0, 60)),
        fc.constantFrom('password', 'token', 'name', 'value', '__proto__'),
      ),
      tie('json'),
      { maxKeys: 4, noNullPrototype: true },
    ) as fc.Arbitrary<Json>,
  ),
})).json
const anyTier = fc.constantFrom('none', 'shape', 'hash', 'redacted', 'full')
const anyTiers = fc.record({ arguments: anyTier, results: anyTier, definitions: anyTier, prompts: anyTier }) as fc.Arbitrary<CaptureTiers>

test('redacting twice is redacting once; no known secret survives; the result is a valid event', () => {
  fc.assert(
    fc.property(
      anyJson,
      anyJson,
      anyText,
      anyTiers,
      fc.constantFrom('tools/call', 'tools/list', 'prompts/get'),
      (first, second, message, tiers, method) => {
        const apply = redactor(tiers)
        const once = apply(event({ arguments: first, result: second, params: second, unmapped: first, errorMessage: message, method }))
        assert.deepEqual(apply(once), once)
        assert.ok(!text(once).includes(random))
        assert.ok(McpEvent.safeParse(once).success)
        assert.ok(Json.safeParse(once.arguments ?? null).success)
      },
    ),
    { numRuns: 300 },
  )
})
