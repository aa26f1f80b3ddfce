/** Starts the product in a process of its own, in a folder of its own, and asks it things. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Answer, Ask, Usage } from './pipeline-process.ts'

export type Product = AsyncDisposable &
  Readonly<{ url: string; dataDir: string; settled: () => Promise<void>; usage: () => Promise<Usage>; latencies: () => Promise<number[]> }>

export async function startProduct(): Promise<Product> {
  const dataDir = mkdtempSync(join(tmpdir(), 'lapwing-bench-'))
  const child = fork(new URL('./pipeline-process.ts', import.meta.url), [dataDir], {
    // As it is started everywhere: see setup.mjs.
    execArgv: [
      ...process.execArgv,
      ...(process.env.BENCH_PROFILE ? ['--cpu-prof', `--cpu-prof-dir=${process.env.BENCH_PROFILE}`, '--cpu-prof-interval=500'] : []),
    ],
  })
  const { promise: gone, reject } = Promise.withResolvers<never>()
  gone.catch(() => {})
  child.once('exit', (code, signal) => reject(new Error(`the product ended: ${signal ?? code}`)))
  const waiting: { type: Answer['type']; resolve: (message: Answer) => void }[] = []
  child.on('message', (message: Answer) => {
    const at = waiting.findIndex(({ type }) => type === message.type)
    if (at >= 0) waiting.splice(at, 1)[0]?.resolve(message)
  })
  const wait = <T extends Answer['type']>(type: T): Promise<Extract<Answer, { type: T }>> =>
    Promise.race([gone, new Promise<never>((resolve) => waiting.push({ type, resolve: resolve as unknown as (message: Answer) => void }))])
  const ask = <T extends Exclude<Answer['type'], 'ready'>>(type: T): Promise<Extract<Answer, { type: T }>> => {
    const answer = wait(type)
    child.send({ type } satisfies Ask)
    return answer
  }
  const { url } = await wait('ready')
  return {
    url,
    dataDir,
    settled: async () => void (await ask('settled')),
    usage: () => ask('usage'),
    latencies: async () => (await ask('latencies')).ms,
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.connected) {
        child.send({ type: 'close' } satisfies Ask)
        await once(child, 'exit')
      }
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}
