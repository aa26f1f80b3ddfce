/** The built page on the real API and an embedded store, filled by the real engine; and a Chromium to look at it. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pino from 'pino'
import { type Browser, chromium } from 'playwright-core'
import { build } from 'vite'
import { createApi } from '../../api/server.ts'
import { openStore } from '../../api/store/connect.ts'
import { migrate } from '../../api/store/migrate.ts'
import { createWriter } from '../../api/store/writer.ts'
import { readEvents } from '../../collectors/file.ts'
import { dashboards } from '../../dashboards/catalog.ts'
import { loadCatalog } from '../../detectors/catalog.ts'
import { prepareDetectors } from '../../detectors/engine.ts'
import { createInline } from '../../detectors/inline.ts'
import type { Verdict } from '../../schemas/codec.ts'
import type { McpEvent } from '../../schemas/event.ts'
import type { StoryLine } from '../../schemas/story.ts'
import { createFeed } from '../api/sample.ts'

export const token = 'a-token-of-the-browser-test-0123456789'
const root = join(import.meta.dirname, '../..')
const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking']

export const chromiumPath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))

export function openBrowser(): Promise<Browser> {
  if (chromiumPath === undefined) throw new Error('no Chromium')
  return chromium.launch({ executablePath: chromiumPath, args: [...flags, '--disable-component-update', '--disable-sync'] })
}

export async function openPage() {
  await using undo = new AsyncDisposableStack()
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-page-'))
  undo.defer(() => rmSync(dir, { recursive: true, force: true }))
  const pageDir = join(dir, 'page')
  await build({ configFile: join(root, 'dashboards/vite.config.ts'), logLevel: 'error', build: { outDir: pageDir } })
  const store = undo.use(await openStore({ kind: 'embedded', dir: join(dir, 'store') }))
  await migrate(store, { retentionDays: 30 })
  const { bus, feed, feedEvents } = createFeed()
  const writer = await createWriter({ bus, store, tickMs: 1 })
  undo.defer(() => writer.stop())
  const { detectors, failed } = await loadCatalog()
  if (failed.length > 0) throw new Error(JSON.stringify(failed))
  const api = await createApi({
    ...{ store, token, detectors, dashboards, pageDir, version: '0.0.0' },
    config: { api: { allowedHosts: [] }, store: { querySecondsMax: 20 } },
    health: () => ({
      uptimeSeconds: 61,
      lag: { detect: 0, store: 3 },
      collect: { events: 1_204, refused: 0, queue: { waiting: 2, waitingMax: 10_000 } },
      connect: { command: ['/opt/node/bin/node', '/opt/lapwing/main.ts'], otlp_http: 'http://127.0.0.1:4318' },
    }),
    metrics: () => 'lapwing_up 1\n',
    log: pino({ level: 'silent' }),
  })
  undo.defer(() => api.close())
  await api.listen({ host: '127.0.0.1', port: 0 })
  const { port } = api.server.address() as AddressInfo

  /** Each story through the engine and into the store, as one item of file input. */
  async function fill(name: string, lines: readonly StoryLine[], over: Partial<McpEvent> = {}) {
    const path = join(dir, `${name}.jsonl`)
    writeFileSync(path, lines.map((line) => JSON.stringify(line)).join('\n'))
    const inline = createInline({ prepared: prepareDetectors(detectors), onError: (detector, error) => console.error(detector, error) })
    const keyedHash = (text: string) => Buffer.from(text).toString('hex').slice(0, 16)
    const events: McpEvent[] = []
    const verdicts: Verdict[] = []
    for await (const { event } of readEvents(path, { kind: 'messages', keyedHash })) {
      const seen = { ...event, ...over }
      const { alerts, hits, signals, links } = inline.event(seen)
      events.push(seen)
      verdicts.push(...alerts.map((alert) => ({ type: 'alert', alert }) as const))
      verdicts.push({ type: 'links', links }, { type: 'hits', hits }, { type: 'signals', signals })
    }
    await feedEvents(...events)
    await feed(...verdicts)
  }
  const owned = undo.move()
  return { url: `http://127.0.0.1:${port}/`, fill, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
