/** The identity of what a server offers: canonical JSON of a definition, and its hash. */
import { createHash } from 'node:crypto'
import type { Json } from './event.ts'

/** Definitions come from outside: deeper nesting is cut, so that no stack ends. */
const depthMax = 256

/** Sorted keys, NFC, no whitespace: two definitions that say the same are the same text. */
export function canonicalJson(value: Json, depth = 0): string {
  if (depth > depthMax) return '"…"'
  if (typeof value === 'string') return JSON.stringify(value.normalize('NFC'))
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map((one) => canonicalJson(one, depth + 1)).join(',')}]`
  const members = Object.entries(value).map(([key, member]) => [key.normalize('NFC'), member] as const)
  members.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
  return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${canonicalJson(member, depth + 1)}`).join(',')}}`
}

/** 128 bits of SHA-256 over the canonical JSON, as 32 hex characters. */
export const definitionHash = (tool: Json): string => createHash('sha256').update(canonicalJson(tool)).digest('hex').slice(0, 32)
