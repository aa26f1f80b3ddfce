/** What the Kafka tests share: a bus with short waits whose topics are its own. */
import { createHash, randomUUID } from 'node:crypto'
import { type KafkaBus, type KafkaBusOptions, openKafka } from '../../collectors/bus/kafka.ts'
import { leaderOf, openCluster } from '../../collectors/bus/kafka-client.ts'
import { endsOf } from '../../collectors/bus/kafka-fetch.ts'
import type { FetchedMessage } from '../../collectors/bus/kafka-records.ts'
import { sealForTest } from '../conformance/bus-tools.ts'

/** Short, so that a test sees a rebalance; long enough for a busy machine. */
export const shortTimes = { sessionMs: 10_000, heartbeatMs: 100, pollMs: 100 } as const

export const openBus = (brokers: readonly string[], topicPrefix: string, more: Partial<KafkaBusOptions> = {}): Promise<KafkaBus> =>
  openKafka({
    ...{ brokers, clientId: 'lapwing-test', topicPrefix, partitions: 4, replicationFactor: 1, retentionMs: 3_600_000 },
    ...{ seal: sealForTest, onFault: () => undefined, times: shortTimes },
    retryMs: (attempt) => Math.min(2 ** attempt, 30),
    ...more,
  })
/** The same text is the same bus again. */
export const prefixOf = (text: string): string => `t${createHash('sha256').update(text).digest('hex').slice(0, 12)}.`
export const freshPrefix = (): string => prefixOf(randomUUID())

/** All that a partition holds, read without a group. */
export async function readAll(brokers: readonly string[], topic: string, partition = 0): Promise<readonly FetchedMessage[]> {
  const cluster = await openCluster({ brokers, clientId: 'test' }, [topic])
  try {
    const part = { topic, partition }
    const { high = 0n } = (await endsOf(cluster, [part])).get(`${topic}/${partition}`) ?? {}
    const all: FetchedMessage[] = []
    for (let from = 0n; from < high; ) {
      const bytesMax = 8 * 1024 ** 2
      const [fetched] = await cluster.fetch(leaderOf(cluster, part), { waitMs: 100, bytesMax, parts: [{ ...part, from, bytesMax }] })
      all.push(...(fetched?.messages ?? []))
      from = fetched?.next ?? from
    }
    return all
  } finally {
    await cluster.abandon()
  }
}
