/** `lapwing normalise`: every kind of input becomes the same events, and each tool call is one line whatever saw it. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { calls, story } from '../../schemas/story.ts'
import { ascending, descending, encode, type Message, sdkCall, span, traces } from '../collectors/otlp-bodies.ts'
import { commands, jsonl, type Line, linesOf, type Ran } from './run.ts'

const timeout = 240_000
const { file, run } = commands()
const ofKind = (ran: Ran, wanted: 'call' | 'event'): Line[] => linesOf(ran).filter(({ kind }) => (kind === 'call') === (wanted === 'call'))
const short = (line: Line) => [line['gen_ai.tool.name'], line['lapwing.outcome'], line['lapwing.observations']]

const tools: readonly (readonly [string, boolean])[] = [
  ['add', false],
  ['fail', true],
  ['weather', false],
]
const sides = tools.map(([tool, failed], n) => sdkCall(n + 1, tool, failed))
const server = traces('office', { 'mcp-python-sdk': sides.map(([one]) => one) })
const client = traces('agent', { 'mcp-python-sdk': sides.map(([, one]) => one) })
const both: Message = { resourceSpans: [...server.resourceSpans, ...client.resourceSpans] }
const expected = [
  ['add', 'success', 2],
  ['fail', 'tool_error', 2],
  ['weather', 'success', 2],
]

/** Which observation is the first depends on which was read first. */
const comparable = (lines: readonly Line[]): Line[] =>
  lines
    .slice(0, 6)
    .map((event): Line => ({ ...event, 'lapwing.call.id': '', 'lapwing.call.observation': 0 }))
    .sort((a, b) => (String(a['lapwing.event.id']) < String(b['lapwing.event.id']) ? -1 : 1))

it('OTLP as lines, as one document and as protobuf, gzip or not, gives the same events and the same calls', { timeout }, async () => {
  const inputs: readonly (readonly [string, string | Uint8Array])[] = [
    ['one-document.json', JSON.stringify(both, null, 2)],
    ['one-line.json', JSON.stringify(both)],
    ['requests.jsonl', jsonl(server, client)],
    ['requests.jsonl.gz', gzipSync(jsonl(server, client))],
    ['request.bin', encode('Traces', both, ascending)],
    ['collector.bin', encode('Traces', both, descending)],
    ['request.bin.gz', gzipSync(encode('Traces', both, ascending))],
  ]
  const ran = await run('normalise', ...inputs.map(([name, content]) => file(name, content)))
  assert.deepEqual([ran.code, ran.stderr], [0, ''])
  const files = inputs.map(([name], at) => ({ name, lines: linesOf(ran).slice(9 * at, 9 * at + 9) }))
  assert.equal(linesOf(ran).length, 9 * inputs.length, 'six events and three calls of each')
  for (const { name, lines } of files) {
    assert.deepEqual(lines.slice(6).map(short).sort(), expected, name)
    assert.deepEqual(comparable(lines), comparable(files[0]?.lines ?? []), name)
  }
})

it('a call line says which tool of which server whose call was, how it ended, and from where it was seen', { timeout }, async () => {
  const ran = await run('normalise', file('lines.jsonl', jsonl(server, client)))
  const [call] = ofKind(ran, 'call')
  const own = ofKind(ran, 'event').filter((event) => event['lapwing.call.id'] === call?.['lapwing.call.id'])
  assert.equal(own.length, 2)
  assert.deepEqual(call, {
    kind: 'call',
    'lapwing.call.id': own[0]?.['lapwing.call.id'],
    'gen_ai.tool.name': 'add',
    'mcp.method.name': 'tools/call',
    'lapwing.server.id': own[0]?.['lapwing.server.id'],
    'lapwing.server.alias': 'office',
    'lapwing.actor': 'file',
    time: own.map(({ time }) => time).sort()[0],
    'lapwing.outcome': 'success',
    'lapwing.observations': 2,
    'lapwing.vantages': ['server', 'client'],
  })
  assert.deepEqual(Object.keys(linesOf(ran).at(-1) ?? {})[0], 'kind', 'calls come after the events')
})

it('messages: request and answer are one call with the outcome of the answer; other methods are no call lines', { timeout }, async () => {
  const lines = story(
    { dir: 'c2s', srv: 'web', msg: { jsonrpc: '2.0', id: 9, method: 'tools/list' } },
    { dir: 's2c', srv: 'web', msg: { jsonrpc: '2.0', id: 9, result: { tools: [] } } },
    calls('web', 'fetch', { url: 'https://a.example/' }),
    calls('web', 'fetch', { url: 'https://b.example/' }, { content: [], isError: true }),
    { dir: 'c2s', srv: 'web', msg: { jsonrpc: '2.0', id: 77, method: 'tools/call', params: { name: 'never_answered', arguments: {} } } },
  )
  const ran = await run('normalise', file('story.jsonl', jsonl(...lines)))
  assert.deepEqual(ofKind(ran, 'call').map(short), [
    ['fetch', 'success', 2],
    ['fetch', 'tool_error', 2],
    ['never_answered', 'unknown', 1],
  ])
  assert.equal(ofKind(ran, 'event').length, lines.length)
})

it('conversations, tools and calls are read too', { timeout }, async () => {
  const message = (id: number, more: object) => ({ jsonrpc: '2.0', id, ...more })
  const conversation = {
    id: 'c1',
    messages: [
      {
        direction: 'client_to_server',
        server: 'web',
        t_ms: 0,
        message: message(1, { method: 'tools/call', params: { name: 'look', arguments: {} } }),
      },
      { direction: 'server_to_client', server: 'web', t_ms: 5, message: message(1, { result: { content: [] } }) },
    ],
  }
  const table: readonly (readonly [string, unknown, number, unknown[]])[] = [
    ['conversations.jsonl', conversation, 2, [['look', 'success', 2]]],
    ['tools.jsonl', { id: 't1', server: 'web', tool: { name: 'look', inputSchema: { type: 'object' } } }, 2, []],
    ['calls.jsonl', { id: 'k1', server: 'web', tool: 'look', arguments: { at: 'sea' }, result_text: 'blue' }, 2, [['look', 'success', 2]]],
  ]
  for (const [name, line, events, called] of table) {
    const ran = await run('normalise', file(name, jsonl(line)))
    assert.equal(ran.code, 0, ran.stderr)
    assert.equal(ofKind(ran, 'event').length, events, name)
    assert.deepEqual(ofKind(ran, 'call').map(short), called, name)
  }
})

it('a secret does not come out, whatever it came in as', { timeout }, async () => {
  const secret = `AKIA${'QYLPMN5HFIQR7XYA'}`
  const line = calls('web', 'save', { text: `key ${secret}` }, `kept ${secret}`)
  const attributes = {
    'mcp.method.name': 'tools/call',
    'gen_ai.tool.name': 'save',
    'gen_ai.tool.call.arguments': JSON.stringify({ text: secret }),
  }
  const otlp = traces('office', { any: [span({ trace: 1, id: 2, kind: 3, name: 'tools/call save', at: 0, ms: 1, attributes })] })
  const ran = await run('normalise', file('secret.jsonl', jsonl(...story(line))), file('secret.json', JSON.stringify(otlp)))
  assert.equal(ran.code, 0, ran.stderr)
  assert.equal(linesOf(ran).filter(({ kind }) => kind === 'call').length, 2)
  assert.equal([...ran.stdout.matchAll(/⟦secret:[a-z-]+:[0-9a-f]{16}⟧/g)].length, 3)
  assert.ok(!ran.stdout.includes(secret))
})

it('the same file gives the same lines again, and two files do not share calls', { timeout }, async () => {
  const one = file('again.jsonl', jsonl(server, client))
  const [once, twice] = [await run('normalise', one), await run('normalise', one, one)]
  assert.equal(twice.stdout, once.stdout + once.stdout)
})

it('unreadable input is exit code 2 with file and reason; a record that is no event is said and passed over', { timeout }, async () => {
  const table: readonly (readonly [string, string | Uint8Array, RegExp])[] = [
    ['text.jsonl', 'hello\n', /text\.jsonl:1: not JSON/],
    ['binary.bin', Buffer.from([0x0a, 0xff, 0x01, 0x02, 0x03, 0x00]), /binary\.bin:\d: .*not an OTLP request/],
    ['torn.gz', gzipSync(jsonl(both)).subarray(0, 60), /torn\.gz: /],
    ['mixed.jsonl', jsonl(server, ...story(calls('web', 'x', {}))), /mixed\.jsonl:2: messages in a file of otlp/],
  ]
  for (const [name, content, reason] of table) {
    const ran = await run('normalise', file(name, content))
    assert.equal(ran.code, 2, name)
    assert.match(ran.stderr, reason)
    assert.doesNotMatch(ran.stderr, /\n\s+at /)
  }
  const missing = await run('normalise', 'no-such-file.jsonl')
  assert.deepEqual([missing.code, /no-such-file/.test(missing.stderr)], [2, true])
  const [good] = sides[0] as [Message, Message]
  const half = await run(
    'normalise',
    file('half.json', JSON.stringify(traces('office', { 'mcp-python-sdk': [good, { ...good, spanId: '' }] }))),
  )
  assert.equal(half.code, 0)
  assert.match(half.stderr, /half\.json: 1 records are no events: span without a valid trace id/)
  assert.equal(ofKind(half, 'call').length, 1)
})
