/** The promises of the HTTP tap: heads and bodies pass as they are and at once, strangers do not pass at all. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { test } from 'node:test'
import { type HttpTap, tapHttp } from '../../../collectors/tap/http.ts'
import type { Fact } from '../../../collectors/tap/notes.ts'
import { chance, oddMessage, sha256 } from '../../fixtures/odd-messages.ts'

type Handler = (incoming: IncomingMessage, outgoing: ServerResponse, body: Buffer) => void
const read = (incoming: IncomingMessage): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const parts: Buffer[] = []
    incoming.on('data', (part: Buffer) => parts.push(part))
    incoming.on('end', () => resolve(Buffer.concat(parts)))
    incoming.on('error', reject)
  })

async function rig(handler: Handler, more: Partial<HttpTap> = {}) {
  const facts: Fact[] = []
  const server: Server = createServer(
    (incoming, outgoing) =>
      void read(incoming)
        .then((body) => handler(incoming, outgoing, body))
        .catch(() => {}),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: targetPort } = server.address() as AddressInfo
  const observe = { chunk() {}, skip() {}, end() {}, fact: (fact: Fact) => void facts.push(fact) }
  const tap = await tapHttp({
    listen: { host: '127.0.0.1', port: 0 },
    target: new URL(`http://127.0.0.1:${targetPort}/mcp`),
    observe,
    ...more,
  })
  return {
    server,
    facts,
    targetPort,
    port: tap.address.port,
    async [Symbol.asyncDispose]() {
      await tap.close()
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
}
type Asked = { port: number; method?: string; path?: string; headers?: readonly string[] | Record<string, string>; body?: Buffer | string }
const ask = ({ port, method = 'POST', path = '/mcp', headers = {}, body }: Asked): Promise<IncomingMessage> =>
  new Promise((resolve, reject) => {
    const sent = request({ port, host: '127.0.0.1', method, path, headers: headers as Record<string, string>, agent: false }, resolve)
    sent.on('error', reject)
    sent.end(body)
  })
/** The bytes of one HTTP/1.1 exchange as they are on the wire. */
const wire = (port: number, text: string): Promise<string> =>
  new Promise((resolve, reject) => {
    let got = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text, 'latin1'))
    socket.setEncoding('latin1').on('data', (part: string) => {
      got += part
    })
    socket.on('close', () => resolve(got)).on('error', reject)
  })

test('bodies pass unchanged both ways, as JSON and as events', async () => {
  const random = chance(2)
  for (const type of ['application/json', 'text/event-stream']) {
    await using at = await rig((incoming, outgoing, body) => {
      outgoing.writeHead(200, { 'content-type': type, 'x-sum': sha256(body), 'x-length': incoming.headers['content-length'] ?? 'chunked' })
      for (let from = 0; from < body.length; from += 70_000) outgoing.write(body.subarray(from, from + 70_000))
      outgoing.end()
    })
    for (let number = 0; number < 300; number += 1) {
      const body = oddMessage(random, number)
      const answer = await ask({
        port: at.port,
        body,
        headers: number % 2 ? { 'content-length': String(body.length) } : { 'transfer-encoding': 'chunked' },
      })
      assert.equal(answer.headers['x-sum'], sha256(body))
      assert.equal(answer.headers['x-length'], number % 2 ? String(body.length) : 'chunked')
      assert.equal(sha256(await read(answer)), sha256(body))
    }
  }
})

test('heads pass in order, case and number; only Host changes and what belongs to one hop goes', async () => {
  let seen: string[] = []
  await using at = await rig((incoming, outgoing) => {
    seen = incoming.rawHeaders
    outgoing.sendDate = false
    outgoing.writeHead(207, 'Many Things', [
      'X-B',
      '1',
      'x-a',
      '2',
      'X-B',
      '3',
      'Set-Cookie',
      'a=1',
      'Keep-Alive',
      'timeout=9',
      'set-cookie',
      'b=\xe9',
      'Content-Length',
      '2',
    ])
    outgoing.end(Buffer.from('ok'))
  })
  const got = await wire(
    at.port,
    'POST /mcp?x=1%20 HTTP/1.1\r\nX-Odd: 1\r\nhOsT: localhost:1\r\nx-odd: 2\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nMcp-Name: \xe9\r\ncontent-length: 2\r\n\r\nhi',
  )
  assert.deepEqual(seen.slice(0, 10), [
    'X-Odd',
    '1',
    'hOsT',
    `127.0.0.1:${at.targetPort}`,
    'x-odd',
    '2',
    'Mcp-Name',
    '\xe9',
    'content-length',
    '2',
  ])
  assert.ok(!seen.some((name) => /^(x-hop|te)$/i.test(name)))
  const [head, body] = got.split('\r\n\r\n')
  assert.equal(
    head?.split('\r\n').slice(0, 8).join('|'),
    'HTTP/1.1 207 Many Things|X-B: 1|x-a: 2|X-B: 3|Set-Cookie: a=1|set-cookie: b=\xe9|Content-Length: 2|Connection: close',
  )
  assert.equal(body, 'ok')
})

test('trailers pass, and an expectation is answered by the target', async () => {
  await using at = await rig((incoming, outgoing, body) => {
    outgoing.writeHead(200, { trailer: 'x-end' })
    outgoing.write(`${incoming.rawTrailers.join(':')} ${body}`)
    outgoing.addTrailers([['X-End', 'yes']])
    outgoing.end()
  })
  const got = await wire(
    at.port,
    'POST /mcp HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nTrailer: X-T\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nhi\r\n0\r\nX-T: 7\r\n\r\n',
  )
  assert.match(got, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK/)
  assert.match(got, /X-T:7 hi/)
  assert.match(got, /0\r\nX-End: yes\r\n\r\n$/)
})

test('an event arrives while the stream is still open', async () => {
  let go = () => {}
  await using at = await rig((_, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'text/event-stream' })
    outgoing.flushHeaders()
    go = () => void outgoing.write('data: 1\n\n')
  })
  const answer = await ask({ port: at.port, method: 'GET' })
  const first = new Promise((resolve) => answer.once('data', resolve))
  go()
  assert.equal(String(await first), 'data: 1\n\n')
  answer.destroy()
})

test('a client that goes away ends the request at the target, and the other way round', async () => {
  const { promise: gone, resolve } = Promise.withResolvers<void>()
  await using at = await rig((incoming, outgoing) => {
    outgoing.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n')
    if (incoming.url === '/cut') setTimeout(() => outgoing.destroy(), 50)
    else outgoing.on('close', resolve)
  })
  const answer = await ask({ port: at.port, method: 'GET' })
  answer.destroy()
  await gone
  const cut = await ask({ port: at.port, method: 'GET', path: '/cut' })
  await assert.rejects(read(cut), { code: 'ECONNRESET' })
})

test('every path and method goes to the origin of the target', async () => {
  await using at = await rig((incoming, outgoing) =>
    outgoing.end(
      `${incoming.method} ${incoming.url} ${incoming.headers['content-length'] ?? '-'} ${incoming.headers['last-event-id'] ?? '-'}`,
    ),
  )
  for (const [method, path, length] of [
    ['GET', '/.well-known/oauth-protected-resource/mcp?a=b', '-'],
    ['DELETE', '/mcp', '-'],
    ['POST', '/token', '0'],
  ] as const) {
    const answer = await ask({
      port: at.port,
      method,
      path,
      headers: ['Host', 'localhost', 'Last-Event-ID', '7', ...(method === 'POST' ? ['Content-Length', '0'] : [])],
    })
    assert.equal(String(await read(answer)), `${method} ${path} ${length} 7`)
  }
})

for (const [name, headers, passes] of [
  ['a loopback name', { host: 'localhost:80' }, true],
  ['a loopback address', { host: '127.8.8.8' }, true],
  ['a loopback origin', { host: '[::1]:80', origin: 'http://localhost:5173' }, true],
  ['an allowed host', { host: 'Tap.Example:80' }, true],
  ['an allowed origin', { host: 'localhost', origin: 'https://app.example' }, true],
  ['a foreign host', { host: 'evil.example' }, false],
  ['a host that only looks like loopback', { host: '127.0.0.1.evil.example' }, false],
  ['a user part', { host: 'localhost@evil.example' }, false],
  ['the wildcard address', { host: '0.0.0.0' }, false],
  ['a foreign origin', { host: 'localhost', origin: 'https://evil.example' }, false],
  ['an opaque origin', { host: 'localhost', origin: 'null' }, false],
  ['an origin with loopback as its user', { host: 'localhost', origin: 'http://localhost@evil.example' }, false],
] as const) {
  test(`${name} ${passes ? 'passes' : 'is refused before anything reaches the target'}`, async () => {
    let reached = 0
    await using at = await rig(
      (_, outgoing) => {
        reached += 1
        outgoing.end()
      },
      { allow: ['tap.example', 'https://app.example'] },
    )
    const answer = await ask({ port: at.port, headers, body: '{}' })
    assert.deepEqual([answer.statusCode, reached], passes ? [200, 1] : [403, 0])
    assert.equal(
      at.facts.some(({ type }) => type === 'refused'),
      !passes,
    )
  })
}

test('an empty Host, two of them, or a whole URL as the path are refused', async () => {
  await using at = await rig((_, outgoing) => outgoing.end())
  assert.match(
    await wire(at.port, 'GET /mcp HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n'),
    /^HTTP\/1\.1 40[03]/,
  )
  assert.match(await wire(at.port, 'GET /mcp HTTP/1.1\r\nHost: \r\nConnection: close\r\n\r\n'), /^HTTP\/1\.1 403/)
  assert.match(
    await wire(at.port, 'GET http://evil.example/mcp HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'),
    /^HTTP\/1\.1 403/,
  )
})

test('a target that is not there is a 502 that nobody takes for JSON-RPC', async () => {
  await using at = await rig((_, outgoing) => outgoing.end())
  at.server.close()
  at.server.closeAllConnections()
  const answer = await ask({ port: at.port, body: '{}' })
  assert.equal(answer.statusCode, 502)
  assert.match(answer.headers['content-type'] ?? '', /^text\/plain/)
})

test('a target that breaks the connection is passed on as a broken connection', async () => {
  await using at = await rig((incoming) => incoming.socket.destroy())
  await assert.rejects(ask({ port: at.port, body: '{}' }), { code: 'ECONNRESET' })
})

test('a slow reader slows the target down', async () => {
  let written = 0
  await using at = await rig((_, outgoing) => {
    const more = () => {
      while (written < 200 && outgoing.write(Buffer.alloc(1_048_576))) written += 1
      if (written < 200) outgoing.once('drain', more)
    }
    more()
  })
  const answer = await ask({ port: at.port, method: 'GET' })
  await new Promise((resolve) => setTimeout(resolve, 700))
  assert.ok(written < 100, `${written} MiB were taken without a reader`)
  answer.destroy()
})
