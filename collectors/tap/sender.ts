/**
 * Events → OTLP: batches with a short linger, back-off, and a spool on disk while the pipeline is away.
 * An event is sent, on disk, or counted as dropped; the count is sent as an event when there is room again.
 */
import type { McpEvent } from '../../schemas/event.ts'
import { createBatches } from './batches.ts'
import { logRecord, logRequest, type Resource } from './log-request.ts'
import { type PostOptions, post } from './post.ts'
import type { Spool } from './spool.ts'

export type Sender = Readonly<{
  add(event: McpEvent): void
  /** Sends what it can until the deadline; the rest is on disk afterwards. */
  close(deadlineMs: number): Promise<SenderCounts>
  counts(): SenderCounts
}>
export type SenderCounts = Readonly<{ added: number; sent: number; spooled: number; refused: number; dropped: number }>
export type SenderOptions = PostOptions &
  Readonly<{
    spool: Spool
    resource: Resource
    /** Makes the event that states a loss. */
    lossEvent: (name: string, facts: Readonly<Record<string, number>>) => McpEvent
    remark?: (text: string) => void
    lingerMs?: number
    batchEventsMax?: number
    batchCharsMax?: number
    queueCharsMax?: number
    backoffMsMax?: number
    random?: () => number
  }>

type Batch = Readonly<{ body: Uint8Array; events: number }>

const adoptEveryMs = 60_000

export function createSender(options: SenderOptions): Sender {
  const { spool, lingerMs = 50, batchEventsMax = 512, batchCharsMax = 4 * 1024 * 1024, queueCharsMax = 16 * 1024 * 1024 } = options
  const count = { added: 0, sent: 0, spooled: 0, refused: 0, dropped: 0 }
  const losses = new Map<string, number>()
  const line = createLine(options)
  const queue = createBatches({ lingerMs, batchEventsMax, batchCharsMax })
  const abort = new AbortController()
  let closing = false
  const sleep = createSleep(abort.signal)

  const lose = (name: string, events: number) => void losses.set(name, (losses.get(name) ?? 0) + events)
  const take = (): Batch => {
    const records = queue.take()
    return { body: logRequest(records, options.resource), events: records.length }
  }
  const keep = ({ body, events }: Batch) => {
    if (spool.put(body, events)) count.spooled += events
    else {
      count.dropped += events
      lose('tap.spool_overflow', events)
    }
  }
  const push = (event: McpEvent) => {
    queue.push(logRecord(event))
    count.added += 1
    // While a request hangs, what follows goes to disk instead of growing here.
    while (queue.chars() > queueCharsMax) keep(take())
    sleep.wake()
  }
  const reportLosses = () => {
    const reported = [...losses]
    losses.clear()
    for (const [name, events] of reported) push(options.lossEvent(name, { events }))
  }
  /** False: the batch has to wait. */
  const send = async (batch: Batch): Promise<boolean> => {
    const outcome = await line.post(batch.body, abort.signal)
    if (outcome === 'later') return false
    if (outcome === 'refused') {
      count.refused += batch.events
      lose('tap.refused', batch.events)
      return true
    }
    count.sent += batch.events - outcome.rejected
    count.refused += outcome.rejected
    reportLosses()
    return true
  }
  /** Does one thing; answers how long to rest. Fresh batches never overtake by sending, but they never wait in memory either. */
  const step = async (): Promise<number> => {
    const due = queue.dueMs()
    if (due !== undefined && (closing || due === 0)) {
      const batch = take()
      if (spool.size() > 0 || line.waitMs() > 0 || !(await send(batch))) keep(batch)
      return 0
    }
    const waitMs = spool.size() > 0 ? line.waitMs() : adoptEveryMs
    const oldest = waitMs > 0 ? undefined : spool.oldest()
    if (!oldest) return Math.min(due ?? adoptEveryMs, waitMs || adoptEveryMs)
    if (await send({ body: oldest.body, events: oldest.events })) spool.remove(oldest.name)
    return 0
  }
  const run = async () => {
    let adoptedAt = 0
    while (!abort.signal.aborted) {
      if (Date.now() - adoptedAt >= adoptEveryMs) {
        adoptedAt = Date.now()
        spool.adopt()
      }
      const waitMs = await step()
      if (waitMs === 0) continue
      if (closing && queue.size() === 0) return
      await sleep.rest(waitMs)
    }
  }
  const close = async (deadlineMs: number): Promise<SenderCounts> => {
    closing = true
    sleep.wake()
    const deadline = setTimeout(() => abort.abort(), deadlineMs)
    await running
    clearTimeout(deadline)
    reportLosses()
    while (queue.size() > 0) keep(take())
    spool.close()
    return { ...count }
  }
  const running = run()
  return { add: push, counts: () => ({ ...count }), close }
}

/** A rest that new work cuts short, also work that came just before it. */
function createSleep(signal: AbortSignal) {
  let woken = false
  let resume = () => {}
  const wake = () => {
    woken = true
    resume()
  }
  signal.addEventListener('abort', wake)
  return {
    wake,
    async rest(ms: number): Promise<void> {
      const { promise, resolve } = Promise.withResolvers<void>()
      resume = resolve
      const timer = setTimeout(resolve, woken ? 0 : ms)
      await promise
      clearTimeout(timer)
      woken = false
    },
  }
}

type Outcome = 'later' | 'refused' | Readonly<{ rejected: number }>

/** The way to the receiver: after a failure it rests, ever longer, or as long as the receiver asked. */
function createLine(options: SenderOptions) {
  const { backoffMsMax = 30_000, random = Math.random, remark = () => {} } = options
  let failures = 0
  let restUntil = 0
  let remarked = ''
  const say = (reason: string) => {
    if (reason !== remarked && reason !== '') remark(`${options.url}: ${reason}`)
    remarked = reason
  }
  return {
    waitMs: (): number => Math.max(0, restUntil - Date.now()),
    async post(body: Uint8Array, signal: AbortSignal): Promise<Outcome> {
      const posted = await post(body, options, signal)
      if (posted.done) {
        failures = 0
        say('')
        return { rejected: posted.rejected }
      }
      if (!signal.aborted) say(posted.reason)
      if (!posted.again) return 'refused'
      failures += 1
      const grown = Math.min(backoffMsMax, 250 * 2 ** Math.min(failures, 12)) * (0.5 + random() / 2)
      restUntil = Date.now() + Math.max(posted.afterMs ?? 0, grown)
      return 'later'
    },
  }
}
