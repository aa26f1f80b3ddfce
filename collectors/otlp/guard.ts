/** Who may send: the ingest token, the browser's origin, and a bind that is not open to the network by accident. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Fault } from '../../schemas/errors.ts'
import type { IngestCredential } from './intake.ts'

export type TenantOf = (token: string | undefined) => IngestCredential | undefined

export const isLoopback = (address: string): boolean => /^(::ffff:)?127\.\d+\.\d+\.\d+$/.test(address) || address === '::1'
export const isLoopbackName = (host: string): boolean => host === 'localhost' || isLoopback(host.replace(/^\[|\]$/g, ''))

/** '' where it is no URL. */
export const hostOf = (url: string): string => (URL.canParse(url) ? new URL(url).hostname : '')

export function refuseOpenBind(host: string, token: string | undefined): void {
  if (!isLoopbackName(host) && !token) throw new Fault('START_REFUSED', `OTLP on ${host} needs a token (otlp.token)`)
}

/** Comparing hashes takes the same time wherever two tokens differ, and whatever their lengths. */
export function sameToken(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

export const bearerOf = (authorization: string | undefined): string | undefined => /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1]

/** The credential a token stands for, or undefined: to HTTP and gRPC alike. */
export function createCredentialOf({ token, tenantOf }: { token?: string | undefined; tenantOf?: TenantOf | undefined }): TenantOf {
  const standard: IngestCredential = { tenant: 'default', source: 'otlp' }
  return (given) => {
    const known = tenantOf?.(given)
    if (known) return known
    if (!token) return tenantOf ? undefined : standard
    return given !== undefined && sameToken(given, token) ? standard : undefined
  }
}

/** A page in a browser can reach loopback: what it may be is served by us, or nothing. */
function fromForeignPage({ headers }: IncomingMessage): boolean {
  if (headers.origin !== undefined && !isLoopbackName(hostOf(headers.origin))) return true
  return headers['sec-fetch-site'] !== undefined && !/^(same-origin|none)$/.test(String(headers['sec-fetch-site']))
}

/** The credential of a request, or the status that refuses it. */
export function createGuard(options: { token?: string | undefined; tenantOf?: TenantOf | undefined }) {
  const credentialOf = createCredentialOf(options)
  return (request: IncomingMessage): IngestCredential | number => {
    if (fromForeignPage(request)) return 403
    return credentialOf(bearerOf(request.headers.authorization)) ?? 401
  }
}
