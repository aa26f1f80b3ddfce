/** Who may ask: the token of the data directory, and the sessions of browsers that have shown it once. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '../schemas/errors.ts'

/** What a request may be bound to; `by` names the way in, for the triage history. */
export type Identity = Readonly<{ tenant: string; by: string }>
export type Auth = ReturnType<typeof createAuth>

export const sessionCookie = 'lapwing_session'
export const sessionMsMax = 12 * 3_600_000
/** More sessions than this and the oldest ends. */
const sessionsMax = 1_000
const tokenBytesMin = 16

const sha256 = (text: string): Buffer => createHash('sha256').update(text).digest()

/** The API token: made at first start, kept with mode 0600 beside the data it opens. */
export function openToken(dataDir: string): string {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 })
  const path = join(dataDir, 'api-token')
  try {
    writeFileSync(path, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw new Fault('START_REFUSED', path, error)
    chmodSync(path, 0o600)
  }
  const token = readFileSync(path, 'utf8').trim()
  if (token.length < tokenBytesMin) throw new Fault('START_REFUSED', `${path} holds no token`)
  return token
}

export function createAuth(token: string, now: () => number = Date.now) {
  // Hashes are compared, so that neither length nor first differing byte of a guess shows in the time it takes.
  const wanted = sha256(token)
  const sessions = new Map<string, number>() // hash of the id → when it ends; in order of creation
  const identity: Identity = { tenant: 'default', by: 'api-token' }
  const isToken = (given: string): boolean => timingSafeEqual(sha256(given), wanted)
  const keyOf = (id: string): string => sha256(id).toString('base64url')

  return {
    /** The session id to be kept by the browser, or undefined for a wrong token. */
    startSession(given: string): string | undefined {
      if (!isToken(given)) return undefined
      const id = randomBytes(32).toString('base64url')
      const oldest = sessions.keys().next()
      if (sessions.size >= sessionsMax && !oldest.done) sessions.delete(oldest.value)
      sessions.set(keyOf(id), now() + sessionMsMax)
      return id
    },
    endSession: (id: string): void => void sessions.delete(keyOf(id)),
    /** Either proof is enough; a wrong token is not mended by a good cookie. */
    identify(authorization: string | undefined, cookie: string | undefined): Identity | undefined {
      if (authorization !== undefined) {
        const given = /^Bearer +(\S{1,512})$/i.exec(authorization)?.[1]
        return given !== undefined && isToken(given) ? identity : undefined
      }
      if (cookie === undefined || cookie.length > 512) return undefined
      const endsAt = sessions.get(keyOf(cookie))
      return endsAt !== undefined && endsAt > now() ? { ...identity, by: 'session' } : undefined
    },
  }
}
