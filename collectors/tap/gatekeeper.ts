/**
 * Which requests may pass an HTTP tap at all: a page in a browser reaches loopback by DNS rebinding or 0.0.0.0, and then its
 * Host or Origin names a foreign site.
 */
import { isIP } from 'node:net'

export type Gate = Readonly<{
  /** The address listened on; its name is a Host of ours unless it is a wildcard. */
  listenHost: string
  /** More host names, or whole origins, that are let in. */
  allow?: readonly string[]
}>

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::', '[::]'])

/** `name`, `name:port`, `[v6]:port` → the name in lower case; undefined when it is none of these. */
export function hostName(host: string): string | undefined {
  const [, v6, name] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::\d{1,5})?$/.exec(host.trim()) ?? []
  return (v6 ?? name)?.toLowerCase().replace(/\.$/, '')
}

function isLoopback(name: string): boolean {
  if (name === 'localhost' || name.endsWith('.localhost')) return true
  return isIP(name) === 4 ? name.startsWith('127.') : name === '::1' || /^(0{1,4}:){7}0{0,3}1$/.test(name)
}

const headerLines = (rawHeaders: readonly string[], name: string): string[] =>
  rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === name)

/** Why the request is refused, or undefined. */
export function refusal(rawHeaders: readonly string[], gate: Gate): string | undefined {
  const allow = new Set((gate.allow ?? []).map((one) => one.toLowerCase()))
  const listen = wildcards.has(gate.listenHost) ? undefined : gate.listenHost.toLowerCase().replace(/^\[|\]$/g, '')
  const ours = (name: string | undefined): boolean => name !== undefined && (isLoopback(name) || name === listen || allow.has(name))
  const hosts = headerLines(rawHeaders, 'host')
  if (hosts.length > 1) return 'more than one Host'
  // Only HTTP/1.0 comes without one, and no browser speaks that.
  if (hosts.length === 1 && !ours(hostName(hosts[0] ?? ''))) return 'foreign Host'
  for (const origin of headerLines(rawHeaders, 'origin')) {
    if (allow.has(origin.trim().toLowerCase())) continue
    const host = /^https?:\/\/([^/?#@]+)$/i.exec(origin.trim())?.[1]
    if (!ours(host === undefined ? undefined : hostName(host))) return 'foreign Origin'
  }
  return undefined
}
