/** A hundred thousand odd messages through each tap come out as they went in, with a working observer and with a dead one. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { test } from 'node:test'
import { createFeed } from '../../collectors/tap/feed.ts'
import { tapHttp } from '../../collectors/tap/http.ts'
import { tapStdio } from '../../collectors/tap/stdio.ts'
import { chance, chunks, oddMessage, sha256 } from '../fixtures/odd-messages.ts'
import { openSink } from '../fixtures/otlp-sink.ts'

const messages = 100_000
const cli = join(import.meta.dirname, '../fixtures/tap-cli.ts')
const deadObserver = new URL('../fixtures/dead-observer.ts', import.meta.url)
const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-test-'))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}
/** Answers every byte, tells on stderr what arrived. */
const echo = `const h=require('crypto').createHash('sha256');process.stdin.on('data',(c)=>{h.update(c);process.stdout.write(c)||(process.stdin.pause(),process.stdout.once('drain',()=>process.stdin.resume()))}).on('end',()=>process.stderr.write(h.digest('hex')))`

function* stream(seed: number, sent: ReturnType<typeof createHash>) {
  const random = chance(seed)
  for (let at = 0; at < messages; at += 1_000) {
    const part = Buffer.concat(Array.from({ length: 1_000 }, (_, number) => oddMessage(random, at + number)))
    sent.update(part)
    yield* chunks(part, random)
  }
}

test('stdio, observed: both directions by SHA-256', async () => {
  using data = folder()
  await using sink = await openSink()
  const child = spawn(process.execPath, [cli, 'stdio', '--endpoint', sink.url, '--data-dir', data.dir, '--', process.execPath, '-e', echo])
  const [sent, received] = [createHash('sha256'), createHash('sha256')]
  let arrived = ''
  child.stderr.setEncoding('utf8').on('data', (part: string) => {
    arrived += part
  })
  child.stdout.on('data', (part: Buffer) => received.update(part))
  for (const chunk of stream(11, sent)) if (!child.stdin.write(chunk)) await once(child.stdin, 'drain')
  child.stdin.end()
  await once(child, 'close')
  const sum = sent.digest('hex')
  assert.equal(received.digest('hex'), sum)
  assert.ok(arrived.includes(sum), arrived)
})

for (const fail of ['at once', 'stuck', 'on the third']) {
  test(`stdio, observer fails ${fail}: both directions by SHA-256`, async () => {
    const feed = createFeed({ observer: deadObserver, settings: { fail }, graceMs: 10, bytesMax: 1 << 20, restartDelayMs: 5 })
    const [input, output] = [new PassThrough(), new PassThrough()]
    const [sent, received] = [createHash('sha256'), createHash('sha256')]
    output.on('data', (part: Buffer) => received.update(part))
    const ended = tapStdio({ command: 'cat', args: [], observe: (direction, bytes) => feed.chunk(direction, bytes), input, output })
    for (const chunk of stream(12, sent)) if (!input.write(chunk)) await once(input, 'drain')
    input.end()
    assert.deepEqual(await ended, { code: 0, signal: null })
    const { offeredBytes, lostBytes } = await feed.close(10)
    assert.equal(received.digest('hex'), sent.digest('hex'))
    assert.ok(lostBytes > 0 && lostBytes <= offeredBytes)
  })
}

for (const type of ['application/json', 'text/event-stream']) {
  test(`HTTP, ${type}: every body both ways by SHA-256`, async () => {
    const server = createServer((incoming, outgoing) => {
      const hash = createHash('sha256')
      outgoing.writeHead(200, { 'content-type': type })
      incoming.on('data', (part: Buffer) => {
        hash.update(part)
        outgoing.write(part)
      })
      incoming.on('end', () => outgoing.end(hash.digest('hex')))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const target = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`)
    const feed = createFeed({ observer: deadObserver, settings: { fail: 'on the third' }, bytesMax: 1 << 20, restartDelayMs: 5 })
    const tap = await tapHttp({ listen: { host: '127.0.0.1', port: 0 }, target, observe: feed })
    const agent = new Agent({ keepAlive: true })
    const random = chance(13)
    const one = (body: Buffer) =>
      new Promise<void>((resolve, reject) => {
        const sent = request({ port: tap.address.port, host: '127.0.0.1', path: '/mcp', method: 'POST', agent }, (answer) => {
          const parts: Buffer[] = []
          answer.on('data', (part: Buffer) => parts.push(part))
          answer.on('end', () => {
            const got = Buffer.concat(parts)
            if (got.equals(Buffer.concat([body, Buffer.from(sha256(body))]))) resolve()
            else reject(new Error(`differs: ${body.length} bytes`))
          })
        })
        sent.on('error', reject)
        sent.end(body)
      })
    for (let at = 0; at < messages; at += 50) await Promise.all(Array.from({ length: 50 }, (_, more) => one(oddMessage(random, at + more))))
    agent.destroy()
    await tap.close()
    await feed.close(10)
    server.closeAllConnections()
    server.close()
  })
}
