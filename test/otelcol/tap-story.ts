/** A story told through the stdio tap: the official client, real servers, everyday work and an agent that goes astray. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'

export type TapStory = Readonly<{ root: string; endpoint: string; token: string; dataDir: string; actor: string }>

const program = join(import.meta.dirname, '../../main.ts')
const serverOf = (name: string) => createRequire(import.meta.url).resolve(`@modelcontextprotocol/server-${name}/dist/index.js`)
const key = 'AKIA4QX7RKMNPV94TLZW uT9xW2qLs8VbN4kRjY7mZc3PdH6fGa1eXo5iCnBv'

const stepsIn = (root: string) =>
  [
    ['filesystem', 'list_directory', { path: join(root, 'project') }],
    ['filesystem', 'read_text_file', { path: join(root, 'project', 'notes.txt') }],
    ['everything', 'echo', { message: 'the parser is done' }],
    ['filesystem', 'read_text_file', { path: join(root, 'home', '.aws', 'credentials') }],
    ['everything', 'echo', { message: `see http://169.254.169.254/latest/meta-data/ ${key}` }],
    ['filesystem', 'list_directory', { path: `${root}/../../../etc` }],
  ] as const

/**
 * Plays the story. Each tap sends on its own: only what was `seen` before the next call keeps its order,
 * and what a tap has not sent when it ends would wait for the next one.
 */
export async function playThroughTap(
  { root, endpoint, token, dataDir, actor }: TapStory,
  seen: (calls: number) => Promise<void>,
): Promise<void> {
  for (const folder of ['project', join('home', '.aws')]) mkdirSync(join(root, folder), { recursive: true })
  writeFileSync(join(root, 'project', 'notes.txt'), 'parser done, tests in review')
  writeFileSync(join(root, 'home', '.aws', 'credentials'), `[default]\n${key}\n`)
  const clients = new Map<string, Client>()
  try {
    for (const [at, [server, tool, args]] of stepsIn(root).entries()) {
      let client = clients.get(server)
      if (!client) {
        client = new Client({ name: 'agent', version: '1.0.0' })
        clients.set(server, client)
        const tap = ['tap', 'stdio', '--endpoint', endpoint, '--data-dir', dataDir, '--actor', actor, '--server', server, '--']
        const command = [process.execPath, serverOf(server), server === 'filesystem' ? root : 'stdio']
        const env = { PATH: process.env['PATH'] ?? '', LAPWING_OTLP_TOKEN: token }
        await client.connect(
          new StdioClientTransport({ command: process.execPath, args: [program, ...tap, ...command], env, stderr: 'ignore' }),
        )
        await client.listTools()
      }
      await client.callTool({ name: tool, arguments: args })
      await seen(at + 1)
    }
  } finally {
    await Promise.all([...clients.values()].map((client) => client.close()))
  }
}
