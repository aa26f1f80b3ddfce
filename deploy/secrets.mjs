// Makes every secret of docker-compose.yml, once: `node deploy/secrets.mjs`. Writes secrets/ and .env beside docker-compose.yml and
// never overwrites: to begin anew, move secrets/ away. Plain JavaScript, runs on Node 20 and newer.
import { createHash, randomBytes } from 'node:crypto'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = resolve(process.argv[2] ?? join(dirname(fileURLToPath(import.meta.url)), '..'))
const folder = join(root, 'secrets')
const environment = join(root, '.env')

const random = () => randomBytes(32).toString('hex')
const sha256 = (text) => createHash('sha256').update(text).digest('hex')

/** ClickHouse users, their role and their profile: deploy/clickhouse/access.sql says what these may. */
const users = [
  { name: 'lapwing_store', role: 'lapwing_writer', profile: 'lapwing_writer' },
  { name: 'lapwing_serve', role: 'lapwing_server', profile: 'lapwing_server' },
  { name: 'lapwing_grafana', role: 'lapwing_reader', profile: 'lapwing_reader' },
  { name: 'lapwing_hunt', role: 'lapwing_hunter', profile: 'lapwing_hunter' },
]

const adminFile = (password) => `<clickhouse>
  <users>
    <default remove="remove"/>
    <lapwing_admin>
      <password_sha256_hex>${sha256(password)}</password_sha256_hex>
      <networks><ip>::/0</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <access_management>1</access_management>
    </lapwing_admin>
  </users>
</clickhouse>
`
/** Hashes, not passwords; run again at every start, so a new password takes effect. A tenant of its own is a user of its own. */
const usersFile = (passwords) =>
  users
    .map(({ name, role, profile }) => {
      const identified = `IDENTIFIED WITH sha256_hash BY '${sha256(passwords.get(name))}'`
      return `CREATE USER IF NOT EXISTS ${name} ${identified};
ALTER USER ${name} ${identified} SETTINGS PROFILE '${profile}', SQL_lapwing_tenant = 'default' CONST;
GRANT ${role} TO ${name};
ALTER USER ${name} DEFAULT ROLE ${role};
`
    })
    .join('')

function fill(draft) {
  // 0600 for what is a secret; what ClickHouse itself reads holds only a hash, and its user is another one.
  const write = (file, text, mode = 0o600) => {
    writeFileSync(join(draft, file), text, { mode, flag: 'wx' })
    chmodSync(join(draft, file), mode)
  }
  const passwords = new Map([...users.map(({ name }) => name), 'lapwing_admin'].map((name) => [name, random()]))
  for (const [name, password] of passwords) write(`clickhouse_${name.replace('lapwing_', '')}_password.txt`, password)
  for (const name of ['api_token', 'otlp_token', 'grafana_admin_password']) write(`${name}.txt`, random())
  write('clickhouse-users.sql', usersFile(passwords))
  write('clickhouse-admin.xml', adminFile(passwords.get('lapwing_admin')), 0o644)
  write('.gitignore', '*\n')
  mkdirSync(join(draft, 'keys'), { mode: 0o700 })
  // The names are those of collectors/keys.ts: one key that seals dead letters, one per tenant for hashes.
  write('keys/sealing.key', `${random()}\n`)
  write(`keys/tenant-${sha256('default').slice(0, 32)}.key`, `${random()}\n`)
}

/** Containers run as the user that owns the secrets; root hands them to the image's own. */
function ownerOf(draft) {
  const [uid, gid] = [process.getuid?.() || 1000, process.getgid?.() || 1000]
  if (process.getuid?.() === 0) for (const file of ['', ...readdirSync(draft, { recursive: true })]) chownSync(join(draft, file), uid, gid)
  return { uid, gid }
}

if (existsSync(folder)) {
  console.error(
    `${folder} is there already and stays as it is. To begin anew, move it away; data sealed with its keys can not be opened without them.`,
  )
  process.exit(1)
}
const draft = mkdtempSync(join(root, 'secrets.new-')) // mode 0700
try {
  fill(draft)
  const { uid, gid } = ownerOf(draft)
  renameSync(draft, folder) // all or nothing
  if (!existsSync(environment) || !/^LAPWING_UID=/m.test(readFileSync(environment, 'utf8')))
    appendFileSync(environment, `LAPWING_UID=${uid}\nLAPWING_GID=${gid}\n`)
} finally {
  rmSync(draft, { recursive: true, force: true })
}
console.log(`${folder} is made. Keep a copy of ${join(folder, 'keys')} with your backups.`)
