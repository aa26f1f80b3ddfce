/** The topics of the bus: made where they are missing, with documented partitions, retention and size; left alone where they exist. */
import type { Topic } from '../../schemas/bus.ts'
import { topics } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { type Admin, settled } from './kafka-client.ts'

const mebibyte = 1024 ** 2
export const recordBytesMax = 32 * mebibyte
/** A dead letter carries a record sealed and in base64. */
export const deadBytesMax = 64 * mebibyte
const overheadBytes = mebibyte
const deadMsMin = 90 * 86_400_000
export const checkpointsTopic = 'mcp.checkpoints'

export type TopicsOptions = Readonly<{ prefix: string; partitions: number; replicationFactor: number; retentionMs: number }>

const entries = (config: Readonly<Record<string, string | number>>) =>
  Object.entries(config).map(([name, value]) => ({ name, value: String(value) }))

function configOf(topic: Topic | typeof checkpointsTopic, { replicationFactor, retentionMs }: TopicsOptions) {
  const inSync = { 'min.insync.replicas': Math.max(1, replicationFactor - 1), 'compression.type': 'producer' }
  if (topic === checkpointsTopic) {
    return entries({
      ...inSync,
      // A checkpoint older than the records after it is of no use.
      'cleanup.policy': 'compact,delete',
      'retention.ms': retentionMs,
      'segment.bytes': 64 * mebibyte,
      'min.cleanable.dirty.ratio': 0.2,
      'max.message.bytes': 2 * mebibyte,
    })
  }
  const dead = topic === 'mcp.dead'
  return entries({
    ...inSync,
    'cleanup.policy': 'delete',
    'retention.ms': dead ? Math.max(deadMsMin, retentionMs) : retentionMs,
    'max.message.bytes': (dead ? deadBytesMax : recordBytesMax) + overheadBytes,
  })
}

/** Answers the id of the cluster. */
export async function ensureTopics(admin: Admin, options: TopicsOptions): Promise<string> {
  const { prefix, partitions, replicationFactor } = options
  const wanted = [...topics, checkpointsTopic] as const
  const known = new Set(await admin.listTopics())
  const missing = wanted.filter((topic) => !known.has(prefix + topic))
  if (missing.length > 0) {
    await admin.createTopics({
      waitForLeaders: false, // what it waits for is not all that is needed: see below
      topics: missing.map((topic) => ({
        topic: prefix + topic,
        numPartitions: partitions,
        replicationFactor,
        configEntries: configOf(topic, options),
      })),
    })
  }
  const { topics: found } = await settled(() => admin.fetchTopicMetadata({ topics: wanted.map((topic) => prefix + topic) }))
  const wrong = found.filter((topic) => topic.partitions.length !== partitions)
  if (wrong.length > 0) {
    const list = wrong.map((topic) => `${topic.name} has ${topic.partitions.length}`).join(', ')
    throw new Fault('START_REFUSED', `${partitions} partitions are configured, but ${list}: a key would change its partition`)
  }
  return (await admin.describeCluster()).clusterId
}
