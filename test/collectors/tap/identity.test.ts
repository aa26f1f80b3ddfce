/** A tap's keys and the server's identity: secrets of a command line go nowhere, a missing key costs content. */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openKeys } from '../../../collectors/keys.ts'
import { serverFields, withoutSecrets } from '../../../collectors/tap/server-identity.ts'
import { tapKey } from '../../../collectors/tap/tap-keys.ts'

const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-test-'))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}
const hash = (text: string) => createHmac('sha256', 'k').update(text).digest('hex').slice(0, 16)
const settings = (dataDir: string, endpoint: string, keys: 'local' | 'fetch') =>
  ({
    kind: 'stdio',
    instance: 'i',
    endpoint,
    token: 'ingest',
    tenant: 'default',
    osUser: 'a@b',
    hostName: 'b',
    pid: 1,
    dataDir,
    keys,
    tiers: { arguments: 'redacted', results: 'redacted', definitions: 'redacted', prompts: 'redacted' },
  }) as const

test('no secret of the command line is kept, however it is given, and the rest is', () => {
  const secret = 'ghp_0123456789abcdefghijABCDEFGHIJ456789'
  const command = [
    'npx',
    '-y',
    'server',
    '--api-key',
    secret,
    `--token=${secret}`,
    `API_KEY=${secret}`,
    `https://x/?k=${secret}`,
    '/home/ann',
  ]
  const safe = withoutSecrets(command, hash)
  assert.ok(!safe.join(' ').includes('0123456789abc'), safe.join(' '))
  assert.deepEqual([...safe.slice(0, 4), safe.at(-1)], ['npx', '-y', 'server', '--api-key', '/home/ann'])
  assert.match(safe[4] ?? '', /^⟦secret:[a-z-]+:[0-9a-f]{16}⟧$/)
})

test('the key of a server is how it is reached, not what it is called', () => {
  const one = serverFields({ command: ['node', 'a.js'], serverAlias: 'x' }, hash)
  assert.equal(one.serverKey, serverFields({ command: ['node', 'a.js'], serverAlias: 'y' }, hash).serverKey)
  assert.notEqual(one.serverKey, serverFields({ command: ['node', 'b.js'] }, hash).serverKey)
  const http = serverFields({ target: 'https://h.example/mcp' }, hash)
  assert.deepEqual([http.serverOrigin, http.serverAddress, http.serverPort], ['https://h.example', 'h.example', 443])
})

test('a tap beside the pipeline uses the keys of the data directory', async () => {
  using data = folder()
  const { keyedHash, shared } = await tapKey(settings(data.dir, 'http://127.0.0.1:9', 'local'))
  assert.ok(shared)
  assert.equal(keyedHash('x'), openKeys(data.dir).keyedHash('default')('x'))
})

test('a remote tap fetches the key with its token, once; without one, hashes are its own', async () => {
  using data = folder()
  const key = 'ab'.repeat(32)
  let asked = 0
  const server = createServer(({ url, headers }, answer) => {
    asked += 1
    const right = url === '/lapwing/key' && headers.authorization === 'Bearer ingest'
    answer.writeHead(right ? 200 : 401).end(JSON.stringify({ key }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  for (const _ of [1, 2]) {
    const { keyedHash, shared } = await tapKey(settings(data.dir, endpoint, 'fetch'))
    assert.ok(shared)
    assert.equal(keyedHash('x'), createHmac('sha256', Buffer.from(key, 'hex')).update('x').digest('hex').slice(0, 16))
  }
  assert.equal(asked, 1)
  const alone = await tapKey({ ...settings(data.dir, endpoint, 'fetch'), token: 'wrong' })
  assert.equal(alone.shared, false)
  assert.notEqual(alone.keyedHash('x'), (await tapKey({ ...settings(data.dir, endpoint, 'fetch'), token: 'wrong' })).keyedHash('x'))
  server.closeAllConnections()
  server.close()
})
