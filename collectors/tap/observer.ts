/** The observer's worker thread: takes notes from the relay, never answers it but for the end, and may be ended at any time. */
import { parentPort, workerData } from 'node:worker_threads'
import { taken } from './link.ts'
import { costOf, type Finish, type Finished, type Note, newsOf, type Remark } from './notes.ts'
import { observeHttp } from './observe-http.ts'
import { observeStdio } from './observe-stdio.ts'
import { createOutlet } from './outlet.ts'
import type { TapSettings } from './settings.ts'

async function observe(port: NonNullable<typeof parentPort>, settings: TapSettings, counts: BigInt64Array): Promise<void> {
  const outlet = await createOutlet(settings, (text) => port.postMessage({ type: 'remark', text } satisfies Remark))
  const observer = settings.kind === 'stdio' ? observeStdio(outlet) : observeHttp(outlet, settings)
  port.on('message', (note: Note | Finish) => {
    if (note.type === 'finish') {
      void outlet.close(note.deadlineMs).then(() => port.postMessage({ type: 'finished' } satisfies Finished))
      return
    }
    observer.note(note)
    // Taken only now: what dies with this thread half done counts as not observed.
    if (note.type === 'chunk') {
      Atomics.add(counts, taken.bytes, BigInt(note.bytes.length))
      Atomics.add(counts, taken.lines, BigInt(note.lines))
    }
    const news = newsOf(note)
    Atomics.add(counts, taken.newsBytes, BigInt(news.bytes))
    Atomics.add(counts, taken.newsLines, BigInt(news.lines))
    Atomics.add(counts, taken.cost, BigInt(costOf(note)))
  })
}

const given = workerData as { settings: TapSettings; counts: BigInt64Array } | null
if (parentPort && given?.settings) await observe(parentPort, given.settings, given.counts)
