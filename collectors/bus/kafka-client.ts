/**
 * The only file that imports kafkajs. Of it we use connections, TLS, SASL, metadata and the small requests, not its producer and
 * consumer: those lose an acknowledged record when a response is lost, commit for partitions they no longer own, jump over what
 * was deleted, and stop without a word. Pinned to 2.2.4, because what is reached for here is not its public face.
 */
import { createRequire } from 'node:module'
import { connect, isIP, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import kafkajs from 'kafkajs'
import { Fault } from '../../schemas/errors.ts'
import { createChecksum } from './kafka-records.ts'
import {
  decodeFetched,
  decodeProduced,
  encodeFetch,
  encodeProduce,
  type FetchedPart,
  type FetchRequest,
  type Produced,
  type ProduceRequest,
} from './kafka-requests.ts'

export type KafkaOptions = Readonly<{
  brokers: readonly string[]
  clientId: string
  tls?: Readonly<{ ca?: string; cert?: string; key?: string }> | boolean
  sasl?: Readonly<{ mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'; username: string; password: string }>
}>

type Named<P> = Readonly<{ topic: string; partitions: readonly P[] }>
type GroupMember = Readonly<{ memberId: string; memberMetadata: Buffer }>

/** What kafkajs calls a broker, as far as it is used here. */
export type Broker = {
  disconnect(): Promise<void>
  connectionPool: {
    send<T>(message: {
      request: { apiKey: number; apiVersion: number; apiName: string; encode: () => Promise<{ buf: Buffer; buffer: Buffer }> }
      response: { decode: (bytes: Buffer) => Promise<T>; parse: (answer: T) => Promise<T> }
    }): Promise<T>
  }
  initProducerId(request: { transactionTimeout: number }): Promise<{ producerId: string; producerEpoch: number }>
  joinGroup(request: {
    groupId: string
    sessionTimeout: number
    rebalanceTimeout: number
    memberId: string
    groupProtocols: readonly { name: string; metadata: Buffer }[]
  }): Promise<{ generationId: number; leaderId: string; memberId: string; members: readonly GroupMember[] }>
  syncGroup(request: {
    groupId: string
    generationId: number
    memberId: string
    groupAssignment: readonly { memberId: string; memberAssignment: Buffer }[]
  }): Promise<{ memberAssignment: Buffer }>
  heartbeat(request: { groupId: string; groupGenerationId: number; memberId: string }): Promise<unknown>
  leaveGroup(request: { groupId: string; memberId: string }): Promise<unknown>
  offsetCommit(request: {
    groupId: string
    groupGenerationId: number
    memberId: string
    topics: readonly Named<{ partition: number; offset: string }>[]
  }): Promise<unknown>
  offsetFetch(request: { groupId: string; topics: readonly Named<{ partition: number }>[] }): Promise<{
    responses: readonly Named<{ partition: number; offset: string }>[]
  }>
}
/** Connections to the brokers of one cluster, and what is known of its topics: what kafkajs calls so, and four things more. */
export type Cluster = {
  produce(leader: number, request: ProduceRequest): Promise<readonly Produced[]>
  fetch(leader: number, request: FetchRequest): Promise<readonly FetchedPart[]>
  errorOf(errorCode: number): Error
  /** Every request that waits for an answer fails at once. */
  hangUp(): void
  /** Closes at once; `disconnect` waits for answers, up to half a minute. */
  abandon(): Promise<void>
  connect(): Promise<void>
  disconnect(): Promise<void>
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>
  refreshMetadata(): Promise<void>
  refreshMetadataIfNecessary(): Promise<void>
  getNodeIds(): readonly string[]
  removeBroker(address: { host: string; port: number }): void
  findTopicPartitionMetadata(topic: string): readonly Readonly<{ partitionId: number; leader: number }>[]
  findBroker(node: { nodeId: number | string }): Promise<Broker>
  findGroupCoordinator(group: { groupId: string }): Promise<Broker>
  fetchTopicsOffset(
    topics: readonly (Named<{ partition: number }> & { fromBeginning: boolean })[],
  ): Promise<readonly Named<{ partition: number; offset: string }>[]>
}
export type Admin = kafkajs.Admin
type RequestQueue = {
  throttleCheckTimeoutId: NodeJS.Timeout | null
  throttledUntil: number
  pending: readonly unknown[]
  checkPendingRequests(): void
  scheduleCheckPendingRequests(): void
}
/** As released it sets itself again with a negative time, about 2,400 times a second on an idle client (kafkajs#1751). */
function schedule(this: RequestQueue): void {
  if (this.throttleCheckTimeoutId || this.pending.length === 0) return
  this.throttleCheckTimeoutId = setTimeout(
    () => {
      this.throttleCheckTimeoutId = null
      this.checkPendingRequests()
    },
    Math.max(10, this.throttledUntil - Date.now()),
  )
}

/** Again and again the same, so that it may be called by everyone who needs it. */
function prepare(): void {
  const load = createRequire(import.meta.url)
  const { version } = load('kafkajs/package.json') as { version: string }
  if (version !== '2.2.4') throw new Fault('START_REFUSED', `kafkajs ${version} is not the version that this was made for`)
  const { prototype } = load('kafkajs/src/network/requestQueue') as { prototype: RequestQueue }
  prototype.scheduleCheckPendingRequests = schedule
}

function kafkaOf({ brokers, clientId, tls, sasl }: KafkaOptions, opened: (socket: Socket) => void = () => undefined): kafkajs.Kafka {
  prepare()
  return new kafkajs.Kafka({
    brokers: [...brokers],
    clientId,
    ...(tls ? { ssl: tls === true ? true : { ...tls } } : {}),
    // Safe: a union over the mechanism, which TypeScript does not see through.
    ...(sasl ? { sasl: { ...sasl } as kafkajs.SASLOptions } : {}),
    socketFactory: ({ host, port, ssl, onConnect }) => {
      const name = isIP(host) === 0 ? { servername: host } : {}
      const socket = ssl ? connectTls({ host, port, ...name, ...ssl }, onConnect) : connect({ host, port }, onConnect)
      opened(socket)
      return socket.setKeepAlive(true, 60_000).setNoDelay(true)
    },
    logLevel: kafkajs.logLevel.NOTHING,
    connectionTimeout: 5_000,
    requestTimeout: 30_000,
    // Whoever asks has a loop of its own, which can be stopped.
    retry: { retries: 3, initialRetryTime: 100, maxRetryTime: 1_000 },
  })
}

const settlingTypes = new Set([
  ...['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE', 'NOT_LEADER_FOR_PARTITION', 'NOT_CONTROLLER', 'NOT_ENOUGH_REPLICAS'],
  ...['GROUP_LOAD_IN_PROGRESS', 'GROUP_COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR_FOR_GROUP'],
])
/** Brokers and topics that have just started, moved or been made: it passes. */
export const isSettling = (error: unknown): boolean => settlingTypes.has(errorType(error))
const settleMsMax = 15_000
/** A topic that was just made, or has just moved, is not known to every broker at once. */
export async function settled<T>(work: () => Promise<T>): Promise<T> {
  const until = performance.now() + settleMsMax
  for (let waitMs = 20; ; waitMs = Math.min(2 * waitMs, 500)) {
    try {
      return await work()
    } catch (error) {
      if (!isSettling(error) || performance.now() > until) throw error
      await sleep(waitMs)
    }
  }
}

/** As kafkajs sends its own requests, but with our bytes. */
async function exchange<T>(
  broker: Broker,
  apiKey: number,
  apiVersion: number,
  body: Buffer,
  decode: (bytes: Buffer) => Promise<T>,
): Promise<T> {
  try {
    return await broker.connectionPool.send({
      request: { apiKey, apiVersion, apiName: apiKey === 0 ? 'Produce' : 'Fetch', encode: async () => ({ buf: body, buffer: body }) },
      response: { decode, parse: async (answer) => answer },
    })
  } catch (error) {
    if (error instanceof Error && error.name === 'KafkaJSConnectionClosedError') await broker.disconnect()
    throw error
  }
}

/** kafkajs shows its cluster to assigners of partitions only: one that assigns nothing is made to be shown it. */
export async function openCluster(options: KafkaOptions, topics: readonly string[] = []): Promise<Cluster> {
  let shown: unknown
  const sockets = new Set<Socket>()
  const opened = (socket: Socket): void => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  }
  kafkaOf(options, opened).consumer({
    groupId: 'none',
    allowAutoTopicCreation: false,
    metadataMaxAge: 60_000,
    partitionAssigners: [
      ({ cluster }) => {
        shown = cluster
        return { name: 'none', version: 0, assign: async () => [], protocol: () => ({ name: 'none', metadata: Buffer.alloc(0) }) }
      },
    ],
  })
  const checksum = createChecksum()
  const { createErrorFromCode } = createRequire(import.meta.url)('kafkajs/src/protocol/error') as {
    createErrorFromCode: Cluster['errorOf']
  }
  const theirs = shown as Cluster // safe: what kafkajs 2.2.4 passes, and below what it lacks
  const hangUp = (): void => {
    for (const socket of sockets) socket.destroy(new Error('given up'))
  }
  const cluster = Object.assign(theirs, {
    hangUp,
    errorOf: createErrorFromCode,
    async produce(leader: number, request: ProduceRequest) {
      const body = await encodeProduce(request, checksum)
      return exchange(await theirs.findBroker({ nodeId: leader }), 0, 7, body, async (bytes) => decodeProduced(bytes))
    },
    async fetch(leader: number, request: FetchRequest) {
      const broker = await theirs.findBroker({ nodeId: leader })
      const { errorCode, parts } = await exchange(broker, 1, 11, encodeFetch(request), (bytes) => decodeFetched(bytes, request, checksum))
      if (errorCode !== 0) throw createErrorFromCode(errorCode)
      return parts
    },
    async abandon() {
      hangUp()
      await theirs.disconnect()
    },
  })
  try {
    await cluster.connect()
    await settled(() => cluster.addMultipleTargetTopics(topics))
  } catch (error) {
    await cluster.abandon().catch(() => undefined)
    throw error
  }
  return cluster
}

export async function openAdmin(options: KafkaOptions): Promise<Admin> {
  const admin = kafkaOf(options).admin()
  await admin.connect()
  return admin
}

export const encodeMetadata = (topics: readonly string[], userData: Buffer): Buffer =>
  kafkajs.AssignerProtocol.MemberMetadata.encode({ version: 1, topics: [...topics], userData })
export const decodeMetadata = (bytes: Buffer): Readonly<{ topics: readonly string[]; userData: Buffer }> | null =>
  kafkajs.AssignerProtocol.MemberMetadata.decode(bytes)
export const encodeAssignment = (assignment: Record<string, number[]>): Buffer =>
  kafkajs.AssignerProtocol.MemberAssignment.encode({ version: 1, assignment, userData: Buffer.alloc(0) })
export const decodeAssignment = (bytes: Buffer): Readonly<Record<string, readonly number[]>> =>
  kafkajs.AssignerProtocol.MemberAssignment.decode(bytes)?.assignment ?? {}

/** The protocol’s name of an error, such as OFFSET_OUT_OF_RANGE; '' for what is none of the protocol’s. */
export function errorType(error: unknown): string {
  for (let one = error, depth = 0; one instanceof Error && depth < 5; one = one.cause, depth += 1) {
    if ('type' in one && typeof one.type === 'string') return one.type
  }
  return ''
}
/** A broker that hung up must be looked for again. */
export function forget(cluster: Cluster, error: unknown): void {
  if (!(error instanceof Error) || error.name !== 'KafkaJSConnectionClosedError') return
  const { host, port } = error as Error & { host?: string; port?: number }
  if (host !== undefined && port !== undefined) cluster.removeBroker({ host, port })
}
/** The node that takes and gives the records of a partition; -1: not known now, which a refresh of the metadata mends. */
export function leaderOf(cluster: Cluster, { topic, partition }: Readonly<{ topic: string; partition: number }>): number {
  try {
    return cluster.findTopicPartitionMetadata(topic).find(({ partitionId }) => partitionId === partition)?.leader ?? -1
  } catch {
    return -1 // kafkajs throws where it has no metadata at all, as after it lost all connections
  }
}
