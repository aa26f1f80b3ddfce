/** What the bus conformance suite and the tests of one bus share: records, a handler that remembers, a directory that goes away. */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Bus, DeadLetter, Handler, PartId, Rec, StoredRec } from '../../schemas/bus.ts'
import { partId } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'

/** Four partitions; retries wait a millisecond or so; `seal` is `sealForTest`. The same dir is the same bus again. */
export type OpenBus = (dir: string) => Promise<Bus>
export const sealForTest = (bytes: Uint8Array): string => `sealed:${Buffer.from(bytes).toString('base64')}`

export async function temporaryDir(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'lapwing-bus-'))
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}
/** Waits for what must come; the test’s own time limit is the judge of never. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await sleep(2)
}
export const rec = (key: string, text: string): Rec => ({ key, bytes: Buffer.from(text) })
export const textOf = (record: Rec): string => Buffer.from(record.bytes).toString()
export const numbered = (count: number, key: (i: number) => string = (i) => `actor-${i % 16}`): Rec[] =>
  Array.from({ length: count }, (_, i) => rec(key(i), String(i)))
export const letterOf = (record: StoredRec): DeadLetter => JSON.parse(textOf(record)) as DeadLetter

export type Seen = { part: PartId; key: string; text: string; offset: bigint }
/** A handler that remembers, after `first` had its say. */
export function remember(first: (records: readonly StoredRec[]) => void | Promise<void> = () => undefined) {
  const seen: Seen[] = []
  const handler: Handler = {
    async batch(part, records) {
      await first(records)
      for (const record of records) seen.push({ part: partId(part), key: record.key, text: textOf(record), offset: record.offset })
    },
  }
  return { seen, handler, texts: () => seen.map(({ text }) => text) }
}
export const sorted = (texts: readonly string[]): string[] => [...texts].sort((a, b) => Number(a) - Number(b))
export const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => String(i))
export const onPurpose = (): never => {
  throw new Fault('STORE_UNREACHABLE', 'on purpose')
}

export function assertOrdered(seen: readonly Seen[]): void {
  const last = new Map<PartId, bigint>()
  for (const { part, offset } of seen) {
    assert.ok(offset > (last.get(part) ?? -1n), `${part} went back to ${offset}`)
    last.set(part, offset)
  }
}

/** Registers one promise: a fresh bus, and a way to close and open it again. */
export type Promised = (title: string, prove: (bus: Bus, again: () => Promise<Bus>) => Promise<void>) => void
