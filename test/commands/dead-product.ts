/** Bus, store, writer, detector worker, joiner and API of one process over a directory, and the verb `dead` beside it. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pino } from 'pino'
import { openToken } from '../../api/auth.ts'
import { createApi } from '../../api/server.ts'
import { openStore } from '../../api/store/connect.ts'
import { migrate } from '../../api/store/migrate.ts'
import { createWriter } from '../../api/store/writer.ts'
import { createReplay } from '../../collectors/bus/dead-letters.ts'
import { openLog } from '../../collectors/bus/log.ts'
import { createJoiner, runJoiner } from '../../collectors/joiner.ts'
import { openKeys } from '../../collectors/keys.ts'
import { prepareDetectors } from '../../detectors/engine.ts'
import { runWorker } from '../../detectors/worker.ts'
import type { StoredRec, Topic } from '../../schemas/bus.ts'

const program = fileURLToPath(new URL('./verb-process.ts', import.meta.url))
export type Ran = Readonly<{ code: number; stdout: Buffer; text: string; stderr: string }>

/** `environment` replaces ours, so that no setting of the machine is read. */
export const runVerb = (args: readonly string[], cwd: string, environment: Record<string, string> = {}): Promise<Ran> =>
  new Promise((resolve) => {
    const options = {
      cwd,
      encoding: 'buffer' as const,
      maxBuffer: 64 * 1024 ** 2,
      env: { PATH: process.env['PATH'], HOME: cwd, ...environment },
    }
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, text: String(stdout), stderr: String(stderr) }),
    )
  })

export async function openProduct() {
  await using undo = new AsyncDisposableStack()
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-dead-'))
  undo.defer(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
  const keys = openKeys(dir)
  const bus = undo.use(await openLog({ dir: join(dir, 'log'), bytesMax: 256 * 1024 ** 2, seal: keys.seal, retryMs: () => 10 }))
  const store = undo.use(await openStore({ kind: 'embedded', dir: join(dir, 'store') }))
  await migrate(store, { retentionDays: 30 })
  const writer = await createWriter({ bus, store, tickMs: 5 })
  undo.defer(() => writer.stop())
  const worker = await runWorker({ bus, prepared: prepareDetectors([], new Map()) })
  undo.defer(() => worker.stop())
  const joining = await runJoiner(bus, createJoiner())
  undo.defer(() => joining.stop())
  /** What came by, as any reader of the bus sees it. */
  const seen: { topic: Topic; record: StoredRec }[] = []
  const watching = await bus.consume(['mcp.spans', 'mcp.events', 'mcp.facts', 'mcp.alerts'], 'watch', {
    batch: async ({ topic }, records) => void seen.push(...records.map((record) => ({ topic, record }))),
  })
  undo.defer(() => watching.stop())
  const token = openToken(dir)
  const api = await createApi({
    ...{ store, token, version: '0.0.0', detectors: [], dashboards: [] },
    config: { api: { allowedHosts: [] }, store: { querySecondsMax: 20 } },
    desk: { replay: createReplay({ publish: bus.publish, open: keys.open }) },
    health: () => ({}),
    metrics: () => '',
    log: pino({ level: 'silent' }),
  })
  undo.defer(() => api.close())
  const url = await api.listen({ host: '127.0.0.1', port: 0 })
  const groups = [joining, worker, writer, watching]
  const settled = async (): Promise<void> => {
    for (let quiet = 0; quiet < 3; ) {
      const lags = await Promise.all(groups.map((group) => group.lag()))
      quiet = lags.every((lag) => [...lag.values()].every((waiting) => waiting === 0n)) ? quiet + 1 : 0
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const owned = undo.move()
  return {
    ...{ dir, bus, store, keys, seen, settled, url, token },
    dead: (...args: string[]) => runVerb(['dead', ...args, '--api', url, '--data-dir', dir], dir),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
