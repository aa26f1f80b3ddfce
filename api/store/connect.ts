/** Opens the store: the embedded engine or a ClickHouse server, both through the same client. */
import { type ClickHouseClient, createClient } from '@clickhouse/client'
import { Fault } from '../../schemas/errors.ts'
import { type EngineOptions, startEngine } from './supervisor.ts'

export type ServerTarget = Readonly<{
  kind: 'server'
  /** http or https. */
  url: string
  user?: string
  password?: string
  database?: string
  /** PEM of the authority that signed the server's certificate, and of our own where the server asks for one. */
  tls?: Readonly<{ ca: Buffer } | { ca: Buffer; cert: Buffer; key: Buffer }>
  /** False for who only reads: the database is there, and making one takes a right that a reader should not have. */
  create?: boolean
  /** Makes the database on every server of this cluster. */
  cluster?: string
  querySecondsMax?: number
}>
export type StoreTarget = (Readonly<{ kind: 'embedded' }> & EngineOptions) | ServerTarget

export type Store = AsyncDisposable & {
  /** Its database is `database`; times come as RFC 3339. */
  readonly client: ClickHouseClient
  readonly database: string
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

const defaultDatabase = 'lapwing'

/** The words that make a statement run on every server of a cluster. */
export function onCluster(cluster: string | undefined): string {
  if (cluster === undefined || cluster === '') return ''
  // A name, or a macro of the server's configuration such as {cluster}.
  if (!/^[\w.{}-]{1,100}$/.test(cluster)) throw new Fault('CONFIG_INVALID', 'cluster is not a name')
  return ` ON CLUSTER '${cluster}'`
}

async function createDatabase(client: ClickHouseClient, database: string, cluster: string | undefined) {
  try {
    const query = `CREATE DATABASE IF NOT EXISTS {database:Identifier}${onCluster(cluster)}`
    await client.command({ query, query_params: { database } })
  } finally {
    await client.close()
  }
}

async function reach(client: ClickHouseClient) {
  try {
    const answer = await client.query({ query: 'SELECT 1 AS one', format: 'JSONEachRow' })
    await answer.json()
  } finally {
    await client.close()
  }
}

const tlsOf = (target: StoreTarget) => {
  if (target.kind === 'embedded' || target.tls === undefined) return {}
  const { ca, ...own } = target.tls
  return { tls: { ca_cert: ca, ...own } }
}

export async function openStore(target: StoreTarget): Promise<Store> {
  await using undo = new AsyncDisposableStack()
  const engine = target.kind === 'embedded' ? undo.use(await startEngine(target)) : undefined
  const server = target.kind === 'server' ? target : undefined
  const address = {
    url: engine?.url ?? server?.url ?? '',
    username: engine === undefined ? (server?.user ?? 'default') : 'lapwing',
    password: engine?.token ?? server?.password ?? '',
  }
  const database = server?.database ?? defaultDatabase
  const connect = (name: string) =>
    createClient({
      ...address,
      ...tlsOf(target),
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
    if (server?.create !== false) await createDatabase(connect('default'), database, server?.cluster)
    else await reach(connect(database))
  } catch (error) {
    throw error instanceof Fault ? error : new Fault('STORE_UNREACHABLE', 'store does not answer', error)
  }
  const client = connect(database)
  undo.defer(() => client.close())
  const owned = undo.move()
  return {
    client,
    database,
    kind: target.kind,
    url: address.url,
    token: address.password,
    restarts: () => engine?.restarts() ?? 0,
    pid: () => engine?.pid(),
    close: () => owned.disposeAsync(),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}
