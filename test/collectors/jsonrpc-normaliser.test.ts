/** Promises of the normaliser: answers know their request, in both eras; handles are hashes; hostile messages become events. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { createNormaliser, type NormaliserContext, type Seen } from '../../collectors/jsonrpc/normaliser.ts'
import { decodeEvent, encodeEvent } from '../../schemas/codec.ts'
import { type Json, McpEvent } from '../../schemas/event.ts'

const keyedHash = (text: string): string => createHmac('sha256', 'test').update(text).digest('hex').slice(0, 16)
const context: NormaliserContext = {
  source: 'tap',
  dialect: 'jsonrpc',
  signal: 'wire',
  vantage: 'host',
  transport: 'stdio',
  tenant: 'default',
  keyedHash,
  serverAlias: 'desk',
}
type Beside = Omit<Partial<Seen>, 'direction'>

function connection(more: Partial<NormaliserContext> = {}) {
  const normaliser = createNormaliser({ ...context, ...more })
  let number = 0
  const feed = (raw: string | Uint8Array | Json, direction: Seen['direction'], beside: Beside) => {
    number += 1
    return normaliser.message(raw, { time: BigInt(number), eventId: `e${number}`, ...beside, direction })
  }
  return {
    c2s: (raw: string | Uint8Array | Json, beside: Beside = {}) => feed(raw, 'client_to_server', beside)[0] as McpEvent,
    s2c: (raw: string | Uint8Array | Json, beside: Beside = {}) => feed(raw, 'server_to_client', beside)[0] as McpEvent,
    all: (raw: string | Uint8Array | Json, beside: Beside = {}) => feed(raw, 'client_to_server', beside),
    stats: normaliser.stats,
  }
}
const request = (id: Json, method: string, params: Json = {}): Json => ({ jsonrpc: '2.0', id, method, params })
const answer = (id: Json, result: Json): Json => ({ jsonrpc: '2.0', id, result })
const failure = (id: Json, code: number, message: string): Json => ({ jsonrpc: '2.0', id, error: { code, message } })
const modernMeta = (more: { [key: string]: Json } = {}): { [key: string]: Json } => ({
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'desk-assistant', version: '3.2.0' },
  'io.modelcontextprotocol/clientCapabilities': {},
  ...more,
})

test('an answer carries method, name and call of its request; the request is observation 1, the answer 2', () => {
  const { c2s, s2c } = connection()
  for (const [method, params, field, value] of [
    ['tools/call', { name: 'get_ticket', arguments: { id: 4 } }, 'toolName', 'get_ticket'],
    ['prompts/get', { name: 'greet' }, 'promptName', 'greet'],
    ['resources/read', { uri: 'file:///a' }, 'resourceUri', 'file:///a'],
  ] as const) {
    const asked = c2s(request(7, method, params))
    const told = s2c(answer(7, { content: [] }))
    assert.equal(asked[field], value)
    assert.equal(told[field], value)
    assert.equal(told.method, method)
    assert.ok(asked.callId)
    assert.equal(told.callId, asked.callId)
    assert.deepEqual([asked.callObservation, told.callObservation], [1, 2])
  }
})

test('arguments and result stand apart from the other params and bodies', () => {
  const { c2s, s2c } = connection()
  const asked = c2s(request(1, 'tools/call', { name: 'a', arguments: { x: 1 }, _meta: { progressToken: 'p' } }))
  assert.deepEqual(asked.arguments, { x: 1 })
  assert.deepEqual(asked.params, { name: 'a', _meta: { progressToken: 'p' } })
  assert.equal(asked.argsBytes, 7)
  const told = s2c(answer(1, { content: [{ type: 'text', text: 'é' }] }))
  assert.deepEqual(told.result, { content: [{ type: 'text', text: 'é' }] })
  assert.equal(told.body, undefined)
  assert.equal(told.resultBytes, Buffer.byteLength(JSON.stringify(told.result)))
  const list = [c2s(request(2, 'tools/list')), s2c(answer(2, { tools: [] }))] as const
  assert.deepEqual([list[1].body, list[1].result], [{ tools: [] }, undefined])
})

test('legacy: the handshake gives versions and names to every later event', () => {
  const { c2s, s2c } = connection()
  const first = c2s(request(0, 'initialize', { protocolVersion: '2025-11-25', clientInfo: { name: 'cursor', version: '1' } }))
  assert.deepEqual([first.era, first.clientName], ['legacy', 'cursor'])
  const welcome = s2c(
    answer(0, {
      protocolVersion: '2025-06-18',
      serverInfo: { name: 'helpdesk', version: '1.4.2', title: 'Desk' },
      instructions: 'Be kind.',
    }),
  )
  assert.equal((welcome.body as { instructions: string }).instructions, 'Be kind.')
  const later = c2s(request(1, 'tools/list'))
  assert.deepEqual(
    [
      later.era,
      later.protocolVersion,
      later.protocolVersionSource,
      later.serverName,
      later.serverVersion,
      later.serverTitle,
      later.clientName,
    ],
    ['legacy', '2025-06-18', 'negotiated', 'helpdesk', '1.4.2', 'Desk', 'cursor'],
  )
})

test('modern: no handshake is needed, the answer has the version of its request', () => {
  const { c2s, s2c } = connection()
  const asked = c2s(request(4, 'tools/call', { name: 'get_ticket', _meta: modernMeta() }))
  assert.deepEqual(
    [asked.era, asked.protocolVersion, asked.protocolVersionSource, asked.clientName],
    ['modern', '2026-07-28', 'request_meta', 'desk-assistant'],
  )
  const told = s2c(
    answer(4, { _meta: { 'io.modelcontextprotocol/serverInfo': { name: 'helpdesk' } }, content: [], ttlMs: 5, cacheScope: 'public' }),
  )
  assert.deepEqual(
    [told.era, told.protocolVersion, told.serverName, told.cacheTtlMs, told.cacheScope],
    ['modern', '2026-07-28', 'helpdesk', 5, 'public'],
  )
  assert.equal(s2c(request('s1', 'sampling/createMessage', {})).era, 'modern', 'a server request says nothing on a modern connection')
})

test('a client that falls back to the handshake is legacy from then on', () => {
  const { c2s, s2c } = connection()
  assert.equal(c2s(request(1, 'server/discover', { _meta: modernMeta() })).era, 'modern')
  s2c(failure(1, -32601, 'unknown method'))
  assert.equal(c2s(request(2, 'initialize', { protocolVersion: '2025-11-25' })).era, 'legacy')
  assert.equal(c2s(request(3, 'tools/list')).era, 'legacy')
})

test('a server asks the client: the answer of the client is joined, whatever ids run the other way', () => {
  const { c2s, s2c } = connection()
  const call = c2s(request(1, 'tools/call', { name: 'a' }))
  const asked = s2c(request(1, 'sampling/createMessage', { messages: [] }))
  const told = c2s(answer(1, { role: 'assistant' }))
  assert.deepEqual([told.method, told.callId], ['sampling/createMessage', asked.callId])
  const result = s2c(answer(1, { content: [] }))
  assert.deepEqual([result.toolName, result.callId], ['a', call.callId])
})

test('input_required: the retry with the state is the same call, the state only a hash', () => {
  const { c2s, s2c } = connection()
  const first = c2s(request(1, 'tools/call', { name: 'refund', arguments: { a: 1, b: 2 } }), { principal: 'anna' })
  const stop = s2c(
    answer(1, { resultType: 'input_required', inputRequests: { c: { method: 'elicitation/create', params: {} } }, requestState: 'STATE' }),
  )
  assert.deepEqual([stop.outcome, stop.resultType, stop.requestStateHash], ['input_required', 'input_required', keyedHash('STATE')])
  assert.ok((stop.result as { inputRequests: object }).inputRequests)
  const retry = (name: string, args: Json): Json =>
    request(2, 'tools/call', { name, arguments: args, requestState: 'STATE', inputResponses: {} })
  assert.notEqual(c2s(retry('refund', { a: 9 }), { principal: 'anna' }).callId, first.callId, 'other arguments')
  assert.notEqual(c2s(retry('pay', { a: 1, b: 2 }), { principal: 'anna' }).callId, first.callId, 'another tool')
  assert.notEqual(c2s(retry('refund', { a: 1, b: 2 }), { principal: 'mallory' }).callId, first.callId, 'another principal')
  const again = c2s(retry('refund', { b: 2, a: 1 }), { principal: 'anna' })
  assert.deepEqual([again.callId, again.callObservation, again.requestStateHash], [first.callId, 3, keyedHash('STATE')])
  const done = s2c(answer(2, { content: [] }), { principal: 'anna' })
  assert.deepEqual([done.callId, done.callObservation, done.outcome], [first.callId, 4, 'success'])
  assert.notEqual(c2s(retry('refund', { a: 1, b: 2 }), { principal: 'anna' }).callId, first.callId, 'the state was used up')
  for (const event of [stop, again]) assert.ok(!new TextDecoder().decode(encodeEvent(event)).includes('STATE'))
})

test('task ids are hashes wherever they stand, and joined from creation to result', () => {
  const { c2s, s2c } = connection()
  const places: [Json, 'c2s' | 's2c'][] = [
    [answer(1, { task: { taskId: 'T-77', status: 'working' } }), 's2c'],
    [answer(1, { resultType: 'task', taskId: 'T-77', status: 'working' }), 's2c'],
    [request(2, 'tasks/get', { taskId: 'T-77' }), 'c2s'],
    [{ jsonrpc: '2.0', method: 'notifications/tasks', params: { taskId: 'T-77', status: 'completed' } }, 's2c'],
    [request(3, 'x', { _meta: { 'io.modelcontextprotocol/related-task': { taskId: 'T-77' } } }), 'c2s'],
  ]
  for (const [message, direction] of places) {
    c2s(request(1, 'tools/call', { name: 'export_all' }))
    const event = direction === 'c2s' ? c2s(message) : s2c(message)
    assert.equal(event.taskHash, keyedHash('T-77'), JSON.stringify(message))
    assert.ok(!JSON.stringify([event.params, event.body, event.result]).includes('T-77'), JSON.stringify(message))
  }
  const list = [c2s(request(8, 'tasks/list')), s2c(answer(8, { tasks: [{ taskId: 'T-1' }, { taskId: 'T-2' }] }))] as const
  assert.ok(!JSON.stringify(list[1].body).includes('T-1'))
  assert.equal(list[1].taskHash, undefined, 'a list is not about one task')
  c2s(request(9, 'tasks/result', { taskId: 'T-77' }))
  const late = s2c(answer(9, { content: [{ type: 'text', text: 'done' }] }))
  assert.deepEqual([late.toolName, late.taskHash], ['export_all', keyedHash('T-77')])
  assert.deepEqual(late.result, { content: [{ type: 'text', text: 'done' }] })
})

const outcomes: readonly (readonly [string, Json, number | undefined, string])[] = [
  ['a result', answer(1, { content: [] }), undefined, 'success'],
  ['isError', answer(1, { content: [], isError: true }), undefined, 'tool_error'],
  ['input_required', answer(1, { resultType: 'input_required' }), undefined, 'input_required'],
  ['a flat task', answer(1, { resultType: 'task', taskId: 't' }), undefined, 'task_created'],
  ['a nested task', answer(1, { task: { taskId: 't' } }), undefined, 'task_created'],
  ['invalid params', failure(1, -32602, 'no'), undefined, 'protocol_error'],
  ['header mismatch', failure(1, -32020, 'no'), 400, 'protocol_error'],
  ['resource not found', failure(1, -32002, 'no'), undefined, 'protocol_error'],
  ['a lost connection', failure(1, -32000, 'Connection closed'), undefined, 'transport_error'],
  ['a time-out', failure(1, -32001, 'Request timed out'), undefined, 'timeout'],
  ['401', failure(1, -32603, 'no'), 401, 'denied'],
  ['403', answer(1, {}), 403, 'denied'],
  ['502', failure(1, -32603, 'no'), 502, 'transport_error'],
  ['an error that is a text', { jsonrpc: '2.0', id: 1, error: 'boom' }, undefined, 'protocol_error'],
]
for (const [name, message, status, expected] of outcomes) {
  test(`outcome: ${name} is ${expected}`, () => {
    const { c2s, s2c } = connection()
    c2s(request(1, 'tools/call', { name: 'a' }))
    const event = s2c(message, status === undefined ? {} : { http: { status } })
    assert.equal(event.outcome, expected)
  })
}

test('code and message of an error have fields, its data is kept', () => {
  const { s2c } = connection()
  const event = s2c({
    jsonrpc: '2.0',
    id: 8,
    error: { code: -32042, message: 'sign in', data: { elicitations: [{ url: 'https://x.example' }] } },
  })
  assert.deepEqual([event.errorCode, event.errorMessage], ['-32042', 'sign in'])
  assert.deepEqual(event.unmapped, { error: { data: { elicitations: [{ url: 'https://x.example' }] } } })
})

test('unknown methods and unknown members are kept', () => {
  const { c2s } = connection()
  const event = c2s({ jsonrpc: '2.0', id: 1, method: 'acme/fly', params: { x: 1 }, extra: { y: 2 } })
  assert.deepEqual([event.method, event.params, event.unmapped], ['acme/fly', { x: 1 }, { members: { extra: { y: 2 } } }])
})

test('names out of Object.prototype are names like others', () => {
  const { c2s, s2c } = connection()
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const text = `{"jsonrpc":"2.0","id":"${name}","method":"tools/call","params":{"name":"${name}","arguments":{"${name}":{"polluted":true}},"requestState":"${name}"},"${name}":{"polluted":true}}`
    const asked = c2s(text)
    assert.equal(asked.toolName, name)
    assert.ok(JSON.stringify(asked.arguments).includes('polluted'))
    assert.ok(JSON.stringify(asked.unmapped).includes('polluted'))
    const told = s2c(`{"jsonrpc":"2.0","id":"${name}","result":{"content":[],"${name}":1,"requestState":"s"}}`)
    assert.equal(told.toolName, name)
    assert.ok(Object.hasOwn(told.result as object, name))
  }
  assert.equal(({} as Record<string, unknown>).polluted, undefined)
})

test('trace context becomes trace id and parent; a bad one is ignored', () => {
  const { c2s, s2c } = connection()
  const traceparent = '00-464e06be204304022c898f1a54a131b5-eba049735869c7c9-01'
  const asked = c2s(request(1, 'tools/call', { name: 'a', _meta: { traceparent, baggage: 'k=v' } }))
  assert.deepEqual([asked.traceId, asked.parentSpanId, asked.traceFlags], ['464e06be204304022c898f1a54a131b5', 'eba049735869c7c9', 1])
  assert.deepEqual((asked.params as { _meta: { baggage: string } })._meta.baggage, 'k=v')
  assert.equal(s2c(answer(1, {})).traceId, asked.traceId)
  for (const bad of [
    '',
    '00-0-0-01',
    `00-${'0'.repeat(32)}-eba049735869c7c9-01`,
    'ff-464e06be204304022c898f1a54a131b5-eba049735869c7c9-01',
  ]) {
    assert.equal(c2s(request(2, 'x', { _meta: { traceparent: bad } })).traceId, undefined)
  }
})

test('several principals use one id at one time: each answer goes to its own request', () => {
  const { c2s, s2c } = connection()
  const anna = c2s(request(1, 'tools/call', { name: 'a' }), { principal: 'anna', session: 's', peer: '10.0.0.4' })
  const mallory = c2s(request(1, 'tools/call', { name: 'b' }), { principal: 'mallory', session: 's', peer: '10.0.0.77' })
  assert.deepEqual([anna.actor, mallory.actor, anna.sessionHash], ['anna', 'mallory', mallory.sessionHash])
  assert.equal(s2c(answer(1, {}), { principal: 'mallory' }).callId, mallory.callId)
  assert.equal(s2c(answer(1, {})).callId, anna.callId, 'an answer without context takes what is left')
  assert.equal(s2c(answer(1, {})).method, undefined)
})

test('an answer to another principal is not the answer to this request', () => {
  const { c2s, s2c } = connection()
  c2s(request(1, 'tools/call', { name: 'a' }), { principal: 'anna' })
  assert.equal(s2c(answer(1, {}), { principal: 'mallory' }).method, undefined)
  assert.equal(s2c(answer(1, {}), { principal: 'anna' }).toolName, 'a')
})

test('clients of both eras share a connection: an answer has the era of its request', () => {
  const { c2s, s2c } = connection()
  c2s(request(1, 'tools/list', { _meta: modernMeta() }), { principal: 'new' })
  c2s(request(2, 'initialize', { protocolVersion: '2025-06-18' }), { principal: 'old' })
  assert.deepEqual([s2c(answer(2, {})).era, s2c(answer(1, { tools: [] })).era], ['legacy', 'modern'])
})

test('ids 1 and "1" are two requests; an answer that turned a number into text still finds it', () => {
  const { c2s, s2c } = connection()
  const [number, text] = [c2s(request(1, 'tools/call', { name: 'n' })), c2s(request('1', 'tools/call', { name: 't' }))]
  assert.deepEqual([number.requestIdType, text.requestIdType], ['int', 'string'])
  assert.equal(s2c(answer('1', {})).toolName, 't')
  assert.equal(s2c(answer('1', {})).toolName, 'n')
})

test('an answer whose request was not seen is known by its shape, and a client’s is not', () => {
  const { c2s, s2c } = connection()
  assert.deepEqual([s2c(answer(5, { tools: [] })).method, s2c(answer(6, { content: [] })).method], ['tools/list', 'tools/call'])
  assert.ok(s2c(answer(6, { content: [] })).result)
  assert.equal(c2s(answer(7, { tools: [] })).method, undefined)
})

test('a cancelled request is named by the notification', () => {
  const { c2s } = connection()
  const asked = c2s(request(3, 'tools/call', { name: 'export' }))
  const event = c2s({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 3, reason: 'user' } })
  assert.deepEqual([event.kind, event.outcome, event.callId, event.toolName], ['notification', 'cancelled', asked.callId, 'export'])
})

test('a batch gives an event for each message, with ids of their own', () => {
  const { all } = connection()
  const events = all([request(1, 'ping'), { jsonrpc: '2.0', method: 'notifications/initialized' }, 5, request(2, 'tools/list')])
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['request', 'notification', 'malformed', 'request'],
  )
  assert.equal(new Set(events.map(({ eventId }) => eventId)).size, 4)
  assert.ok(events.every(({ rawFacts }) => rawFacts?.includes('batch')))
})

test('what a lenient parser would obey is read as it would', () => {
  const { c2s } = connection()
  const event = c2s('{"jsonrpc":"2.0","id":1,"Method":"tools/call","Params":{"Name":"rm","arguments":{"p":1}}}')
  assert.deepEqual([event.method, event.toolName, event.arguments], ['tools/call', 'rm', { p: 1 }])
  assert.deepEqual(event.rawFacts, ['case_variant:method', 'case_variant:params', 'case_variant:name'])
})

test('waiting requests are bounded and what is forgotten is counted', () => {
  const { c2s, s2c, stats } = connection({ waitingMax: 10 })
  for (let id = 0; id < 25; id += 1) c2s(request(id, 'tools/call', { name: `t${id}` }))
  assert.deepEqual(stats().pending, { waiting: 10, evicted: 15 })
  assert.equal(s2c(answer(0, { ok: true })).method, undefined)
  assert.equal(s2c(answer(24, { ok: true })).toolName, 't24')
  for (let peer = 0; peer < 200; peer += 1) c2s(request(1, 'ping'), { peer: `10.0.0.${peer}` })
  assert.equal(stats().pending.waiting, 10)
})

const id = fc.oneof(fc.integer(), fc.string(), fc.constant('__proto__'))
test('pairs keep ids: every answer finds its request, in any order of answering', () => {
  fc.assert(
    fc.property(fc.uniqueArray(id, { maxLength: 30, selector: String }), fc.infiniteStream(fc.nat()), (ids, order) => {
      const { c2s, s2c } = connection()
      const calls = new Map(ids.map((one) => [one, c2s(request(one, 'tools/call', { name: `tool ${one}` }))]))
      const waiting = [...ids]
      while (waiting.length) {
        const [one] = waiting.splice((order.next().value as number) % waiting.length, 1) as [string | number]
        const told = s2c(answer(one, { content: [] }))
        assert.equal(told.callId, calls.get(one)?.callId)
        assert.equal(told.requestId, String(one))
        assert.equal(told.toolName, `tool ${one}`)
      }
    }),
  )
})

test('anything gives events that satisfy their schema and survive the bus', () => {
  const member = fc.constantFrom('jsonrpc', 'id', 'method', 'params', 'result', 'error', '__proto__', 'Method')
  const inner = fc.dictionary(
    fc.constantFrom(
      'name',
      'arguments',
      'uri',
      '_meta',
      'requestState',
      'taskId',
      'task',
      'tasks',
      'notifications',
      'ref',
      'tools',
      'resultType',
      'code',
      'message',
    ),
    fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant('tools/call')),
  )
  const method = fc.constantFrom(
    'tools/call',
    'initialize',
    'tools/list',
    'notifications/cancelled',
    'tasks/result',
    'completion/complete',
    'x',
  )
  const message = fc.dictionary(member, fc.oneof(inner, method, fc.jsonValue({ maxDepth: 2 }), fc.constant(1)))
  const raw = fc.oneof(
    fc.uint8Array({ maxLength: 100 }),
    fc.string({ unit: 'binary' }),
    message.map((value) => JSON.stringify(value)),
    message.map((value) => value as Json),
    fc.array(message, { maxLength: 4 }).map((value) => JSON.stringify(value)),
  )
  const http = fc.option(
    fc.dictionary(
      fc.constantFrom('Mcp-Method', 'mcp_name', 'MCP-Protocol-Version', 'status', 'headers', 'Authorization', 'path'),
      fc.jsonValue({ maxDepth: 2 }),
    ),
    { nil: undefined },
  )
  const { c2s, s2c, all } = connection()
  fc.assert(
    fc.property(raw, http, fc.nat(2), (given, facts, way) => {
      const beside = facts ? { http: facts as Record<string, Json> } : {}
      const events = way === 0 ? all(given, beside) : [way === 1 ? c2s(given, beside) : s2c(given, beside)]
      assert.ok(events.length > 0)
      for (const event of events) {
        McpEvent.parse(event)
        assert.deepEqual(
          JSON.parse(JSON.stringify(decodeEvent(encodeEvent(event)), (_, value) => (typeof value === 'bigint' ? String(value) : value))),
          JSON.parse(new TextDecoder().decode(encodeEvent(event))),
        )
        assert.ok(event.kind !== 'malformed' || event.rawFacts?.length)
      }
    }),
    { numRuns: 1500 },
  )
})
