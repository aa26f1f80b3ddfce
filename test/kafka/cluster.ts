/** A whole cluster for tests: a real broker, a ClickHouse endpoint over the embedded engine, keys that all roles share. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openStore, type Store } from '../../api/store/connect.ts'
import { openKeys } from '../../collectors/keys.ts'
import { type Brokers, startBrokers } from './broker.ts'
import { freshPrefix } from './kafka-tools.ts'
import { createRoles, type Roles } from './roles.ts'
import { openStoreProxy, type StoreProxy } from './store-proxy.ts'

export type Cluster = AsyncDisposable &
  Readonly<{ broker: Brokers; engine: Store; proxy: StoreProxy; roles: Roles; dir: string; topicPrefix: string }>

export async function openCluster(random: () => number = Math.random, flags: readonly string[] = []): Promise<Cluster> {
  await using opening = new AsyncDisposableStack()
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-cluster-'))
  opening.defer(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }))
  const keys = openKeys(dir)
  keys.keyedHash('default')('made')
  keys.seal(Buffer.from('made'))
  const broker = opening.use(await startBrokers())
  const engine = opening.use(await openStore({ kind: 'embedded', dir: join(dir, 'store'), querySecondsMax: 120 }))
  const proxy = opening.use(await openStoreProxy(engine, random))
  const topicPrefix = freshPrefix()
  const roles = createRoles({ dir, brokers: broker.brokers, storeUrl: proxy.url, topicPrefix, flags })
  const opened = opening.move()
  return { broker, engine, proxy, roles, dir, topicPrefix, [Symbol.asyncDispose]: () => opened.disposeAsync() }
}
