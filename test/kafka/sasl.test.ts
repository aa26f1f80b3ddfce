/** A broker that asks who is there lets us in with the right password, on every connection, and the wrong one is said clearly. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { rec, remember, until } from '../conformance/bus-tools.ts'
import { startBrokers, whatIsMissing } from './broker.ts'
import { freshPrefix, openBus } from './kafka-tools.ts'

const missing = await whatIsMissing()
const users = 'username="broker" password="own" user_broker="own" user_lapwing="feather"'
const config = {
  'listener.security.protocol.map': 'PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
  'inter.broker.listener.name': 'PLAINTEXT',
  'sasl.enabled.mechanisms': 'PLAIN',
  'sasl.mechanism.inter.broker.protocol': 'PLAIN',
  'listener.name.plaintext.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required ${users};`,
}

it('publishes and reads with a password, and is refused with another', { skip: missing ?? false, timeout: 120_000 }, async () => {
  await using broker = await startBrokers({ config })
  const sasl = (password: string) => ({ sasl: { mechanism: 'plain', username: 'lapwing', password } }) as const
  await using bus = await openBus(broker.brokers, freshPrefix(), sasl('feather'))
  const { handler, texts } = remember()
  await bus.consume(['mcp.events'], 'g', handler)
  await bus.publish('mcp.events', [rec('a', '0')])
  await until(() => texts().length === 1)
  await assert.rejects(openBus(broker.brokers, freshPrefix(), sasl('wrong')), { code: 'START_REFUSED', message: /authentication failed/i })
})
