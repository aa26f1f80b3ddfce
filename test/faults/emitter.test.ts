/** A real emitter against the running product: every tool call of its story is seen once, with its tool and its outcome. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ask, healthOf, startProduct } from './product.ts'

const pinned = ['fastmcp==4.1.2', 'mcp==2.3.0', 'opentelemetry-sdk==1.45.2', 'opentelemetry-exporter-otlp-proto-http==1.45.2']
const story = fileURLToPath(new URL('../fixtures/emitter/story.py', import.meta.url))
const installMsMax = 300_000
const storyMsMax = 120_000

type Ran = Readonly<{ code: number; output: string }>
const run = (command: string, args: readonly string[], timeout: number, environment: Record<string, string> = {}): Promise<Ran> =>
  new Promise((resolve) => {
    execFile(command, args, { timeout, env: { ...process.env, ...environment }, maxBuffer: 16 * 1024 * 1024 }, (error, stdout, stderr) =>
      resolve({ code: error ? (typeof error.code === 'number' ? error.code : -1) : 0, output: stdout + stderr }),
    )
  })

/** The python of a folder with the pinned packages, kept for the next run; or why there is none. */
async function python(): Promise<{ python: string } | { missing: string }> {
  const cache = join(process.env.XDG_CACHE_HOME ?? tmpdir(), 'lapwing-emitter')
  const dir = join(cache, createHash('sha256').update(pinned.join()).digest('hex').slice(0, 12))
  const found = join(dir, 'bin', 'python')
  if (existsSync(join(dir, '.whole'))) return { python: found }
  rmSync(dir, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  const made = await run('python3', ['-m', 'venv', dir], installMsMax)
  if (made.code !== 0) return { missing: `python3 with venv is needed: ${made.output.slice(-300)}` }
  const installed = await run(found, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...pinned], installMsMax)
  if (installed.code !== 0) return { missing: `pip could not install ${pinned.join(' ')}: ${installed.output.slice(-300)}` }
  mkdirSync(join(dir, '.installed'))
  renameSync(join(dir, '.installed'), join(dir, '.whole'))
  return { python: found }
}

type Event = Record<string, unknown>
const outcomes = ['unknown', 'success', 'tool_error'] as const

it('a FastMCP server and client with the OpenTelemetry SDK: each call is one call', { timeout: 600_000 }, async (t) => {
  const has = await python()
  if ('missing' in has) return t.skip(has.missing)
  const dataDir = mkdtempSync(join(tmpdir(), 'lapwing-emitter-'))
  const product = startProduct(dataDir)
  try {
    const served = await product.ready
    const told = await run(has.python, [story, 'client'], storyMsMax, { OTEL_EXPORTER_OTLP_ENDPOINT: served.otlp })
    assert.equal(told.code, 0, told.output)
    while (!Object.values((await healthOf(served)).lag).every((lag) => lag === 0)) await sleep(100)
    const { items } = (await ask(served, '/v1/events?method=tools%2Fcall&limit=1000')) as { items: Event[] }
    const calls = Map.groupBy(items, (event) => String(event['lapwing.call.id']))
    const seen = [...calls.values()].map((observations) => {
      const tools = new Set(observations.map((event) => event['gen_ai.tool.name']))
      assert.equal(tools.size, 1, `one call, one tool: ${[...tools].join()}`)
      const worst = Math.max(...observations.map((event) => outcomes.indexOf(event['lapwing.outcome'] as (typeof outcomes)[number])))
      const vantages = new Set(observations.map((event) => event['lapwing.vantage']))
      return `${[...tools][0]} ${outcomes[worst]} ${[...vantages].sort().join('+')}`
    })
    t.diagnostic(`${items.length} observations of ${calls.size} calls`)
    const both = 'client+server'
    assert.deepEqual(seen.sort(), [
      ...Array.from({ length: 3 }, () => `add success ${both}`),
      `fail tool_error ${both}`,
      `weather success ${both}`,
    ])
  } finally {
    product.kill('SIGTERM')
    await product.ended
    rmSync(dataDir, { recursive: true, force: true, maxRetries: 5 })
  }
})
