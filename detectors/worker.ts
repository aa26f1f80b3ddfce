/**
 * Bus in, engine, bus out: one engine per assigned partition reads that partition of `mcp.events` and `mcp.facts`.
 * Verdicts are durable before the position moves; a crash between the two replays, and deterministic ids absorb it.
 */
import { setImmediate, setTimeout } from 'node:timers/promises'
import { type Bus, type Part, type PartId, partId, type Rec, type Running, type StoredRec } from '../schemas/bus.ts'
import type { Checkpoints } from '../schemas/checkpoint.ts'
import { decodeEvent, decodeFact, encodeFact, encodeVerdict, type Verdict } from '../schemas/codec.ts'
import type { Fact } from '../schemas/detector.ts'
import type { McpEvent } from '../schemas/event.ts'
import { createEngine, type Engine, type EngineStats, noVerdicts, type Prepared, type Verdicts } from './engine.ts'

const VERDICTS_PER_RECORD_MAX = 500
const SLICE_RECORDS_MAX = 32
const CHECKPOINT_MS = 30_000
const FIRST_CHECKPOINT_MS = 3_000
/** So long an alert of another partition may wait for a piece of a checkpoint. */
const BLOCK_MS = 4
const REST_MS = 36

export type WorkerOptions = Readonly<{
  bus: Bus
  prepared: Prepared
  checkpoints?: Checkpoints | undefined
  /** A checkpoint is due after so many subjects or so long, whichever comes first. */
  checkpointSubjects?: number
  checkpointMs?: number
  onError?: (detector: string, error: unknown) => void
  onVerdicts?: (verdicts: Verdicts) => void
}>
export type Worker = Running & Readonly<{ stats: () => readonly EngineStats[]; checkpoint: () => Promise<void> }>

/**
 * `pending`: verdicts of what was inspected and not yet published; a batch handed over again adds nothing to them.
 * `begun`: parts of which a batch has come since the start.
 */
type Seat = {
  engine: Engine
  begun: Set<PartId>
  positions: Map<PartId, bigint>
  inspected: Map<PartId, bigint>
  pending: Verdicts
  subjects: number
  saved: number
  turn: Promise<void>
  /** A snapshot that is on its way to the disk. */
  writing: Promise<void> | undefined
  /** Somebody waits for it. */
  hurried: boolean
}

async function openSeat({ checkpoints, prepared, onError, checkpointMs = CHECKPOINT_MS }: WorkerOptions, partition: number): Promise<Seat> {
  const saved = await checkpoints?.load(partition)
  return {
    engine: createEngine({ prepared, snapshot: saved?.snapshot, ...(onError ? { onError } : {}) }),
    begun: new Set(),
    positions: new Map(saved?.positions),
    inspected: new Map(saved?.positions),
    pending: noVerdicts(),
    subjects: 0,
    // The first checkpoint is early, so that short lives do not replay the same records again and again.
    saved: performance.now() - checkpointMs + Math.min(checkpointMs, FIRST_CHECKPOINT_MS),
    turn: Promise.resolve(),
    writing: undefined,
    hurried: false,
  }
}

/** With room for others between pieces: `rest` lets them go on. */
async function* unhurried(pieces: Iterable<Uint8Array>, rest: () => Promise<unknown>): AsyncGenerator<Uint8Array> {
  let from = performance.now()
  for (const piece of pieces) {
    yield piece
    if (performance.now() - from < BLOCK_MS) continue
    await rest()
    from = performance.now()
  }
}

/** Batches and checkpoints of one partition, one after another. */
function inTurn(one: Seat, work: () => Promise<void>): Promise<void> {
  const mine = one.turn.then(work)
  one.turn = mine.catch(() => {})
  return mine
}

function saver({ checkpoints, onError }: WorkerOptions) {
  /** Resolves when events may go on; `durable` when the state of that moment is on the disk. */
  const take = async (partition: number, one: Seat, hurried: boolean): Promise<{ durable: Promise<void> }> => {
    one.subjects = 0
    one.saved = performance.now()
    if (!checkpoints) return { durable: Promise.resolve() }
    await one.writing?.catch(() => {}) // one at a time
    one.hurried = hurried
    const pieces = one.engine.freeze()
    const positions = new Map(one.positions)
    // A tenth of the time, so that no alert waits for it; all of it once somebody does.
    const gently = () => (one.hurried ? setImmediate() : setTimeout(REST_MS))
    const durable = checkpoints.save(partition, { positions, pieces: unhurried(pieces, gently) })
    one.writing = durable.finally(() => {
      one.writing = undefined
    })
    return { durable: one.writing }
  }
  const save = async (partition: number, one: Seat) => {
    one.hurried = true
    const { durable } = await take(partition, one, true)
    await durable
  }
  /** Without waiting for the disk: what cannot be saved now is replayed from the checkpoint before. */
  const saveAside = async (partition: number, one: Seat) => {
    const failed = (error: unknown) => onError?.('checkpoint', error)
    if (one.writing !== undefined) return
    try {
      const { durable } = await take(partition, one, false)
      durable.catch(failed)
    } catch (error) {
      failed(error)
    }
  }
  return { save, saveAside }
}

export async function runWorker(options: WorkerOptions): Promise<Worker> {
  const { bus } = options
  const seats = new Map<number, Seat>()
  const dueSubjects = options.checkpointSubjects ?? 50_000
  const dueMs = options.checkpointMs ?? CHECKPOINT_MS

  const seat = async (partition: number): Promise<Seat> => {
    const known = seats.get(partition)
    if (known) return known
    const fresh = await openSeat(options, partition)
    seats.set(partition, fresh)
    return fresh
  }
  const { save, saveAside } = saver(options)
  /** One checkpoint may be waiting for another’s to be written. */
  const hurry = () => {
    for (const one of seats.values()) one.hurried = true
  }
  const handle = async (part: Part, records: readonly StoredRec[]) => {
    const one = seats.get(part.partition)
    if (!one) return
    inspect(one, part, records)
    await publish(bus, one.pending)
    options.onVerdicts?.(one.pending)
    one.pending = noVerdicts()
    one.positions.set(partId(part), (records.at(-1)?.offset ?? -1n) + 1n)
    one.subjects += records.length
    if (one.subjects < dueSubjects && performance.now() - one.saved < dueMs) return
    await saveAside(part.partition, one)
  }

  const running = await bus.consume(['mcp.events', 'mcp.facts'], 'detect', {
    assigned: async (parts) => {
      const from = new Map<PartId, bigint>()
      for (const part of parts) {
        const position = (await seat(part.partition)).positions.get(partId(part))
        // Without a checkpoint the state is empty: it is learned again from the start of what the bus still keeps.
        from.set(partId(part), position ?? 0n)
      }
      return from
    },
    batch: async (part, records) => {
      // Slice by slice: an alert does not wait for the end of a long batch, nor does anything else in this process.
      for (let from = 0; from < records.length; from += SLICE_RECORDS_MAX) {
        const one = seats.get(part.partition)
        if (!one) return
        // Events and facts of one partition share an engine: they take turns.
        await inTurn(one, () => handle(part, records.slice(from, from + SLICE_RECORDS_MAX)))
      }
    },
    revoked: async (parts) => {
      hurry()
      for (const partition of new Set(parts.map((part) => part.partition))) {
        const one = seats.get(partition)
        if (one) await inTurn(one, () => save(partition, one))
        seats.delete(partition)
      }
    },
  })
  const checkpoint = async () => {
    hurry()
    for (const [partition, one] of seats) {
      // In turn with the batches, so that the snapshot is true at its positions.
      await inTurn(one, () => save(partition, one))
    }
  }
  // A quiet partition must not keep its last batches unsaved: the bus lets old records go.
  const timer = setInterval(() => {
    for (const [partition, one] of seats) {
      if (one.subjects > 0) void inTurn(one, () => saveAside(partition, one))
    }
  }, dueMs)
  return {
    lag: () => running.lag(),
    stats: () => [...seats.values()].map(({ engine }) => engine.stats()),
    checkpoint,
    stop: async () => {
      clearInterval(timer)
      await running.stop()
      await checkpoint()
    },
  }
}

/** Decodes all before inspecting any: a record that does not decode must not leave half a batch in the engine. */
function inspect(one: Seat, part: Part, records: readonly StoredRec[]): void {
  const first = records[0]?.offset ?? 0n
  // The bus begins where we wished, unless its log never came so far: then these are not the records we know.
  if (!one.begun.has(partId(part)) && first < (one.inspected.get(partId(part)) ?? 0n)) one.inspected.set(partId(part), first)
  one.begun.add(partId(part))
  const from = one.inspected.get(partId(part)) ?? 0n
  const fresh = records.filter(({ offset }) => offset >= from)
  const judge =
    part.topic === 'mcp.facts'
      ? fresh.map(({ value, bytes }) => (value as Fact | undefined) ?? decodeFact(bytes)).map((fact) => () => one.engine.fact(fact))
      : fresh.map(({ value, bytes }) => (value as McpEvent | undefined) ?? decodeEvent(bytes)).map((event) => () => one.engine.event(event))
  for (const verdicts of judge) {
    const { alerts, hits, signals, facts, links } = verdicts()
    one.pending.alerts.push(...alerts)
    one.pending.hits.push(...hits)
    one.pending.signals.push(...signals)
    one.pending.facts.push(...facts)
    one.pending.links.push(...links)
  }
  one.inspected.set(partId(part), (records.at(-1)?.offset ?? -1n) + 1n)
}

const recordOf = (key: string, verdict: Verdict): Rec => ({ key, bytes: encodeVerdict(verdict), value: verdict })

async function publish(bus: Bus, { alerts, hits, signals, facts, links }: Verdicts): Promise<void> {
  const verdicts: Rec[] = alerts.map((alert) => recordOf(alert.alertId, { type: 'alert', alert }))
  for (let from = 0; from < hits.length; from += VERDICTS_PER_RECORD_MAX) {
    verdicts.push(recordOf('hits', { type: 'hits', hits: hits.slice(from, from + VERDICTS_PER_RECORD_MAX) }))
  }
  for (let from = 0; from < signals.length; from += VERDICTS_PER_RECORD_MAX) {
    verdicts.push(recordOf('signals', { type: 'signals', signals: signals.slice(from, from + VERDICTS_PER_RECORD_MAX) }))
  }
  for (let from = 0; from < links.length; from += VERDICTS_PER_RECORD_MAX) {
    const slice = links.slice(from, from + VERDICTS_PER_RECORD_MAX)
    verdicts.push(recordOf(slice[0]?.threadId ?? 'links', { type: 'links', links: slice }))
  }
  await Promise.all([
    bus.publish('mcp.alerts', verdicts),
    bus.publish(
      'mcp.facts',
      facts.map((fact) => ({ key: `${fact.tenant}\0${fact.scope}\0${fact.key}`, bytes: encodeFact(fact), value: fact })),
    ),
  ])
}
