/** Keys are made once, agreed upon by all who race for them, and refused when others can read them. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openKeys } from '../../collectors/keys.ts'
import { Fault } from '../../schemas/errors.ts'

function folder(): { dir: string } & Disposable {
  const dir = mkdtempSync(join(tmpdir(), 'keys-'))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}
const refused = (error: unknown): boolean => error instanceof Fault && error.code === 'START_REFUSED'

test('hashes stay the same when opened again, and differ between tenants and directories', () => {
  using a = folder()
  using b = folder()
  const hash = openKeys(a.dir).keyedHash('acme')('text')
  assert.match(hash, /^[0-9a-f]{16}$/)
  assert.equal(openKeys(a.dir).keyedHash('acme')('text'), hash)
  assert.notEqual(openKeys(a.dir).keyedHash('../acme')('text'), hash)
  assert.notEqual(openKeys(b.dir).keyedHash('acme')('text'), hash)
})

test('a tenant’s name never becomes a path, and every file is for the owner alone', () => {
  using a = folder()
  const keys = openKeys(a.dir)
  for (const tenant of ['default', '../../x', '__proto__', 'a/b', '\0', 'é'.repeat(500)]) keys.keyedHash(tenant)('x')
  keys.seal(new Uint8Array(1))
  const files = readdirSync(join(a.dir, 'keys'))
  assert.equal(files.length, 7)
  for (const file of files) {
    assert.match(file, /^(?:tenant-[0-9a-f]{32}|sealing)\.key$/)
    assert.equal(statSync(join(a.dir, 'keys', file)).mode & 0o777, 0o600)
  }
  assert.equal(statSync(join(a.dir, 'keys')).mode & 0o777, 0o700)
})

test('processes that race for new keys agree on every one', async () => {
  using a = folder()
  const module = JSON.stringify(new URL('../../collectors/keys.ts', import.meta.url).href)
  const go = join(a.dir, 'go')
  // All wait for the same file and then ask for the same tenants, so that they meet at each.
  const code = `
    import { existsSync } from 'node:fs'
    import { openKeys } from ${module}
    const keys = openKeys(${JSON.stringify(a.dir)})
    process.stdout.write('ready ')
    while (!existsSync(${JSON.stringify(go)}));
    for (let n = 0; n < 60; n += 1) process.stdout.write(keys.keyedHash('tenant ' + n)('x'))`
  let ready = 0
  const run = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
      let out = ''
      child.stdout.on('data', (chunk) => {
        if (out === '') ready += 1
        if (ready === 3) writeFileSync(go, '')
        out += String(chunk)
      })
      child.on('close', () => resolve(out)).on('error', reject)
    })
  const hashes = await Promise.all([run(), run(), run()])
  assert.match(hashes[0] ?? '', /^ready [0-9a-f]{960}$/)
  assert.equal(new Set(hashes).size, 1)
  assert.equal(readdirSync(join(a.dir, 'keys')).length, 60)
})

test('a key file that others can read, that is a link, or that holds no key is refused', () => {
  using a = folder()
  openKeys(a.dir).keyedHash('t')('x')
  const file = join(a.dir, 'keys', readdirSync(join(a.dir, 'keys'))[0] as string)
  const whole = readFileSync(file)
  chmodSync(file, 0o640)
  assert.throws(() => openKeys(a.dir).keyedHash('t'), refused)
  chmodSync(file, 0o600)
  for (const broken of ['', 'zz', whole.subarray(0, 40), `${whole}${whole}`]) {
    writeFileSync(file, broken)
    assert.throws(() => openKeys(a.dir).keyedHash('t'), refused)
  }
  rmSync(file)
  writeFileSync(join(a.dir, 'elsewhere'), whole, { mode: 0o600 })
  symlinkSync(join(a.dir, 'elsewhere'), file)
  assert.throws(() => openKeys(a.dir).keyedHash('t'), refused)
})

test('keys that processes share may be links and readable by their group, and none is made', () => {
  using a = folder()
  using b = folder()
  const own = openKeys(a.dir)
  own.keyedHash('t')('x')
  own.seal(Buffer.from('x'))
  const shared = join(b.dir, 'mounted')
  mkdirSync(shared)
  for (const name of readdirSync(join(a.dir, 'keys'))) {
    chmodSync(join(a.dir, 'keys', name), 0o440)
    symlinkSync(join(a.dir, 'keys', name), join(shared, name))
  }
  assert.equal(openKeys(b.dir, shared).keyedHash('t')('x'), openKeys(b.dir, shared).keyedHash('t')('x'))
  assert.deepEqual(openKeys(b.dir, shared).open(openKeys(b.dir, shared).seal(Buffer.from('y'))), new Uint8Array(Buffer.from('y')))
  assert.throws(() => openKeys(b.dir, shared).keyedHash('another'), refused)
  chmodSync(join(a.dir, 'keys', readdirSync(join(a.dir, 'keys'))[0] as string), 0o444)
  assert.throws(() => [openKeys(b.dir, shared).keyedHash('t'), openKeys(b.dir, shared).seal(Buffer.from('x'))], refused)
  assert.deepEqual(readdirSync(b.dir), ['mounted'])
})

test('what is sealed opens again, and only whole, with the same key', () => {
  using a = folder()
  using b = folder()
  const keys = openKeys(a.dir)
  for (const bytes of [new Uint8Array(), Uint8Array.of(0, 255, 10), new Uint8Array(100_000).fill(7)]) {
    assert.deepEqual(openKeys(a.dir).open(keys.seal(bytes)), bytes)
  }
  const sealed = keys.seal(Buffer.from('password=hunter22x'))
  assert.ok(!Buffer.from(sealed.slice(3), 'base64').toString('latin1').includes('hunter22x'))
  assert.notEqual(sealed, keys.seal(Buffer.from('password=hunter22x')))
  const raw = Buffer.from(sealed.slice(3), 'base64')
  for (let at = 0; at < raw.length; at += 1) {
    const changed = Buffer.from(raw)
    changed[at] = (changed[at] as number) ^ 1
    assert.throws(() => keys.open(`v1.${changed.toString('base64')}`), Fault)
  }
  for (const broken of ['', 'v1.', 'v2.AAAA', 'v1.!!!!', sealed.slice(0, -8)]) assert.throws(() => keys.open(broken), Fault)
  assert.throws(() => openKeys(b.dir).open(sealed), Fault)
})

test('more tenants than are remembered still get their own key', () => {
  using a = folder()
  const keys = openKeys(a.dir, '', 2)
  const first = ['a', 'b', 'c', 'd'].map((tenant) => keys.keyedHash(tenant)('x'))
  assert.equal(new Set(first).size, 4)
  assert.deepEqual(
    ['a', 'b', 'c', 'd'].map((tenant) => keys.keyedHash(tenant)('x')),
    first,
  )
})
