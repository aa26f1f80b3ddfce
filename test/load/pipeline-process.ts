/** The whole product in a process of its own, so that its CPU time and memory are its own: answers what it has used when asked. */
import { pino } from 'pino'
import { openPipeline } from '../../commands/pipeline.ts'
import { Config } from '../../schemas/config.ts'
import { childOf, cpuNow, cpuOf, peakOf } from './measure.ts'

export type Ask = Readonly<{ type: 'settled' | 'usage' | 'latencies' | 'close' }>
export type Usage = Readonly<{ cpu: number; engineCpu: number | undefined; peak: number | undefined; enginePeak: number | undefined }>
export type Answer = Readonly<
  { type: 'ready'; url: string } | ({ type: 'usage' } & Usage) | { type: 'settled' } | { type: 'latencies'; ms: number[] }
>

const [dataDir] = process.argv.slice(2)
const latencies: number[] = []
const config = Config.parse({ dataDir, api: { port: 0 }, otlp: { httpPort: 0, grpcPort: 0 } })
const pipeline = await openPipeline({
  config: { ...config, dataDir: dataDir as string },
  version: 'bench',
  log: pino({ level: 'error' }, pino.destination({ dest: 2, sync: true })),
  onVerdicts: ({ hits }) => {
    // A span that wants its way timed has the time of its sending.
    const now = Date.now()
    for (const { time } of hits) latencies.push(now - Number(time / 1_000_000n))
  },
})
const answer = (message: Answer): void => void process.send?.(message)
const engine = childOf(process.pid)

process.on('message', (ask: Ask) => {
  if (ask.type === 'settled') void pipeline.settled().then(() => answer({ type: 'settled' }))
  else if (ask.type === 'usage')
    answer({ type: 'usage', cpu: cpuNow(), engineCpu: cpuOf(engine), peak: peakOf(process.pid), enginePeak: peakOf(engine) })
  else if (ask.type === 'latencies') answer({ type: 'latencies', ms: latencies.splice(0) })
  else void pipeline[Symbol.asyncDispose]().then(() => process.exit(0))
})
answer({ type: 'ready', url: pipeline.collect?.httpUrl ?? '' })
