/** A thread: one piece of work of one actor, rebuilt without sessions (DESIGN §3). Evidence, strongest first. */
import type { McpEvent } from './event.ts'

/** Every link keeps its reason and confidence (0 to 1). */
export type ThreadRef = Readonly<{ threadId: string; reason: string; confidence: number }>

export type ThreadEvidence = Readonly<{ reason: string; confidence: number; of: (event: McpEvent) => string | undefined }>

/** What can tie an event to others; where it has none of these, only the actor and the clock are left. */
export const threadEvidence: readonly ThreadEvidence[] = [
  { reason: 'conversation', confidence: 0.95, of: (event) => event.conversationId },
  { reason: 'trace', confidence: 0.9, of: (event) => event.traceId },
  { reason: 'session', confidence: 0.85, of: (event) => event.sessionHash },
  { reason: 'connection', confidence: 0.8, of: (event) => event.connectionId },
  { reason: 'request_state', confidence: 0.75, of: (event) => event.requestStateHash },
  { reason: 'task', confidence: 0.7, of: (event) => event.taskHash },
]
