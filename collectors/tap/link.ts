/** The one-way street to the observer's worker thread: bounded by what the worker has taken, and renewed when it dies. */
import { Worker } from 'node:worker_threads'
import { costOf, type Finished, type Note, newsOf, type Remark } from './notes.ts'

export type LinkOptions = Readonly<{
  /** The worker's module. */
  observer: URL
  /** Plain data for the worker. */
  settings: unknown
  bytesMax?: number
  restartsMax?: number
  restartDelayMs?: number
  heapMbMax?: number
  /** Beyond the deadline, an observer that is still catching up gets this long to put the rest on disk. */
  graceMs?: number
  remark?: (text: string) => void
}>
export type Weight = Readonly<{ bytes: number; lines: number }>
export type Link = Readonly<{
  /** False when the observer is away or too far behind: nothing was posted. */
  post(note: Note): boolean
  deaths(): number
  close(deadlineMs: number): Promise<void>
}>

/** Places in the memory shared with the worker, where it counts what it has taken. */
export const taken = { cost: 0, bytes: 1, lines: 2, newsBytes: 3, newsLines: 4 } as const

/** `died` hears how much was posted and never taken, and which losses were told and never heard. */
export function createLink(options: LinkOptions, died: (untaken: Weight, news: Weight) => void): Link {
  const {
    bytesMax = 64 * 1024 * 1024,
    restartsMax = 5,
    restartDelayMs = 500,
    heapMbMax = 1024,
    graceMs = 4_000,
    remark = () => {},
  } = options
  let posted = { cost: 0, bytes: 0, lines: 0, newsBytes: 0, newsLines: 0 }
  let counts = new BigInt64Array(new SharedArrayBuffer(40))
  let deaths = 0
  let closing = false
  let worker: Worker | undefined
  let restart: NodeJS.Timeout | undefined

  const behind = (place: keyof typeof taken): number => posted[place] - Number(Atomics.load(counts, taken[place]))

  const report = () => died({ bytes: behind('bytes'), lines: behind('lines') }, { bytes: behind('newsBytes'), lines: behind('newsLines') })

  const start = () => {
    counts = new BigInt64Array(new SharedArrayBuffer(40))
    posted = { cost: 0, bytes: 0, lines: 0, newsBytes: 0, newsLines: 0 }
    // The worker has no say on the relay's stdout: only the server's bytes go there.
    const started = new Worker(options.observer, {
      workerData: { settings: options.settings, counts },
      resourceLimits: { maxOldGenerationSizeMb: heapMbMax },
      stdout: true,
    })
    started.stdout.resume()
    started.on('error', (error) => remark(`observer failed: ${error.message}`))
    started.on('message', (message: Finished | Remark) => message.type === 'remark' && remark(message.text))
    started.on('exit', () => ended(started))
    started.unref()
    worker = started
  }

  const ended = (dead: Worker) => {
    if (worker !== dead) return
    worker = undefined
    if (closing) return
    deaths += 1
    report()
    if (deaths > restartsMax) remark('observer failed too often: traffic goes on unobserved')
    else restart = setTimeout(start, restartDelayMs * deaths).unref()
  }

  start()
  return {
    post(note) {
      const cost = costOf(note)
      if (!worker || behind('cost') + cost > bytesMax) return false
      const [bytes, lines] = note.type === 'chunk' ? [note.bytes.length, note.lines] : [0, 0]
      // Small chunks are views of a large shared buffer, which would be copied whole: the bytes get a buffer of their own.
      const own = note.type === 'chunk' ? Uint8Array.from(note.bytes) : undefined
      worker.postMessage(own ? { ...note, bytes: own } : note, own ? [own.buffer] : [])
      const news = newsOf(note)
      posted.cost += cost
      posted.bytes += bytes
      posted.lines += lines
      posted.newsBytes += news.bytes
      posted.newsLines += news.lines
      return true
    },
    deaths: () => deaths,
    async close(deadlineMs) {
      closing = true
      clearTimeout(restart)
      if (!worker) return
      await finish(worker, deadlineMs, graceMs)
      report()
    },
  }
}

/** Asks the worker to finish, and ends it. */
async function finish(worker: Worker, deadlineMs: number, graceMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = setTimeout(resolve, deadlineMs + graceMs)
  worker.on('message', (message: Finished | Remark) => message.type === 'finished' && resolve())
  worker.on('exit', () => resolve())
  worker.postMessage({ type: 'finish', deadlineMs })
  await promise
  clearTimeout(timer)
  await worker.terminate()
}
