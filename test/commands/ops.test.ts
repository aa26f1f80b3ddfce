/** The ops endpoint: alive, ready with a reason when not, metrics, and nothing else, whoever asks. */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { describe, it } from 'node:test'
import pino from 'pino'
import { type OpsOptions, openOps } from '../../commands/ops.ts'

const open = (more: Partial<OpsOptions> = {}) =>
  openOps({
    host: '127.0.0.1',
    port: 0,
    ready: async () => undefined,
    metrics: () => 'lapwing_up 1\n',
    log: pino({ level: 'silent' }),
    ...more,
  })
const ask = async (url: string, init: RequestInit = {}) => {
  const answer = await fetch(url, init)
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text(), headers: answer.headers }
}

describe('ops', () => {
  it('answers alive, ready and metrics', async () => {
    await using ops = await open()
    assert.deepEqual(JSON.parse((await ask(`${ops.url}/livez`)).text), { status: 'ok' })
    assert.equal((await ask(`${ops.url}/readyz`)).status, 200)
    const metrics = await ask(`${ops.url}/metrics`)
    assert.equal(metrics.text, 'lapwing_up 1\n')
    assert.match(metrics.type ?? '', /^text\/plain; version=0\.0\.4/)
    assert.equal(metrics.headers.get('cache-control'), 'no-store')
  })

  for (const [name, ready, reason] of [
    ['a reason', async () => 'the store does not answer', 'the store does not answer'],
    [
      'a check that throws',
      () => Promise.reject(Object.assign(new Error('secret /path'), { code: 'STORE_UNREACHABLE' })),
      'failed: STORE_UNREACHABLE',
    ],
    ['a check that throws at once', () => assert.fail('secret'), 'failed: ERR_ASSERTION'],
    ['a check that hangs', () => new Promise<never>(() => undefined), 'no answer in time'],
    ['a very long reason', async () => 'x'.repeat(5_000), 'x'.repeat(200)],
  ] as const) {
    it(`is not ready: ${name}; and alive all the same`, async () => {
      await using ops = await open({ ready })
      const answer = await ask(`${ops.url}/readyz`)
      assert.equal(answer.status, 503)
      assert.equal(answer.headers.get('retry-after'), '2')
      assert.deepEqual(JSON.parse(answer.text), { status: 'not ready', reason })
      assert.equal((await ask(`${ops.url}/livez`)).status, 200)
    })
  }

  it('has nothing else', async () => {
    await using ops = await open()
    for (const path of ['/', '/v1/alerts', '/metrics/', '/docs', '/../etc/passwd', '/%2e%2e', '/livez/x']) {
      assert.equal((await ask(`${ops.url}${path}`)).status, 404, path)
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS'])
      assert.equal((await ask(`${ops.url}/metrics`, { method })).status, 404, method)
  })

  it('says nothing of an error inside', async () => {
    await using ops = await open({ metrics: () => assert.fail('secret /path') })
    const answer = await ask(`${ops.url}/metrics`)
    assert.equal(answer.status, 500)
    assert.doesNotMatch(answer.text, /secret/)
  })

  it('refuses headers without end, and goes on', { timeout: 10_000 }, async () => {
    await using ops = await open()
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(ops.port, '127.0.0.1', () =>
        socket.write(`GET /livez HTTP/1.1\r\nhost: a\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`),
      )
      let said = ''
      socket.on('data', (data) => {
        said += String(data)
      })
      socket.on('error', () => undefined)
      socket.on('close', () => resolve(said))
    })
    assert.match(answer, /^HTTP\/1\.1 431 /)
    assert.equal((await ask(`${ops.url}/livez`)).status, 200)
  })

  it('listens beyond loopback, and closes with connections open', { timeout: 10_000 }, async () => {
    const ops = await open({ host: '0.0.0.0' })
    const socket = connect(ops.port, '127.0.0.1')
    socket.on('error', () => undefined)
    await ask(`http://127.0.0.1:${ops.port}/livez`)
    await ops[Symbol.asyncDispose]()
    socket.destroy()
    await assert.rejects(fetch(`http://127.0.0.1:${ops.port}/livez`))
  })

  it('a taken port is the caller’s to explain', async () => {
    await using ops = await open()
    await assert.rejects(open({ port: ops.port }), { code: 'EADDRINUSE' })
  })
})
