/** Promises about HTTP facts: header and body are compared as a server must, and no credential is kept. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareHeaders, decodeHeader, type HttpFacts, readHttp } from '../../collectors/jsonrpc/http-facts.ts'
import { createNormaliser } from '../../collectors/jsonrpc/normaliser.ts'
import type { Json, McpEvent } from '../../schemas/event.ts'

const keyedHash = (text: string): string => `#${text.length}`.padEnd(16, '0')
const modern = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28' }
const context = {
  source: 's',
  dialect: 'jsonrpc',
  signal: 'wire',
  vantage: 'gateway',
  transport: 'streamable_http',
  tenant: 'default',
  keyedHash,
} as const

function eventOf(http: HttpFacts, method = 'tools/call', params: Json = { name: 'get_ticket', arguments: {}, _meta: modern }): McpEvent {
  const normaliser = createNormaliser(context)
  return normaliser.message(
    { jsonrpc: '2.0', id: 1, method, params },
    { time: 1n, direction: 'client_to_server', eventId: 'e', http },
  )[0] as McpEvent
}
const complete = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'tools/call', 'Mcp-Name': 'get_ticket' }

const table: readonly (readonly [string, HttpFacts, boolean | undefined, readonly string[] | undefined])[] = [
  ['all agree', complete, false, undefined],
  ['nothing to compare', { Host: 'a.example', path: '/mcp' }, undefined, undefined],
  [
    'names in other cases and with _',
    { mcp_protocol_version: '2026-07-28', 'MCP-METHOD': 'tools/call', mcp_name: ' get_ticket ' },
    false,
    undefined,
  ],
  ['headers apart', { status: 200, headers: complete }, false, undefined],
  ['header lines', { headers: Object.entries(complete) }, false, undefined],
  ['another tool', { ...complete, 'Mcp-Name': 'send_email' }, true, ['header_mismatch:name']],
  ['another method', { ...complete, 'Mcp-Method': 'tools/list' }, true, ['header_mismatch:method']],
  ['another version', { ...complete, 'MCP-Protocol-Version': '2025-11-25' }, true, ['header_mismatch:version']],
  ['the name encoded', { ...complete, 'Mcp-Name': `=?base64?${Buffer.from('get_ticket').toString('base64')}?=` }, false, undefined],
  [
    'another name encoded',
    { ...complete, 'Mcp-Name': `=?base64?${Buffer.from('send_email').toString('base64')}?=` },
    true,
    ['header_mismatch:name'],
  ],
  ['an encoding that is none', { ...complete, 'Mcp-Name': '=?base64?get_ticket' }, true, ['header_mismatch:name']],
  ['two lines that agree', { ...complete, 'Mcp-Name': ['get_ticket', 'get_ticket'] }, false, ['duplicate_header:mcp_name']],
  [
    'two lines, one of another tool',
    { ...complete, 'Mcp-Name': ['get_ticket', 'x'] },
    true,
    ['header_mismatch:name', 'duplicate_header:mcp_name'],
  ],
  ['two spellings of one header', { ...complete, 'mcp-name': 'x' }, true, ['header_mismatch:name', 'duplicate_header:mcp_name']],
  ['lines joined by a proxy', { ...complete, 'Mcp-Method': 'tools/call, tools/list' }, true, ['header_mismatch:method']],
  [
    'a modern request without them',
    { 'MCP-Protocol-Version': '2026-07-28' },
    false,
    ['header_missing:mcp_method', 'header_missing:mcp_name'],
  ],
]
for (const [name, http, mismatch, facts] of table) {
  test(`header and body: ${name}`, () => {
    const event = eventOf(http)
    assert.equal(event.headerMismatch, mismatch)
    assert.deepEqual(
      event.rawFacts?.filter((fact) => fact.includes('header')),
      facts,
    )
  })
}

test('a name that is not ASCII may come encoded or as its bytes', () => {
  for (const header of ['=?base64?aMOkbXRhLcOkcmVuZGU=?=', Buffer.from('hämta-ärende').toString('latin1')]) {
    const event = eventOf({ ...complete, 'Mcp-Name': header }, 'tools/call', { name: 'hämta-ärende', _meta: modern })
    assert.equal(event.headerMismatch, false)
  }
  assert.equal(decodeHeader('=?base64?!!?='), undefined)
})

test('a resource is compared by its URI', () => {
  const http = { ...complete, 'Mcp-Method': 'resources/read', 'Mcp-Name': 'file:///a' }
  assert.equal(eventOf(http, 'resources/read', { uri: 'file:///a', _meta: modern }).headerMismatch, false)
  assert.equal(eventOf(http, 'resources/read', { uri: 'file:///b', _meta: modern }).headerMismatch, true)
})

test('a parameter that the schema copies into a header must be the argument', () => {
  for (const [header, mismatch] of [
    ['eu-west', false],
    ['us-east', true],
  ] as const) {
    const normaliser = createNormaliser(context)
    const schema = { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, __proto__: null } }
    normaliser.message(
      { jsonrpc: '2.0', id: 1, result: { tools: [{ name: 'get_ticket', inputSchema: schema }] } },
      { time: 1n, direction: 'server_to_client', eventId: 'a' },
    )
    const params = { name: 'get_ticket', arguments: { region: 'eu-west' }, _meta: modern }
    const http = { ...complete, 'Mcp-Param-Region': header }
    const [event] = normaliser.message(
      { jsonrpc: '2.0', id: 2, method: 'tools/call', params },
      { time: 2n, direction: 'client_to_server', eventId: 'b', http },
    )
    assert.equal(event?.headerMismatch, mismatch)
    assert.ok(!JSON.stringify(event?.http).includes(header), 'the copy of the argument is not kept')
  }
})

test('credentials and session ids are hashes, the rest is kept in lower case', () => {
  const http = {
    Host: 'a.example',
    Authorization: 'Bearer SECRET-TOKEN',
    Cookie: 'SECRET',
    'X-Api-Key': 'SECRET',
    'Set-Cookie': ['SECRET', 'SECRET2'],
    'Mcp-Session-Id': 'SECRET-SESSION',
    'WWW-Authenticate': 'Bearer scope="a"',
    path: '/messages?sessionId=SECRET-SESSION&x=1',
    status: 200,
  }
  const event = eventOf(http, 'tools/list', {})
  assert.ok(!JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? String(value) : value)).includes('SECRET'))
  assert.deepEqual(Object.keys(event.http as object), ['host', 'www_authenticate', 'path', 'status'])
  assert.deepEqual(
    [event.authMethod, event.authTokenHash, event.sessionHash],
    ['bearer', keyedHash('SECRET-TOKEN'), keyedHash('SECRET-SESSION')],
  )
  assert.deepEqual([event.actor, event.era], [`token:${keyedHash('SECRET-TOKEN')}`, 'legacy'])
})

test('a header may be called __proto__', () => {
  const http = JSON.parse('{"__proto__":"x","headers":{"__proto__":"y","constructor":"z"}}') as HttpFacts
  const reading = readHttp(http, keyedHash)
  assert.deepEqual(Object.entries(reading.kept), [
    ['__proto__', ['x', 'y']],
    ['constructor', 'z'],
  ])
  const none = {
    method: 'a',
    named: undefined,
    hasName: false,
    version: undefined,
    isRequest: true,
    arguments: undefined,
    paramHeaders: undefined,
  }
  assert.deepEqual(compareHeaders(reading, none), { mismatch: undefined, facts: [] })
})
