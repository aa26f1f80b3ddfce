/** What the page works out by itself: addresses, whether a detector can fire, grids of time, snippets. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Detector } from '../../dashboards/app/api.ts'
import { type Coverage, ledgerOf } from '../../dashboards/app/ledger.ts'
import { href, routeOf } from '../../dashboards/app/route.ts'
import { chartOf } from '../../dashboards/app/series.ts'
import { type Connection, snippetsOf, unknownWays } from '../../dashboards/app/snippets.ts'

test('any name survives the way into an address and back', () => {
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
  fc.assert(
    fc.property(name, fc.dictionary(fc.constantFrom('tool', 'actor'), name), (id, query) => {
      const route = routeOf(href(['servers', id], query))
      assert.deepEqual([route.path, Object.fromEntries(route.query)], [['servers', id], { ...query }])
    }),
  )
  assert.deepEqual(routeOf('#/servers/%E0%A4%A').path, ['servers', '%E0%A4%A'])
})

const detector = { needs: ['gen_ai.tool.call.result'], reads: ['response', 'signal:x'] } as unknown as Detector
const row = (over: Partial<Coverage>): Coverage => ({
  ...{ source: 's', dialect: 'd', kind: 'response', events: 10, sampling: 1, cut: 0, present: { 'gen_ai.tool.call.result': 10 } },
  ...over,
})

test('a detector can fire only where what it needs arrives', () => {
  const cases: [string, Partial<Coverage>][] = [
    ['able', {}],
    ['blind', { present: { 'gen_ai.tool.call.result': 0 } }],
    ['degraded', { sampling: 0.1 }],
    ['degraded', { cut: 3 }],
    ['degraded', { present: {} }], // not measured is not the same as seen
    ['never seen', { kind: 'request' }],
  ]
  for (const [ability, over] of cases) assert.equal(ledgerOf(detector, [row(over)])[0]?.ability, ability, JSON.stringify(over))
  assert.deepEqual(
    ledgerOf(detector, [row({}), row({ source: 't', present: { 'gen_ai.tool.call.result': 0 } })]).map(({ source, ability }) => [
      source,
      ability,
    ]),
    [
      ['s', 'able'],
      ['t', 'blind'],
    ],
  )
  assert.deepEqual(ledgerOf(detector, []), [])
})

test('a series stands on an even grid, with zero where nothing happened', () => {
  const panel = {
    ...{ id: 'p', title: 'T', about: '', query: 'q', ranged: true, unit: 'u', kind: 'series' as const },
    at: 'at',
    values: ['n'],
    by: 'severity',
  }
  const rows = [
    { at: '2026-01-01T00:00:00Z', severity: 'high', n: 2 },
    { at: '2026-01-01T00:03:00Z', severity: 'low', n: 1 },
    { at: '2026-01-01T00:03:00Z', severity: 'high', n: 4 },
  ]
  const { seconds, lines } = chartOf(panel, rows, 60)
  assert.equal(seconds.length, 4)
  assert.deepEqual(
    lines.map(({ name, values }) => [name, values]),
    [
      ['low', [0, 0, 0, 1]],
      ['high', [2, 0, 0, 4]],
    ],
  )
  const far = chartOf(panel, [{ at: '1990-01-01T00:00:00Z', severity: 'high', n: 1 }, ...rows], 60)
  assert.ok(far.seconds.length <= 500, 'one odd time does not make a grid of millions')
})

test('each way to connect has a snippet with our own paths, and knows its first event', () => {
  const ways = { command: ['/opt/my node/bin/node', '/opt/lapwing/main.ts'], otlpHttp: 'http://127.0.0.1:14318' }
  const [stdio, http, otlp, collector] = snippetsOf(ways)
  const { mcpServers } = JSON.parse(stdio?.text ?? '') as { mcpServers: { files: { command: string; args: string[] } } }
  assert.equal(mcpServers.files.command, ways.command[0])
  assert.deepEqual(mcpServers.files.args.slice(0, 6), ['/opt/lapwing/main.ts', 'tap', 'stdio', '--server', 'files', '--'])
  assert.match(http?.text ?? '', /^'\/opt\/my node\/bin\/node' \/opt\/lapwing\/main\.ts tap http/)
  for (const snippet of [otlp, collector]) assert.ok(snippet?.text.includes(ways.otlpHttp))
  const from = (over: Partial<Connection>): Connection => ({
    ...{ source: 's', dialect: 'lapwing-tap', signal: 'wire', transport: 'stdio', events: 1, oldest: '', newest: '' },
    ...over,
  })
  const green = (connection: Connection) => snippetsOf(unknownWays).flatMap(({ id, came }) => (came(connection) ? [id] : []))
  assert.deepEqual(green(from({})), ['stdio'])
  assert.deepEqual(green(from({ transport: 'streamable_http' })), ['http'])
  assert.deepEqual(green(from({ dialect: 'openllmetry', signal: 'span' })), ['otlp', 'collector'])
  assert.deepEqual(green(from({ dialect: 'jsonrpc', signal: 'file' })), [])
})
