/** docker-compose.yml: valid by the specification's own reader, hardened in every service, and of settings that exist. */
import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { readConfig } from '../../commands/config.ts'
import { type Loose, read, root, variables, yamlOf } from './files.ts'
import { composeSpec, goTool, run } from './tools.ts'

const text = read('docker-compose.yml')
const compose: Loose = yamlOf(text)
const services = Object.entries<Loose>(compose.services)
const folder = mkdtempSync(join(tmpdir(), 'lapwing-compose-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('the specification’s reader takes it, with and without the demo', (t) => {
  const reader = goTool(t, composeSpec)
  if (!reader) return
  for (const profile of ['', 'demo']) {
    const { status, stderr } = run(reader, [join(root, 'docker-compose.yml')], {
      cwd: folder,
      env: { ...process.env, COMPOSE_PROFILES: profile },
    })
    assert.equal(status, 0, stderr)
  }
  const broken = run(reader, ['/dev/stdin'], { cwd: folder, input: text.replace('read_only: true', 'read_onyl: true') })
  assert.notEqual(broken.status, 0, 'a key that does not exist must be seen')
})

test('every service runs read-only, without capabilities, as a user that is not root', () => {
  for (const [name, service] of services) {
    assert.equal(service.read_only, true, name)
    assert.deepEqual(service.cap_drop, ['ALL'], name)
    assert.deepEqual(service.security_opt, ['no-new-privileges:true'], name)
    assert.equal(service.privileged, undefined, name)
    // One service gives volumes to their owners, with that one capability and no network, and ends.
    if (name === 'prepare') assert.deepEqual([service.cap_add, service.network_mode], [['CHOWN'], 'none'])
    else assert.match(String(service.user), /^([1-9]\d*:[1-9]\d*|\$\{LAPWING_UID:-1000\}:\$\{LAPWING_GID:-1000\})$/, name)
  }
})

test('images have an exact version and no registry', () => {
  for (const [name, { image }] of services) assert.match(image, /^[a-z0-9-]+(\/[a-z0-9-]+)?:\d+\.\d+\.\d+[\w.-]*$/, name)
})

test('no secret stands in the file, and each that is used is declared', () => {
  for (const [name, service] of services) {
    for (const secret of service.secrets ?? []) assert.ok(compose.secrets[secret], `${name}: ${secret}`)
    for (const [variable, value] of Object.entries(service.environment ?? {})) {
      if (/TOKEN|PASSWORD|SECRET/.test(variable)) assert.match(String(value), /^\/run\/secrets\/\w+$/, `${name}: ${variable}`)
      const [, used] = /^\/run\/secrets\/(\w+)$/.exec(String(value)) ?? []
      if (used) assert.ok(service.secrets?.includes(used), `${name}: ${variable} names a secret the service does not have`)
    }
  }
})

test('what is published is published on loopback unless somebody says otherwise', () => {
  for (const [name, { ports = [] }] of services)
    for (const port of ports) assert.match(port, /^\$\{LAPWING_BIND:-127\.0\.0\.1\}:\d+:\d+$/, name)
  assert.ok(compose.networks.bus.internal && compose.networks.store.internal)
})

test('a service waits for what it needs, in the way that thing can answer', () => {
  for (const [name, service] of services) {
    for (const [needed, { condition }] of Object.entries<Loose>(service.depends_on ?? {})) {
      const other = compose.services[needed]
      assert.ok(other, `${name} waits for ${needed}`)
      const role = other.environment?.LAPWING_ROLE !== undefined // the image has a health check
      if (condition === 'service_healthy') assert.ok(other.healthcheck?.test || role, `${needed} can not say that it is healthy`)
      else assert.ok(condition === 'service_completed_successfully' && other.restart === undefined, `${needed} never completes`)
    }
  }
})

test('what is mounted exists', () => {
  for (const [name, { volumes = [] }] of services) {
    for (const volume of volumes) {
      const source = typeof volume === 'string' ? String(volume.split(':')[0]) : volume.source
      if (source.startsWith('./secrets/')) continue // test/deploy/secrets.test.ts
      if (source.startsWith('.')) assert.ok(existsSync(join(root, source)), `${name}: ${source}`)
      else assert.ok(Object.hasOwn(compose.volumes, source), `${name}: ${source}`)
    }
  }
})

test('each role starts with settings that the product takes', () => {
  run(process.execPath, [join(root, 'deploy/secrets.mjs'), folder])
  const roles = services.filter(([, { environment }]) => environment?.LAPWING_ROLE)
  assert.deepEqual(roles.map(([, { environment }]) => environment.LAPWING_ROLE).sort(), ['collect', 'detect', 'serve', 'store'])
  for (const [name, { environment }] of roles) {
    for (const variable of Object.keys(environment)) assert.ok(variables.has(variable), `${name}: ${variable} is no setting`)
    const given = Object.entries<string>(environment).map(([variable, value]) => {
      const [, secret] = /^\/run\/secrets\/(\w+)$/.exec(value) ?? []
      const plain = value.replace(/\$\{\w+:-([^}]*)\}/g, '$1')
      return [variable, secret ? join(folder, compose.secrets[secret].file) : plain]
    })
    const { config } = readConfig({}, Object.fromEntries(given))
    assert.equal(config.role, name)
    assert.deepEqual(config.kafka.brokers, ['kafka:9092'])
    assert.equal(config.keysDir, '/keys')
    if (name === 'collect') assert.ok(config.otlp.token && config.kafka.sourceTopics.length === 2)
    if (name === 'serve') assert.ok(config.api.token && config.api.host === '0.0.0.0')
    if (name === 'store' || name === 'serve') assert.ok(config.store.password && config.store.user === `lapwing_${name}`)
  }
})
