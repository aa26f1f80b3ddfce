/** What every request passes before a route sees it: the Host, the Origin, the proof of identity. And what every answer carries. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Auth, type Identity, sessionCookie } from './auth.ts'
import { sendProblem } from './problem.ts'

/** A route is open only where it says so; the page's files are, because they hold no data. */
export type Access = 'open' | 'page'
declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access
  }
  interface FastifyRequest {
    identity: Identity | undefined
  }
}

const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
].join('; ')
/** The reference page at /docs writes style attributes and builds its HTML itself; its scripts are still only our own. */
export const docsPolicy = pagePolicy.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'").replace(/; require-trusted.*$/, '')

export const securityHeaders = {
  'content-security-policy': pagePolicy,
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-store',
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/** `localhost:7878` → `localhost`; undefined for what is not a plain authority. */
function hostName(authority: string | undefined): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(authority ?? '')
  return match?.[1]?.toLowerCase()
}

function isLoopbackName(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host)
}

/** A page of another name that resolves to us (DNS rebinding) is told by its Host. */
export function hostAccepted(authority: string | undefined, allowedHosts: readonly string[]): boolean {
  const host = hostName(authority)
  if (host === undefined) return false
  return (
    isLoopbackName(host) ||
    allowedHosts.some((allowed) => allowed.toLowerCase() === host || allowed.toLowerCase() === authority?.toLowerCase())
  )
}

/** The browser's own word on where a request comes from. Programs send neither header. */
export function originAccepted(request: FastifyRequest, access: Access | undefined, byCookie: boolean): boolean {
  const { origin, host } = request.headers
  const site = request.headers['sec-fetch-site']
  if (origin !== undefined) {
    const url = URL.parse(origin)
    if (
      url === null ||
      !/^https?:$/.test(url.protocol) ||
      url.host.toLowerCase() !==
        String(host)
          .toLowerCase()
          .replace(/:(80|443)$/, '')
    )
      return false
  }
  // A link to the page may stand anywhere; what the page then asks for comes from the page.
  const visit = access === 'page' && request.headers['sec-fetch-mode'] === 'navigate'
  if (site !== undefined && site !== 'same-origin' && site !== 'none' && !visit) return false
  // A cookie travels by itself, so a change made with it needs the browser's proof.
  return safeMethods.has(request.method) || !byCookie || access === 'open' || origin !== undefined || site === 'same-origin'
}

async function check(auth: Auth, allowedHosts: readonly string[], request: FastifyRequest, reply: FastifyReply) {
  reply.headers(securityHeaders)
  if (!hostAccepted(request.headers.host, allowedHosts)) return sendProblem(reply, 421, { detail: 'unknown Host' })
  const { access } = request.routeOptions.config
  const { authorization } = request.headers
  const identity = auth.identify(authorization, request.cookies[sessionCookie])
  const byCookie = identity !== undefined && authorization === undefined
  if (!originAccepted(request, access, byCookie)) return sendProblem(reply, 403, { detail: 'cross-origin request' })
  request.identity = identity
  if (access === undefined && identity === undefined) return sendProblem(reply, 401)
  return undefined
}

export function guard(app: FastifyInstance, auth: Auth, allowedHosts: readonly string[]): void {
  app.decorateRequest('identity', undefined)
  app.addHook('onRequest', (request, reply) => check(auth, allowedHosts, request, reply))
}
