/** Opens the store: the embedded engine or a ClickHouse server, both through the same client. */
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import { Fault } from '../../schemas/errors.ts'
import { type EngineOptions, startEngine } from './supervisor.ts'

export type StoreTarget =
  | (Readonly<{ kind: 'embedded' }> & EngineOptions)
  | Readonly<{ kind: 'server'; url: string; user?: string; password?: string; querySecondsMax?: number }>

export type Store = AsyncDisposable & {
  /** Its database is `lapwing`; times come as RFC 3339. */
  readonly client: ClickHouseClient
  readonly kind: StoreTarget['kind']
  readonly url: string
  /** The engine's password, for a tool of the same process. */
  readonly token: string
  /** How often the engine child was started again. */
  restarts(): number
  /** Process id of the engine child, while there is one. */
  pid(): number | undefined
  close(): Promise<void>
}

export const database = 'lapwing'

export async function openStore(target: StoreTarget): Promise<Store> {
  await using undo = new AsyncDisposableStack()
  const engine = target.kind === 'embedded' ? undo.use(await startEngine(target)) : undefined
  const address =
    engine === undefined && target.kind === 'server'
      ? { url: target.url, username: target.user ?? 'default', password: target.password ?? '' }
      : { url: engine?.url ?? '', username: 'lapwing', password: engine?.token ?? '' }
  const connect = (name: string) =>
    createClient({
      ...address,
      database: name,
      application: 'lapwing',
      request_timeout: ((target.querySecondsMax ?? 20) + 10) * 1000,
      max_open_connections: 16,
      // Lists of ids are longer than an address may be.
      use_multipart_params_auto: true,
      // A server closes idle connections after 10 s; one that it closed must not be used again.
      keep_alive: { enabled: true, idle_socket_ttl: 2_500 },
      log: { level: 127 }, // errors are thrown to the caller, who decides
      clickhouse_settings: {
        date_time_output_format: 'iso',
        output_format_json_quote_64bit_integers: 0,
        // Rows are in the table when an insert returns.
        async_insert: 0,
        wait_end_of_query: 0,
      },
    })
  try {
    const first = connect('default')
    try {
      await first.command({ query: `CREATE DATABASE IF NOT EXISTS ${database}` })
    } finally {
      await first.close()
    }
  } catch (error) {
    throw new Fault('STORE_UNREACHABLE', 'store does not answer', error)
  }
  const client = connect(database)
  undo.defer(() => client.close())
  const owned = undo.move()
  return {
    client,
    kind: target.kind,
    url: address.url,
    token: address.password,
    restarts: () => engine?.restarts() ?? 0,
    pid: () => engine?.pid(),
    close: () => owned.disposeAsync(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
