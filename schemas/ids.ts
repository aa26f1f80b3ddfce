/** Deterministic ids (CONTRACTS §1): the same observation, call, alert or server has the same id on every replay. */
import { createHash, hash } from 'node:crypto'

/** 128 bits of SHA-256 over the parts, as 32 hex characters. Parts are length-prefixed, so no two lists collide by joining. */
export function hashId(...parts: readonly (string | number | bigint | Uint8Array)[]): string {
  let text = ''
  for (const part of parts) {
    if (typeof part === 'object') return hashOfBytes(parts)
    const written = String(part)
    text += `${Buffer.byteLength(written)}:${written}`
  }
  return hash('sha256', text, 'hex').slice(0, 32)
}

function hashOfBytes(parts: readonly (string | number | bigint | Uint8Array)[]): string {
  const whole = createHash('sha256')
  for (const part of parts) {
    const bytes = typeof part === 'object' ? part : Buffer.from(String(part))
    whole.update(`${bytes.length}:`).update(bytes)
  }
  return whole.digest('hex').slice(0, 32)
}

/** Our inventory id of a server: a hash of how it is reached, never of what it says of itself. */
export const serverKeyOf = (...how: readonly string[]): string => `srv_${hashId(...how).slice(0, 20)}`

/** hash(tenant, detector, about, floor(event time / window)): a repeat inside the window is the same alert. */
export const alertIdOf = (tenant: string, detector: string, about: string, time: bigint, windowNs: bigint): string =>
  hashId('alert', tenant, detector, about, time / windowNs)

/** The key of `mcp.events`: events of one actor of one tenant meet in one partition, in order. */
export const eventKeyOf = ({ tenant, actor }: { tenant: string; actor: string }): string => `${tenant}/${actor}`
