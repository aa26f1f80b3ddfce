/** Header lists as they cross a proxy: order, case and repetitions stay; what belongs to one hop only does not (RFC 9110 §7.6.1). */

const hopByHop: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authorization',
  'te',
  'upgrade',
])

export function headerValue(rawHeaders: readonly string[], name: string): string | undefined {
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) if (rawHeaders[at]?.toLowerCase() === name) return rawHeaders[at + 1]
  return undefined
}

/** A flat list of names and values without those of this hop. `Transfer-Encoding: chunked` stays: it says how the next hop frames. */
export function endToEnd(rawHeaders: readonly string[]): string[] {
  const named = new Set<string>()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() !== 'connection') continue
    for (const name of (rawHeaders[at + 1] ?? '').split(',')) named.add(name.trim().toLowerCase())
  }
  // A sender may not strip what frames or addresses the message by naming it in Connection.
  for (const kept of ['host', 'content-length', 'transfer-encoding', 'content-type', 'authorization']) named.delete(kept)
  const kept: string[] = []
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ''
    const lower = name.toLowerCase()
    if (!hopByHop.has(lower) && !named.has(lower)) kept.push(name, rawHeaders[at + 1] ?? '')
  }
  return kept
}

/** The request's headers for the target: its own Host in the place of ours. */
export function forTarget(rawHeaders: readonly string[], host: string, hasBody: boolean): string[] {
  const headers = endToEnd(rawHeaders)
  let found = false
  for (let at = 0; at < headers.length; at += 2) {
    if (headers[at]?.toLowerCase() !== 'host') continue
    headers[at + 1] = host
    found = true
  }
  if (!found) headers.unshift('Host', host)
  // Without this, Node would frame an empty POST as chunked.
  if (hasBody && headerValue(headers, 'content-length') === undefined && headerValue(headers, 'transfer-encoding') === undefined) {
    headers.push('Content-Length', '0')
  }
  return headers
}
