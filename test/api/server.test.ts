/** Who gets in: every route the server has, against every way to ask; and what every answer carries. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createAuth, openToken } from '../../api/auth.ts'
import { hostAccepted } from '../../api/guard.ts'
import { loadQueries } from '../../api/queries/catalog.ts'
import { bearer, openApi, token } from './open.ts'

let open: Awaited<ReturnType<typeof openApi>>
let pageDir: string
before(async () => {
  pageDir = mkdtempSync(join(tmpdir(), 'lapwing-page-'))
  writeFileSync(join(pageDir, 'index.html'), '<!doctype html><title>Lapwing</title>')
  open = await openApi({ pageDir })
})
after(async () => {
  await open[Symbol.asyncDispose]()
  rmSync(pageDir, { recursive: true, force: true })
})

const host = '127.0.0.1:7878'
const openapiFile = join(import.meta.dirname, '../../api/openapi.json')
const openPaths = new Set([
  'POST /v1/session',
  'GET /livez',
  'GET /readyz',
  'GET /',
  'GET /index.html',
  'HEAD /',
  'HEAD /index.html',
  'HEAD /livez',
  'HEAD /readyz',
])

/** From the running server, not from a list: a new route is in the matrix the moment it exists. */
function routes(): { method: 'GET' | 'HEAD' | 'POST' | 'DELETE'; url: string }[] {
  const found = open.api.printRoutes({ commonPrefix: false, includeHooks: false }).split('\n')
  const path: string[] = []
  return found.flatMap((line) => {
    const match = /^((?:[│ ] {3})*)[├└]── (\S*)(?: \((.+)\))?/.exec(line)
    if (!match) return []
    const depth = (match[1] ?? '').length / 4
    path.length = depth
    path.push(match[2] ?? '')
    const url = path.join('').replace(/:\w+/g, 'x').replace('*', 'x')
    return (match[3] ?? '')
      .split(', ')
      .filter(Boolean)
      .map((method) => ({ method: method as 'GET', url }))
  })
}

test('knows its own routes', () => {
  const urls = routes().map(({ method, url }) => `${method} ${url}`)
  for (const url of [
    'GET /v1/alerts',
    'GET /v1/alerts/x',
    'POST /v1/alerts/x/acknowledge',
    'GET /v1/events',
    'GET /v1/threads/x',
    'GET /v1/servers/x/tools',
  ]) {
    assert.ok(urls.includes(url), `${url} in ${urls.join('\n')}`)
  }
  for (const url of ['GET /metrics', 'GET /docs', 'GET /docs/json', 'GET /v1/queries/x', 'DELETE /v1/session', ...openPaths])
    assert.ok(urls.includes(url), url)
})

test('without proof nothing is answered but what is open', async () => {
  const proofs = [
    {},
    { authorization: 'Bearer wrong' },
    { authorization: `Basic ${token}` },
    { authorization: token },
    { authorization: `Bearer ${token}x` },
    { authorization: 'Bearer ' },
    { cookie: 'lapwing_session=wrong' },
    { cookie: `lapwing_session=${token}` },
  ]
  for (const { method, url } of routes()) {
    for (const proof of proofs) {
      const answer = await open.api.inject({ method, url, headers: { host, ...proof } })
      if (openPaths.has(`${method} ${url}`)) assert.notEqual(answer.statusCode, 403, `${method} ${url}`)
      else assert.equal(answer.statusCode, 401, `${method} ${url} ${JSON.stringify(proof)}`)
    }
  }
  assert.equal((await open.api.inject({ url: '/no/such/page', headers: { host } })).statusCode, 401)
})

test('with the token every route is reached', async () => {
  for (const { method, url } of routes()) {
    const answer = await open.api.inject({ method, url, headers: bearer })
    assert.ok(![401, 403, 421, 500, 503].includes(answer.statusCode), `${method} ${url} ${answer.statusCode} ${answer.body.slice(0, 300)}`)
  }
})

test('a foreign Host is refused on every route: a name that was made to resolve to us', async () => {
  const names = [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '0.0.0.0',
    '[::]',
    'lapwing.example.evil',
    'x@127.0.0.1',
  ]
  for (const { method, url } of routes()) {
    for (const name of names) {
      const answer = await open.api.inject({ method, url, headers: { ...bearer, host: name } })
      assert.equal(answer.statusCode, 421, `${method} ${url} ${name}`)
    }
  }
  for (const name of ['localhost', 'LOCALHOST:1', '127.0.0.1', '127.8.8.8:80', '[::1]:7878', 'lapwing.example', 'Lapwing.Example:443']) {
    assert.equal(hostAccepted(name, ['lapwing.example']), true, name)
  }
})

test('a foreign Origin is refused on every route, with any proof', async () => {
  const foreign = [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://127.0.0.1:9999' },
    { origin: 'http://127.0.0.1:7878.evil.example' },
    { origin: 'file://127.0.0.1:7878' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ]
  for (const { method, url } of routes()) {
    for (const headers of foreign) {
      const answer = await open.api.inject({ method, url, headers: { ...bearer, ...headers } })
      assert.equal(answer.statusCode, 403, `${method} ${url} ${JSON.stringify(headers)}`)
    }
  }
  const link = { host, 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }
  assert.equal((await open.api.inject({ url: '/', headers: link })).statusCode, 200)
  assert.equal((await open.api.inject({ url: '/v1/alerts', headers: { ...bearer, ...link } })).statusCode, 403)
})

async function login(): Promise<string> {
  const answer = await open.api.inject({ method: 'POST', url: '/v1/session', headers: { host }, payload: { token } })
  assert.equal(answer.statusCode, 204)
  const set = String(answer.headers['set-cookie'])
  assert.match(set, /HttpOnly/)
  assert.match(set, /SameSite=Strict/)
  assert.equal(set.includes(token), false)
  return set.split(';')[0] ?? ''
}

test('a session reads, changes only with the browser’s word on its origin, and ends at logout', async () => {
  const cookie = await login()
  const ask = (method: 'GET' | 'POST' | 'DELETE', url: string, headers = {}) =>
    open.api.inject({ method, url, headers: { host, cookie, ...headers } })
  assert.equal((await ask('GET', '/v1/alerts')).statusCode, 200)
  assert.equal((await ask('POST', '/v1/alerts/x/acknowledge')).statusCode, 403)
  assert.equal((await ask('POST', '/v1/alerts/x/acknowledge', { origin: `http://${host}` })).statusCode, 404)
  assert.equal((await ask('POST', '/v1/alerts/x/acknowledge', { 'sec-fetch-site': 'same-origin' })).statusCode, 404)
  assert.equal((await ask('GET', '/v1/alerts', { authorization: 'Bearer wrong' })).statusCode, 401)
  assert.equal((await ask('DELETE', '/v1/session', { origin: `http://${host}` })).statusCode, 204)
  assert.equal((await ask('GET', '/v1/alerts')).statusCode, 401)
  const wrong = await open.api.inject({ method: 'POST', url: '/v1/session', headers: { host }, payload: { token: 'wrong' } })
  assert.equal(wrong.statusCode, 401)
  assert.equal(wrong.headers['set-cookie'], undefined)
})

test('sessions expire, and the oldest ends when there are too many', () => {
  let clock = 0
  const auth = createAuth(token, () => clock)
  const first = auth.startSession(token)
  assert.ok(auth.identify(undefined, first))
  for (let index = 0; index < 1_000; index += 1) auth.startSession(token)
  assert.equal(auth.identify(undefined, first), undefined)
  const last = auth.startSession(token)
  clock = 12 * 3_600_000 + 1
  assert.equal(auth.identify(undefined, last), undefined)
})

test('the token is made once, long, and readable by its owner alone', () => {
  const dir = join(pageDir, 'data')
  const made = openToken(dir)
  assert.equal(openToken(dir), made)
  assert.ok(made.length >= 43)
  assert.equal(statSync(join(dir, 'api-token')).mode & 0o777, 0o600)
})

test('every answer, good or bad, forbids scripts of others, sniffing, framing and keeping', async () => {
  for (const [url, headers] of [
    ['/', { host }],
    ['/v1/alerts', bearer],
    ['/v1/alerts', { host }],
    ['/x', bearer],
    ['/v1/alerts', { host: 'evil' }],
    ['/docs', bearer],
  ] as const) {
    const answer = await open.api.inject({ url, headers })
    const policy = String(answer.headers['content-security-policy'])
    for (const part of ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'"])
      assert.ok(policy.includes(part), url)
    assert.equal(policy.includes('require-trusted-types-for'), url !== '/docs')
    assert.equal(/script-src[^;]*unsafe/.test(policy), false)
    assert.equal(answer.headers['x-content-type-options'], 'nosniff')
    assert.equal(answer.headers['cache-control'], 'no-store')
    assert.equal(answer.headers['access-control-allow-origin'], undefined)
  }
})

test('errors are problems (RFC 9457), and bad parameters say which', async () => {
  const cases = [
    ['/v1/alerts?limit=0', 400],
    ['/v1/alerts?limit=100000', 400],
    ['/v1/alerts?severity=loud', 400],
    ['/v1/alerts?since=yesterday', 400],
    ['/v1/alerts?since=2026-01-01', 400],
    ['/v1/alerts?cursor=%00', 400],
    ['/v1/alerts?cursor=WyJ4IiwieSJd', 400],
    [`/v1/alerts?actor=${'a'.repeat(301)}`, 400],
    ['/v1/alerts?actor=a&actor=b', 400],
    ['/v1/alerts/none', 404],
    ['/v1/events/none', 404],
    ['/v1/threads/none', 404],
    ['/v1/servers/none/tools', 404],
    ['/v1/dashboards/none', 404],
    ['/v1/queries/none', 404],
    ['/v1/queries/__proto__', 404],
    ['/v1/queries/alerts?tenant=other', 400],
    ['/v1/queries/alerts?limit=x', 400],
    ['/nothing', 404],
    [`/v1/alerts/${'a'.repeat(200)}`, 400],
    [`/v1/alerts/${'a'.repeat(400)}`, 414],
    ['/v1/alerts/%zz', 400],
  ] as const
  for (const [url, status] of cases) {
    const answer = await open.api.inject({ url, headers: bearer })
    assert.equal(answer.statusCode, status, `${url} ${answer.body}`)
    assert.match(String(answer.headers['content-type']), /^application\/problem\+json/, url)
    assert.equal(answer.json().status, status)
    assert.equal(typeof answer.json().title, 'string')
  }
  const large = await open.api.inject({
    method: 'POST',
    url: '/v1/session',
    headers: { host, 'content-type': 'application/json' },
    payload: `"${'x'.repeat(70_000)}"`,
  })
  assert.equal(large.statusCode, 413)
  const odd = await open.api.inject({ method: 'POST', url: '/v1/session', headers: { host, 'content-type': 'text/xml' }, payload: '<x/>' })
  assert.equal(odd.statusCode, 415)
})

test('no query reads without its tenant, and no caller can name one', async () => {
  const queries = await loadQueries()
  assert.ok(queries.size > 10)
  for (const query of queries.values()) {
    assert.equal(Object.hasOwn(query.params.shape, 'tenant'), false, query.name)
    const selects = query.sql.match(/\bFROM (events|alerts|alert_hits|alert_events|signals|thread_links|definitions|sources)\b/g) ?? []
    const bound = query.sql.match(/\{tenant:String\}/g) ?? []
    assert.ok(bound.length >= Math.max(selects.length, 1), `${query.name}: ${selects.length} reads, ${bound.length} bound`)
  }
})

test('describes itself as OpenAPI 3.1, as api/openapi.json has it', async () => {
  const document = (await open.api.inject({ url: '/docs/json', headers: bearer })).json()
  if (process.env['UPDATE'] === 'openapi') writeFileSync(openapiFile, `${JSON.stringify(document, null, 2)}\n`)
  assert.deepEqual(document, JSON.parse(readFileSync(openapiFile, 'utf8')), 'run with UPDATE=openapi and look at the difference')
  assert.match(document.openapi, /^3\.1/)
  for (const path of [
    '/v1/alerts',
    '/v1/alerts/{id}',
    '/v1/alerts/{id}/acknowledge',
    '/v1/events',
    '/v1/threads/{id}',
    '/v1/servers',
    '/metrics',
  ]) {
    assert.ok(document.paths[path], path)
  }
  const references = JSON.stringify(document).match(/"#\/components\/schemas\/[^"]+"/g) ?? []
  for (const reference of new Set(references)) {
    assert.ok(document.components.schemas[JSON.parse(reference).split('/').at(-1)], reference)
  }
  assert.match((await open.api.inject({ url: '/docs/', headers: bearer })).body, /swagger-ui/)
})

test('says how the pipeline is, and nothing secret in its log', async () => {
  assert.deepEqual((await open.get('/v1/health')).body, { lag: { store: 0 } })
  const metrics = await open.api.inject({ url: '/metrics', headers: bearer })
  assert.equal(metrics.body, 'lapwing_up 1\n')
  assert.match(String(metrics.headers['content-type']), /^text\/plain/)
  assert.deepEqual((await open.get('/readyz')).body, { status: 'ok' })
  assert.equal(open.lines.join('').includes(token), false)
})
