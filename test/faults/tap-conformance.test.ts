/** The official conformance suite says the same of a server through the HTTP tap as without it. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { startHttpTap } from '../fixtures/http-tap-process.ts'
import { openSessionServer } from '../fixtures/mcp-server.ts'
import { openSink } from '../fixtures/otlp-sink.ts'

const suite = join(dirname(createRequire(import.meta.url).resolve('@modelcontextprotocol/conformance/package.json')), 'dist', 'index.js')
const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-test-'))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}
type Check = { id: string; status: string }

/** scenario → its checks, in order. */
async function judge(url: string): Promise<Map<string, string>> {
  using results = folder()
  const child = spawn(process.execPath, [suite, 'server', '--url', url, '--suite', 'all', '--output-dir', results.dir], {
    cwd: results.dir,
    stdio: 'ignore',
  })
  await new Promise((resolve) => child.once('close', resolve))
  const verdicts = new Map<string, string>()
  for (const entry of readdirSync(results.dir, { recursive: true, encoding: 'utf8' })) {
    const scenario = /server-(.+?)-\d{4}-/.exec(entry)?.[1]
    if (!scenario || !entry.endsWith('checks.json')) continue
    const checks = JSON.parse(readFileSync(join(results.dir, entry), 'utf8')) as Check[]
    verdicts.set(scenario, checks.map(({ id, status }) => `${id}=${status}`).join(' '))
  }
  return verdicts
}

test('every server scenario has the same verdicts through the tap', async () => {
  using data = folder()
  await using sink = await openSink()
  await using server = await openSessionServer()
  const direct = await judge(server.url)
  await using tap = await startHttpTap(server.url, sink.url, data.dir)
  const tapped = await judge(tap.url)
  assert.ok(direct.size >= 25, `only ${direct.size} scenarios ran`)
  assert.deepEqual(tapped, direct)
  assert.ok([...direct.values()].filter((verdict) => !verdict.includes('FAILURE')).length >= 20)
  assert.ok(sink.events.length > 100)
})
