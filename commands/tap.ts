/** `lapwing tap stdio|http`: puts a tap between an MCP client and a server. stdout carries nothing but the server's bytes. */
import { randomUUID } from 'node:crypto'
import { constants, homedir, hostname, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { Command } from 'commander'
import { createFeed, type Feed } from '../collectors/tap/feed.ts'
import { tapHttp } from '../collectors/tap/http.ts'
import type { TapSettings } from '../collectors/tap/settings.ts'
import { tapStdio } from '../collectors/tap/stdio.ts'
import { Config } from '../schemas/config.ts'
import { Fault } from '../schemas/errors.ts'

type Common = Readonly<{ endpoint: string; token?: string; actor?: string; server?: string; dataDir?: string }>
type HttpOptions = Common & Readonly<{ listen: string; target: string; allow?: string[] }>

/** How long a tap stays to send what it has observed after the traffic is over; what is left then waits on disk. */
const stayMs = 1_000

const survived: ReadonlySet<string> = new Set(['SIGUSR1', 'SIGPIPE', 'SIGCHLD', 'SIGWINCH', 'SIGCONT', 'SIGURG'])

/** The environment is given: it is the server's too, and only one file may read it. */
export function tapCommand(environment: NodeJS.ProcessEnv): Command {
  const stdio = common(new Command('stdio').description('Run a stdio server and observe both directions'))
    .argument('<command>', 'the server')
    .argument('[args...]')
    .passThroughOptions()
    .action(async (command: string, args: string[], options: Common) => runStdio(command, args, options, environment))
  const http = common(new Command('http').description('Stand in front of an HTTP server and observe both directions'))
    .requiredOption('--listen <host:port>', 'where clients connect', '127.0.0.1:0')
    .requiredOption('--target <url>', 'the MCP endpoint of the server')
    .option('--allow <name...>', 'more Host names or origins that are let in')
    .action(async (options: HttpOptions) => runHttp(options, environment))
  return new Command('tap')
    .description('Observe an MCP server without changing a byte')
    .enablePositionalOptions()
    .addCommand(stdio)
    .addCommand(http)
}

const common = (command: Command): Command =>
  command
    .option('--endpoint <url>', 'OTLP/HTTP receiver', 'http://127.0.0.1:4318')
    .option('--token <token>', 'ingest token; default: LAPWING_OTLP_TOKEN')
    .option('--actor <name>', 'whose behaviour this is; default: the OS user')
    .option('--server <name>', 'the name of the server in the host’s configuration')
    .option('--data-dir <dir>', 'where keys and unsent events are')

const say = (text: string) => void process.stderr.write(`lapwing: ${text}\n`)

async function runStdio(command: string, args: string[], options: Common, environment: NodeJS.ProcessEnv): Promise<void> {
  const feed = feedOf({ ...settingsOf(options, environment), kind: 'stdio', command: [command, ...args] })
  const ended = await tapStdio({
    command,
    args,
    env: serverEnvironment(environment),
    observe: (direction, bytes) => feed.chunk(direction, bytes),
  })
  await closeFeed(feed, ['client_to_server', 'server_to_client'])
  // As the server ended, so do we: a client tells a crash by its signal. Node itself does not die of some: SIGUSR1 opens its debugger.
  if (ended.signal && !survived.has(ended.signal)) process.kill(process.pid, ended.signal)
  process.exit(ended.code ?? 128 + (constants.signals[ended.signal ?? 'SIGTERM'] ?? 0))
}

async function runHttp(options: HttpOptions, environment: NodeJS.ProcessEnv): Promise<void> {
  const target = targetOf(options.target)
  const feed = feedOf({ ...settingsOf(options, environment), kind: 'http', target: target.href })
  const tap = await tapHttp({ listen: listenOf(options.listen), target, observe: feed, ...(options.allow ? { allow: options.allow } : {}) })
  const { address, port } = tap.address
  say(`tap on http://${address.includes(':') ? `[${address}]` : address}:${port}${target.pathname} → ${target.origin}`)
  const { promise, resolve: stop } = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop)
  await promise
  await tap.close()
  await closeFeed(feed, [])
  process.exit(0)
}

const feedOf = (settings: TapSettings): Feed =>
  createFeed({ observer: new URL('../collectors/tap/observer.ts', import.meta.url), settings, remark: say })

async function closeFeed(feed: Feed, streams: readonly string[]): Promise<void> {
  for (const stream of streams) feed.end(stream, false)
  const { lostBytes, lostLines } = await feed.close(stayMs)
  if (lostBytes > 0) say(`${lostBytes} bytes, ${lostLines} lines were not observed`)
}

function settingsOf(options: Common, environment: NodeJS.ProcessEnv): Omit<TapSettings, 'kind'> {
  const endpoint = urlOf(options.endpoint, '--endpoint')
  const token = options.token ?? environment.LAPWING_OTLP_TOKEN
  const local = ['localhost', '127.0.0.1', '[::1]'].includes(endpoint.hostname)
  return {
    instance: randomUUID(),
    endpoint: endpoint.href,
    tenant: 'default',
    osUser: `${userName()}@${hostname()}`,
    hostName: hostname(),
    pid: process.pid,
    dataDir: resolve(options.dataDir ?? join(environment.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'lapwing')),
    keys: local || options.dataDir !== undefined ? 'local' : 'fetch',
    tiers: Config.parse({}).capture,
    ...(token ? { token } : {}),
    ...(options.actor === undefined ? {} : { actor: options.actor }),
    ...(options.server === undefined ? {} : { serverAlias: options.server }),
  }
}

/** A container may run as a user that has no name. */
function userName(): string {
  try {
    return userInfo().username
  } catch {
    return `uid-${process.getuid?.() ?? 'unknown'}`
  }
}

/** The server gets the environment as it is, but for our own secrets. */
const serverEnvironment = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !/^LAPWING_.*TOKEN/.test(name)))

function urlOf(text: string, option: string): URL {
  const url = URL.parse(text)
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new Fault('CONFIG_INVALID', `${option}: not an http(s) URL: ${text}`)
}

function targetOf(text: string): URL {
  const url = urlOf(text, '--target')
  if (url.username || url.password || url.search) throw new Fault('CONFIG_INVALID', '--target: a URL without credentials and query')
  return url
}

function listenOf(text: string): { host: string; port: number } {
  const [, v6, name, port] = /^(?:\[([0-9A-Fa-f:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const host = v6 ?? name
  if (host === undefined || Number(port) > 65_535) throw new Fault('CONFIG_INVALID', `--listen: not host:port: ${text}`)
  return { host, port: Number(port) }
}
