/**
 * Requests that could not be sent, one file each, on disk within a bound: kept oldest first, and what no longer fits is refused.
 * Each tap has its own folder; those of taps that have died are taken over file by file.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'

export type Spool = Readonly<{
  /** False: no room, or the disk refused. Nothing was kept. */
  put(body: Uint8Array, events: number): boolean
  oldest(): Readonly<{ name: string; body: Uint8Array; events: number }> | undefined
  remove(name: string): void
  size(): number
  /** Takes over what taps that no longer run have left, as far as it fits. */
  adopt(): void
  /** Removes the folder when it is empty. */
  close(): void
}>
export type SpoolOptions = Readonly<{ root: string; instance: string; bytesMax?: number; isAlive?: (pid: number) => boolean }>

/** A small file costs a block: without this, a million tiny ones would pass as nothing. */
const fileBytesMin = 4096
const suffix = '.json.gz'

export function createSpool({ root, instance, bytesMax = 256 * 1024 * 1024, isAlive = alive }: SpoolOptions): Spool {
  const folder = join(root, `${process.pid}-${instance}`)
  const files = new Map<string, number>()
  let bytes = 0
  let made = false
  let number = 0

  const ready = () => {
    if (!made) mkdirSync(folder, { recursive: true, mode: 0o700 })
    made = true
  }
  const keep = (name: string, size: number) => {
    files.set(name, size)
    bytes += size
  }
  const forget = (name: string) => {
    bytes -= files.get(name) ?? 0
    files.delete(name)
  }
  const nextName = (events: number) => `${String(Date.now()).padStart(15, '0')}-${String(number++).padStart(9, '0')}-${events}${suffix}`
  return {
    put(body, events) {
      const size = Math.max(body.length, fileBytesMin)
      if (bytes + size > bytesMax) return false
      const name = nextName(events)
      const draft = join(folder, `${name}.part`)
      try {
        ready()
        writeFileSync(draft, body, { mode: 0o600 })
        renameSync(draft, join(folder, name))
      } catch {
        rmSync(draft, { force: true }) // the caller counts what is lost; a full disk must not stop the tap
        return false
      }
      keep(name, size)
      return true
    },
    oldest() {
      for (const name of files.keys()) {
        try {
          return { name, body: readFileSync(join(folder, name)), events: eventsIn(name) }
        } catch {
          forget(name) // someone cleaned up by hand
        }
      }
      return undefined
    },
    remove(name) {
      forget(name)
      rmSync(join(folder, name), { force: true })
    },
    size: () => files.size,
    adopt() {
      for (const left of foldersIn(root)) {
        const pid = Number(/^(\d+)-/.exec(left)?.[1] ?? Number.NaN)
        if (left === basename(folder) || !Number.isInteger(pid) || isAlive(pid)) continue
        for (const [name, size] of filesIn(join(root, left))) {
          if (bytes + size > bytesMax) return
          const own = nextName(eventsIn(name))
          try {
            ready()
            renameSync(join(root, left, name), join(folder, own)) // another tap may be faster: then it has the file
            keep(own, size)
          } catch {}
        }
        removeEmpty(join(root, left))
      }
    },
    close: () => removeEmpty(folder),
  }
}

/** The name carries how many events are inside: a refusal is counted without unpacking. */
const eventsIn = (name: string): number => Number(/-(\d+)\.json\.gz$/.exec(name)?.[1] ?? 0)

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function foldersIn(root: string): string[] {
  try {
    return readdirSync(root, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name)
  } catch {
    return [] // not made yet
  }
}

function filesIn(folder: string): [string, number][] {
  try {
    const names = readdirSync(folder).sort()
    for (const name of names) if (name.endsWith('.part')) rmSync(join(folder, name), { force: true })
    return names.filter((name) => name.endsWith(suffix)).map((name) => [name, Math.max(statSync(join(folder, name)).size, fileBytesMin)])
  } catch {
    return []
  }
}

function removeEmpty(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {} // not empty, or never made
}
