/** A thread: one piece of work of one actor, rebuilt without sessions (DESIGN §3). Evidence, strongest first. */
import type { McpEvent } from './event.ts'

/** Every link keeps its reason and confidence (0 to 1). */
export type ThreadRef = Readonly<{ threadId: string; reason: string; confidence: number }>

export type ThreadEvidence = Readonly<{ key: string; reason: string; confidence: number }>

/** What ties this event to others, strongest first; empty when only the actor and the clock are left. */
export function threadEvidence(event: McpEvent): ThreadEvidence[] {
  const found: ThreadEvidence[] = []
  const add = (reason: string, value: string | undefined, confidence: number) => {
    if (value) found.push({ key: `${reason}:${value}`, reason, confidence })
  }
  add('conversation', event.conversationId, 0.95)
  add('trace', event.traceId, 0.9)
  add('session', event.sessionHash, 0.85)
  add('connection', event.connectionId, 0.8)
  add('request_state', event.requestStateHash, 0.75)
  add('task', event.taskHash, 0.7)
  return found
}
