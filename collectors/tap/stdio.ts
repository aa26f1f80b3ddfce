/**
 * A boring relay between an MCP client and a stdio server: bytes, back-pressure, half-close, exit code and signal pass
 * as they would without it. The observer gets copies and is never waited for.
 */
import { spawn } from 'node:child_process'
import { closeSync, createWriteStream, fstatSync, openSync } from 'node:fs'
import { Socket } from 'node:net'
import type { Readable, Writable } from 'node:stream'

/** How the server ended; never both null. */
export type Ended = Readonly<{ code: number | null; signal: NodeJS.Signals | null }>

export type StdioTap = Readonly<{
  command: string
  args: readonly string[]
  /** Called synchronously with each chunk as it passes; must not throw or keep the bytes without copying. */
  observe: (direction: 'client_to_server' | 'server_to_client', bytes: Uint8Array) => void
  cwd?: string
  /** Exactly the server's environment; this process's own when absent. */
  env?: NodeJS.ProcessEnv
  input?: Readable
  output?: Writable
  /** How long output of the server's own children is awaited after it has exited and fallen silent. */
  silenceMs?: number
}>

const forwarded = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGWINCH'] as const
/** What a shell answers for a command that cannot be run. */
const cannotRun = new Map([
  ['ENOENT', 127],
  ['EACCES', 126],
])

export async function tapStdio(tap: StdioTap): Promise<Ended> {
  const { input = process.stdin, output = standardOutput(), silenceMs = 1_000 } = tap
  const child = spawn(tap.command, tap.args, {
    stdio: ['pipe', 'pipe', 'inherit'],
    shell: false,
    windowsHide: true,
    ...(tap.cwd === undefined ? {} : { cwd: tap.cwd }),
    ...(tap.env === undefined ? {} : { env: tap.env }),
  })
  let running = true
  const { promise, resolve } = Promise.withResolvers<Ended>()
  child.once('error', (error: NodeJS.ErrnoException) => {
    if (child.pid !== undefined) return
    process.stderr.write(`lapwing: ${tap.command}: ${error.code ?? error.message}\n`)
    resolve({ code: cannotRun.get(error.code ?? '') ?? 126, signal: null })
  })
  child.once('exit', (code, signal) => resolve({ code, signal }))
  const unforward = forward(child)
  void copy(input, child.stdin, (bytes) => tap.observe('client_to_server', bytes))
  const copied = copy(child.stdout, output, (bytes) => tap.observe('server_to_client', bytes))

  // A server may close its stdout and live on. One that exits does both at once, and then our own exit closes it.
  if (tap.output === undefined)
    void copied.then(() => flushed(output)).then(() => setTimeout(() => running && closeStandardOutput(), 200).unref())
  const ended = await promise
  running = false
  if (child.pid !== undefined) await silent(child.stdout, output, copied, silenceMs)
  unforward()
  input.destroy()
  child.stdin.destroy()
  await flushed(output)
  return ended
}

/** Not process.stdout: that one can never be ended, and so never says that everything has left. */
function standardOutput(): Writable {
  const kind = fstatSync(1)
  if (!kind.isFIFO() && !kind.isSocket()) return createWriteStream('', { fd: 1, autoClose: false })
  return new Socket({ fd: 1, readable: false, writable: true })
}

/** libuv leaves descriptors 0 to 2 open, so the client would not see the end. Nothing else may become number 1: libuv aborts on that. */
function closeStandardOutput(): void {
  closeSync(1)
  openSync('/dev/null', 'w')
}

/** `pipe` gives back-pressure and half-close; a reader that goes away closes the writer, as a broken pipe would. */
function copy(from: Readable, to: Writable, seen: (bytes: Uint8Array) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  from.on('data', seen)
  from.once('end', resolve)
  from.once('close', resolve)
  from.on('error', () => resolve())
  to.on('error', () => {
    from.unpipe(to)
    from.destroy()
  })
  from.pipe(to)
  return promise
}

/** After exit, a grandchild may hold stdout open: its bytes still pass, but silence ends the wait. A slow reader does not. */
async function silent(stdout: Readable, output: Writable, copied: Promise<void>, silenceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setInterval(() => output.writableNeedDrain || resolve(), silenceMs)
  stdout.on('data', () => timer.refresh())
  output.on('drain', () => timer.refresh())
  await Promise.race([copied, promise])
  clearInterval(timer)
}

/** Everything written has left for the reader, or the reader is gone. */
function flushed(output: Writable): Promise<void> {
  if (output.destroyed || output.writableFinished) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  for (const event of ['error', 'close', 'finish']) output.once(event, () => resolve())
  output.end()
  return promise
}

function forward(child: { kill(signal: NodeJS.Signals): boolean }): () => void {
  const handlers = forwarded.map((signal) => {
    // A terminal has sent SIGINT and SIGQUIT to the whole group already.
    const handler = () => void ((signal === 'SIGINT' || signal === 'SIGQUIT') && process.stdin.isTTY ? false : child.kill(signal))
    process.on(signal, handler)
    return [signal, handler] as const
  })
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler)
  }
}
