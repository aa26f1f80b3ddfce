/** Starts the engine child, waits until it is ready, starts it again when it dies, and ends it with us. */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { availableParallelism, totalmem } from 'node:os'
import { fileURLToPath } from 'node:url'
import { Fault } from '../../schemas/errors.ts'
import type { EngineOrder, EngineReport } from './engine.ts'

export type EngineOptions = Readonly<{
  dir: string
  querySecondsMax?: number
  readersMax?: number
  waitingMax?: number
  memoryBytesMax?: number
  sharedMemory?: string
  onRestart?: (reason: string) => void
}>
export type Engine = AsyncDisposable & {
  /** Stays the same for as long as the supervisor lives. */
  readonly url: string
  readonly token: string
  pid(): number | undefined
  restarts(): number
  close(): Promise<void>
}

const startMsMax = 30_000
const closeMsMax = 5_000
const backOffMs = { first: 100, max: 10_000, resetAfter: 60_000 }
const tailCharsMax = 4_000
const program = fileURLToPath(new URL('./engine.ts', import.meta.url))

function orderOf(options: EngineOptions, token: string): EngineOrder {
  const readersMax = options.readersMax ?? 3
  return {
    dir: options.dir,
    token,
    port: 0,
    sharedMemory: options.sharedMemory ?? '/dev/shm',
    limits: {
      readersMax,
      waitingMax: options.waitingMax ?? 64,
      querySecondsMax: options.querySecondsMax ?? 20,
      // A quarter of the machine for one query, so that readers and the writer together leave room for the rest.
      memoryBytesMax: options.memoryBytesMax ?? Math.min(2 * 1024 ** 3, Math.floor(totalmem() / 4)),
      threadsMax: Math.min(4, availableParallelism()),
    },
  }
}

type Started = Readonly<{ child: ChildProcess; port: number; ended: Promise<string> }>

async function start(order: EngineOrder): Promise<Started> {
  const child = fork(program, [], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    // Each running statement holds a thread of libuv's pool. Nothing else of our environment is the engine's business.
    env: { UV_THREADPOOL_SIZE: String(order.limits.readersMax + 6), TZ: 'UTC' },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
  let tail = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-tailCharsMax)
  })
  const ended = new Promise<string>((end) => {
    child.once('exit', (code, signal) => end(`engine ended (${signal ?? code}) ${tail}`.trim()))
    child.once('error', (error) => end(`engine did not start: ${error.message}`))
  })
  child.send(order, () => undefined)
  const late = new AbortController()
  try {
    const timeout = AbortSignal.any([late.signal, AbortSignal.timeout(startMsMax)])
    const first = await Promise.race([
      once(child, 'message', { signal: timeout }).then(([report]) => report as EngineReport),
      ended.then((reason): EngineReport => ({ failed: reason })),
    ])
    if ('failed' in first) throw new Fault('START_REFUSED', first.failed)
    return { child, port: first.ready, ended }
  } catch (error) {
    child.kill('SIGKILL')
    throw error instanceof Fault ? error : new Fault('START_REFUSED', 'engine was not ready in time', error)
  } finally {
    late.abort()
  }
}

export async function startEngine(options: EngineOptions): Promise<Engine> {
  const token = randomBytes(32).toString('base64url')
  let order = orderOf(options, token)
  let current: Started | undefined = await start(order)
  order = { ...order, port: current.port }
  let restarts = 0
  const closing = new AbortController()

  async function watch(first: Started) {
    let running = first
    let waitMs = backOffMs.first
    for (;;) {
      const since = performance.now()
      let reason = await running.ended
      current = undefined
      if (performance.now() - since > backOffMs.resetAfter) waitMs = backOffMs.first
      while (current === undefined) {
        if (closing.signal.aborted) return
        restarts += 1
        options.onRestart?.(reason)
        await pause(waitMs, closing.signal)
        waitMs = Math.min(waitMs * 2, backOffMs.max)
        if (closing.signal.aborted) return
        const next = await start(order).catch((error: unknown) => String(error))
        if (typeof next === 'string') reason = next
        else current = running = next
      }
    }
  }
  const watching = watch(current)

  async function close() {
    closing.abort()
    const last = current
    if (last !== undefined) {
      last.child.send('close', () => undefined)
      const hard = setTimeout(() => last.child.kill('SIGKILL'), closeMsMax)
      await last.ended
      clearTimeout(hard)
    }
    await watching
    // A child that became ready while we were closing.
    current?.child.kill('SIGKILL')
  }
  return {
    url: `http://127.0.0.1:${order.port}`,
    token,
    pid: () => current?.child.pid,
    restarts: () => restarts,
    close,
    [Symbol.asyncDispose]: close,
  }
}

const pause = (ms: number, signal: AbortSignal) =>
  new Promise<void>((done) => {
    const end = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', end)
      done()
    }
    const timer = setTimeout(end, ms)
    signal.addEventListener('abort', end, { once: true })
  })
