/** The Kafka bus keeps the promises of every bus, and those of its own, on a real broker. */
import { after, before, describe, it } from 'node:test'
import { busConformance } from '../conformance/bus.ts'
import { type Brokers, whatIsMissing } from './broker.ts'
import { groupPromises, lossPromises } from './groups.ts'
import { openBus, prefixOf } from './kafka-tools.ts'
import { foreignPromises, limitPromises, stallPromises } from './limits.ts'
import { type KafkaProxy, startProxied } from './proxy.ts'
import { snapshotPromises } from './snapshots.ts'

const missing = await whatIsMissing()
if (missing) it('the Kafka bus', { skip: missing })
else {
  describe('Kafka', () => {
    let broker: Brokers
    let proxy: KafkaProxy
    before(async () => {
      ;({ broker, proxy } = await startProxied())
    })
    after(async () => {
      await broker[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
    })
    const brokers = (): readonly string[] => broker.brokers
    busConformance('Kafka', (dir) => openBus(brokers(), prefixOf(dir)))
    groupPromises(brokers)
    lossPromises(brokers)
    snapshotPromises(brokers)
    limitPromises(brokers)
    foreignPromises(brokers)
    stallPromises(brokers, () => proxy.swallowFetches())
  })
}
