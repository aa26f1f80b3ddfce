/** Official clients of both generations work through the taps as without them, and what they did is told. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport as LegacyStdio } from '@modelcontextprotocol/sdk/client/stdio.js'
import { StreamableHTTPClientTransport as LegacyHttp } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { McpEvent } from '../../../schemas/event.ts'
import { startHttpTap } from '../../fixtures/http-tap-process.ts'
import { openModernServer, openSessionServer } from '../../fixtures/mcp-server.ts'
import { openSink } from '../../fixtures/otlp-sink.ts'

const cli = join(import.meta.dirname, '../../fixtures/tap-cli.ts')
const everything = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js')
const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-test-'))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}
const info = { name: 'tester', version: '1.0.0' }
const echo = { name: 'echo', arguments: { message: 'hello' } }
const httpOf = (
  event: McpEvent | undefined,
): { [name: string]: unknown; mcp_name?: string; status?: number; method?: string; origin?: string; www_authenticate?: string } =>
  Object(event?.http)
const answered = (events: readonly McpEvent[], tool: string) => events.find((event) => event.kind === 'response' && event.toolName === tool)
const asked = (events: readonly McpEvent[], tool: string) => events.find((event) => event.kind === 'request' && event.toolName === tool)

const stdioClients = [
  {
    name: 'SDK v2',
    connect: async (args: string[]) => {
      const client = new Client(info)
      await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: 'ignore' }))
      return client
    },
  },
  {
    name: 'SDK v1',
    connect: async (args: string[]) => {
      const client = new LegacyClient(info)
      await client.connect(new LegacyStdio({ command: process.execPath, args, stderr: 'ignore' }))
      return client
    },
  },
] as const

for (const { name, connect } of stdioClients) {
  test(`${name} over stdio gets the same from the everything server with and without the tap`, async () => {
    using data = folder()
    await using sink = await openSink()
    const server = [everything, 'stdio']
    const seen = async (args: string[]) => {
      const client = await connect(args)
      const told = [await client.listTools(), await client.callTool(echo), client.getServerVersion()]
      await client.close()
      return told
    }
    const direct = await seen(server)
    const tapped = await seen([cli, 'stdio', '--endpoint', sink.url, '--data-dir', data.dir, '--', process.execPath, ...server])
    assert.deepEqual(tapped, direct)
    await sink.until((events) => answered(events, 'echo') !== undefined)
    assert.equal(answered(sink.events, 'echo')?.callId, asked(sink.events, 'echo')?.callId)
    assert.equal(asked(sink.events, 'echo')?.clientName, 'tester')
    assert.deepEqual(asked(sink.events, 'echo')?.arguments, { message: 'hello' })
    assert.equal(sink.events.filter(({ kind }) => kind === 'malformed' || kind === 'other').length, 0)
  })
}

test('a modern client over HTTP works through the tap; its headers are facts, its token a hash', async () => {
  using data = folder()
  await using sink = await openSink()
  await using server = await openModernServer()
  await using tap = await startHttpTap(server.url, sink.url, data.dir)
  const client = new Client(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  const headers = { authorization: 'Bearer sesame-sesame', cookie: 'sid=cookie-cookie' }
  await client.connect(new StreamableHTTPClientTransport(new URL(tap.url), { requestInit: { headers } }))
  const answer = await client.callTool({ name: 'add', arguments: { a: 2, b: 3 } })
  assert.deepEqual(answer.content, [{ type: 'text', text: '5' }])
  await client.close()
  await sink.until((events) => answered(events, 'add') !== undefined)
  const request = asked(sink.events, 'add')
  assert.equal(request?.callId, answered(sink.events, 'add')?.callId)
  assert.equal(request?.era, 'modern')
  assert.equal(request?.headerMismatch, false)
  assert.equal(httpOf(request).mcp_name, 'add')
  assert.equal(httpOf(answered(sink.events, 'add')).status, 200)
  assert.match(request?.authTokenHash ?? '', /^[0-9a-f]{16}$/)
  assert.equal(request?.actor, `token:${request?.authTokenHash}`)
  for (const { text } of sink.requests) assert.ok(!/sesame|cookie-cookie/.test(text))
})

test('a legacy session over HTTP works through the tap, with messages of the server on its streams; the session is a hash', async () => {
  using data = folder()
  await using sink = await openSink()
  await using server = await openSessionServer()
  await using tap = await startHttpTap(server.url, sink.url, data.dir, ['--server', 'demo', '--actor', 'ann'])
  const client = new LegacyClient(info)
  const transport = new LegacyHttp(new URL(tap.url))
  await client.connect(transport as never)
  const session = transport.sessionId ?? ''
  const progress: number[] = []
  await client.callTool({ name: 'test_tool_with_progress' }, undefined, { onprogress: (one) => void progress.push(one.progress) })
  assert.deepEqual(progress, [0, 50, 100])
  await transport.terminateSession()
  await client.close()
  const deleted = (event: McpEvent) => event.kind === 'http_request' && httpOf(event).method === 'DELETE'
  await sink.until((events) => events.some(deleted))
  const request = asked(sink.events, 'test_tool_with_progress')
  const response = answered(sink.events, 'test_tool_with_progress')
  assert.equal(request?.callId, response?.callId)
  assert.equal(request?.clientName, 'tester')
  assert.equal(request?.actor, 'ann')
  assert.equal(request?.serverAlias, 'demo')
  assert.match(request?.sessionHash ?? '', /^[0-9a-f]{16}$/)
  assert.equal(sink.events.filter(({ method }) => method === 'notifications/progress').length, 3)
  assert.equal(new Set(sink.events.map(({ eventId }) => eventId)).size, sink.events.length)
  assert.equal(sink.events.filter(({ kind }) => kind === 'malformed').length, 0)
  for (const { text } of sink.requests) assert.ok(!text.includes(session))
})

test('a challenge, a stranger and a target that is away are events', async () => {
  using data = folder()
  await using sink = await openSink()
  await using server = await openModernServer()
  await using tap = await startHttpTap(server.url, sink.url, data.dir)
  const { origin } = new URL(tap.url)
  assert.equal((await fetch(`${origin}/locked`, { method: 'POST', body: '{}' })).status, 401)
  assert.equal((await fetch(tap.url, { method: 'POST', body: '{}', headers: { origin: 'https://evil.example' } })).status, 403)
  await server[Symbol.asyncDispose]()
  assert.equal(
    (
      await fetch(tap.url, {
        method: 'POST',
        body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
        headers: { 'content-type': 'application/json' },
      })
    ).status,
    502,
  )
  await sink.until((events) => events.some(({ outcome }) => outcome === 'transport_error'))
  const told = sink.events.map(({ kind, outcome, decisionReason, errorType, method }) =>
    [kind, outcome, decisionReason, errorType, method].join(' ').trim(),
  )
  assert.deepEqual(
    told.sort(),
    ['auth denied  401', 'http_request denied foreign Origin', 'http_request transport_error  ECONNREFUSED', 'request    ping'].sort(),
  )
  assert.match(String(httpOf(sink.events.find(({ kind }) => kind === 'auth')).www_authenticate), /^Bearer resource_metadata/)
  assert.equal(httpOf(sink.events.find(({ decisionOutcome }) => decisionOutcome === 'deny')).origin, 'https://evil.example')
})

test('stopping the tap sends what it has seen', async () => {
  using data = folder()
  await using sink = await openSink()
  await using server = await openModernServer()
  await using tap = await startHttpTap(server.url, sink.url, data.dir)
  await fetch(tap.url, {
    method: 'POST',
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    headers: { 'content-type': 'application/json' },
  })
  assert.equal(await tap.stop(), 0)
  assert.ok(sink.events.some(({ method }) => method === 'ping'))
})
