/** The collector's configurations: nothing is sampled, what was taken is on disk, senders show a token; a real collector takes them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { collectorBinary } from '../otelcol/collector.ts'
import { read, root, under, yamlOf } from './files.ts'
import { run } from './tools.ts'

const files = [...under('deploy/otelcol', /\.yaml$/), 'deploy/kubernetes/overlays/api-gateway/collector-config.yaml']
const environment = {
  OTLP_ENDPOINT: 'http://collect:4318',
  KAFKA_BROKER: 'kafka:9092',
  OTLP_TOKEN_FILE: '/etc/hostname',
  OTELCOL_QUEUE: '/tmp/queue',
}
const collector = await collectorBinary()

for (const file of files) {
  const { extensions, receivers, processors, exporters, service } = yamlOf(read(file))

  test(`${file}: loses and drops nothing by configuration`, () => {
    assert.deepEqual(Object.keys(processors), ['memory_limiter'], 'no sampler, and no batch in front of the queue')
    for (const [name, pipeline] of Object.entries(service.pipelines as Record<string, { processors: string[]; exporters: string[] }>))
      assert.deepEqual([pipeline.processors, pipeline.exporters], [['memory_limiter'], Object.keys(exporters)], name)
    for (const exporter of Object.values(
      exporters as Record<
        string,
        {
          sending_queue: { storage: string; block_on_overflow: boolean; sizer: string; batch: object }
          retry_on_failure: { max_elapsed_time: string }
        }
      >,
    )) {
      const { sending_queue: queue, retry_on_failure: retry } = exporter
      assert.ok(queue.storage in extensions && queue.block_on_overflow && queue.sizer === 'bytes' && queue.batch)
      assert.equal(retry.max_elapsed_time, '0s')
    }
    assert.equal(extensions['file_storage/queue'].fsync, true)
  })

  test(`${file}: senders show a token, which lies in a file`, () => {
    for (const protocol of Object.values(receivers.otlp.protocols as Record<string, { auth: { authenticator: string } }>))
      assert.equal(protocol.auth.authenticator, 'bearertokenauth')
    assert.deepEqual(Object.keys(extensions.bearertokenauth), ['scheme', 'filename'])
    assert.deepEqual(service.extensions.toSorted(), Object.keys(extensions).sort())
  })

  test(`${file}: a real collector takes it`, (t) => {
    if (typeof collector !== 'string') return t.skip(collector.reason)
    // The password is read when the file is: there is none here.
    const text = read(file).replace(/\$\{file:[^}]*\}/, 'x')
    const { status, stderr } = run(collector, ['validate', `--config=yaml:${JSON.stringify(yamlOf(text))}`], {
      cwd: root,
      env: { ...process.env, ...environment },
    })
    assert.equal(status, 0, stderr)
  })
}

test('the one with TLS and SASL is the other one with TLS and SASL', () => {
  const plain = yamlOf(read('deploy/otelcol/to-kafka.yaml'))
  const secured = yamlOf(read('deploy/kubernetes/overlays/api-gateway/collector-config.yaml'))
  const { tls, auth, ...kafka } = secured.exporters.kafka
  assert.ok(tls.ca_file && auth.sasl.mechanism === 'SCRAM-SHA-512')
  assert.deepEqual({ ...secured, exporters: { kafka } }, plain)
})
