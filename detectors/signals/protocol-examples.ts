/** Examples of detectors/rules/protocol-conformance.ts: messages with two readings, and carelessness that looks like them. */
import type { Example } from '../../schemas/detector.ts'
import type { Json } from '../../schemas/event.ts'
import { calls, exchange, type StoryLine, story } from '../../schemas/story.ts'

const modernMeta = (capabilities: Json = {}): Json => ({
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': capabilities,
})
const modernCall = (srv: string, name: string, http: object, answer: object): StoryLine[] => [
  {
    srv,
    dir: 'c2s',
    msg: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: {}, _meta: modernMeta() } },
    http: { 'Mcp-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call', ...http },
  },
  { srv, dir: 's2c', msg: { jsonrpc: '2.0', id: 1, ...answer } as Json },
]
const done = { result: { resultType: 'complete', content: [] } }
const refused = { error: { code: -32020, message: 'HeaderMismatch' } }
const begin = (srv: string, capabilities: Json, version = '2025-11-25', extra: object = {}): StoryLine[] =>
  exchange(
    srv,
    'initialize',
    { protocolVersion: version, capabilities, clientInfo: { name: 'host', version: '1' } },
    { protocolVersion: version, capabilities: { tools: {} }, serverInfo: { name: srv, version: '1' } },
    extra,
  )
const ask = (srv: string, method: string, params: Json = {}, extra: object = {}): StoryLine => ({
  srv,
  dir: 's2c',
  msg: { jsonrpc: '2.0', id: 'q-1', method, params },
  ...extra,
})
const raw = (text: string, dir: 'c2s' | 's2c' = 'c2s', extra: object = {}): StoryLine => ({ srv: 'gate', dir, raw: text, ...extra })

const firing: Example[] = [
  {
    name: 'the tool name twice',
    story: story(raw('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list","name":"drop","arguments":{}}}')),
    fires: [0],
  },
  {
    name: 'the method in another case beside itself',
    story: story(raw('{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call","params":{}}')),
    fires: [0],
  },
  {
    name: 'a NUL in a name',
    story: story(raw('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name\\u0000x":"a","name":"b"}}')),
    fires: [0],
  },
  {
    name: 'data behind the message',
    story: story(raw('{"jsonrpc":"2.0","id":1,"method":"ping"}{"jsonrpc":"2.0","id":2,"method":"x"}')),
    fires: [0],
  },
  {
    name: 'a batch where there are none',
    story: story(begin('gate', {}), raw('[{"jsonrpc":"2.0","id":7,"method":"tools/list"}]')),
    fires: [2],
  },
  {
    name: 'the name in the header is another one, and the server goes on',
    story: story(modernCall('pay', 'wire', { 'Mcp-Name': 'balance' }, done)),
    fires: [0, 1],
  },
  {
    name: 'the name in the header is encoded, and another one',
    story: story(modernCall('pay', 'wire', { 'Mcp-Name': '=?base64?YmFsYW5jZQ==?=' }, refused)),
    fires: [0],
  },
  {
    name: 'three mismatches refused in ten minutes',
    story: story(...['a', 'b', 'c'].flatMap((name) => modernCall('pay', 'wire', { 'Mcp-Name': name }, refused))),
    fires: [0, 2, 4, 5],
  },
  {
    name: 'two header lines that disagree',
    story: story(modernCall('pay', 'wire', { 'Mcp-Name': ['wire', 'balance'] }, refused)),
    fires: [0, 0],
  },
  {
    name: 'a question pushed in the era that has none',
    story: story(
      modernCall('sum', 'sum', { 'Mcp-Name': 'sum' }, done),
      ask('sum', 'sampling/createMessage', { messages: [], maxTokens: 1 }),
    ),
    fires: [2],
  },
  {
    name: 'sampling that the client never declared',
    story: story(begin('sum', { roots: {} }), ask('sum', 'sampling/createMessage', { messages: [], maxTokens: 1 })),
    fires: [2],
  },
  {
    name: 'elicitation inside an answer, undeclared',
    story: story(
      modernCall(
        'sum',
        'sum',
        { 'Mcp-Name': 'sum' },
        { result: { resultType: 'input_required', inputRequests: { a: { method: 'elicitation/create', params: {} } }, requestState: 's' } },
      ),
    ),
    fires: [1],
  },
  {
    name: 'an answer nobody asked for on a known connection',
    story: story(begin('gate', {}, '2025-06-18', { conn: 'c1' }), calls('gate', 'a', {}, 'ok', { conn: 'c1' }), {
      srv: 'gate',
      dir: 's2c',
      conn: 'c1',
      msg: { jsonrpc: '2.0', id: 99, result: { content: [{ type: 'text', text: 'x' }] } },
    }),
    fires: [4],
  },
  {
    name: 'a role that the client gives itself',
    story: story(exchange('crm', 'tools/call', { name: 'export', arguments: {}, _meta: { role: 'admin', approved: true } }, {})),
    fires: [0, 0],
  },
  {
    name: 'another user than the verified one',
    story: story(exchange('crm', 'tools/call', { name: 'export', arguments: {}, _meta: { user_id: 'bob' } }, {}, { principal: 'anna' })),
    fires: [0],
  },
  {
    name: 'back to an older version with the same builds',
    story: story(begin('gate', {}, '2025-11-25'), begin('gate', {}, '2024-11-05')),
    fires: [3],
  },
]

const quiet: Example[] = [
  {
    name: 'arguments whose names differ in case',
    story: story(
      raw(
        '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"send","arguments":{"headers":{"Accept":"a","accept":"b"},"Name":"x","name":"y"}}}',
      ),
    ),
    fires: [],
  },
  {
    name: 'a batch in the version that has them',
    story: story(
      begin('gate', {}, '2025-03-26'),
      raw('[{"jsonrpc":"2.0","id":7,"method":"tools/list"},{"jsonrpc":"2.0","id":8,"method":"ping"}]'),
    ),
    fires: [],
  },
  { name: 'headers that agree', story: story(modernCall('pay', 'wire', { 'Mcp-Name': 'wire' }, done)), fires: [] },
  {
    name: 'a name that is not ASCII, encoded',
    story: story(modernCall('pay', 'überweisen', { 'Mcp-Name': '=?base64?w7xiZXJ3ZWlzZW4=?=' }, done)),
    fires: [],
  },
  {
    name: 'sampling that the client declared',
    story: story(begin('sum', { sampling: {} }), ask('sum', 'sampling/createMessage', { messages: [], maxTokens: 1 })),
    fires: [],
  },
  {
    name: 'questions when nothing is known of the client',
    story: story(ask('sum', 'sampling/createMessage', { messages: [], maxTokens: 1 }), ask('sum', 'roots/list')),
    fires: [],
  },
  {
    name: 'an answer whose question was before our time',
    story: story({ srv: 'gate', dir: 's2c', conn: 'c1', msg: { jsonrpc: '2.0', id: 4, result: { content: [] } } }),
    fires: [],
  },
  {
    name: 'progress tokens, traces and a vendor’s own names',
    story: story(
      exchange(
        'crm',
        'tools/call',
        {
          name: 'export',
          arguments: { role: 'admin', tenant: 'x' },
          _meta: {
            progressToken: 1,
            traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
            'com.acme/thread': 't',
            'com.acme/tenant': 'x',
          },
        },
        {},
      ),
    ),
    fires: [],
  },
  {
    name: 'the verified user named again',
    story: story(exchange('crm', 'tools/call', { name: 'export', arguments: {}, _meta: { user_id: 'anna' } }, {}, { principal: 'anna' })),
    fires: [],
  },
  {
    name: 'a newer version after an upgrade',
    story: story(begin('gate', {}, '2024-11-05'), begin('gate', {}, '2025-11-25')),
    fires: [],
  },
]

/** Careless, and told as low at most: the test of the rule looks at the grade. */
export const carelessStories: readonly (readonly StoryLine[])[] = [
  story(raw('Server listening on stdio', 's2c'), raw('{"level":"info","msg":"ready"}', 's2c')),
  story(raw('[INFO] {"method": started', 's2c')),
  story(raw('{"id":1,"method":"tools/list"}'), raw('{"jsonrpc":"2.0","id":12345678901234567890,"method":"tools/list"}')),
  story(raw('\uFEFF{"jsonrpc":"2.0","id":1,"method":"tools/list"}'), raw('{"jsonrpc":"2.0","id":null,"method":"tools/list"}')),
  story(modernCall('pay', 'wire', { 'Mcp-Name': 'WIRE ' }, done), modernCall('pay', 'überweisen', { 'Mcp-Name': '?berweisen' }, done)),
  story(begin('sum', {}), ask('sum', 'roots/list')),
  story(begin('gate', {}), ask('gate', 'ping'), calls('gate', 'a', {}), {
    srv: 'gate',
    dir: 's2c',
    msg: { jsonrpc: '2.0', id: 99, result: { content: [] } },
  }),
]

export const conformanceExamples: readonly Example[] = [...firing, ...quiet]
