/** `lapwing detect`: exit codes, what a line of `--json` is, the reason for a refusal, and inputs as they come. */
import assert from 'node:assert/strict'
import { before, it } from 'node:test'
import { gzipSync } from 'node:zlib'
import { calls, story } from '../../schemas/story.ts'
import { encode, span, traces } from '../collectors/otlp-bodies.ts'
import { commands, jsonl, type Line, linesOf, type Ran } from './run.ts'

const timeout = 240_000
const { file, run } = commands()
const metadata = 'http://169.254.169.254/latest/meta-data/'
const harmless = calls('web', 'fetch', { url: 'https://docs.example/' })
const lines = story(harmless, calls('web', 'fetch', { url: metadata }))
const call = (id: string) => ({ id, server: 'web', tool: 'fetch', arguments: { url: metadata } })
const talk = lines.map(({ dir, msg }) => ({
  direction: dir === 'c2s' ? 'client_to_server' : 'server_to_client',
  server: 'web',
  message: msg,
}))
const attributes = {
  'mcp.method.name': 'tools/call',
  'gen_ai.tool.name': 'fetch',
  'gen_ai.tool.call.arguments': JSON.stringify({ url: metadata }),
}
const body = traces('office', { any: [span({ trace: 1, id: 2, kind: 3, name: 'tools/call fetch', at: 0, ms: 1, attributes })] })

/** One process for all that is read well. */
let ran: Ran
let alerts: Line[]
before(
  async () => {
    ran = await run(
      'detect',
      '--json',
      file('quiet.jsonl', jsonl(...story(harmless))),
      file('S99.jsonl', jsonl(...lines)),
      file('S99-packed.jsonl.gz', gzipSync(jsonl(...lines))),
      file('calls.jsonl', jsonl(call('a'), call('b'))),
      file('talks.jsonl', jsonl({ id: 'talk', messages: talk })),
      file('document.json', JSON.stringify(body, null, 2)),
      file('binary.otlp', encode('Traces', body)),
    )
    alerts = linesOf(ran)
  },
  { timeout },
)

it('reads every kind as it comes, and says where each finding was completed; each item starts with empty memory', () => {
  assert.deepEqual([ran.code, ran.stderr], [0, ''])
  assert.deepEqual(
    alerts.map(({ item, message, detector }) => [item, message, detector]),
    [
      ['S99', 2, 'ssrf'],
      ['S99-packed', 2, 'ssrf'],
      ['a', 0, 'ssrf'],
      ['b', 0, 'ssrf'],
      ['talk', 2, 'ssrf'],
      ['document', 0, 'ssrf'],
      ['binary.otlp', 0, 'ssrf'],
    ],
  )
})

it('a line of --json has the members of the contract', () => {
  for (const alert of alerts) {
    const { alert_id, severity, confidence, summary, evidence, maps } = alert
    assert.match(String(alert_id), /^[0-9a-f]{32}$/)
    assert.equal(severity, 'high')
    assert.ok(Number(confidence) > 0 && Number(confidence) <= 1)
    assert.ok(typeof summary === 'string' && typeof evidence === 'object')
    assert.deepEqual((maps as { family: string[] }).family, ['D13'])
  }
})

it('without --json it is for people, and exit 0 with an alert too; signals are printed only when asked for', { timeout }, async () => {
  const path = file('mail.jsonl', jsonl(...lines, ...story(calls('mail', 'send_email', { to: 'a@acme.example' }))))
  const [plain, all] = await Promise.all([run('detect', path), run('detect', '--json', '--signals', path)])
  assert.equal(plain.code, 0)
  assert.match(plain.stdout, /^mail:2 +high +ssrf +fetch was given http/)
  assert.doesNotMatch(plain.stdout, /new-destination/)
  const signal = linesOf(all).find((line) => line.signal === 'new-destination')
  assert.deepEqual([signal?.item, signal?.message, signal?.severity], ['mail', 4, 'informational'])
})

it('unreadable input, mixtures and another kind than asked for are exit code 2, with file, line and reason', { timeout }, async () => {
  const table: readonly (readonly [string, string, RegExp, string?])[] = [
    ['broken.jsonl', `${jsonl(...lines)}{"t": 1, "dir`, /broken\.jsonl:5: not JSON/],
    ['mixed.jsonl', jsonl(lines[0], call('a')), /mixed\.jsonl:2: calls in a file of messages/],
    ['mixed-other-way.jsonl', jsonl(call('a'), call('b'), lines[0]), /mixed-other-way\.jsonl:3: messages in a file of calls/],
    ['other.jsonl', jsonl({ hello: 1 }), /other\.jsonl:1: neither messages/],
    ['named.jsonl', jsonl(...lines), /named\.jsonl:1: messages in a file of calls/, 'calls'],
  ]
  for (const [name, text, reason, input = 'auto'] of table) {
    const refused = await run('detect', '--json', '--input', input, file(name, text))
    assert.equal(refused.code, 2, name)
    assert.match(refused.stderr, reason)
    assert.doesNotMatch(refused.stderr, /\n\s+at /)
  }
})
