/** Whose behaviour an event is: the first evidence that is known, in the order of CONTRACTS §1. Never the server. */
import type { McpEvent } from './event.ts'

export type ActorEvidence = Readonly<{
  attested?: string | undefined
  tokenHash?: string | undefined
  configured?: string | undefined
  osUser?: string | undefined
  address?: string | undefined
  declared?: string | undefined
  source: string
}>
export type Actor = Pick<McpEvent, 'actor' | 'actorGrade' | 'actorSource'>

export function actorOf(evidence: ActorEvidence): Actor {
  const named = (actor: string, actorSource: string, actorGrade: McpEvent['actorGrade']): Actor => ({ actor, actorGrade, actorSource })
  if (evidence.attested) return named(evidence.attested, 'principal', 'attested')
  if (evidence.tokenHash) return named(`token:${evidence.tokenHash}`, 'token_hash', 'observed')
  if (evidence.configured) return named(evidence.configured, 'configured', 'observed')
  if (evidence.osUser) return named(evidence.osUser, 'os_user', 'observed')
  if (evidence.address) return named(evidence.address, 'client_address', 'observed')
  if (evidence.declared) return named(evidence.declared, 'declared', 'declared')
  return named(evidence.source, 'source', 'observed')
}
