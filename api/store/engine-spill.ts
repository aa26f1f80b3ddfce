/** Short-lived files that carry the rows of an insert to the engine: shared memory where there is room, else the data directory. */
import { createHash, randomUUID } from 'node:crypto'
import { chmodSync, lstatSync, mkdirSync, rmSync, statfsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'

export type Spill = {
  hold(bytes: Uint8Array): Promise<AsyncDisposable & { readonly path: string }>
  close(): void
}

/** Containers often give /dev/shm 64 MB, macOS has none. */
const reserveBytes = 16 * 1024 * 1024

/** Call with the engine's directory lock held: what an earlier engine of this directory left behind is removed. */
export function createSpill(dir: string, sharedMemory = '/dev/shm'): Spill {
  const name = `lapwing-${createHash('sha256').update(resolve(dir)).digest('hex').slice(0, 16)}`
  const disk = privateFolder(join(dir, 'incoming'))
  if (disk === undefined) throw new Error('data directory is not writable')
  const memory = privateFolder(join(sharedMemory, name))

  const roomInMemory = (bytes: number): boolean => {
    if (memory === undefined) return false
    try {
      const { bavail, bsize } = statfsSync(memory)
      return bavail * bsize > bytes + reserveBytes
    } catch {
      return false
    }
  }
  return {
    async hold(bytes) {
      if (memory !== undefined && roomInMemory(bytes.length)) {
        // Somebody may have filled or cleared shared memory since.
        const held = await keep(memory, bytes).catch(() => undefined)
        if (held !== undefined) return held
      }
      return await keep(disk, bytes)
    },
    close() {
      if (memory !== undefined) rmSync(memory, { recursive: true, force: true })
    },
  }
}

async function keep(folder: string, bytes: Uint8Array) {
  const path = join(folder, `${randomUUID()}.rows`)
  const remove = () => rm(path, { force: true })
  try {
    await writeFile(path, bytes, { mode: 0o600, flag: 'wx' })
  } catch (error) {
    await remove()
    throw error
  }
  return { path, [Symbol.asyncDispose]: remove }
}

/** An empty folder that nobody else can read, or nothing: shared memory is open to every user of the machine. */
function privateFolder(path: string): string | undefined {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found !== undefined) {
      if (!found.isDirectory() || found.uid !== process.getuid?.()) return undefined
      rmSync(path, { recursive: true, force: true })
    }
    mkdirSync(path, { mode: 0o700 })
    chmodSync(path, 0o700)
    return path
  } catch {
    return undefined
  }
}
