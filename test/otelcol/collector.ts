/** A real OpenTelemetry Collector for tests: the one on PATH, else one built from Go modules into the cache; run on a sample configuration. */
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { answers, cache, run } from '../deploy/tools.ts'

const builder = 'go.opentelemetry.io/collector/cmd/builder@v0.156.0'
const manifest = join(import.meta.dirname, 'builder.yaml')
/** What the modules of the manifest ask for. */
const goMinorMin = 25
const buildMsMax = 20 * 60_000
const startMsMax = 60_000
const outputCharsMax = 20_000

export type NoCollector = Readonly<{ reason: string }>

/** What keeps this machine from building, in one line. */
function goProblem(): string | undefined {
  const { status, stdout } = run('go', ['env', 'GOVERSION'])
  if (status !== 0) return 'no OpenTelemetry Collector: neither otelcol-contrib nor Go is installed'
  const [, minor] = /^go1\.(\d+)/.exec(stdout) ?? []
  return Number(minor ?? Infinity) >= goMinorMin
    ? undefined
    : `no OpenTelemetry Collector: no otelcol-contrib is installed, and ${stdout.trim()} is too old to build one (1.${goMinorMin} is needed)`
}

/** Made beside and renamed: who runs at the same time sees none or a whole one. */
async function build(made: string): Promise<string | NoCollector> {
  mkdirSync(cache, { recursive: true })
  const beside = mkdtempSync(join(cache, 'otelcol-making-'))
  try {
    copyFileSync(manifest, join(beside, 'builder.yaml'))
    process.stderr.write('building an OpenTelemetry Collector (once; about five minutes from nothing) …\n')
    // Niced and narrow: a build must not starve what else is tested.
    const child = spawn('nice', ['-n', '19', 'go', 'run', builder, '--config', 'builder.yaml'], {
      cwd: beside,
      env: { ...process.env, GOFLAGS: '-buildvcs=false -p=2' },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: buildMsMax,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output = (output + text).slice(-outputCharsMax)
        process.stderr.write(text)
      })
    }
    const [code] = (await once(child, 'close')) as [number | null]
    const binary = join(beside, 'made', 'otelcol')
    if (code === 0 && existsSync(binary)) {
      renameSync(binary, made)
      return made
    }
    return { reason: `no OpenTelemetry Collector: it can not be built: ${output.trim().split('\n').slice(-3).join(' ').slice(-300)}` }
  } finally {
    rmSync(beside, { recursive: true, force: true })
  }
}

/** A command that runs a collector; or why there is none. Go is optional, so that a machine without it skips, in CI too. */
export async function collectorBinary(): Promise<string | NoCollector> {
  if (answers('otelcol-contrib', '--version')) return 'otelcol-contrib'
  const hash = createHash('sha256').update(builder).update(readFileSync(manifest)).digest('hex').slice(0, 12)
  const made = join(cache, `otelcol-${hash}`)
  if (answers(made, '--version')) return made
  const reason = goProblem()
  return reason === undefined ? build(made) : { reason }
}

export type Collector = AsyncDisposable &
  Readonly<{
    /** OTLP/HTTP; the same after a restart. */
    url: string
    /** Answers once it takes what is sent. */
    start: () => Promise<void>
    kill: () => Promise<void>
    output: () => string
  }>
export type CollectorOptions = Readonly<{ command: string; config: string; environment: Readonly<Record<string, string>> }>

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, '127.0.0.1'))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => once(server.close(), 'close')))
  return ports
}

/** The configuration is taken as it is, but for where it listens: its ports may be another's on this machine. */
export async function openCollector({ command, config, environment }: CollectorOptions): Promise<Collector> {
  const [http = 0, grpc = 0, health = 0] = await freePorts(3)
  const listening = {
    'receivers::otlp::protocols::http::endpoint': http,
    'receivers::otlp::protocols::grpc::endpoint': grpc,
    'extensions::health_check::endpoint': health,
  }
  const settings = Object.entries(listening).map(([path, port]) => `--config=yaml:${path}: 127.0.0.1:${port}`)
  let child: ChildProcess | undefined
  let output = ''
  const killNow = () => void child?.kill('SIGKILL')
  process.on('exit', killNow) // a test that dies leaves no collector
  const isReady = () =>
    fetch(`http://127.0.0.1:${health}/`)
      .then(({ ok }) => ok)
      .catch(() => false)
  const start = async (): Promise<void> => {
    const started = spawn(command, [`--config=file:${config}`, ...settings], {
      env: { ...process.env, ...environment },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    child = started
    started.stderr.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-outputCharsMax)
    })
    for (const deadline = Date.now() + startMsMax; !(await isReady()); await sleep(50)) {
      const over = started.exitCode !== null || started.signalCode !== null || Date.now() > deadline
      if (over) throw new Error(`the collector does not start:\n${output}`)
    }
  }
  const kill = async (): Promise<void> => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    killNow()
    await gone
  }
  return {
    ...{ url: `http://127.0.0.1:${http}`, start, kill, output: () => output },
    async [Symbol.asyncDispose]() {
      await kill()
      process.off('exit', killNow)
    },
  }
}
