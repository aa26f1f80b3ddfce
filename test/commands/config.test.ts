/** `lapwing config` and what refuses to start: roles that cannot stand alone, secrets from files. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { readConfig } from '../../commands/config.ts'
import { commands } from './run.ts'

const { run, file } = commands()
type Setting = { name: string; value: unknown; source: string }

it('prints every setting with its source and hides secrets', async () => {
  const path = file('lapwing-test.yaml', 'api:\n  port: 7000\n  token: "a secret of the file"\nkafka:\n  brokers: [a:9092, b:9092]\n')
  const { code, stdout } = await run('config', '--json', '--config', path, '--otlp-http-port', '14318')
  assert.equal(code, 0)
  const settings = new Map((JSON.parse(stdout) as { settings: Setting[] }).settings.map((setting) => [setting.name, setting]))
  assert.deepEqual(settings.get('api.port'), { name: 'api.port', value: 7000, source: 'file' })
  assert.deepEqual(settings.get('otlp.httpPort'), { name: 'otlp.httpPort', value: 14318, source: 'flag' })
  assert.deepEqual(settings.get('kafka.brokers')?.value, ['a:9092', 'b:9092'])
  assert.equal(settings.get('role')?.source, 'default')
  assert.ok(!stdout.includes('a secret'))
})

it('takes a secret from the file that a variable names, and says which when it cannot', () => {
  const path = file('token.txt', 'from-the-file\n')
  const { config, origins } = readConfig({}, { LAPWING_OTLP_TOKEN_FILE: path })
  assert.equal(config.otlp.token, 'from-the-file')
  assert.equal(origins.get('otlp.token'), 'environment')
  assert.equal(readConfig({}, { LAPWING_OTLP_TOKEN_FILE: path, LAPWING_OTLP_TOKEN: 'direct' }).config.otlp.token, 'direct')
  assert.throws(() => readConfig({}, { LAPWING_OTLP_TOKEN_FILE: `${path}.missing` }), /LAPWING_OTLP_TOKEN_FILE/)
  assert.throws(() => readConfig({}, { LAPWING_OTLP_TOKEN_FILE: file('empty.txt', '\n') }), /empty/)
  assert.equal(readConfig({}, { LAPWING_API_HOST_FILE: path }).config.api.host, '127.0.0.1', 'only secrets are read from files')
})

it('a role alone is refused without the bus and the store it has to share', async () => {
  for (const [args, wanted] of [
    [['--role', 'detect'], /role detect alone needs kafka\.brokers/],
    [['--role', 'serve', '--kafka-brokers', '127.0.0.1:1'], /role serve alone needs store\.url/],
    [['--role', 'store', '--kafka-brokers', '127.0.0.1:1'], /role store alone needs store\.url/],
    [['--role', 'everything'], /role/],
    [['--kafka-brokers', '127.0.0.1:1', '--kafka-sasl-mechanism', 'plain'], /kafka\.saslUsername/],
  ] as const) {
    const { code, stderr } = await run('start', '--data-dir', 'data', ...args)
    assert.notEqual(code, 0)
    assert.match(stderr, wanted)
    assert.doesNotMatch(stderr, /\n\s+at /)
  }
})
