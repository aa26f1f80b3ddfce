/** Saves an engine's snapshot with the bus positions it is true at; a torn or foreign file is passed over for the one before. */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import v8 from 'node:v8'
import { crc32 } from 'node:zlib'
import type { PartId } from '../schemas/bus.ts'

const KEPT_MAX = 3
const MAGIC = 'LWCP2\n'
const SLICE_BYTES = 1 << 20
const HEAD_MAX = 1 << 20

export type Checkpoint = Readonly<{ positions: ReadonlyMap<PartId, bigint>; snapshot: Uint8Array }>
export type Checkpoints = Readonly<{
  /** Durable when it resolves: written beside, synced, renamed, and the folder synced. */
  save: (partition: number, checkpoint: Checkpoint) => Promise<void>
  /** The newest whole one, or undefined: then replay starts where the group began. */
  load: (partition: number) => Promise<Checkpoint | undefined>
}>

type Head = Readonly<{ revision: string; positions: ReadonlyMap<PartId, bigint> }>

const written = (sum: number): string => sum.toString(16).padStart(8, '0')

function headOf(head: Head): Buffer {
  const bytes = v8.serialize(head)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** Slice by slice: a large one must not hold up whatever else this process does. */
async function sumOf(head: Uint8Array, snapshot: Uint8Array): Promise<string> {
  let sum = crc32(head)
  for (let from = 0; from < snapshot.length; from += SLICE_BYTES) {
    if (from > 0) await setImmediate()
    sum = crc32(snapshot.subarray(from, from + SLICE_BYTES), sum)
  }
  return written(sum)
}

/** `revision` names what the state depends on (catalogue, state shape): a checkpoint of another revision is not used. */
export function openCheckpoints(dir: string, revision: string): Checkpoints {
  const prefix = (partition: number) => `engine-${partition}-`
  const filesOf = async (partition: number) => {
    const names = await readdir(dir).catch(() => [])
    const ordinal = (name: string) => Number(name.slice(prefix(partition).length, -'.ckpt'.length))
    return names.filter((name) => name.startsWith(prefix(partition)) && name.endsWith('.ckpt')).sort((a, b) => ordinal(b) - ordinal(a))
  }
  let ordinal = 0
  let turn: Promise<unknown> = Promise.resolve()
  const save: Checkpoints['save'] = async (partition, { positions, snapshot }) => {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const before = await filesOf(partition)
    ordinal = Math.max(ordinal, ...before.map((name) => Number(name.slice(prefix(partition).length, -5)) || 0)) + 1
    const head = headOf({ revision, positions })
    const sum = await sumOf(head, snapshot)
    const path = join(dir, `${prefix(partition)}${ordinal}.ckpt`)
    const file = await open(`${path}.part`, 'w', 0o600)
    try {
      await file.writev([Buffer.from(`${MAGIC}${sum}\n`), head])
      await file.writeFile(snapshot)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(`${path}.part`, path)
    const folder = await open(dir, 'r')
    await folder.sync().finally(() => folder.close())
    for (const name of before.slice(KEPT_MAX - 1)) await rm(join(dir, name), { force: true })
  }
  return {
    // One after another, so that the newest file holds the newest state.
    save: (partition, checkpoint) => {
      const mine = turn.then(() => save(partition, checkpoint))
      turn = mine.catch(() => {})
      return mine
    },
    load: async (partition) => {
      for (const name of await filesOf(partition)) {
        const bytes = await readFile(join(dir, name))
        const body = bytes.subarray(MAGIC.length + 9)
        if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC || body.length < 4) continue
        if (bytes.toString('latin1', MAGIC.length, MAGIC.length + 8) !== written(crc32(body))) continue
        const from = 4 + Math.min(HEAD_MAX, body.readUInt32LE(0))
        const head = v8.deserialize(body.subarray(4, from)) as Head
        if (head.revision === revision) return { positions: head.positions, snapshot: body.subarray(from) }
      }
      return undefined
    },
  }
}
