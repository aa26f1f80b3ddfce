/** The real product as a process: started on a data directory and free ports, killed, ended, and its engine child found. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../main.ts', import.meta.url))
const startMsMax = 180_000
const outputCharsMax = 200_000

export type Health = {
  lag: Record<string, number>
  store: { events: number; repeats: number; retries: number; engine_restarts: number }
  detectors: { duplicates: number }
}
export type Process<T> = Readonly<{
  pid: number
  /** Resolves when it serves; rejects when it ended before. */
  ready: Promise<T>
  /** Exit code or signal. */
  ended: Promise<number | string>
  output: () => string
  kill: (signal: NodeJS.Signals) => void
  /** As Ctrl-C does: the engine child gets it too. Only with a group of its own. */
  killGroup: (signal: NodeJS.Signals) => void
}>
export type Served = { api: string; otlp: string; token: string }
export type Product = Process<Served>

export const freePorts: readonly string[] = ['--api-port', '0', '--otlp-http-port', '0', '--otlp-grpc-port', '0']

/** `readyOf` reads the greeting, once it is whole. */
export function startProcess<T>(dataDir: string, flags: readonly string[], readyOf: (output: string) => T | undefined, ownGroup = false) {
  const child: ChildProcess = spawn(process.execPath, [program, 'start', '--data-dir', dataDir, ...flags], {
    cwd: dataDir,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: ownGroup,
  })
  let output = ''
  const ready = Promise.withResolvers<T>()
  ready.promise.catch(() => undefined) // killed on purpose before it was ready
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-outputCharsMax)
      const served = output.includes('data   ') ? readyOf(output) : undefined
      if (served !== undefined) ready.resolve(served)
    })
  }
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string)
  void ended.then((how) => ready.reject(new Error(`ended before it was ready (${how}):\n${output}`)))
  const late = setTimeout(() => ready.reject(new Error(`not ready in time:\n${output}`)), startMsMax)
  void Promise.allSettled([ready.promise]).then(() => clearTimeout(late))
  return {
    pid: child.pid as number,
    ready: ready.promise,
    ended,
    output: () => output,
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
    killGroup: (signal: NodeJS.Signals) => void process.kill(-(child.pid as number), signal),
  } satisfies Process<T>
}

export const pageOf = (output: string) => /page\s+(http:\S+?)\/#token=(\S+)/.exec(output)
export const otlpOf = (output: string) => /OTLP\/HTTP\s+(http:\S+)/.exec(output)?.[1]

export function startProduct(dataDir: string, flags: readonly string[] = freePorts, ownGroup = false): Product {
  const served = (output: string): Served | undefined => {
    const [, api, token] = pageOf(output) ?? []
    const otlp = otlpOf(output)
    return api && token && otlp ? { api, token, otlp } : undefined
  }
  return startProcess(dataDir, flags, served, ownGroup)
}

type Row = Readonly<{ pid: number; parent: number; command: string }>
/** Every process of this machine that is not a zombie. */
function processes(): Row[] {
  const table = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,ppid=,stat=,command='], { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  return table.split('\n').flatMap((line) => {
    const [, pid, parent, state, command] = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? []
    return command === undefined || state?.startsWith('Z') ? [] : [{ pid: Number(pid), parent: Number(parent), command }]
  })
}

export const enginesOf = (pid: number): number[] =>
  processes()
    .filter(({ parent, command }) => parent === pid && command.includes('store/engine.ts'))
    .map((row) => row.pid)

/** Those of `pids` that still run the engine: a number may have been given to another process since. */
export const enginesAlive = (pids: ReadonlySet<number>): number[] =>
  processes()
    .filter(({ pid, command }) => pids.has(pid) && command.includes('store/engine.ts'))
    .map(({ pid }) => pid)

export async function healthOf({ api, token }: { api: string; token: string }): Promise<Health> {
  return (await ask({ api, token }, '/v1/health')) as Health
}

export async function ask({ api, token }: { api: string; token: string }, path: string): Promise<unknown> {
  const answer = await fetch(`${api}${path}`, { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(20_000) })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  return await answer.json()
}
