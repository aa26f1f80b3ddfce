/** Gives each event its thread: the strongest known evidence, else the actor's last thread within 30 minutes of silence. */
import type { McpEvent } from '../schemas/event.ts'
import { hashId } from '../schemas/ids.ts'
import { type ThreadRef, threadEvidence } from '../schemas/thread.ts'
import { createKeep, type KeepState } from './keep.ts'

const MINUTE = 60_000_000_000n
const ACTOR_SILENCE = 30n * MINUTE
/** A connection or session can live for days; after this silence it is another piece of work. */
const LINK_SILENCE = 240n * MINUTE
const ENTRIES_MAX = 200_000

type Thread = { threadId: string; last: bigint; conversation: string | undefined }
export type ThreadsState = { byEvidence: KeepState<Thread>; byActor: KeepState<Thread> }
export type Threads = Readonly<{ place: (event: McpEvent) => ThreadRef; state: () => ThreadsState }>

export function createThreads(from?: ThreadsState): Threads {
  const byEvidence = createKeep<Thread>(ENTRIES_MAX, from?.byEvidence)
  const byActor = createKeep<Thread>(ENTRIES_MAX, from?.byActor)

  const alive = (thread: Thread | undefined, event: McpEvent, silence: bigint): thread is Thread =>
    thread !== undefined &&
    event.time - thread.last < silence &&
    !(event.conversationId && thread.conversation && thread.conversation !== event.conversationId)

  return {
    place: (event) => {
      const owner = `${event.tenant}\0${event.actor}`
      const last = byActor.get(owner)
      /** What is to lead to the thread from now on. */
      const keys: string[] = []
      let thread: Thread | undefined
      let reason = 'new'
      let confidence = 1
      for (const evidence of threadEvidence) {
        const value = evidence.of(event)
        if (!value) continue
        const key = `${owner}\0${evidence.reason}:${value}`
        const known = thread ? undefined : byEvidence.get(key)
        if (!alive(known, event, LINK_SILENCE)) {
          keys.push(key)
          continue
        }
        thread = known
        reason = evidence.reason
        confidence = evidence.confidence
      }
      if (!thread && alive(last, event, ACTOR_SILENCE)) {
        thread = last
        reason = 'actor'
        confidence = 0.5
      }
      thread ??= {
        threadId: `thr_${hashId('thread', event.tenant, event.actor, event.eventId).slice(0, 24)}`,
        last: event.time,
        conversation: undefined,
      }
      if (event.time > thread.last) thread.last = event.time
      thread.conversation ??= event.conversationId
      for (const key of keys) byEvidence.set(key, thread)
      if (last !== thread) byActor.set(owner, thread)
      return { threadId: thread.threadId, reason, confidence }
    },
    state: () => ({ byEvidence: byEvidence.state(), byActor: byActor.state() }),
  }
}
