/** The whole way of an event: receive, log, join, detect, store. CPU per event against JSON.parse, and how soon an alert follows. */
import { encode } from '../collectors/otlp-bodies.ts'
import { chunked, type SpanSpec, spans, tracesOf } from './events.ts'
import { alternate, type Figure, median, type Part, percentile, type Run } from './measure.ts'
import { type Product, startProduct } from './product.ts'
import { type Body, createSender, type Sender } from './sender.ts'

const perBody = 256
const warmUps = 2
const inFlight = 4

const bodyOf = (some: readonly SpanSpec[]): Body => ({
  bytes: encode('Traces', tracesOf(some)),
  path: '/v1/traces',
  type: 'application/x-protobuf',
})

type Round = Readonly<{ cpu: number; engineCpu: number | undefined; floor: number; perSecond: number }>

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
  return { cpu: after.cpu - before.cpu, engineCpu, floor, perSecond: (some.length / ms) * 1_000 }
}

const pacedPerBody = 16
/** Stands where the time of sending will be written. */
const placeholder = 0x0717_2737_4757_6777n

/** ms from sending to the alert, at this many spans a second; every twelfth span leads to one. */
async function paced(product: Product, sender: Sender, perSecond: number, seconds: number, seed: number): Promise<number[]> {
  const some = spans(Math.ceil(perSecond * seconds), { seed, attackEvery: 12 })
  for (const { message } of some) message.startTimeUnixNano = String(placeholder)
  const mark = Buffer.alloc(8)
  mark.writeBigUInt64LE(placeholder)
  const bodies = chunked(some, pacedPerBody).map((chunk) => {
    const body = bodyOf(chunk)
    const bytes = Buffer.from(body.bytes)
    const places: number[] = []
    for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + 8)) places.push(at)
    return { body: { ...body, bytes }, bytes, places }
  })
  await product.latencies()
  const sent: Promise<void>[] = []
  const from = performance.now()
  for (const [at, { body, bytes, places }] of bodies.entries()) {
    const due = from + (at * pacedPerBody * 1_000) / perSecond
    while (performance.now() < due) await new Promise((resolve) => setTimeout(resolve, Math.max(1, due - performance.now())))
    const now = BigInt(Date.now()) * 1_000_000n
    for (const place of places) bytes.writeBigUInt64LE(now, place)
    sent.push(sender.send(body))
  }
  await Promise.all(sent)
  await product.settled()
  return product.latencies()
}

async function run({ quick, say }: Run): Promise<readonly Figure[]> {
  const count = quick ? 2_048 : 4_096
  const rounds = quick ? 2 : 3
  await using product = await startProduct()
  const sender = createSender(product.url)
  try {
    // What runs for weeks is measured warm: the first thousands of events are mostly compiling.
    for (let n = 0; n < warmUps; n += 1) await round(product, sender, spans(count, { seed: 99 + n }))
    const taken: Round[] = []
    for (let n = 0; n < rounds; n += 1) {
      const one = await round(product, sender, spans(count, { seed: n + 1 }))
      taken.push(one)
      const each = (cpu: number | undefined): string => ((cpu ?? Number.NaN) / count).toFixed(1)
      say(
        `µs CPU per event: main ${each(one.cpu)}, engine ${each(one.engineCpu)}, JSON.parse ${each(one.floor)}; ${Math.round(one.perSecond)} a second`,
      )
    }
    const { peak, enginePeak } = await product.usage()
    const knee = median(taken.map(({ perSecond }) => perSecond))
    // Another mix of traffic at another pace is compiled anew: warm, as above.
    await paced(product, sender, knee * 0.7, quick ? 3 : 8, 4_241)
    const latencies = await paced(product, sender, knee * 0.7, quick ? 6 : 30, 4_242)
    const ratio = (of: (one: Round) => number | undefined) => {
      const values = taken.map((one) => (of(one) ?? Number.NaN) / one.floor)
      return values.every(Number.isFinite) ? median(values) : undefined
    }
    const note = 'needs Linux’ /proc'
    const late = `${latencies.length} alerts at ${Math.round(knee * 0.7)} spans a second, 70 % of what was taken`
    return [
      {
        name: 'whole pipeline, CPU per event',
        value: ratio((one) => one.engineCpu && one.cpu + one.engineCpu),
        unit: '× JSON.parse',
        aim: { atMost: 15 },
        note,
      },
      { name: '… of it the main process', value: ratio((one) => one.cpu), unit: '× JSON.parse' },
      { name: '… of it the database engine', value: ratio((one) => one.engineCpu), unit: '× JSON.parse', note },
      { name: 'event to alert, p50', value: latencies.length > 0 ? percentile(latencies, 0.5) : undefined, unit: 'ms', note: late },
      {
        name: 'event to alert, p99',
        value: latencies.length > 0 ? percentile(latencies, 0.99) : undefined,
        unit: 'ms',
        aim: { atMost: 50 },
        note: late,
      },
      { name: 'peak memory, main process', value: peak, unit: 'MiB', note },
      { name: 'peak memory, database engine', value: enginePeak, unit: 'MiB', note },
    ]
  } finally {
    sender.close()
  }
}

export const pipelinePart: Part = { name: 'pipeline', about: 'receive → log → join → detect → store', run }
