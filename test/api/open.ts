/** A real API on a real, embedded store in a directory of its own. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { openOutbox } from '../../api/outputs/outbox.ts'
import { createApi } from '../../api/server.ts'
import { openStore } from '../../api/store/connect.ts'
import { migrate } from '../../api/store/migrate.ts'
import { createWriter } from '../../api/store/writer.ts'
import type { AnyDetector } from '../../schemas/detector.ts'
import { Fault } from '../../schemas/errors.ts'
import { createFeed } from './sample.ts'

export const token = 'a-token-of-the-test-0123456789'
export const bearer = { authorization: `Bearer ${token}`, host: '127.0.0.1:7878' }

export async function openApi(over: { detectors?: readonly AnyDetector[]; pageDir?: string } = {}) {
  await using undo = new AsyncDisposableStack()
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-api-'))
  undo.defer(() => rmSync(dir, { recursive: true, force: true }))
  const store = undo.use(await openStore({ kind: 'embedded', dir: join(dir, 'store') }))
  await migrate(store, { retentionDays: 30 })
  const { bus, feed, feedEvents } = createFeed()
  const writer = await createWriter({ bus, store, tickMs: 1 })
  undo.defer(() => writer.stop())
  const refusing = { refuse: true }
  const deliver = async () => {
    if (refusing.refuse) throw new Fault('OUTPUT_REFUSED', 'status 400')
  }
  const sink = { deliver, [Symbol.asyncDispose]: async () => undefined }
  const quiet = { warn: () => undefined, error: () => undefined }
  const outbox = undo.use(await openOutbox({ dataDir: dir, bus, outputs: [{ name: 'hook', severity: 'critical', sink }], log: quiet }))
  const lines: string[] = []
  const api = await createApi({
    store,
    config: { api: { allowedHosts: ['lapwing.example'] }, store: { querySecondsMax: 20 } },
    outbox,
    token,
    version: '0.0.0',
    detectors: over.detectors ?? [],
    dashboards: [{ id: 'overview', title: 'Overview', panels: [{ id: 'p', title: 'P', query: 'alerts' }] }],
    health: () => ({ lag: { store: 0 } }),
    metrics: () => 'lapwing_up 1\n',
    log: pino(
      { level: 'info', serializers: { error: pino.stdSerializers.errWithCause } },
      { write: (line: string) => void lines.push(line) },
    ),
    pageDir: over.pageDir,
  })
  undo.defer(() => api.close())
  const get = async (url: string) => {
    const answer = await api.inject({ method: 'GET', url, headers: bearer })
    return { status: answer.statusCode, headers: answer.headers, body: answer.json() }
  }
  const owned = undo.move()
  return { api, store, refusing, feed, feedEvents, get, lines, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
