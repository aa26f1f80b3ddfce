/** The one command that makes the cluster's secrets: complete, for the owner alone, once. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { openKeys } from '../../collectors/keys.ts'
import { read, root, yamlOf } from './files.ts'
import { type Ran, run } from './tools.ts'

const folder = mkdtempSync(join(tmpdir(), 'lapwing-secrets-'))
const at = (...parts: string[]) => join(folder, ...parts)
const make = (): Ran => run(process.execPath, [join(root, 'deploy/secrets.mjs'), folder])
const text = (file: string) => readFileSync(at('secrets', file), 'utf8')
before(() => {
  const { status, stderr } = make()
  assert.equal(status, 0, stderr)
})
after(() => rmSync(folder, { recursive: true, force: true }))

test('makes every file that docker-compose.yml names, and nothing is empty or the same', () => {
  const { secrets } = yamlOf(read('docker-compose.yml'))
  const files = Object.values(secrets as Record<string, { file: string }>).map(({ file }) => file.replace('./secrets/', ''))
  const contents = files.map(text)
  assert.ok(contents.every((content) => content.length >= 64))
  assert.equal(new Set(contents).size, files.length)
})

test('nobody else can read them; what ClickHouse’s own user reads is a hash', () => {
  assert.equal(statSync(at('secrets')).mode & 0o777, 0o700)
  for (const file of readdirSync(at('secrets'), { recursive: true, encoding: 'utf8' })) {
    const stat = statSync(at('secrets', file))
    const wanted = stat.isDirectory() ? 0o700 : file === 'clickhouse-admin.xml' ? 0o644 : 0o600
    assert.equal(stat.mode & 0o777, wanted, file)
  }
  const readable = text('clickhouse-admin.xml') + text('clickhouse-users.sql')
  for (const file of readdirSync(at('secrets')).filter((name) => name.endsWith('.txt'))) assert.ok(!readable.includes(text(file)), file)
})

test('ClickHouse users have the hash of the password that the role is given, a role, a profile and a tenant', () => {
  for (const user of ['store', 'serve', 'grafana', 'hunt']) {
    const hash = createHash('sha256')
      .update(text(`clickhouse_${user}_password.txt`))
      .digest('hex')
    const lines = text('clickhouse-users.sql').split('\n')
    // A user must never be there without a password, not even until the next line.
    for (const line of lines.filter((one) => one.startsWith(`CREATE USER IF NOT EXISTS lapwing_${user}`))) assert.ok(line.includes(hash))
    const altered = lines.find((line) => line.startsWith(`ALTER USER lapwing_${user} IDENTIFIED`))
    assert.ok(altered?.includes(hash) && altered.includes("SQL_lapwing_tenant = 'default' CONST"), user)
    assert.ok(lines.some((line) => line.startsWith('GRANT lapwing_') && line.endsWith(`TO lapwing_${user};`)))
  }
})

test('the keys are those that a process with a shared folder takes', () => {
  const keys = openKeys(at('data'), at('secrets', 'keys'))
  assert.equal(keys.tenantKey('default').length, 64)
  assert.equal(keys.keyedHash('default')('x').length, 16)
  assert.equal(Buffer.from(keys.open(keys.seal(Buffer.from('sealed')))).toString(), 'sealed')
})

test('a second run changes nothing and says so', () => {
  const before = readdirSync(at('secrets')).map((file) => statSync(at('secrets', file)).mtimeMs)
  const { status, stderr } = make()
  assert.equal(status, 1)
  assert.match(stderr, /stays as it is/)
  assert.deepEqual(
    readdirSync(at('secrets')).map((file) => statSync(at('secrets', file)).mtimeMs),
    before,
  )
  assert.deepEqual(readdirSync(folder).sort(), ['.env', 'secrets'])
  assert.match(readFileSync(at('.env'), 'utf8'), /^LAPWING_UID=\d+\nLAPWING_GID=\d+\n$/)
})
