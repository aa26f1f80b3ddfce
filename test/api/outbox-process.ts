/** A process to kill: owes alerts to a webhook and goes on until it is ended. Arguments: data directory, URL, number of alerts. */
import { openOutbox } from '../../api/outputs/outbox.ts'
import { openWebhook } from '../../api/outputs/webhook.ts'
import { createFeed, sampleAlert } from './sample.ts'

const [dataDir = '', url = '', count = '0'] = process.argv.slice(2)
const { bus, feed } = createFeed()
await openOutbox({
  dataDir,
  bus,
  outputs: [{ name: 'webhook', severity: 'low', sink: openWebhook({ url, allowPrivate: true, timeoutMs: 5_000 }) }],
  log: { warn: () => undefined, error: () => undefined },
  retry: { firstMs: 20, waitMsMax: 50 },
})
const alerts = Array.from({ length: Number(count) }, (_, index) => sampleAlert({ alertId: `alert-${index}` }))
await feed(...alerts.map((alert) => ({ type: 'alert', alert }) as const))
process.stdout.write('fed\n')
setInterval(() => undefined, 1_000)
