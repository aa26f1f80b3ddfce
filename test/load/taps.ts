/** What a tap adds to a call: the same call with and without it, in turn, against a server that answers at once. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { Agent, createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { type Figure, type Part, percentile, type Run } from './measure.ts'
import { scratch } from './scratch.ts'

const main = fileURLToPath(new URL('../../main.ts', import.meta.url))
const echo = fileURLToPath(new URL('./echo-server.ts', import.meta.url))

type Caller = (id: number) => Promise<void>
const callOf = (id: number): string =>
  JSON.stringify({
    jsonrpc: '2.0',
    id,
    method: 'tools/call',
    params: { name: 'read_file', arguments: { path: `/srv/notes/${id}.md`, limit: 40 } },
  })

/** Takes what the taps send and says yes. */
async function openSink(): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((asked, answer) => {
    asked.resume()
    asked.on('end', () => answer.writeHead(200, { 'content-type': 'application/json' }).end('{}'))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

const running = (child: ChildProcess): AsyncDisposable => ({
  async [Symbol.asyncDispose]() {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGTERM')
    await gone
  },
})

function overStdio(args: readonly string[], stack: AsyncDisposableStack): Caller {
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] })
  stack.use(running(child))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return async (id) => {
    child.stdin.write(`${callOf(id)}\n`)
    const { done } = await lines.next()
    if (done) throw new Error('the server ended')
  }
}

function overHttp(url: string, stack: AsyncDisposableStack): Caller {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  stack.defer(() => agent.destroy())
  return (id) =>
    new Promise((resolve, reject) => {
      const body = callOf(id)
      const asked = request(url, {
        method: 'POST',
        agent,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      })
      asked.on('response', (answer) => answer.resume().on('end', resolve))
      asked.on('error', reject)
      asked.end(body)
    })
}

async function firstLine(child: ChildProcess, from: 'stdout' | 'stderr', shape: RegExp): Promise<string> {
  const stream = child[from]
  if (!stream) throw new Error('no output')
  for await (const line of createInterface({ input: stream })) {
    const found = shape.exec(line)?.[1]
    if (found) return found
  }
  throw new Error('the process ended before it was ready')
}

/** ms of each call, in turn. */
async function inTurn(plain: Caller, tapped: Caller, calls: number): Promise<{ plain: number[]; tapped: number[] }> {
  const taken = { plain: [] as number[], tapped: [] as number[] }
  const warm = Math.ceil(calls / 10)
  for (let id = 0; id < calls + warm; id += 1) {
    for (const [name, call] of [['plain', plain] as const, ['tapped', tapped] as const]) {
      const from = performance.now()
      await call(id)
      if (id >= warm) taken[name].push(performance.now() - from)
    }
  }
  return taken
}

function figuresOf(kind: string, { plain, tapped }: { plain: number[]; tapped: number[] }): Figure[] {
  return [0.5, 0.99].map((share) => {
    const [without, withTap] = [percentile(plain, share), percentile(tapped, share)]
    return {
      name: `${kind} tap, p${share * 100} of a call`,
      value: withTap / without,
      unit: '× without a tap',
      note: `${(withTap - without).toFixed(2)} ms more than ${without.toFixed(2)} ms`,
    }
  })
}

async function run({ quick }: Run): Promise<readonly Figure[]> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(scratch())
  const sink = stack.use(await openSink())
  const options = ['--endpoint', sink.url, '--data-dir', folder.path]
  const calls = quick ? 300 : 2_000

  const stdio = await inTurn(
    overStdio([echo], stack),
    overStdio([main, 'tap', 'stdio', ...options, '--', process.execPath, echo], stack),
    calls,
  )

  const server = spawn(process.execPath, [echo, 'http'], { stdio: ['ignore', 'pipe', 'ignore'] })
  stack.use(running(server))
  const target = `http://127.0.0.1:${await firstLine(server, 'stdout', /^(\d+)$/)}/mcp`
  const tap = spawn(process.execPath, [main, 'tap', 'http', ...options, '--listen', '127.0.0.1:0', '--target', target], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  stack.use(running(tap))
  const tapUrl = await firstLine(tap, 'stderr', /(http:\/\/\S+) →/)
  tap.stderr?.resume()
  const http = await inTurn(overHttp(target, stack), overHttp(tapUrl, stack), calls)
  return [...figuresOf('stdio', stdio), ...figuresOf('HTTP', http)]
}

export const tapsPart: Part = { name: 'taps', about: 'what a tap adds to a call', run }
