/** What every role stands on: the configuration, the bus, the keys; and what each says of itself to whoever asks. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { KafkaBus } from '../../collectors/bus/kafka.ts'
import type { KafkaReader } from '../../collectors/bus/kafka-consume.ts'
import type { GroupLags } from '../../collectors/bus/kafka-lag.ts'
import { openLog } from '../../collectors/bus/log.ts'
import { type Keys, openKeys } from '../../collectors/keys.ts'
import { type Bus, type DeadLetter, type Gap, gapOf, type Running } from '../../schemas/bus.ts'
import type { Config } from '../../schemas/config.ts'
import { Fault } from '../../schemas/errors.ts'
import { one, type Vital } from '../health.ts'
import { tracedBus } from '../traced-bus.ts'
import { type AgedBus, withAges } from './ages.ts'

export type Base = Readonly<{
  config: Config
  version: string
  log: Logger
  bus: Bus
  keys: Keys
  /** How long each group has been at the batch it has in hand, ms. */
  ages: AgedBus['ages']
  /** Told of every loss that a reader noticed; those from before are told at once. */
  onGap: (report: (gap: Gap) => void) => void
  /** Closes what was opened, in reverse. */
  opening: AsyncDisposableStack
  /** What only a cluster has. */
  kafka?: KafkaParts
  /** Consumer groups of this process, in order of flow. */
  groups: Map<string, Running>
  vitals: Vital[]
}>
export type BaseOptions = Pick<Base, 'config' | 'version' | 'log' | 'opening'> &
  Readonly<{ onFatal?: ((error: unknown) => void) | undefined }>

export async function openBase({ config, version, log, opening, onFatal }: BaseOptions): Promise<Base> {
  const keys = openKeys(config.dataDir, config.keysDir)
  const gaps = createGaps()
  const onFault = (error: unknown) => {
    log.warn({ error }, 'bus fault')
    const gap = gapOf(error)
    if (gap) gaps.report(gap)
    if (error instanceof Fault && error.code === 'BUS_IO') onFatal?.(error)
  }
  const vitals: Vital[] = []
  const base = { config, version, log, opening, keys, vitals, groups: new Map<string, Running>(), onGap: gaps.onGap }
  if (config.kafka.brokers.length > 0) return { ...base, ...(await openCluster(base, onFault)) }
  const bus = opening.use(await openLog({ dir: join(config.dataDir, 'log'), ...config.log, seal: keys.seal, onFault }))
  vitals.push({ name: 'log', report: bus.counts, samples: () => [] })
  return { ...base, ...withAges(config.telemetry.endpoint ? tracedBus(bus) : bus) }
}

const earlyMax = 100

/** The bus may notice a loss before there is anybody to tell. */
function createGaps() {
  const early: Gap[] = []
  let report = (gap: Gap): void => void (early.length < earlyMax && early.push(gap))
  return {
    report: (gap: Gap) => report(gap),
    onGap(told: (gap: Gap) => void) {
      report = told
      for (const gap of early.splice(0)) told(gap)
    },
  }
}

export type KafkaParts = Readonly<{
  /** Partitions move between processes, and so does the state of their engines. */
  checkpoints: KafkaBus['checkpoints']
  /** Reads topics that are not ours. */
  reader: KafkaReader
  /** Of all groups, whichever process they are in. */
  lags: GroupLags['lags']
}>

async function openCluster({ config, keys, opening, vitals }: Omit<Base, 'bus' | 'ages'>, onFault: (error: unknown) => void) {
  // Only where it is asked for: a machine of its own has no Kafka.
  const [{ openKafka }, { openKafkaReader }, { openGroupLags }] = await Promise.all([
    import('../../collectors/bus/kafka.ts'),
    import('../../collectors/bus/kafka-consume.ts'),
    import('../../collectors/bus/kafka-lag.ts'),
  ])
  const options = { ...kafkaOptions(config), seal: keys.seal, onFault }
  const bus = opening.use(await openKafka(options))
  const publishDead = async (letter: DeadLetter, key: string) =>
    void (await bus.publish('mcp.dead', [{ key, bytes: Buffer.from(JSON.stringify(letter)) }]))
  const reader = opening.use(openKafkaReader({ ...options, publishDead }))
  const { lags } = opening.use(openGroupLags(options, config.kafka.topicPrefix))
  vitals.push({
    name: 'kafka',
    report: bus.counts,
    samples: () =>
      Object.entries(bus.counts()).map(([name, count]) =>
        one(
          `lapwing_kafka_${name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`,
          'gauge',
          `Of the Kafka client: ${name}`,
          count,
        ),
      ),
  })
  return { ...withAges(config.telemetry.endpoint ? tracedBus(bus, 'kafka') : bus), kafka: { checkpoints: bus.checkpoints, reader, lags } }
}

const pemIn = (setting: string, file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new Fault('CONFIG_INVALID', `kafka.${setting}: cannot read ${file}`, error)
  }
}

export function kafkaOptions({ kafka }: Config) {
  const { brokers, clientId, topicPrefix, partitions, replicationFactor, retentionHours, sessionMs } = kafka
  const pem = (['caFile', 'certFile', 'keyFile'] as const).flatMap((setting) =>
    kafka[setting] ? [[setting.slice(0, -'File'.length), pemIn(setting, kafka[setting])] as const] : [],
  )
  const { saslMechanism: mechanism, saslUsername: username, saslPassword: password } = kafka
  if (mechanism !== 'none' && (!username || !password))
    throw new Fault('CONFIG_INVALID', 'kafka.saslMechanism needs kafka.saslUsername and kafka.saslPassword')
  return {
    brokers,
    clientId,
    topicPrefix,
    partitions,
    replicationFactor,
    retentionMs: retentionHours * 3_600_000,
    times: { sessionMs, heartbeatMs: Math.min(3_000, sessionMs / 5) },
    ...(kafka.tls ? { tls: pem.length > 0 ? Object.fromEntries(pem) : true } : {}),
    ...(mechanism !== 'none' ? { sasl: { mechanism, username, password: password ?? '' } } : {}),
  }
}
