/** What no stage could take is kept whole with its reason, can be looked at safely, and goes back once the cause is gone. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { deadLetter, deadLetters } from '../../api/dead-letters.ts'
import { originalOf, replayHeader } from '../../collectors/bus/dead-letters.ts'
import { openLog } from '../../collectors/bus/log.ts'
import { openKeys } from '../../collectors/keys.ts'
import type { Rec, Topic } from '../../schemas/bus.ts'
import { encodeFact, encodeVerdict } from '../../schemas/codec.ts'
import { hashId } from '../../schemas/ids.ts'
import { ask, eventOf, recordOf, verdictsOf } from '../api/store/store-tools.ts'
import { healthOf, startProduct } from '../faults/product.ts'
import { openProduct, type Ran, runVerb } from './dead-product.ts'
import { linesOf } from './run.ts'

let product: Awaited<ReturnType<typeof openProduct>>
before(async () => {
  product = await openProduct()
})
after(() => product[Symbol.asyncDispose]())

const json = (ran: Ran) => linesOf({ ...ran, stdout: ran.text }) as Record<string, string>[]
const stored = async (eventId: string): Promise<number> => {
  const rows = await ask<{ n: number }>(product.store, 'SELECT count() AS n FROM events WHERE `lapwing.event.id` = {id:String}', {
    id: eventId,
  })
  return rows[0]?.n ?? -1
}
/** ESC, NUL, right-to-left override: what a terminal must not get. */
const hostile = '\u001b[2J\u0000\u202e'
const fact = {
  fact: 'f',
  scope: 'server',
  key: 'k',
  body: null,
  tenant: 'default',
  time: 1n,
  eventId: 'e',
  actor: 'a',
  actorSource: 's',
  serverKey: 'srv',
  threadId: 't',
}

/** Names the log in the id of a letter: its offsets mean nothing in another. */
const logOf = ({ id }: { id?: string }): string => hashId('log', id ?? '').slice(0, 8)

test('of a record that no stage can read, everything is kept, and its neighbours arrive', async () => {
  const poison = Buffer.concat([Buffer.from('{"no event'), Buffer.from([0xff, 0x00, 0x1b, 0x0a])])
  const neighbours = [eventOf(1, { actor: 'a' }), eventOf(2, { actor: 'a' })] as const
  const whole: Record<string, { key: string; bytes: Uint8Array }> = {
    'mcp.spans': recordOf(neighbours[0]),
    'mcp.events': recordOf(neighbours[1]),
    'mcp.facts': { key: 'a', bytes: encodeFact({ ...fact, factId: 'x', scope: 'server' }) },
    'mcp.alerts': { key: 'a', bytes: encodeVerdict(verdictsOf(3)[0] as never) },
  }
  const headers = { origin: hostile, ['__proto__']: 'own' }
  const key = `a${hostile}`
  const ids: string[] = []
  for (const [topic, record] of Object.entries(whole)) {
    const around = { ...record, key }
    const [, where] = await product.bus.publish(topic as Topic, [around, { key, bytes: poison, headers }, around])
    ids.push(`${topic}:${where?.partition}:${where?.offset}:${logOf(product.bus)}`)
  }
  await product.settled()
  const letters = new Map(json(await product.dead('list', '--json')).map((letter) => [letter['id'] ?? '', letter]))
  assert.deepEqual([...letters.keys()].sort(), ids.toSorted(), 'one letter each, also where two stages refused it')
  for (const id of ids) {
    const { topic, partition, offset, reason, size } = letters.get(id) ?? {}
    assert.deepEqual([`${topic}:${partition}:${offset}:${logOf(product.bus)}`, reason], [id, 'RECORD_INVALID'])
    assert.ok(Number(size) > poison.length + key.length)
    const shown = await product.dead('show', id)
    assert.equal(shown.code, 0, shown.stderr)
    assert.match(shown.text, /reason +RECORD_INVALID/)
    assert.match(shown.text, /key +a\\u001b\[2J\\u0000\\u202e/)
    assert.match(shown.text, /header +origin: \\u001b/)
    assert.match(shown.text, /header +__proto__: own/)
    assert.match(shown.text, /00000000 {2}7b 22 6e 6f .* \{"no event/)
    assert.doesNotMatch(shown.text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u, 'nothing a terminal would act on')
  }
  const [id = ''] = ids
  assert.deepEqual((await product.dead('show', id, '--raw')).stdout, poison)
  const shown = json(await product.dead('show', id, '--json'))[0]
  assert.deepEqual(Buffer.from(shown?.['base64'] ?? '', 'base64'), poison)
  for (const { eventId } of neighbours) assert.equal(await stored(eventId), 1)
  assert.equal(product.seen.filter(({ topic, record }) => topic === 'mcp.alerts' && !record.bytes.includes(0xff)).length > 1, true)
})

test('what the store refused goes back once the cause is gone, and is stored once however often it is put back', async () => {
  const { client } = product.store
  await client.command({ query: "ALTER TABLE events ADD CONSTRAINT calm CHECK `gen_ai.tool.name` != 'poison'" })
  const poison = eventOf(10, { actor: 'b', toolName: 'poison', arguments: { note: `kept ${hostile}` } })
  const neighbours = [9, 11].map((number) => eventOf(number, { actor: 'b' }))
  const headers = { 'x-source': 'test' }
  const record = { ...recordOf(poison), headers }
  await product.bus.publish('mcp.events', [recordOf(neighbours[0] as never), record, recordOf(neighbours[1] as never)])
  await product.settled()
  for (const { eventId } of neighbours) assert.equal(await stored(eventId), 1)
  assert.equal(await stored(poison.eventId), 0)
  const [letter, ...more] = json(await product.dead('list', '--json', '--reason', 'STORE_REFUSED'))
  assert.deepEqual([letter?.['topic'], more.length], ['mcp.events', 0])
  const shown = await product.dead('show', String(letter?.['id']))
  assert.match(shown.text, /"toolName": "poison"/)
  assert.doesNotMatch(shown.text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}]/u)

  await client.command({ query: 'ALTER TABLE events DROP CONSTRAINT calm' })
  const dry = await product.dead('replay', '--reason', 'STORE_REFUSED', '--dry-run')
  await product.settled()
  assert.match(dry.text, /would replay[\s\S]*1 would replay/)
  assert.equal(await stored(poison.eventId), 0, 'a dry run publishes nothing')
  for (const args of [['--reason', 'STORE_REFUSED'], [String(letter?.['id'])]]) {
    const ran = await product.dead('replay', ...args)
    assert.equal(ran.code, 0, ran.stderr)
    assert.match(ran.text, /\n1 replayed\n$/)
    await product.settled()
    assert.equal(await stored(poison.eventId), 1)
  }
  const back = product.seen.filter((one) => one.record.headers?.[replayHeader] === letter?.['id'])
  assert.equal(back.length, 2)
  for (const { topic, record: put } of back) {
    assert.deepEqual([topic, put.key, Buffer.from(put.bytes)], ['mcp.events', record.key, Buffer.from(record.bytes)])
    assert.deepEqual(put.headers, { ...headers, [replayHeader]: letter?.['id'] })
  }
})

test('a letter whose cause is still there comes back as another letter that names the first', async () => {
  const [first] = json(await product.dead('list', '--json', '--topic', 'mcp.facts'))
  const ran = await product.dead('replay', String(first?.['id']), '--json')
  assert.equal(json(ran)[0]?.['outcome'], 'replayed')
  await product.settled()
  const [second, same] = json(await product.dead('list', '--json', '--topic', 'mcp.facts'))
  assert.equal(same?.['id'], first?.['id'])
  const shown = json(await product.dead('show', String(second?.['id']), '--json'))[0] as unknown as { headers: Record<string, string> }
  assert.equal(shown.headers[replayHeader], first?.['id'])
})

test('a page at a time, a list is whole and newest first', async () => {
  const bytes = Buffer.from('not an event')
  const many = Array.from({ length: 12 }, (_, n) => ({ key: `page ${n}`, bytes }))
  await product.bus.publish('mcp.events', many)
  await product.settled()
  const all = json(await product.dead('list', '--json', '--topic', 'mcp.events')).map(({ id }) => id)
  assert.ok(all.length >= 12)
  const paged: string[] = []
  for (let cursor = ''; ; ) {
    const answer = await fetch(`${product.url}/v1/dead-letters?topic=mcp.events&limit=5${cursor}`, {
      headers: { authorization: `Bearer ${product.token}` },
    })
    const page = (await answer.json()) as { items: { id: string; at: string; sealed?: string }[]; next_cursor?: string }
    paged.push(...page.items.map(({ id }) => id))
    assert.ok(page.items.every(({ sealed }) => sealed === undefined))
    if (!page.next_cursor) break
    cursor = `&cursor=${page.next_cursor}`
  }
  assert.deepEqual(paged, all)
  assert.equal(json(await product.dead('list', '--json', '--limit', '3')).length, 3)
})

test('what cannot go back is refused with the reason, and its neighbours go', async () => {
  const [good] = json(await product.dead('list', '--json', '--topic', 'mcp.alerts'))
  const letter = (topic: string, offset: number, sealed: string) => ({
    key: 'k',
    bytes: Buffer.from(
      JSON.stringify({ topic, partition: 0, offset: String(offset), reason: 'ODD', detail: '', sealed, at: new Date().toISOString() }),
    ),
  })
  await product.bus.publish('mcp.dead', [
    letter('mcp.events', 900, product.keys.seal(Buffer.from('no frame'))),
    letter('mcp.events', 901, 'v1.AAAA'),
    letter('otlp_spans', 902, product.keys.seal(Buffer.alloc(0))),
  ])
  await product.settled()
  const log = logOf(product.bus)
  const ids = [`mcp.events:0:900:${log}`, `mcp.events:0:901:${log}`, 'mcp.events:0:900', 'not an id', String(good?.['id'])]
  const ran = await product.dead('replay', '--json', ...ids)
  assert.equal(ran.code, 1)
  const outcomes = new Map(json(ran).map(({ id, outcome, detail }) => [id, [outcome, detail]]))
  assert.deepEqual(outcomes.get(ids[0]), ['refused', 'it was damaged in the log: there is no whole record to put back'])
  assert.deepEqual(outcomes.get(ids[1]), ['refused', 'not a sealed record'])
  assert.deepEqual(
    [outcomes.get(ids[2])?.[0], outcomes.get(ids[3])?.[0], outcomes.get(ids[4])?.[0]],
    ['not_found', 'not_found', 'replayed'],
  )
  const damaged = await product.dead('show', ids[0] as string)
  assert.match(damaged.text, /damaged +8 bytes[\s\S]*no frame/)
})

test('says what to do when it cannot work', async () => {
  const empty = mkdtempSync(join(tmpdir(), 'lapwing-dead-empty-'))
  after(() => rmSync(empty, { recursive: true, force: true }))
  const [letter] = json(await product.dead('list', '--json', '--limit', '1'))
  const id = String(letter?.['id'])
  const here = ['--data-dir', product.dir]
  for (const [args, code, expected] of [
    [
      ['list', '--api', 'http://127.0.0.1:1', ...here],
      1,
      /no Lapwing answers at http:\/\/127\.0\.0\.1:1: start it \(lapwing start\), or name another with --api/,
    ],
    [['list', '--api', product.url, '--data-dir', empty], 2, /no API token at .*api-token: name the product’s --data-dir, or give --token/],
    [['list', '--api', product.url, '--token', 'wrong', ...here], 1, /refuses the token/],
    [['list', '--api', product.url, '--since', 'yesterday', ...here], 1, /answers 400: .*since/],
    [
      ['show', id, '--api', product.url, '--token', product.token, '--data-dir', empty],
      2,
      /no key at .*sealing\.key: a letter opens only where/,
    ],
    [['show', 'mcp.events:3:12345', '--api', product.url, ...here], 1, /answers 404: no such dead letter/],
    [['replay', '--api', product.url, ...here], 2, /name letters by their ids, or by --reason/],
  ] as const) {
    const ran = await runVerb(['dead', ...args], empty)
    assert.equal(ran.code, code, `${args.join(' ')}: ${ran.text}${ran.stderr}`)
    assert.match(ran.stderr, expected)
    assert.equal(ran.stderr.trim().split('\n').length, 1, ran.stderr)
  }
})

test('a browser session sees that there are letters, but can neither take nor replay one', async () => {
  const authorization = `Bearer ${product.token}`
  const opened = await fetch(`${product.url}/v1/session`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ token: product.token }),
  })
  const cookie = String(opened.headers.get('set-cookie')).split(';')[0] as string
  const [letter] = json(await product.dead('list', '--json', '--limit', '1'))
  const headers = { cookie, origin: product.url, 'content-type': 'application/json' }
  assert.equal((await fetch(`${product.url}/v1/dead-letters`, { headers })).status, 200)
  assert.equal((await fetch(`${product.url}/v1/dead-letters/${letter?.['id']}`, { headers })).status, 403)
  const body = JSON.stringify({ ids: [letter?.['id']] })
  assert.equal((await fetch(`${product.url}/v1/dead-letters/replay`, { method: 'POST', headers, body })).status, 403)
})

test('sealed bytes are no plaintext', async () => {
  const [row] = await ask<{ sealed: string }>(product.store, "SELECT sealed FROM dead_letters WHERE reason = 'STORE_REFUSED' LIMIT 1")
  assert.doesNotMatch(Buffer.from(row?.sealed.slice(3) ?? '', 'base64').toString('latin1'), /poison/)
  assert.match(Buffer.from(originalOf(product.keys.open(row?.sealed ?? ''))?.bytes ?? []).toString(), /poison/)
})

test('no letter is read without its tenant', () => {
  for (const { sql } of [deadLetters, deadLetter]) assert.match(sql, /WHERE \{tenant:String\} = 'default'/)
})

test('the product itself: a poison message in its log, neighbours stored, the letter shown and put back', {
  timeout: 120_000,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-dead-start-'))
  after(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
  const poison = Buffer.from('\u0000not an event')
  const neighbours: Rec[] = [eventOf(1, { actor: 'a' }), eventOf(2, { actor: 'a' })].map(recordOf)
  {
    await using log = await openLog({ dir: join(dir, 'log'), bytesMax: 256 * 1024 ** 2, seal: openKeys(dir).seal })
    await log.publish('mcp.events', neighbours.toSpliced(1, 0, { key: 'a', bytes: poison, headers: { origin: 'test' } }))
  }
  const running = startProduct(dir)
  try {
    const served = await running.ready
    const where = ['--api', served.api, '--data-dir', dir]
    const dead = async (...args: string[]) => {
      do await sleep(100)
      while (Object.values((await healthOf(served)).lag).some((lag) => lag > 0))
      return runVerb(['dead', ...args, ...where], dir)
    }
    const [letter, ...more] = json(await dead('list', '--json'))
    assert.deepEqual([letter?.['topic'], letter?.['offset'], letter?.['reason'], more.length], ['mcp.events', '1', 'RECORD_INVALID', 0])
    assert.equal((await healthOf(served)).store.events, 2)
    const id = String(letter?.['id'])
    assert.match((await dead('show', id)).text, /header +origin: test\nrecord +13 bytes\n00000000 {2}00 6e 6f 74/)
    assert.match((await dead('replay', '--reason', 'RECORD_INVALID')).text, /\n1 replayed\n$/)
    const again = json(await dead('list', '--json'))
    assert.equal(again.length, 2)
    assert.match((await dead('show', String(again[0]?.['id']))).text, new RegExp(`header +lapwing\\.replay: ${id}\n`))
    assert.deepEqual((await dead('show', String(again[0]?.['id']), '--raw')).stdout, poison)
  } finally {
    running.kill('SIGTERM')
    await running.ended
  }
})
