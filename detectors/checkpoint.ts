/** Saves an engine's snapshot with the bus positions it is true at; a torn or foreign file is passed over for the one before. */
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import v8 from 'node:v8'
import { crc32 } from 'node:zlib'
import type { PartId } from '../schemas/bus.ts'

const KEPT_MAX = 3
const MAGIC = 'LWCP1\n'

export type Checkpoint = Readonly<{ positions: ReadonlyMap<PartId, bigint>; snapshot: Uint8Array }>
export type Checkpoints = Readonly<{
  /** Durable when it resolves: written beside, synced, renamed, and the folder synced. */
  save: (partition: number, checkpoint: Checkpoint) => Promise<void>
  /** The newest whole one, or undefined: then replay starts where the group began. */
  load: (partition: number) => Promise<Checkpoint | undefined>
}>

/** `revision` names what the state depends on (catalogue, state shape): a checkpoint of another revision is not used. */
export function openCheckpoints(dir: string, revision: string): Checkpoints {
  const prefix = (partition: number) => `engine-${partition}-`
  const filesOf = async (partition: number) => {
    const names = await readdir(dir).catch(() => [])
    const ordinal = (name: string) => Number(name.slice(prefix(partition).length, -'.ckpt'.length))
    return names.filter((name) => name.startsWith(prefix(partition)) && name.endsWith('.ckpt')).sort((a, b) => ordinal(b) - ordinal(a))
  }
  let ordinal = 0
  return {
    save: async (partition, { positions, snapshot }) => {
      await mkdir(dir, { recursive: true, mode: 0o700 })
      const before = await filesOf(partition)
      ordinal = Math.max(ordinal, ...before.map((name) => Number(name.slice(prefix(partition).length, -5)) || 0)) + 1
      const body = v8.serialize({ revision, positions, snapshot })
      const path = join(dir, `${prefix(partition)}${ordinal}.ckpt`)
      const file = await open(`${path}.part`, 'w', 0o600)
      try {
        await file.writev([Buffer.from(`${MAGIC}${crc32(body).toString(16).padStart(8, '0')}\n`), body])
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(`${path}.part`, path)
      const folder = await open(dir, 'r')
      await folder.sync().finally(() => folder.close())
      for (const name of before.slice(KEPT_MAX - 1)) await rm(join(dir, name), { force: true })
    },
    load: async (partition) => {
      for (const name of await filesOf(partition)) {
        const bytes = await readFile(join(dir, name))
        const body = bytes.subarray(MAGIC.length + 9)
        if (bytes.toString('latin1', 0, MAGIC.length) !== MAGIC) continue
        if (bytes.toString('latin1', MAGIC.length, MAGIC.length + 8) !== crc32(body).toString(16).padStart(8, '0')) continue
        const saved = v8.deserialize(body) as Checkpoint & { revision: string }
        if (saved.revision === revision) return { positions: saved.positions, snapshot: saved.snapshot }
      }
      return undefined
    },
  }
}
