/** Saves an engine's snapshot with the bus positions it is true at; a torn or foreign file is passed over for the one before. */
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import v8 from 'node:v8'
import { crc32 } from 'node:zlib'
import type { PartId } from '../schemas/bus.ts'
import type { Checkpoints, Saving } from '../schemas/checkpoint.ts'

const KEPT_MAX = 3
const MAGIC = 'LWCP2\n'
const HEAD_MAX = 1 << 20

type Head = Readonly<{ revision: string; positions: ReadonlyMap<PartId, bigint> }>

const written = (sum: number): string => sum.toString(16).padStart(8, '0')

function headOf(head: Head): Buffer {
  const bytes = v8.serialize(head)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(bytes.length)
  return Buffer.concat([length, bytes])
}

/** The sum stands before what it is of, and is known last. Nothing is kept: a large state would be in memory twice. */
async function write(file: FileHandle, head: Uint8Array, pieces: Saving['pieces']): Promise<void> {
  let sum = crc32(head)
  await file.writev([Buffer.from(`${MAGIC}${written(0)}\n`), head])
  for await (const piece of pieces) {
    sum = crc32(piece, sum)
    await file.writeFile(piece)
  }
  await file.write(Buffer.from(written(sum)), 0, undefined, MAGIC.length)
  await file.sync()
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
  /** Written beside, synced, renamed, and the folder synced. */
  const save: Checkpoints['save'] = async (partition, { positions, pieces }) => {
    await mkdir(dir, { recursive: true, mode: 0o700 })
    const before = await filesOf(partition)
    ordinal = Math.max(ordinal, ...before.map((name) => Number(name.slice(prefix(partition).length, -5)) || 0)) + 1
    const head = headOf({ revision, positions })
    const path = join(dir, `${prefix(partition)}${ordinal}.ckpt`)
    const file = await open(`${path}.part`, 'w', 0o600)
    try {
      await write(file, head, pieces)
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
    save: (partition, saving) => {
      const mine = turn.then(() => save(partition, saving))
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
