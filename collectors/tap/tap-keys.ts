/** The tenant's hash key for a tap: from the data directory, or fetched with the ingest token and kept; else none. */
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type KeyedHash, openKeys } from '../keys.ts'
import type { TapSettings } from './settings.ts'

/** `shared` false: a key of this process alone, so hashes meet nobody else's and content is kept as shape only. */
export type TapKey = Readonly<{ keyedHash: KeyedHash; shared: boolean }>

const fetchMs = 3_000
const answerCharsMax = 4_096

export async function tapKey(settings: TapSettings): Promise<TapKey> {
  if (settings.keys === 'local') {
    try {
      return { keyedHash: openKeys(settings.dataDir).keyedHash(settings.tenant), shared: true }
    } catch {
      // Not ours to read: a tap may run as another user than the pipeline.
    }
  }
  const kept = join(
    settings.dataDir,
    'tap-keys',
    createHash('sha256')
      .update(`${settings.endpoint}\n${settings.token ?? ''}`)
      .digest('hex')
      .slice(0, 32),
  )
  const key = readKept(kept) ?? keep(kept, await fetchKey(settings))
  return key ? { keyedHash: hashWith(key), shared: true } : { keyedHash: hashWith(randomBytes(32)), shared: false }
}

const hashWith =
  (key: Uint8Array): KeyedHash =>
  (text) =>
    createHmac('sha256', key).update(text).digest('hex').slice(0, 16)

const parsed = (hex: unknown): Buffer | undefined =>
  typeof hex === 'string' && /^[0-9a-f]{64}$/.test(hex) ? Buffer.from(hex, 'hex') : undefined

function readKept(path: string): Buffer | undefined {
  try {
    return parsed(readFileSync(path, 'utf8').trim())
  } catch {
    return undefined // not fetched yet
  }
}

function keep(path: string, key: Buffer | undefined): Buffer | undefined {
  if (!key) return undefined
  try {
    mkdirSync(join(path, '..'), { recursive: true, mode: 0o700 })
    writeFileSync(path, key.toString('hex'), { mode: 0o600 })
  } catch {} // it is fetched again next time
  return key
}

async function fetchKey(settings: TapSettings): Promise<Buffer | undefined> {
  try {
    const response = await fetch(new URL('/lapwing/key', settings.endpoint), {
      redirect: 'error',
      headers: settings.token ? { authorization: `Bearer ${settings.token}` } : {},
      signal: AbortSignal.timeout(fetchMs),
    })
    if (!response.ok) return undefined
    const answer = JSON.parse((await response.text()).slice(0, answerCharsMax)) as { key?: unknown } | null
    return parsed(answer?.key)
  } catch {
    return undefined // the pipeline is away, or too old to hand out keys
  }
}
