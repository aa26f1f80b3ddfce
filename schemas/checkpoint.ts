/** What is kept of an engine between two lives: its state, with the bus positions that it is true at. Written beside the data, or to the bus. */
import type { PartId } from './bus.ts'

export type Checkpoint = Readonly<{ positions: ReadonlyMap<PartId, bigint>; snapshot: Uint8Array }>
/** The pieces of the snapshot are taken one after another, as they can be written. */
export type Saving = Readonly<{ positions: ReadonlyMap<PartId, bigint>; pieces: AsyncIterable<Uint8Array> | Iterable<Uint8Array> }>
export type Checkpoints = Readonly<{
  /** Durable when it resolves. */
  save: (partition: number, saving: Saving) => Promise<void>
  /** The newest whole one, or undefined: then replay starts where the group began. */
  load: (partition: number) => Promise<Checkpoint | undefined>
}>
