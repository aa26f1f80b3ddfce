/** What the API answers about a stored story: lists, pages, alerts with their explanation, timelines, inventory. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { fillPlaybook } from '../../api/routes/playbook.ts'
import { external, rfc3339 } from '../../schemas/semconv.ts'
import { bearer, openApi } from './open.ts'
import { sampleAlert, until } from './sample.ts'
import { after_, before_, detector, events, feedStory, foreign, hostile, timeOf } from './stored-story.ts'

let open: Awaited<ReturnType<typeof openApi>>
before(async () => {
  open = await openApi({ detectors: [detector] })
  await feedStory(open)
})
after(() => open[Symbol.asyncDispose]())

async function pages(url: string): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = []
  let cursor = ''
  for (let page = 0; page < 200; page += 1) {
    const { status, body } = await open.get(`${url}${cursor}`)
    assert.equal(status, 200, JSON.stringify(body))
    all.push(...body.items)
    if (body.next_cursor === undefined) return all
    assert.ok(body.items.length > 0, 'an empty page that promises more')
    cursor = `&cursor=${body.next_cursor}`
  }
  return assert.fail('pages without end')
}

test('pages of any size, put together, are the whole: nothing twice, nothing left out, newest first', async () => {
  const cases = [
    { url: '/v1/alerts', id: 'alert_id', count: 23 },
    { url: '/v1/alerts?severity=low,high', id: 'alert_id', count: 15 },
    { url: '/v1/events', id: 'lapwing.event.id', count: 59 },
    { url: '/v1/events?actor=bob@laptop', id: 'lapwing.event.id', count: 29 },
  ]
  for (const { url, id, count } of cases) {
    const join = url.includes('?') ? '&' : '?'
    const whole = (await pages(`${url}${join}limit=1000`)).map((item) => `${item.time} ${item[id]}`)
    assert.equal(whole.length, count, url)
    assert.deepEqual(whole, whole.toSorted().reverse(), url)
    for (const limit of [Math.ceil(count / 5), count]) {
      const found = (await pages(`${url}${join}limit=${limit}`)).map((item) => `${item.time} ${item[id]}`)
      assert.deepEqual(found, whole, `${url} by ${limit}`)
    }
  }
  const timeline = (await pages('/v1/threads/thread-1?limit=1000')) as { event: Record<string, unknown> }[]
  for (const limit of [7, 20]) assert.deepEqual(await pages(`/v1/threads/thread-1?limit=${limit}`), timeline)
  assert.deepEqual(
    timeline.map(({ event }) => event['lapwing.event.id']),
    events.slice(0, 20).map(({ eventId }) => eventId),
  )
})

test('an event comes back as it went in, under its external names', async () => {
  const { body } = await open.get('/v1/events/event-003')
  const { 'lapwing.time.ingested': _, ...shown } = body
  assert.deepEqual(shown, JSON.parse(JSON.stringify(external(events[3] ?? assert.fail()))))
  assert.equal(body.time, rfc3339(timeOf(3)))
})

test('hostile text comes back exactly, as inert JSON', async () => {
  for (const url of ['/v1/events/event-003', '/v1/alerts/alert-000', '/v1/threads/thread-1', '/v1/servers/srv_1/tools']) {
    const answer = await open.api.inject({ url, headers: bearer })
    assert.match(String(answer.headers['content-type']), /^application\/json/)
    assert.equal(answer.headers['x-content-type-options'], 'nosniff')
    assert.ok(JSON.stringify(answer.json()).includes(JSON.stringify(hostile).slice(1, -1)), url)
  }
  assert.equal(({} as { polluted?: boolean }).polluted, undefined)
})

test('filters narrow, and none is read as SQL', async () => {
  const count = async (url: string) => (await pages(url)).length
  assert.equal(await count('/v1/alerts?severity=critical'), 0)
  assert.equal(await count('/v1/alerts?detector=tool-definition-changed&server=files&actor=ana@laptop'), 23)
  assert.equal(await count('/v1/alerts?server=srv_1'), 23)
  assert.equal(await count(`/v1/alerts?since=${rfc3339(timeOf(20))}`), 3)
  assert.equal(await count(`/v1/alerts?until=${rfc3339(timeOf(20))}`), 20)
  assert.equal(await count('/v1/alerts?since=2026-01-01T01:00:00%2B01:00'), 23)
  assert.equal(await count('/v1/events?method=tools/list'), 2)
  assert.equal(await count('/v1/events?kind=response,call'), 2)
  assert.equal(await count('/v1/events?tool=read_file&thread=thread-1'), 20)
  assert.equal(await count('/v1/events?q=FILE-33'), 1)
  assert.equal(await count('/v1/events?q=drop%20onerror'), 2)
  assert.equal(await count('/v1/events?q=drop%20nowhere'), 0)
  const asked = {
    'ROP tabl': 2,
    '"drop table events"': 2,
    '"table drop"': 0,
    'events "drop table" "onerror=alert(1)"': 2,
    'unclosed "drop': 0,
    '"\'`{{x}}': 2,
  }
  for (const [q, found] of Object.entries(asked)) assert.equal(await count(`/v1/events?q=${encodeURIComponent(q)}`), found, q)
  for (const text of ["' OR 1=1 --", '\\', '{tenant:String}', '\\N', '\u0000', "['a']"]) {
    const value = encodeURIComponent(text)
    const all = (names: string[]) => names.map((name) => `${name}=${value}`)
    for (const filter of all(['server', 'detector'])) assert.equal(await count(`/v1/alerts?${filter}`), 0, text)
    for (const filter of all(['thread', 'kind'])) assert.equal(await count(`/v1/events?${filter}`), 0, text)
    assert.equal((await open.get(`/v1/events?q=${value}`)).status, 200, text)
    assert.equal((await open.get(`/v1/threads/${value}`)).status, 404, text)
  }
})

test('an alert explains itself: events, exact hits, filled playbook, definitions before and after, taint path', async () => {
  const { body } = await open.get('/v1/alerts/alert-000')
  assert.equal(body.hits, 2)
  assert.equal(body.status, 'new')
  assert.deepEqual(
    body.event_list.map((event: Record<string, unknown>) => event['lapwing.event.id']),
    ['event-001', 'event-003'],
  )
  assert.deepEqual(
    body.taint_path.map((event: Record<string, unknown>) => `${event.role} ${event['lapwing.event.id']}`),
    ['source event-002', 'sink event-003'],
  )
  assert.deepEqual(body.definition_diff.before.definition, before_)
  assert.deepEqual(body.definition_diff.after.definition, after_)
  assert.match(body.playbook[0], /^Look at read_file on <img src=x.*: Reads a file\. → \{nothing\} \{constructor\}$/)
  assert.equal(
    ['\n', '\u202e', '\u001b'].some((character) => body.playbook[0].includes(character)),
    false,
  )
  assert.equal(body.thread_id, 'thread-1')
  assert.equal(body.maps.family[0], 'D1')
  const plain = (await open.get('/v1/alerts/alert-001')).body
  assert.equal(plain.hits, 1)
  assert.equal(plain.definition_diff, undefined)
  assert.equal(plain.taint_path, undefined)
})

test('acknowledging is recorded once, however often it is asked', async () => {
  const acknowledge = async (id: string, payload?: object) => {
    const answer = await open.api.inject({
      method: 'POST',
      url: `/v1/alerts/${id}/acknowledge`,
      headers: bearer,
      ...(payload ? { payload } : {}),
    })
    return { status: answer.statusCode, body: answer.json() }
  }
  const first = await acknowledge('alert-001', { by: 'ana', comment: hostile })
  assert.equal(first.status, 200)
  assert.equal(first.body.status, 'acknowledged')
  assert.equal(first.body.acknowledged_by, 'ana')
  assert.deepEqual((await acknowledge('alert-001', { by: 'bob' })).body, first.body)
  assert.equal((await acknowledge('alert-002')).body.acknowledged_by, 'api-token')
  const { history } = (await open.get('/v1/alerts/alert-001')).body
  assert.equal(history.length, 1)
  assert.deepEqual({ ...history[0], time: '' }, { time: '', who: 'ana', what: 'acknowledged', comment: hostile })
  assert.equal((await pages('/v1/alerts?status=acknowledged')).length, 2)
  assert.equal((await pages('/v1/alerts?status=new')).length, 21)
  assert.equal((await pages('/v1/alerts?limit=9')).filter(({ status }) => status === 'acknowledged').length, 2)
  assert.equal((await acknowledge('none')).status, 404)
  assert.equal((await acknowledge('foreign')).status, 404)
  assert.equal((await acknowledge('alert-003', { by: '' })).status, 400)
})

test('a thread’s timeline says which alerts and signals touch each event', async () => {
  const { body } = await open.get('/v1/threads/thread-1')
  assert.equal(body.events, 20)
  assert.equal(body.alerts.length, 23)
  const moment = body.items[3]
  assert.equal(moment.event['lapwing.event.id'], 'event-003')
  assert.equal(moment.alerts.length, 23)
  assert.deepEqual(moment.signals, [{ detector: 'd', signal: 'odd', family: 'D4', weight: 0.5, summary: hostile }])
  assert.deepEqual(moment.link, { reason: 'session', confidence: 0.85 })
  assert.deepEqual(body.items[4].alerts, ['alert-000'])
  assert.deepEqual(body.items[5].alerts, [])
})

test('another tenant’s rows do not exist, by any way in', async () => {
  for (const url of ['/v1/alerts/foreign', '/v1/events/foreign', '/v1/servers/srv_other/tools']) {
    const { status, body } = await open.get(url)
    const { body: none } = await open.get(url.replace('foreign', 'nobody').replace('srv_other', 'srv_none'))
    assert.equal(status, 404)
    assert.deepEqual(body, none)
  }
  for (const url of ['/v1/alerts?limit=1000', '/v1/events?limit=1000', '/v1/servers', '/v1/sources', '/v1/threads/thread-1']) {
    assert.equal(/foreign|srv_other|mallory/.test(JSON.stringify((await open.get(url)).body)), false, url)
  }
})

test('the inventory: servers with counts, tools with every definition, sources', async () => {
  const { items } = (await open.get('/v1/servers')).body
  assert.equal(items.length, 1)
  const { server_id, alias, events: seen, calls, tools, alerts: raised } = items[0]
  assert.deepEqual(
    { server_id, alias, seen, calls, tools, raised },
    { server_id: 'srv_1', alias: 'files', seen: 59, calls: 57, tools: 1, raised: 23 },
  )
  const offered = (await open.get('/v1/servers/srv_1/tools')).body.items
  assert.equal(offered.length, 1)
  assert.equal(offered[0].versions, 2)
  assert.deepEqual(
    offered[0].history.map(({ definition }: { definition: unknown }) => definition),
    [before_, after_],
  )
  assert.deepEqual(offered[0].current.definition, after_)
  const sources = (await open.get('/v1/sources')).body.items
  assert.deepEqual([sources.length, sources[0].source, sources[0].events], [1, 'tap', 59])
})

test('detectors are shown with what they need and how to set them', async () => {
  const [shown] = (await open.get('/v1/detectors')).body.items
  assert.deepEqual(shown.needs, ['lapwing.result', 'gen_ai.tool.name'])
  assert.equal(shown.settings.properties.most.default, 3)
  assert.deepEqual(shown.examples, { fire: 0, quiet: 1 })
})

test('every named query answers with rows of its own shape', async () => {
  const listed = (await open.get('/v1/queries')).body.items as { name: string; params: { required?: string[] } }[]
  for (const { name, params } of listed) {
    const needed = (params.required ?? []).map(
      (key) => `${key}=${key === 'thread_id' ? 'thread-1' : key === 'server' ? 'srv_1' : 'alert-000'}`,
    )
    const { status, body } = await open.get(`/v1/queries/${name}?${needed.join('&')}`)
    assert.equal(status, 200, `${name} ${JSON.stringify(body)}`)
    assert.ok(Array.isArray(body.items), name)
  }
})

test('the questions of the dashboards are answered with exact numbers', async () => {
  const cases = [
    ['alerts-by-severity', { severity: 'high', alerts: 7, open: 6 }],
    ['alerts-by-detector', { detector: 'tool-definition-changed', alerts: 23, worst: 'high' }],
    ['alerts-by-family', { family: 'D1', alerts: 23 }],
    ['alerts-over-time', { at: '2026-01-01T00:00:00Z', severity: 'high', alerts: 7 }],
    ['events-over-time', { at: '2026-01-01T00:00:00Z', events: 59, calls: 57, failures: 0 }],
    ['calls-by-tool', { server_id: 'srv_1', alias: 'files', tool: 'read_file', calls: 57, actors: 2 }],
    ['actors', { actor: 'ana@laptop', events: 30 }],
    ['secrets-seen', { kind: 'github-token', events: 57, different: 1 }],
    ['signals-by-family', { family: 'D4', signal: 'odd', signals: 1, threads: 1 }],
    ['tool-changes', { server_id: 'srv_1', tool: 'read_file', versions: 2 }],
  ] as const
  for (const [name, expected] of cases) {
    const [first] = (await open.get(`/v1/queries/${name}`)).body.items
    assert.deepEqual({ ...first, ...expected }, first, name)
    assert.deepEqual((await open.get(`/v1/queries/${name}?until=2025-01-01T00:00:00Z`)).body.items, [], name)
  }
})

test('what could not be sent is shown with its reason, and sent again when asked', async () => {
  const status = async () => (await open.get('/v1/outputs')).body.items[0]
  await open.feed({ type: 'alert', alert: sampleAlert({ ...foreign, alertId: 'worst', severity: 'critical' }) })
  await until(async () => (await status()).dead === 1)
  const { name, pending, delivered, dead_letters } = await status()
  assert.deepEqual({ name, pending, delivered }, { name: 'hook', pending: 0, delivered: 0 })
  assert.equal(dead_letters[0].reason, 'status 400')
  open.refusing.refuse = false
  const replay = (output: string) => open.api.inject({ method: 'POST', url: `/v1/outputs/${output}/replay`, headers: bearer })
  assert.equal((await replay('none')).statusCode, 404)
  assert.deepEqual((await replay('hook')).json(), { replayed: 1 })
  await until(async () => (await status()).delivered === 1)
})

test('a playbook takes values as text and never as more steps', () => {
  const filled = fillPlaybook(['{a} {b} {toString} {{a}} {'], { a: ['x', '{b}'], b: 'long '.repeat(100) }, { tool: 't' })
  assert.equal(filled.length, 1)
  assert.ok(filled[0]?.startsWith('x, {b} long long'))
  assert.ok(filled[0]?.endsWith('… {toString} {x, {b}} {'))
})
