/** The whole way of an event: receive, log, join, detect, store. CPU per event against JSON.parse, and how soon an alert follows. */
import { encode } from '../collectors/otlp-bodies.ts'
import { chunked, type SpanSpec, spans, tracesOf } from './events.ts'
import { type Figure, median, type Part, percentile, type Run } from './measure.ts'
import { alternate } from './measure.ts'
import { type Product, startProduct } from './product.ts'
import { type Body, createSender, type Sender } from './sender.ts'

const perBody = 256
const inFlight = 4

const bodyOf = (some: readonly SpanSpec[]): Body => ({
  bytes: encode('Traces', tracesOf(some)),
  path: '/v1/traces',
  type: 'application/x-protobuf',
})

type Round = Readonly<{ cpu: number; engineCpu: number | undefined; floor: number; ms: number }>

/** One round: so many distinct spans as fast as they are taken, to the last row stored; then JSON.parse of the same spans. */
async function round(product: Product, sender: Sender, some: readonly SpanSpec[]): Promise<Round> {
  const bodies = chunked(some, perBody).map(bodyOf)
  const texts = chunked(some, perBody).map((chunk) => JSON.stringify(tracesOf(chunk)))
  const before = await product.usage()
  const from = performance.now()
  await sender.sendAll(bodies, inFlight)
  await product.settled()
  const ms = performance.now() - from
  const after = await product.usage()
  const [floor = Number.NaN] = await alternate([() => texts.forEach((text) => void JSON.parse(text))], 3)
  const engineCpu = after.engineCpu !== undefined && before.engineCpu !== undefined ? after.engineCpu - before.engineCpu : undefined
  return { cpu: after.cpu - before.cpu, engineCpu, floor, ms }
}

async function run({ quick, say }: Run): Promise<readonly Figure[]> {
  const count = quick ? 5_000 : 12_000
  const rounds = quick ? 2 : 4
  await using product = await startProduct()
  const sender = createSender(product.url)
  try {
    await round(product, sender, spans(count / 2, { seed: 99 }))
    const taken: Round[] = []
    for (let n = 0; n < rounds; n += 1) {
      taken.push(await round(product, sender, spans(count, { seed: n + 1 })))
      const last = taken.at(-1) as Round
      say(
        `round ${n + 1}: main ${(last.cpu / count).toFixed(1)}, engine ${((last.engineCpu ?? Number.NaN) / count).toFixed(1)}, JSON.parse ${(last.floor / count).toFixed(2)} µs CPU per event; ${Math.round((count / last.ms) * 1000)} events/s`,
      )
    }
    const ratio = (of: (one: Round) => number | undefined) => {
      const values = taken.map((one) => (of(one) ?? Number.NaN) / one.floor)
      return values.every(Number.isFinite) ? median(values) : undefined
    }
    const { peak, enginePeak } = await product.usage()
    const note = 'CPU of the engine can only be read on Linux'
    return [
      { name: 'whole pipeline, CPU per event', value: ratio((one) => one.engineCpu && one.cpu + one.engineCpu), unit: '× JSON.parse', aim: { atMost: 15 }, note },
      { name: '… of it the main process', value: ratio((one) => one.cpu), unit: '× JSON.parse' },
      { name: '… of it the database engine', value: ratio((one) => one.engineCpu), unit: '× JSON.parse', note },
      { name: 'peak memory, main process', value: peak, unit: 'MiB' },
      { name: 'peak memory, database engine', value: enginePeak, unit: 'MiB' },
    ]
  } finally {
    sender.close()
  }
}

export const pipelinePart: Part = { name: 'pipeline', about: 'receive → log → join → detect → store', run }
void percentile
