// Plays the demo's stories into a running installation: `node deploy/demo/play.mjs http://collect:4318 TOKEN_FILE`. The official MCP
// client talks to real and scripted stdio servers through `lapwing tap stdio`, as hosts do. All payloads are inert.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import { files, stories } from '../../demo/stories.ts'

const [endpoint, tokenFile] = process.argv.slice(2)
if (!endpoint || !tokenFile) {
  console.error('usage: node deploy/demo/play.mjs ENDPOINT TOKEN_FILE')
  process.exit(2)
}
const token = readFileSync(tokenFile, 'utf8').trim()
const product = join(import.meta.dirname, '..', '..')
const moduleOf = createRequire(import.meta.url)
const folder = mkdtempSync(join(tmpdir(), 'lapwing-play-'))
const root = join(folder, 'files')
const placed = (value) => JSON.parse(JSON.stringify(value).replaceAll('$ROOT', root))

function serverOf(story, server) {
  const npm = (name) => moduleOf.resolve(`@modelcontextprotocol/server-${name}/dist/index.js`)
  if (server === 'filesystem') return [npm('filesystem'), root]
  if (server === 'everything') return [npm('everything'), 'stdio']
  if (server === 'memory') return [npm('memory')]
  return [join(product, 'demo', 'story-server.ts'), story.id, server, root]
}

async function connect(story, server) {
  const tap = ['tap', 'stdio', '--endpoint', endpoint, '--actor', `demo/${story.id}`, '--server', server]
  const client = new Client({ name: 'demo-host', version: '1.0.0' })
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [join(product, 'main.ts'), ...tap, '--', process.execPath, ...serverOf(story, server)],
      env: { LAPWING_OTLP_TOKEN: token, XDG_STATE_HOME: join(folder, 'state'), MEMORY_FILE_PATH: join(folder, 'memory.jsonl') },
      stderr: 'inherit',
    }),
  )
  await client.listTools()
  return client
}

async function play(story) {
  const open = new Map()
  for (const { server, tool, phase = 0, arguments: given } of story.steps) {
    // A server that comes back in another phase is another process with the same command line.
    if (open.has(server) && open.get(server).phase < phase) {
      await open.get(server).client.close()
      open.delete(server)
    }
    if (!open.has(server)) {
      writeFileSync(join(folder, `${server}.phase`), String(phase))
      open.set(server, { phase, client: await connect(story, server) })
    }
    await open.get(server).client.callTool({ name: tool, arguments: placed(given) })
    await setTimeout(300)
  }
  for (const { client } of open.values()) await client.close()
}

try {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), content)
  }
  // The web server of the demo needs an HTTP tap; its stories are left to `lapwing demo`.
  const played = stories.filter(({ steps }) => steps.every(({ server }) => server !== 'web'))
  for (const story of played) {
    console.log(`${story.expects.length > 0 ? 'attack' : 'benign'}: ${story.title}`)
    await play(story)
  }
  console.log(`${played.length} stories played`)
} finally {
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}
