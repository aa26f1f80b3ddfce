/** What an output is: where alerts go besides the API. One file in api/outputs/; the outbox does waiting, retries and order. */
import type { ZodType } from 'zod'
import type { Alert } from './alert.ts'
import { Fault } from './errors.ts'

/** `key` is the same for every attempt of one alert and change: a receiver that has seen it may ignore the repeat. */
export type Delivery = Readonly<{ key: string; change: 'created'; alert: Alert; attempt: number }>

/**
 * 1. `deliver` resolves when the receiver has taken the item; twice is harmless, because of `key`.
 * 2. It rejects with OUTPUT_UNREACHABLE to be tried again, with OUTPUT_REFUSED when trying again cannot help.
 * 3. It ends by itself: every wait and every answer it reads has a maximum.
 */
export type OpenOutput = { deliver(item: Delivery): Promise<void> } & AsyncDisposable
export type Output<O> = Readonly<{ name: string; options: ZodType<O>; open: (options: O) => OpenOutput }>

export const defineOutput = <O>(output: Output<O>): Output<O> => output

/** A failure to be tried again, not before the time the receiver asked for. */
export const tryAgain = (reason: string, retryAfterMs?: number): Fault => new Fault('OUTPUT_UNREACHABLE', reason, { retryAfterMs })

export function retryAfterOf(error: unknown): number | undefined {
  const cause = error instanceof Fault ? (error.cause as { retryAfterMs?: unknown } | undefined) : undefined
  return typeof cause?.retryAfterMs === 'number' ? cause.retryAfterMs : undefined
}
