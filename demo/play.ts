/** Plays a story: the official MCP client talks to its servers through the taps, one tap per server as in a host's configuration. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout } from 'node:timers/promises'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'
import type { DemoStory, Step } from './stories.ts'

export type Stage = Readonly<{ root: string; dataDir: string; endpoint: string; webUrl: string }>
export const actorOf = (story: DemoStory): string => `demo/${story.id}`

const main = join(import.meta.dirname, '..', 'main.ts')
const moduleOf = createRequire(import.meta.url)

function commandOf(story: DemoStory, step: Step, { root }: Stage): string[] {
  const npm = (name: string) => moduleOf.resolve(`@modelcontextprotocol/server-${name}/dist/index.js`)
  if (step.server === 'filesystem') return [npm('filesystem'), root]
  if (step.server === 'everything') return [npm('everything'), 'stdio']
  if (step.server === 'memory') return [npm('memory')]
  return [join(import.meta.dirname, 'story-server.ts'), story.id, step.server, root]
}

/** A model thinks between what it reads and what it does. */
const thinkMs = 300

/** Answers how many calls were made per tool. A server that restarts in another phase is connected anew. */
export async function play(story: DemoStory, stage: Stage): Promise<Map<string, number>> {
  const made = new Map<string, number>()
  const open = new Map<string, { phase: number; client: Client; tap: ChildProcess | undefined }>()
  const close = async (server: string) => {
    const { client, tap } = open.get(server) ?? {}
    open.delete(server)
    await client?.close()
    if (tap && tap.exitCode === null) {
      tap.kill('SIGTERM')
      await once(tap, 'exit')
    }
  }
  try {
    for (const step of story.steps) {
      const phase = step.phase ?? open.get(step.server)?.phase ?? 0
      if (open.has(step.server) && open.get(step.server)?.phase !== phase) await close(step.server)
      writeFileSync(join(stage.root, '..', `${step.server}.phase`), String(phase))
      let connected = open.get(step.server)
      if (!connected) {
        connected = { phase, ...(step.server === 'web' ? await connectHttp(story, stage) : await connectStdio(story, step, stage)) }
        open.set(step.server, connected)
        await connected.client.listTools()
      }
      const args = JSON.parse(JSON.stringify(step.arguments).replaceAll('$ROOT', stage.root)) as Record<string, unknown>
      await connected.client.callTool({ name: step.tool, arguments: args })
      made.set(step.tool, (made.get(step.tool) ?? 0) + 1)
      await setTimeout(thinkMs)
    }
  } finally {
    for (const server of [...open.keys()]) await close(server)
  }
  return made
}

const tapFlags = (story: DemoStory, server: string, { endpoint, dataDir }: Stage) => [
  '--endpoint',
  endpoint,
  '--data-dir',
  dataDir,
  '--actor',
  actorOf(story),
  '--server',
  server,
]

async function connectStdio(story: DemoStory, step: Step, stage: Stage) {
  const client = new Client({ name: 'demo-host', version: '1.0.0' })
  const args = [main, 'tap', 'stdio', ...tapFlags(story, step.server, stage), '--', process.execPath, ...commandOf(story, step, stage)]
  await client.connect(new StdioClientTransport({ command: process.execPath, args, stderr: 'ignore' }))
  return { client, tap: undefined }
}

async function connectHttp(story: DemoStory, stage: Stage) {
  const args = [main, 'tap', 'http', ...tapFlags(story, 'web', stage), '--listen', '127.0.0.1:0', '--target', stage.webUrl]
  const tap = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const url = await addressOf(tap)
  const client = new Client({ name: 'demo-host', version: '1.0.0' }, { versionNegotiation: { mode: { pin: '2026-07-28' } } })
  await client.connect(new StreamableHTTPClientTransport(new URL(url)))
  return { client, tap }
}

/** The tap says on stderr where it listens. */
async function addressOf(tap: ChildProcess): Promise<string> {
  if (!tap.stderr) throw new Error('no stderr')
  for await (const line of createInterface({ input: tap.stderr })) {
    const url = /tap on (http:\S+)/.exec(line)?.[1]
    if (url) return url
  }
  throw new Error('the HTTP tap did not start')
}
