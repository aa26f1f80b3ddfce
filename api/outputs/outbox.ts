/**
 * Alerts owed to outputs: durable before the bus may forget them, sent most severe first, again and again until taken.
 * A crash between sending and recording sends once more, with the same key. Repeated hits of an alert are not sent.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type Alert, type Severity, severityRank } from '../../schemas/alert.ts'
import type { Bus, Running, StoredRec } from '../../schemas/bus.ts'
import { decodeVerdict, encodeVerdict } from '../../schemas/codec.ts'
import { Fault } from '../../schemas/errors.ts'
import { hashId } from '../../schemas/ids.ts'
import { type OpenOutput, retryAfterOf } from '../../schemas/output.ts'
import { type DeadDelivery, type Deliveries, type Due, type OutputCounts, type Owed, openDeliveries } from './deliveries.ts'

export type OutboxOutput = Readonly<{ name: string; severity: Severity; sink: OpenOutput }>
export type OutboxOptions = Readonly<{
  dataDir: string
  bus: Bus
  outputs: readonly OutboxOutput[]
  log: Pick<Logger, 'warn' | 'error'>
  now?: () => number
  random?: () => number
  retry?: Partial<Retry>
}>
export type OutputStatus = OutputCounts &
  Readonly<{ name: string; severity: Severity; attempts: number; failures: number; overflowed: number }>
export type Outbox = AsyncDisposable &
  Readonly<{
    status(): readonly OutputStatus[]
    dead(output: string, limit?: number): readonly DeadDelivery[]
    /** Dead rows of an output are owed again; answers how many, or undefined for an output nobody knows. */
    replay(output: string): number | undefined
    running: Running
  }>

type Retry = Readonly<{ firstMs: number; waitMsMax: number; giveUpMs: number }>
const usualRetry: Retry = { firstMs: 1_000, waitMsMax: 300_000, giveUpMs: 72 * 3_600_000 }
const idleMsMax = 60_000
type Tally = { attempts: number; failures: number; overflowed: number }
type Worker = Readonly<{ output: OutboxOutput; tally: Tally; wake(): void; done: Promise<void> }>
type Yard = Readonly<{ rows: Deliveries; log: OutboxOptions['log']; now(): number; random(): number; retry: Retry; signal: AbortSignal }>

/** The same for every attempt and every replay of this alert and change, whatever the output. */
export const deliveryKey = (alertId: string, change: string): string => hashId('delivery', alertId, change)

/** Exponential with full jitter: many waiting rows do not come back at the same moment. */
export const backoffMs = (retry: Retry, failures: number, random: number): number =>
  Math.round(random * Math.min(retry.waitMsMax, retry.firstMs * 2 ** Math.min(failures, 30)))

function alertOf(record: Pick<StoredRec, 'bytes'>): Alert | undefined {
  const verdict = decodeVerdict(record.bytes)
  return verdict.type === 'alert' ? verdict.alert : undefined
}

/** How long this output rests after an attempt; what happened to the row is recorded here. */
async function attempt(yard: Yard, { output, tally }: Pick<Worker, 'output' | 'tally'>, item: Due, streak: number): Promise<number> {
  const { rows, retry, now, random, log } = yard
  tally.attempts += 1
  try {
    const alert = alertOf({ bytes: item.body })
    if (alert === undefined) throw new Fault('OUTPUT_REFUSED', 'not an alert')
    await output.sink.deliver({ key: item.key, change: 'created', alert, attempt: item.attempts + 1 })
    rows.delivered(item.id, now())
    return 0
  } catch (error) {
    tally.failures += 1
    const reason = error instanceof Fault ? error.message.slice(0, 200) : 'output failed'
    const hopeless = error instanceof Fault && !error.retry
    log.warn({ output: output.name, key: item.key, attempt: item.attempts + 1, reason, hopeless }, 'delivery failed')
    if (hopeless || now() - item.firstAt >= retry.giveUpMs) {
      rows.died(item.id, reason, now())
      return 0
    }
    const asked = retryAfterOf(error) ?? 0
    rows.later(item.id, now() + Math.max(asked, backoffMs(retry, item.attempts, random())), reason)
    return Math.max(asked, backoffMs(retry, streak, random()))
  }
}

/** One per output: a receiver that hangs or is down delays nobody else's alerts. */
function startWorker(yard: Yard, output: OutboxOutput): Worker {
  const tally: Tally = { attempts: 0, failures: 0, overflowed: 0 }
  let wakeUp = new AbortController()
  const rest = async (waitMs: number, wakeable: boolean) => {
    const signal = wakeable ? AbortSignal.any([yard.signal, wakeUp.signal]) : yard.signal
    await sleep(Math.max(waitMs, 1), undefined, { signal }).catch(() => undefined)
  }
  let streak = 0
  const step = async () => {
    wakeUp = new AbortController()
    const item = yard.rows.due(output.name, yard.now())
    if (item === undefined) {
      const nextAt = yard.rows.nextAt(output.name)
      return rest(nextAt === undefined ? idleMsMax : Math.min(nextAt - yard.now(), idleMsMax), true)
    }
    const failuresBefore = tally.failures
    const restMs = await attempt(yard, { output, tally }, item, streak)
    streak = tally.failures === failuresBefore ? 0 : streak + 1
    if (restMs > 0) await rest(restMs, false)
  }
  const run = async () => {
    while (!yard.signal.aborted) {
      try {
        await step()
      } catch (error) {
        // The disk would not take what happened: the row is as it was, and is sent again with the same key.
        yard.log.error({ output: output.name, error }, 'outbox not written')
        await rest(yard.retry.firstMs, false)
      }
    }
  }
  return { output, tally, wake: () => wakeUp.abort(), done: run() }
}

function owedFrom(alerts: readonly Alert[], outputs: readonly OutboxOutput[]): Owed[] {
  return alerts.flatMap((alert) =>
    outputs
      .filter(({ severity }) => severityRank(alert.severity) >= severityRank(severity))
      .map(({ name }) => ({
        output: name,
        alertId: alert.alertId,
        change: 'created' as const,
        key: deliveryKey(alert.alertId, 'created'),
        severity: alert.severity,
        body: encodeVerdict({ type: 'alert', alert }),
      })),
  )
}

export async function openOutbox(options: OutboxOptions): Promise<Outbox> {
  const { bus, outputs, log, now = Date.now, random = Math.random } = options
  const rows = openDeliveries(options.dataDir)
  const stop = new AbortController()
  const yard: Yard = { rows, log, now, random, retry: { ...usualRetry, ...options.retry }, signal: stop.signal }
  const workers = outputs.map((output) => startWorker(yard, output))
  const known = new Map(workers.map((worker) => [worker.output.name, worker]))
  const batch = async (_part: unknown, records: readonly StoredRec[]) => {
    const alerts = records.flatMap((record) => alertOf(record) ?? [])
    for (const worker of workers) {
      const owed = owedFrom(alerts, [worker.output])
      if (owed.length === 0) continue
      try {
        worker.tally.overflowed += rows.owe(owed, now())
      } catch (error) {
        throw new Fault('STORE_UNREACHABLE', 'outbox', error) // the bus keeps the alert until the disk takes it
      }
      worker.wake()
    }
  }
  const running = await bus.consume(['mcp.alerts'], 'outputs', { batch })
  return {
    running,
    status: () => workers.map(({ output: { name, severity }, tally }) => ({ name, severity, ...rows.counts(name), ...tally })),
    dead: (output, limit = 100) => rows.dead(output, limit),
    replay(output) {
      const worker = known.get(output)
      if (worker === undefined) return undefined
      const revived = rows.replay(output, now())
      worker.wake()
      return revived
    },
    async [Symbol.asyncDispose]() {
      await running.stop()
      stop.abort()
      await Promise.all(workers.map(({ output }) => output.sink[Symbol.asyncDispose]())) // ends what is being sent
      await Promise.all(workers.map(({ done }) => done))
      rows.close()
    },
  }
}
