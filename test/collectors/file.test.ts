/** Promises of the file input: each kind becomes the same events every time; what is not one of them is refused by line. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { readLines } from '../../collectors/file/lines.ts'
import { type FileEvent, type FileOptions, itemOf, readEvents, storyEvents } from '../../collectors/file.ts'
import { encodeEvent } from '../../schemas/codec.ts'
import { Fault } from '../../schemas/errors.ts'
import { McpEvent } from '../../schemas/event.ts'
import { serverKeyOf } from '../../schemas/ids.ts'
import { calls, host, offers, story } from '../../schemas/story.ts'

const folder = mkdtempSync(join(tmpdir(), 'lapwing-file-'))
after(() => rmSync(folder, { recursive: true }))
let files = 0
function written(content: string | Uint8Array, name = `f${files++}.jsonl`): string {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}
const keyedHash = (text: string): string => createHmac('sha256', 'test').update(text).digest('hex').slice(0, 16)
const lines = (...values: unknown[]): string => values.map((value) => `${JSON.stringify(value)}\n`).join('')
async function read(path: string, more: Partial<FileOptions> = {}): Promise<FileEvent[]> {
  const events: FileEvent[] = []
  for await (const event of readEvents(path, { keyedHash, ...more })) events.push(event)
  for (const { event } of events) McpEvent.parse(event)
  return events
}
const refusal = async (path: string, more: Partial<FileOptions> = {}): Promise<string> => {
  const error = await read(path, more).then(
    () => assert.fail('was not refused'),
    (thrown: unknown) => thrown,
  )
  assert.ok(error instanceof Fault && error.code === 'INPUT_UNREADABLE', String(error))
  return error.message
}

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }
const tale = story(
  host('user_prompt', { text: 'hello' }),
  offers('desk@cursor', [{ name: 'get', description: 'Gets.' }]),
  calls('desk@cursor', 'get', { id: 1 }, 'done', { principal: 'anna', labels: { data_class: 'public' } }),
)

test('messages: actor, server, host, time, labels and line numbers are those of the lines', async () => {
  const events = await read(written(lines(...tale), 'tale.v2.jsonl'))
  assert.deepEqual(
    events.map(({ item, message, event }) => [item, message, event.kind, event.actor]),
    [
      ['tale.v2', 0, 'user_prompt', 'tale.v2'],
      ['tale.v2', 1, 'request', 'tale.v2'],
      ['tale.v2', 2, 'response', 'tale.v2'],
      ['tale.v2', 3, 'request', 'anna'],
      ['tale.v2', 4, 'response', 'anna'],
    ],
  )
  const [prompt, , list, call] = events.map(({ event }) => event) as [McpEvent, McpEvent, McpEvent, McpEvent]
  assert.deepEqual([prompt.params, prompt.serverKey], [{ text: 'hello' }, ''])
  assert.deepEqual([list.serverAlias, list.hostApp, list.serverKey], ['desk', 'cursor', serverKeyOf('alias', 'desk')])
  assert.deepEqual([call.actorGrade, call.principal, call.labels], ['attested', 'anna', { data_class: 'public' }])
  assert.equal(call.time, BigInt(Date.UTC(2026, 0, 1)) * 1_000_000n + 3_000_000_000n)
})

test('a story in memory gives the events of the same lines in a file, and ids do not depend on the folder', async () => {
  const one = await read(written(lines(...tale), 'same.jsonl'))
  const two = storyEvents(tale, { item: 'same', keyedHash })
  assert.deepEqual(
    one.map(({ event }) => event),
    two.map(({ event }) => event),
  )
  const other = storyEvents(tale, { item: 'other', keyedHash })
  assert.notEqual(other[0]?.event.eventId, two[0]?.event.eventId)
  assert.equal(new Set(two.map(({ event }) => event.eventId)).size, two.length)
})

test('host events: known kinds keep their kind, others their name, all their members', () => {
  const [launch, other, approval, egress, http] = storyEvents([
    host('launch', { srv: 'pm', command: 'npx', args: ['-y', 'postmark-mcp'], resolved: 'postmark-mcp@1.0.15' }),
    host('process_restart', { srv: 'pm' }),
    host('approval', { tool: 'send', decision: 'approved', mode: 'auto', peer: '10.0.0.1', session: 's', conn: 'c' }),
    host('egress', { srv: 'pm', host: 'api.example', extra: { bcc: 'x@y.example' } }),
    host('request', { http: { Authorization: 'Bearer SECRET', Host: 'a' } }),
  ]).map(({ event }) => event) as [McpEvent, McpEvent, McpEvent, McpEvent, McpEvent]
  assert.deepEqual([launch.kind, launch.serverCommand, launch.serverAlias], ['launch', 'npx -y postmark-mcp', 'pm'])
  assert.deepEqual(launch.params, { command: 'npx', args: ['-y', 'postmark-mcp'], resolved: 'postmark-mcp@1.0.15' })
  assert.deepEqual([other.kind, other.eventName], ['other', 'process_restart'])
  assert.deepEqual(
    [approval.decisionOutcome, approval.toolName, approval.clientAddress, approval.connectionId],
    ['allow', 'send', '10.0.0.1', 'c'],
  )
  assert.ok(approval.sessionHash)
  assert.deepEqual([egress.params, egress.hostApp], [{ host: 'api.example', extra: { bcc: 'x@y.example' } }, undefined])
  assert.deepEqual([http.kind, http.eventName, http.http], ['other', 'request', { host: 'a' }])
})

test('raw lines keep the facts of their bytes; an empty one is malformed, not refused', () => {
  const events = storyEvents([
    { srv: 'a', dir: 'c2s', raw: '{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call"}' },
    { srv: 'a', dir: 'c2s', raw: '' },
    { srv: 'a', dir: 'c2s', raw: '[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]' },
  ])
  assert.deepEqual(
    events.map(({ message, event }) => [message, event.kind]),
    [
      [0, 'request'],
      [1, 'malformed'],
      [2, 'request'],
      [2, 'request'],
    ],
  )
  assert.deepEqual(events[0]?.event.rawFacts, ['duplicate_key:method'])
  assert.equal(events[0]?.event.rawBytes, 68)
})

test('one alias on two hosts is one server with two connections', () => {
  const events = storyEvents([
    { srv: 'dev@cursor', dir: 'c2s', msg: { ...ping, method: 'tools/call', params: { name: 'a' } } },
    { srv: 'dev@windsurf', dir: 'c2s', msg: { ...ping, method: 'tools/call', params: { name: 'b' } } },
    { srv: 'dev@cursor', dir: 's2c', msg: { jsonrpc: '2.0', id: 1, result: {} } },
    { srv: 'dev@windsurf', dir: 's2c', msg: { jsonrpc: '2.0', id: 1, result: {} } },
  ]).map(({ event }) => event)
  assert.equal(new Set(events.map(({ serverKey }) => serverKey)).size, 1)
  assert.deepEqual(
    events.map(({ toolName }) => toolName),
    ['a', 'b', 'a', 'b'],
  )
})

test('nobody is not the same as unknown', () => {
  const [nobody, unknown] = storyEvents([
    { srv: 'a', dir: 'c2s', msg: ping, principal: null, peer: '198.51.100.23', note: 'x' },
    { srv: 'a', dir: 'c2s', msg: ping },
  ])
  assert.deepEqual([nobody?.event.unmapped, unknown?.event.unmapped], [{ note: 'x', principal: null }, undefined])
  assert.deepEqual([nobody?.event.actor, nobody?.event.clientAddress], ['story', '198.51.100.23'])
})

test('conversations: each line is an item with empty memory, messages are numbered in it', async () => {
  const messages = [
    { t_ms: 5, direction: 'client_to_server', server: 'bank', message: { ...ping, method: 'tools/call', params: { name: 'pay' } } },
    { t_ms: 1500, direction: 'server_to_client', server: 'bank', message: { jsonrpc: '2.0', id: 1, result: { content: [] } } },
  ]
  const events = await read(written(lines({ id: 'x/1', label: 'malicious', messages }, { id: 'x/2', messages: messages.slice(1) })))
  assert.deepEqual(
    events.map(({ item, message, event }) => [item, message, event.toolName, event.actor]),
    [
      ['x/1', 0, 'pay', 'x/1'],
      ['x/1', 1, 'pay', 'x/1'],
      ['x/2', 0, undefined, 'x/2'],
    ],
  )
  assert.equal((events[1]?.event.time ?? 0n) - (events[0]?.event.time ?? 0n), 1_495_000_000n)
  assert.ok(!events.some(({ event }) => new TextDecoder().decode(encodeEvent(event)).includes('malicious')), 'the label is not evidence')
})

test('tools: a definition comes as the answer to tools/list', async () => {
  const tool = { name: 'add', description: 'Adds.', inputSchema: { type: 'object' } }
  const events = await read(written(lines({ id: 't/1', server: 'calc', tool })))
  const offered = events.at(-1)?.event
  assert.deepEqual([offered?.method, offered?.serverAlias, offered?.body], ['tools/list', 'calc', { tools: [tool] }])
  assert.ok(events.every(({ item, message }) => item === 't/1' && message === 0))
})

test('calls: a request and its answer; without a result text only the request', async () => {
  const events = await read(
    written(
      lines(
        { id: 'c/1', server: 's', tool: 'get', arguments: { a: 1 }, result_text: 'hi' },
        { id: 'c/2', server: 's', tool: 'get', result_text: '' },
      ),
    ),
  )
  assert.deepEqual(
    events.map(({ item, message, event }) => [item, message, event.kind, event.toolName, event.arguments ?? event.result]),
    [
      ['c/1', 0, 'request', 'get', { a: 1 }],
      ['c/1', 0, 'response', 'get', { content: [{ type: 'text', text: 'hi' }] }],
      ['c/2', 0, 'request', 'get', {}],
    ],
  )
})

test('OTLP lines and documents go to the reader that is given, and are refused without one', async () => {
  const request = { resourceLogs: [{}] }
  const seen: string[] = []
  const event = storyEvents([{ srv: 'a', dir: 'c2s', msg: ping }])[0]?.event as McpEvent
  const otlp = (bytes: Uint8Array) => {
    seen.push(new TextDecoder().decode(bytes))
    return [event]
  }
  assert.equal((await read(written(lines(request, request)), { otlp })).length, 2)
  assert.equal((await read(written(JSON.stringify(request, null, 2)), { otlp })).length, 1)
  assert.deepEqual(
    seen.map((text) => JSON.parse(text)),
    [request, request, request],
  )
  assert.match(await refusal(written(lines(request))), /OTLP/)
})

test('gzip is read as it is, whatever the name says', async () => {
  const plain = lines(...tale)
  const names = ['zip.jsonl', 'zip.jsonl.gz'] as const
  for (const name of names) {
    const events = await read(written(gzipSync(plain), name))
    assert.deepEqual([events.length, events[0]?.item], [5, 'zip'])
  }
  assert.match(await refusal(written(gzipSync(plain).subarray(0, 40))), /\.jsonl/)
})

test('the item is the base name without extensions', () => {
  assert.deepEqual(['/a/S01.jsonl', 'S01.jsonl.gz', 'x.y.json', '.jsonl', 'plain'].map(itemOf), ['S01', 'S01', 'x.y', '.jsonl', 'plain'])
})

test('blank lines are passed over and still count', async () => {
  const line = JSON.stringify({ srv: 'a', dir: 'c2s', msg: ping })
  const events = await read(written(`\n  \r\n${line}\r\n\n${line}`))
  assert.deepEqual(
    events.map(({ message }) => message),
    [2, 4],
  )
  assert.deepEqual(await read(written('')), [])
})

const message = { srv: 'a', dir: 'c2s', msg: ping }
const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`
const refused: readonly (readonly [string, string, RegExp])[] = [
  ['not JSON', `${lines(message)}{"srv":`, /:2: not JSON$/],
  ['not an object', '[1]\n', /:1: not a JSON object$/],
  ['none of the kinds', lines({ hello: 1 }), /:1: neither/],
  ['a mixture', lines(message, message, { id: 'x', tool: 'get' }), /:3: calls in a file of messages$/],
  ['a mixture with none of the kinds', lines(message, { hello: 1 }), /:2: neither/],
  ['no direction', lines({ srv: 'a', msg: ping }), /:1: dir is neither/],
  ['another direction', lines({ ...message, dir: 'up' }), /:1: dir is neither/],
  ['raw that is no text', lines({ srv: 'a', dir: 'c2s', raw: 5 }), /:1: raw is not a text$/],
  ['a time that is none', lines({ ...message, t: 'now' }), /:1: t is not/],
  ['a time beyond all', lines({ ...message, t: 1e300 }), /:1: t is not/],
  ['a time before 1970', lines({ ...message, t: -4e9 }), /:1: t is not/],
  ['an event without a name', lines({ ev: {} }), /:1: ev is not a name$/],
  ['a conversation without messages', lines({ id: 'x', messages: [5] }), /:1: messages\[0\]/],
  ['a conversation without direction', lines({ id: 'x', messages: [{ message: ping }] }), /:1: dir is neither/],
  ['members nested too deeply', `{"ev":"x","more":${deep(100)}}\n`, /:1: more is nested/],
  ['labels nested too deeply', `{"ev":"x","labels":{"a":${deep(100_000)}}}\n`, /:1: labels is nested/],
]
for (const [name, content, reason] of refused) {
  test(`refused with file, line and reason: ${name}`, async () => assert.match(await refusal(written(content)), reason))
}
test('refused: a file that is not there, a folder, another kind than the one asked for', async () => {
  await refusal(join(folder, 'absent.jsonl'))
  await refusal(folder)
  assert.match(await refusal(written(lines(message)), { kind: 'calls' }), /messages in a file of calls/)
})

test('a message nested a million levels deep is one malformed event, in every kind', async () => {
  const levels = 1_000_000
  for (const content of [
    `{"srv":"a","dir":"c2s","msg":{"jsonrpc":"2.0","id":1,"method":"m","params":${deep(levels)}}}`,
    `{"id":"x","messages":[{"direction":"client_to_server","server":"a","message":{"method":"m","params":${deep(levels)}}}]}`,
    `{"id":"x","server":"s","tool":"t","arguments":${deep(levels)}}`,
  ]) {
    const events = await read(written(content))
    assert.deepEqual(
      events.map(({ event }) => [event.kind, event.rawFacts]),
      [['malformed', ['depth']]],
    )
  }
})

test('lines are the same however the bytes are cut, and a line beyond the limit is refused', async () => {
  const cut = async (path: string, limit?: number) => {
    const found: string[] = []
    for await (const { bytes } of readLines(path, limit)) found.push(bytes.toString())
    return found
  }
  const long = 'x'.repeat(600_000)
  assert.deepEqual(await cut(written(`${long}\na\n\n${long}b`)), [long, 'a', '', `${long}b`])
  await assert.rejects(cut(written(`a\n${long}\n`), 500_000), /:2: line longer than 500000 bytes/)
  await assert.rejects(cut(written(gzipSync(`a\n${'x'.repeat(3_000_000)}`)), 500_000), /:2: line longer/)
})

test('any line is an event or a refusal that names it', async () => {
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constant(ping))
  const line = fc.dictionary(
    fc.constantFrom(
      't',
      'srv',
      'dir',
      'msg',
      'raw',
      'ev',
      'http',
      'labels',
      'principal',
      'session',
      'args',
      'command',
      'messages',
      'tool',
      'id',
      '__proto__',
    ),
    value,
  )
  const typical = fc.record({
    srv: fc.string(),
    dir: fc.constantFrom('c2s', 's2c'),
    raw: fc.string({ unit: 'binary' }),
    http: value,
    labels: value,
  })
  await fc.assert(
    fc.asyncProperty(fc.oneof(line, typical), async (given) => {
      const path = written(lines(given), 'any.jsonl')
      try {
        await read(path)
      } catch (error) {
        assert.ok(error instanceof Fault && error.message.startsWith(`${path}:1: `), String(error))
      }
    }),
    { numRuns: 300 },
  )
})
