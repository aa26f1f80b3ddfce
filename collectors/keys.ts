/** The keys of the data directory: one per tenant for hashes and fingerprints, one for sealing dead letters. Made at first use. */
import { createCipheriv, createDecipheriv, createHash, hash, randomBytes } from 'node:crypto'
import { closeSync, constants, fstatSync, fsyncSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '../schemas/errors.ts'

/** Text → 16 hex of HMAC-SHA256: equal texts of one tenant meet, nobody without the key can guess them. */
export type KeyedHash = (text: string) => string
export type Keys = Readonly<{
  keyedHash: (tenant: string) => KeyedHash
  /** The tenant's key as 64 hex characters, for a tap on another machine that has shown its ingest token. */
  tenantKey: (tenant: string) => string
  seal: (bytes: Uint8Array) => string
  open: (sealed: string) => Uint8Array
}>

const keyBytes = 32
const ivBytes = 12
const tagBytes = 16
const sealedPrefix = 'v1.'
const associated = Buffer.from('lapwing sealed v1')

/** `shared`: a folder that an orchestrator filled, the same for all processes; its files may be links and its group may read them. */
export function openKeys(dir: string, shared = '', tenantsMax = 1_000): Keys {
  const folder = shared || join(dir, 'keys')
  if (!shared) mkdirSync(folder, { recursive: true, mode: 0o700 })
  const readOrMake = (path: string): Buffer => {
    const found = read(path, shared !== '')
    if (found) return found
    if (shared) throw new Fault('START_REFUSED', `keysDir has no ${path}: every process needs the same keys, so none is made here`)
    make(path)
    const made = read(path, false)
    if (!made) throw new Fault('START_REFUSED', `key file ${path} vanished after it was made`)
    return made
  }
  const hashes = new Map<string, KeyedHash>()
  const sealing = { key: undefined as Buffer | undefined }
  const sealKey = (): Buffer => {
    sealing.key ??= readOrMake(join(folder, 'sealing.key'))
    return sealing.key
  }
  const keyOf = (tenant: string): Buffer => readOrMake(join(folder, `${fileNameOf(tenant)}.key`))
  return {
    tenantKey: (tenant) => keyOf(tenant).toString('hex'),
    keyedHash(tenant) {
      const known = hashes.get(tenant)
      if (known) return known
      const oldest = hashes.keys().next()
      if (hashes.size >= tenantsMax && !oldest.done) hashes.delete(oldest.value) // only a cache: the file stays
      const key = keyOf(tenant)
      const made = keyedHashOf(key)
      hashes.set(tenant, made)
      return made
    },
    seal: (bytes) => seal(sealKey(), bytes),
    open: (sealed) => unseal(sealKey(), sealed),
  }
}

const blockBytes = 64
const bufferBytes = 8 * 1024

/** HMAC-SHA256 by its definition, on two calls of the one-shot hash: a Hmac object costs several times as much for a short text. */
function keyedHashOf(key: Buffer): KeyedHash {
  const padded = Buffer.concat([key, Buffer.alloc(blockBytes - key.length)])
  const inner = Buffer.alloc(blockBytes + bufferBytes)
  const outer = Buffer.alloc(blockBytes + 32)
  for (const [at, byte] of padded.entries()) {
    inner[at] = byte ^ 0x36
    outer[at] = byte ^ 0x5c
  }
  return (text) => {
    const fits = text.length * 3 <= bufferBytes
    const message = fits
      ? inner.subarray(0, blockBytes + inner.write(text, blockBytes))
      : Buffer.concat([inner.subarray(0, blockBytes), Buffer.from(text)])
    outer.write(hash('sha256', message, 'binary'), blockBytes, 'latin1')
    return hash('sha256', outer, 'hex').slice(0, 16)
  }
}

/** A tenant's name comes from outside and may hold `/` or `..`: the file carries its hash. */
const fileNameOf = (tenant: string): string => `tenant-${createHash('sha256').update(tenant).digest('hex').slice(0, 32)}`

/** The key is complete under another name before it gets its own; `link` fails where another process was first, and then theirs counts. */
function make(path: string): void {
  const draft = `${path}.${process.pid}.${randomBytes(6).toString('hex')}.new`
  const file = openSync(draft, 'wx', 0o600)
  try {
    writeSync(file, `${randomBytes(keyBytes).toString('hex')}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  try {
    linkSync(draft, path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw new Fault('START_REFUSED', `cannot make key file ${path}`, error)
  } finally {
    rmSync(draft, { force: true })
  }
}

function read(path: string, shared: boolean): Buffer | undefined {
  let file: number
  try {
    file = openSync(path, constants.O_RDONLY | (shared ? 0 : constants.O_NOFOLLOW))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Fault('START_REFUSED', `cannot read key file ${path}`, error)
  }
  try {
    const { mode, size } = fstatSync(file)
    if ((mode & (shared ? 0o037 : 0o077)) !== 0) throw new Fault('START_REFUSED', `key file ${path} can be read by others: chmod 600 it`)
    const text = size > 200 ? '' : readFileSync(file, 'utf8').trim()
    if (!/^[0-9a-f]{64}$/.test(text)) throw new Fault('START_REFUSED', `key file ${path} does not hold a key`)
    return Buffer.from(text, 'hex')
  } finally {
    closeSync(file)
  }
}

function seal(key: Buffer, bytes: Uint8Array): string {
  const iv = randomBytes(ivBytes)
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: tagBytes }).setAAD(associated)
  const body = Buffer.concat([cipher.update(bytes), cipher.final()])
  return sealedPrefix + Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64')
}

function unseal(key: Buffer, sealed: string): Uint8Array {
  const raw = Buffer.from(sealed.slice(sealedPrefix.length), 'base64')
  if (!sealed.startsWith(sealedPrefix) || raw.length < ivBytes + tagBytes) throw new Fault('RECORD_INVALID', 'not a sealed record')
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, raw.subarray(0, ivBytes), { authTagLength: tagBytes }).setAAD(associated)
    decipher.setAuthTag(raw.subarray(ivBytes, ivBytes + tagBytes))
    return new Uint8Array(Buffer.concat([decipher.update(raw.subarray(ivBytes + tagBytes)), decipher.final()]))
  } catch (error) {
    throw new Fault('RECORD_INVALID', 'sealed with another key, or changed', error)
  }
}
