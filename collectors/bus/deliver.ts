/** How a batch is handed to its handler, on any bus: wait out what will pass, split off what never will, commit what is done. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { DeadLetter, Part, StoredRec } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'

export type Patience = Readonly<{
  /** How long to wait before attempt n + 1, from n = 0. */
  retryMs: (attempt: number) => number
  /** Told of every failure; the decision is made here, not there. */
  onFault: (error: unknown) => void
  /** Aborted: no further attempt, but the one in flight is waited for. */
  signal: AbortSignal
}>
export const defaultRetryMs = (attempt: number): number => Math.min(100 * 2 ** Math.min(attempt, 20), 30_000)

/** The bus itself is gone: neither waiting nor burying helps, and nothing may be committed. */
const isFatal = (error: unknown): boolean => error instanceof Fault && (error.code === 'BUS_IO' || error.code === 'BUS_CLOSED')

/** Tries for as long as it takes. `false`: stopped before it worked. Throws what trying again cannot help. */
export async function persist(work: () => Promise<void>, { retryMs, onFault, signal }: Patience): Promise<boolean> {
  for (let attempt = 0; !signal.aborted; attempt += 1) {
    try {
      await work()
      return true
    } catch (error) {
      if (!(error instanceof Fault && error.retry)) throw error
      onFault(error)
      await sleep(retryMs(attempt), undefined, { signal }).catch(() => undefined) // aborted: the loop sees it
    }
  }
  return false
}

export type Delivery = Patience &
  Readonly<{
    handle: (records: readonly StoredRec[]) => Promise<void>
    /** The record alone failed; resolves when its dead letter is durable. */
    bury: (record: StoredRec, error: unknown) => Promise<void>
    commit: (next: bigint) => Promise<void>
  }>

/** Promises 2 and 5 of schemas/bus.ts. `false`: stopped before the end; what was done until then is committed. */
export async function deliver(batch: readonly StoredRec[], delivery: Delivery): Promise<boolean> {
  const waiting: (readonly StoredRec[])[] = [batch] // a stack: the next records are on top, so order is kept while splitting
  for (let records = waiting.pop(); records; records = waiting.pop()) {
    const some = records
    const last = some.at(-1)
    if (!last) continue
    try {
      if (!(await persist(() => delivery.handle(some), delivery))) return false
    } catch (error) {
      if (isFatal(error)) throw error
      if (some.length > 1) {
        const middle = some.length >> 1
        waiting.push(some.slice(middle), some.slice(0, middle))
        continue
      }
      delivery.onFault(error)
      if (!(await persist(() => delivery.bury(last, error), delivery))) return false
    }
    await delivery.commit(last.offset + 1n)
  }
  return true
}

const detailMax = 1000
/** The message of a foreign error may quote the record, and so a secret: only our own Faults are believed to be clean. */
function detailOf(error: unknown): string {
  if (error instanceof Fault) return error.message.slice(0, detailMax)
  if (!(error instanceof Error) || !error.stack) return ''
  const header = `${error.name}: ${error.message}`
  const frames = error.stack.startsWith(header) ? error.stack.slice(header.length) : ''
  return (frames.split('\n', 2)[1] ?? '').trim().slice(0, detailMax)
}

export function deadLetter(part: Part, offset: bigint, error: unknown, sealed: string, atMs: number): DeadLetter {
  const reason = error instanceof Fault ? error.code : error instanceof Error ? error.name : typeof error
  return { ...part, offset: String(offset), reason, detail: detailOf(error), sealed, at: new Date(atMs).toISOString() }
}
