/** Stories of secrets that are shown or passed on, and of those that are where they belong. */
import type { Example } from '../../schemas/detector.ts'
import { calls, exchange, host, story } from '../../schemas/story.ts'

export const relayExamples: readonly Example[] = [
  {
    name: 'a page of the metadata service holds cloud keys',
    story: story(calls('md', 'convert', { uri: 'https://a.example/' }, 'id ⟦secret:aws-access-key:0123456789abcdef⟧')),
    fires: [1],
  },
  {
    name: 'a key of a file goes to another server',
    story: story(
      calls('fs', 'read_file', { path: 'notes.txt' }, 'key ⟦secret:github-token:00000000000000aa⟧'),
      calls('dev', 'index', { context: 'see ⟦secret:github-token:00000000000000aa⟧' }),
    ),
    fires: [1, 2],
  },
  {
    name: 'the same, where the tap of the source sends later',
    story: story(
      calls('dev', 'index', { context: 'see ⟦secret:github-token:00000000000000aa⟧' }, 'ok', { t: 5 }),
      calls('fs', 'read_file', { path: 'notes.txt' }, 'key ⟦secret:github-token:00000000000000aa⟧', { t: 3 }),
      calls('web', 'post', { text: '⟦secret:github-token:00000000000000aa⟧' }, 'ok', { t: 6 }),
    ),
    fires: [0, 3, 3, 4],
  },
  {
    name: 'a late answer does not say who held first what the user had said',
    story: story(
      { ...host('user_prompt', { text: 'use ⟦secret:fly-token:1111111111111111⟧' }), t: 1 },
      calls('fly', 'deploy', { token: '⟦secret:fly-token:1111111111111111⟧' }, 'ok', { t: 5 }),
      calls('fs', 'read_file', { path: 'a' }, '⟦secret:fly-token:1111111111111111⟧', { t: 3 }),
    ),
    fires: [],
  },
  {
    name: 'too late to have been overtaken: whoever sent it held it first',
    story: story(
      calls('http', 'send_request', { headers: { Authorization: '⟦secret:github-token:00000000000000ac⟧' } }, 'ok', { t: 60 }),
      calls('fs', 'read_file', { path: 'a' }, '⟦secret:github-token:00000000000000ac⟧', { t: 3 }),
    ),
    fires: [0],
  },
  {
    name: 'a key is mailed by the server that returned it',
    story: story(
      calls('suite', 'read_note', { id: 1 }, 'key ⟦secret:stripe-key:00000000000000bb⟧'),
      calls('suite', 'send_mail', { to: 'a@b.example', body: '⟦secret:stripe-key:00000000000000bb⟧' }),
    ),
    fires: [1, 2],
  },
  {
    name: 'found under one name, passed on under another',
    story: story(
      exchange(
        'docs',
        'resources/read',
        { uri: 'docs://a' },
        { contents: [{ uri: 'docs://a', text: 'password = ⟦secret:password:00000000000000cc⟧' }] },
      ),
      calls('chat', 'post_message', { channel: 'x', text: 'it is ⟦secret:api-key:00000000000000cc⟧' }),
    ),
    fires: [1, 2],
  },
  {
    name: 'a key is posted in a channel',
    story: story(calls('chat', 'post_message', { channel: 'x', text: 'use ⟦secret:github-token:00000000000000ab⟧' })),
    fires: [0],
  },
  {
    name: 'an API test tool is given a token: low, once',
    story: story(
      calls('http', 'send_request', { url: 'https://a.example/me', headers: { Authorization: 'Bearer ⟦secret:jwt:00000000000000dd⟧' } }),
      calls('http', 'send_request', { url: 'https://a.example/you', headers: { Authorization: 'Bearer ⟦secret:jwt:00000000000000dd⟧' } }),
    ),
    fires: [0],
  },
  {
    name: 'a card number of a customer is no key',
    story: story(
      calls('crm', 'get', { id: 1 }, 'card ⟦secret:pii-card:00000000000000ee⟧'),
      calls('pay', 'charge', { card: '⟦secret:pii-card:00000000000000ee⟧' }),
    ),
    fires: [],
  },
  {
    name: 'an account number is paid',
    story: story(
      calls('bank', 'get_iban', {}, '⟦secret:pii-iban:00000000000000ff⟧'),
      calls('bank', 'send_money', { to: '⟦secret:pii-iban:00000000000000ff⟧' }),
    ),
    fires: [],
  },
  {
    name: 'the user gives a key and the agent uses it',
    story: story(
      host('user_prompt', { text: 'deploy with ⟦secret:fly-token:1111111111111111⟧' }),
      calls('fly', 'deploy', { token: '⟦secret:fly-token:1111111111111111⟧' }, 'done with ⟦secret:fly-token:1111111111111111⟧'),
    ),
    fires: [],
  },
  {
    name: 'something that only looks like a token of ours',
    story: story(calls('fs', 'read_file', { path: 'a' }, '⟦secret:x⟧ and ⟦secret:aws-access-key:123⟧')),
    fires: [],
  },
  { name: 'the word password', story: story(calls('docs', 'search', { q: 'password' }, 'Set a password in the settings.')), fires: [] },
  { name: 'a hash and a commit', story: story(calls('git', 'log', {}, 'd8108f9977a99a1322f463c9da3655d59418454b fix')), fires: [] },
  {
    name: 'a definition that shows how a key looks',
    story: story(exchange('s', 'tools/list', {}, { tools: [{ name: 't', description: 'like ⟦secret:api-key:2222222222222222⟧' }] })),
    fires: [],
  },
]
