/** Role store: brings the tables up to date and writes what the bus carries, each row once. */
import { join } from 'node:path'
import { openStore, type Store } from '../../api/store/connect.ts'
import { migrate } from '../../api/store/migrate.ts'
import { createWriter } from '../../api/store/writer.ts'
import { one } from '../health.ts'
import type { Base } from './base.ts'

/** The store, shared by the roles of this process. */
export async function connectStore({ config, opening }: Base): Promise<Store> {
  const { url, user, password, cluster, querySecondsMax } = config.store
  // Who only reads finds the database there, and may not make one.
  const server = { url, user, querySecondsMax, create: config.role !== 'serve', ...(cluster ? { cluster } : {}) }
  return opening.use(
    await openStore(
      url
        ? { kind: 'server', ...server, ...(password === undefined ? {} : { password }) }
        : { kind: 'embedded', dir: join(config.dataDir, 'store'), querySecondsMax },
    ),
  )
}

export async function openStoring({ bus, config, opening, groups, vitals }: Base, store: Store): Promise<void> {
  const { retentionDays, cluster } = config.store
  await migrate(store, { retentionDays, ...(cluster ? { cluster } : {}) })
  const writer = await createWriter({ bus, store, batchRowsMax: config.store.batchRowsMax, tickMs: config.store.tickMs })
  opening.defer(() => writer.stop())
  groups.set('store', writer)
  vitals.push({
    name: 'store',
    report: () => ({ ...writer.counts(), engine_restarts: store.restarts() }),
    samples: () => [
      one('lapwing_store_events_total', 'counter', 'Events stored', writer.counts().events),
      one('lapwing_store_retries_total', 'counter', 'Inserts tried again', writer.counts().retries),
      one('lapwing_store_engine_restarts_total', 'counter', 'Engine child started again', store.restarts()),
    ],
  })
}
