/** The webhook: what it sends, whom it refuses to talk to, and what it makes of the answers. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { test } from 'node:test'
import { checkUrl, isPublicAddress } from '../../api/outputs/address.ts'
import { DetectionFinding, detectionFinding } from '../../api/outputs/ocsf.ts'
import { openWebhook, retryAfterMs, webhook } from '../../api/outputs/webhook.ts'
import { Fault } from '../../schemas/errors.ts'
import { type Delivery, retryAfterOf } from '../../schemas/output.ts'
import { openReceiver, sampleAlert } from './sample.ts'

const item = (over = {}): Delivery => ({ key: 'key-1', change: 'created', alert: sampleAlert(over), attempt: 1 })
const faultOf = (work: Promise<unknown>): Promise<Fault> =>
  work.then(
    () => assert.fail('was delivered'),
    (error: unknown) => (error instanceof Fault ? error : assert.fail(String(error))),
  )

const refusedUrls = [
  'ftp://example.com/',
  'file:///etc/passwd',
  'gopher://example.com/',
  'data:text/plain,x',
  'javascript:alert(1)',
  'http://user:secret@example.com/',
  'http://example.com:22/',
  'http://example.com:25/',
  'http://localhost/',
  'http://LOCALHOST./',
  'http://a.localhost/',
  'http://metadata.google.internal/',
  'http://printer.local/',
  'http://127.0.0.1/',
  'http://127.1/',
  'http://2130706433/',
  'http://0x7f000001/',
  'http://0177.0.0.1/',
  'http://0x7f.1/',
  'http://017700000001/',
  'http://127.0.0.1./',
  'http://①②⑦.⓪.⓪.①/',
  'http://127。0。0。1/',
  'http://%31%32%37.0.0.1/',
  'http://0.0.0.0/',
  'http://0/',
  'http://10.1.2.3/',
  'http://100.64.0.1/',
  'http://100.100.100.200/',
  'http://168.63.129.16/',
  'http://169.254.169.254/latest/meta-data/',
  'http://2852039166/',
  'http://172.16.0.1/',
  'http://172.31.255.255/',
  'http://192.168.1.1/',
  'http://192.0.0.192/',
  'http://192.0.2.1/',
  'http://198.18.0.1/',
  'http://198.51.100.1/',
  'http://203.0.113.1/',
  'http://224.0.0.1/',
  'http://255.255.255.255/',
  'http://[::]/',
  'http://[::1]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:7f00:1]/',
  'http://[::127.0.0.1]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[fc00::1]/',
  'http://[fd00:ec2::254]/',
  'http://[fe80::1]/',
  'http://[ff02::1]/',
  'http://[2001:db8::1]/',
  'http://[2001::1]/',
  'http://[2002:7f00:1::]/',
  'http://[::ffff:0:127.0.0.1]/',
  'http://',
  'not a url',
]

test('refuses every URL that is not a public web address, however it is spelt', () => {
  for (const url of refusedUrls) assert.throws(() => checkUrl(url, false), { name: 'Fault', code: 'OUTPUT_REFUSED' }, url)
})

test('takes public addresses and names', () => {
  for (const url of [
    'https://example.com/hook',
    'http://example.com:8088/',
    'https://1.1.1.1/',
    'https://[2606:4700::1111]/x',
    'https://xn--bcher-kva.example/',
  ]) {
    assert.equal(checkUrl(url, false).href.startsWith('http'), true, url)
  }
})

test('knows what is public', () => {
  for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2a00:1450::1']) assert.equal(isPublicAddress(address), true, address)
  for (const address of ['', 'localhost', '::ffff:8.8.8.8', '10.0.0.1', '1']) assert.equal(isPublicAddress(address), false, address)
})

test('a name that resolves to a private address, even as one of several, is refused and never connected to', async () => {
  await using receiver = await openReceiver()
  const port = new URL(receiver.url).port
  for (const found of [['127.0.0.1'], ['1.1.1.1', '127.0.0.1'], ['::1'], ['::ffff:127.0.0.1'], ['169.254.169.254']]) {
    const resolve = async () => found.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))
    await using sink = openWebhook({ url: `http://hook.example:${port}/`, allowPrivate: false, timeoutMs: 2_000 }, { resolve })
    assert.equal((await faultOf(sink.deliver(item()))).code, 'OUTPUT_REFUSED', found.join())
  }
  assert.equal(receiver.received.length, 0)
})

test('connects to the very address that was checked: a second resolution cannot change it', async () => {
  await using receiver = await openReceiver()
  let asked = 0
  const resolve = async () => {
    asked += 1
    return [{ address: '127.0.0.1', family: 4 }]
  }
  const url = receiver.url.replace('127.0.0.1', 'hook.example')
  await using sink = openWebhook({ url, allowPrivate: true, timeoutMs: 2_000 }, { resolve })
  await sink.deliver(item())
  assert.equal(asked, 1)
  assert.equal(receiver.received[0]?.headers.host, new URL(url).host)
})

test('sends a signed OCSF finding that a receiver can verify', async () => {
  await using receiver = await openReceiver()
  for (const secret of ['plain secret', `whsec_${Buffer.from('other secret').toString('base64')}`]) {
    await using sink = webhook.open(webhook.options.parse({ url: receiver.url, secret, allowPrivate: true }))
    await sink.deliver(item({ summary: '</script>\u202e\n' }))
    const got = receiver.received.at(-1)
    assert.ok(got)
    const id = String(got.headers['webhook-id'])
    const signed = `${id}.${got.headers['webhook-timestamp']}.${got.body}`
    const key = secret.startsWith('whsec_') ? 'other secret' : secret
    assert.equal(got.headers['webhook-signature'], `v1,${createHmac('sha256', key).update(signed).digest('base64')}`)
    assert.ok(Math.abs(Number(got.headers['webhook-timestamp']) - Date.now() / 1_000) < 60)
    assert.equal(id, 'key-1')
    assert.equal(got.headers['idempotency-key'], 'key-1')
    const finding = DetectionFinding.parse(JSON.parse(got.body))
    assert.equal(finding.finding_info.uid, sampleAlert().alertId)
    assert.equal(finding.message, '</script>\u202e\n')
  }
})

test('maps severity, confidence, time and techniques as OCSF has them', () => {
  const ids = (['informational', 'low', 'medium', 'high', 'critical'] as const).map(
    (severity) => detectionFinding(sampleAlert({ severity })).severity_id,
  )
  assert.deepEqual(ids, [1, 2, 3, 4, 5])
  const finding = DetectionFinding.parse(detectionFinding(sampleAlert()))
  assert.equal(finding.time, 1_767_225_600_123)
  assert.equal(finding.confidence_score, 90)
  assert.deepEqual(finding.finding_info.attacks, [
    { technique: { uid: 'T1195' }, sub_technique: { uid: 'T1195.002' } },
    { technique: { uid: 'T1059' } },
    { technique: { uid: 'AML.T0110' } },
  ])
  assert.equal(finding.unmapped.lapwing.time, '2026-01-01T00:00:00.123456789Z')
})

const answers = [
  { status: 200, code: undefined },
  { status: 204, code: undefined },
  { status: 301, code: 'OUTPUT_UNREACHABLE' },
  { status: 307, code: 'OUTPUT_UNREACHABLE' },
  { status: 400, code: 'OUTPUT_REFUSED' },
  { status: 401, code: 'OUTPUT_UNREACHABLE' },
  { status: 404, code: 'OUTPUT_UNREACHABLE' },
  { status: 410, code: 'OUTPUT_REFUSED' },
  { status: 413, code: 'OUTPUT_REFUSED' },
  { status: 429, code: 'OUTPUT_UNREACHABLE' },
  { status: 500, code: 'OUTPUT_UNREACHABLE' },
  { status: 503, code: 'OUTPUT_UNREACHABLE' },
]

test('decides by the status, follows no redirect and repeats nothing of an answer', async () => {
  await using receiver = await openReceiver()
  await using elsewhere = await openReceiver()
  await using sink = openWebhook({ url: receiver.url, allowPrivate: true, timeoutMs: 2_000 })
  for (const { status, code } of answers) {
    receiver.answer = (response) =>
      response.writeHead(status, { location: elsewhere.url, 'retry-after': '7' }).end(status === 204 ? undefined : 'do not show me')
    if (code === undefined) {
      await sink.deliver(item())
      continue
    }
    const fault = await faultOf(sink.deliver(item()))
    assert.equal(fault.code, code, String(status))
    assert.equal(JSON.stringify([fault.message, fault.stack, fault.cause]).includes('do not show me'), false)
    assert.equal(retryAfterOf(fault), code === 'OUTPUT_UNREACHABLE' ? 7_000 : undefined)
  }
  assert.equal(elsewhere.received.length, 0)
})

test('an answer without end is a delivery when it began with 200: little of it is read, and not for long', async () => {
  await using receiver = await openReceiver()
  await using sink = openWebhook({ url: receiver.url, allowPrivate: true, timeoutMs: 1_000 })
  let poured = 0
  receiver.answer = (response) => {
    response.writeHead(200)
    const pour = () => {
      for (let room = true; room && !response.destroyed; poured += 65_536) room = response.write(Buffer.alloc(65_536))
      if (!response.destroyed) response.once('drain', pour)
    }
    pour()
  }
  await sink.deliver(item())
  assert.ok(poured < 32 * 1024 * 1024, `${poured} bytes`)
  receiver.answer = (response) => {
    response.writeHead(200)
    const drip = setInterval(() => response.write('.'), 20)
    response.once('close', () => clearInterval(drip))
  }
  await sink.deliver(item())
})

test('a receiver that hangs, hangs up or is not there is tried again', async () => {
  await using receiver = await openReceiver()
  const behaviours = [() => undefined, (response: { destroy(): void }) => void response.destroy()]
  for (const behaviour of behaviours) {
    await using sink = openWebhook({ url: receiver.url, allowPrivate: true, timeoutMs: 300 })
    receiver.answer = behaviour
    assert.equal((await faultOf(sink.deliver(item()))).code, 'OUTPUT_UNREACHABLE')
  }
  await using nowhere = openWebhook({ url: 'http://127.0.0.1:9/', allowPrivate: true, timeoutMs: 1_000 })
  assert.equal((await faultOf(nowhere.deliver(item()))).code, 'OUTPUT_UNREACHABLE')
})

test('a private receiver is refused unless it is allowed', () => {
  assert.throws(() => webhook.open(webhook.options.parse({ url: 'http://127.0.0.1:8080/' })), { code: 'OUTPUT_REFUSED' })
})

test('waits as a receiver asks, within reason', () => {
  const now = Date.parse('2026-01-01T00:00:00Z')
  assert.equal(retryAfterMs('5', now), 5_000)
  assert.equal(retryAfterMs('Thu, 01 Jan 2026 00:01:00 GMT', now), 60_000)
  assert.equal(retryAfterMs('Thu, 01 Jan 2025 00:01:00 GMT', now), 0)
  assert.equal(retryAfterMs('999999999', now), 3_600_000)
  for (const nonsense of ['soon', '', '-5x', undefined]) assert.equal(retryAfterMs(nonsense, now), undefined)
})
