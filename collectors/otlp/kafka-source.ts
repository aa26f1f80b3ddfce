/**
 * OTLP that an OpenTelemetry Collector wrote to Kafka → the same intake as OTLP/HTTP. A record is done when its events are
 * durable; one that is no OTLP, or not all of it, becomes a dead letter that says which setting to change.
 */
import type { StoredRec } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import type { Encoding } from './answer.ts'
import type { Intake } from './intake.ts'
import type { OtlpSignal } from './record.ts'

export type KafkaBatch = (topic: string, partition: number, records: readonly StoredRec[]) => Promise<void>
/** Promises 2, 3 and 5 of schemas/bus.ts, for topics that are not ours. */
export type KafkaConsume<R> = (topics: readonly string[], group: string, batch: KafkaBatch) => Promise<R>
export type KafkaSourceOptions<R> = Readonly<{
  consume: KafkaConsume<R>
  intake: Pick<Intake, 'accept'>
  /** `name`, where the name is the exporter's own or says the signal; `name:traces`, `name:logs` or `name:metrics` otherwise. */
  topics: readonly string[]
  /** As the exporter calls it: `otlp_proto` or `otlp_json`. */
  encoding: string
  tenant: string
  /** The same for as long as the same topics are read: ids of events are made of it. */
  source: string
  group?: string
  /** Of one record. */
  bytesMax: number
}>

const encodings: ReadonlyMap<string, Encoding> = new Map([
  ['otlp_proto', 'protobuf'],
  ['otlp_json', 'json'],
])
const signals: readonly OtlpSignal[] = ['traces', 'logs', 'metrics']
const rootNames = { traces: 'resourceSpans', logs: 'resourceLogs', metrics: 'resourceMetrics' } as const
/** Records decoded and on their way to the bus at once, so that they share a sync to disk; in order all the same. */
const inFlightMax = 16
const inFlightBytesMax = 8 * 1024 * 1024

const isSignal = (text: string): text is OtlpSignal => signals.some((signal) => signal === text)
const unset = (problem: string): never => {
  throw new Fault('CONFIG_INVALID', problem)
}

function encodingOf(name: string): Encoding {
  const encoding = encodings.get(name)
  if (encoding) return encoding
  if (name === 'raw')
    return unset('encoding raw keeps the body of a log alone, its attributes are lost: set encoding otlp_proto at the kafka exporter')
  return unset(`encoding ${name.slice(0, 60)} is not OTLP: set encoding otlp_proto or otlp_json at the kafka exporter, and the same here`)
}

/** What the operator says counts; then the exporter's own names and what is made of them. Bytes of one signal can pass for another's. */
function signalOf(entry: string): readonly [string, OtlpSignal] {
  const [topic = '', said, ...more] = entry.split(':')
  if (!/^[A-Za-z0-9._-]{1,249}$/.test(topic) || more.length > 0) return unset(`not a topic: ${entry.slice(0, 100)}`)
  if (said !== undefined) return isSignal(said) ? [topic, said] : unset(`${entry.slice(0, 100)}: a topic carries traces, logs or metrics`)
  const found = signals.filter((signal) => new RegExp(signal === 'traces' ? 'span|trace' : signal.slice(0, -1), 'i').test(topic))
  return found.length === 1 && found[0]
    ? [topic, found[0]]
    : unset(`what does topic ${topic} carry? Write ${topic}:traces, ${topic}:logs or ${topic}:metrics`)
}

/** Protobuf of these messages begins with the tag of field 1; JSON with a brace. */
const firstByte = (body: Uint8Array): number | undefined =>
  body.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)

function check(body: Uint8Array, encoding: Encoding, signal: OtlpSignal, bytesMax: number): void {
  if (body.byteLength > bytesMax) throw new Fault('INPUT_TOO_LARGE', `a record of ${body.byteLength} bytes; ${bytesMax} are allowed`)
  const invalid = (reason: string): never => {
    throw new Fault('RECORD_INVALID', reason)
  }
  const brace = firstByte(body) === 0x7b
  if (encoding === 'protobuf') {
    if (body[0] === 0x0a) return
    if (brace) invalid('JSON on a topic read as otlp_proto: set the encoding of this source to otlp_json, or the exporter’s to otlp_proto')
    invalid('no OTLP protobuf: the exporter’s encoding is another (raw, text, zipkin, jaeger …); set it to otlp_proto')
  }
  if (body[0] === 0x0a && !brace)
    invalid('protobuf on a topic read as otlp_json: set the encoding of this source to otlp_proto, or the exporter’s to otlp_json')
  if (!brace) invalid('no OTLP JSON: the exporter’s encoding is another (raw, text, zipkin …); set it to otlp_json')
  // Read as another signal, JSON has no groups and would pass for empty.
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  if (text.includes(`"${rootNames[signal]}"`)) return
  const other = signals.find((one) => text.includes(`"${rootNames[one]}"`))
  if (other) invalid(`${other} on a topic read as ${signal}: name it TOPIC:${other}`)
  invalid(`no ${rootNames[signal]}: the exporter’s encoding is another (raw, zipkin, jaeger …); set it to otlp_json`)
}

/**
 * The bus splits a failed batch until the record that fails is alone. What has come of a record by then is remembered, so that
 * nothing is published or parsed again on the way: undefined where it is durable, else why it never will be.
 */
type Ends = Map<bigint, unknown>

function endsOf(parts: Map<string, Ends>, topic: string, partition: number, first: bigint): Ends {
  const key = `${topic}/${partition}`
  const ends = parts.get(key) ?? new Map<bigint, unknown>()
  parts.set(key, ends)
  for (const offset of ends.keys()) if (offset < first) ends.delete(offset) // buried, or of a batch that was taken away
  return ends
}

/** As many of the first as may be on their way at once. */
function headOf(records: readonly StoredRec[]): readonly StoredRec[] {
  let bytes = 0
  let count = 0
  for (const { bytes: body } of records) {
    bytes += body.byteLength
    if (count > 0 && (count >= inFlightMax || bytes > inFlightBytesMax)) break
    count += 1
  }
  return records.slice(0, count)
}

const passes = (error: unknown): boolean => error instanceof Fault && error.retry

/** Answers what `consume` answers: the running group. */
export async function openKafkaSource<R>(options: KafkaSourceOptions<R>): Promise<R> {
  const { consume, intake, tenant, source, bytesMax, group = 'lapwing-collect' } = options
  const encoding = encodingOf(options.encoding)
  const topics = new Map(options.topics.map(signalOf))
  if (topics.size === 0) unset('no topics to read')
  const parts = new Map<string, Ends>()

  async function take(signal: OtlpSignal, { bytes: body }: StoredRec): Promise<void> {
    if (body.byteLength === 0) return // a message of nothing, or a tombstone
    check(body, encoding, signal, bytesMax)
    // The sender is on some machine, not on this one: no address, and nobody's user.
    const request = { signal, encoding, body, credential: { tenant, source }, peerAddress: '' }
    const { rejected, reason } = await intake.accept(request).catch((error: unknown) => {
      if (!(error instanceof Fault) || error.code !== 'RECORD_INVALID') throw error
      throw new Fault(error.code, `${error.message} (read as ${signal} in ${options.encoding})`, error)
    })
    // Nobody hears a partial success here: the record is kept whole, and its good parts keep their ids if it comes back.
    if (rejected > 0) throw new Fault('RECORD_INVALID', `${rejected} of its ${signal} refused, the others are taken: ${reason}`)
  }

  return consume([...topics.keys()], group, async (topic, partition, records) => {
    const signal = topics.get(topic)
    if (!signal) throw new Fault('RECORD_INVALID', 'topic was not asked for')
    const ends = endsOf(parts, topic, partition, records[0]?.offset ?? 0n)
    let waiting = records.filter(({ offset }) => !ends.has(offset))
    while (waiting.length > 0) {
      const head = headOf(waiting)
      waiting = waiting.slice(head.length)
      const settled = await Promise.allSettled(head.map((record) => take(signal, record)))
      const reasons = settled.map((one) => (one.status === 'rejected' ? one.reason : undefined) as unknown)
      for (const [at, { offset }] of head.entries()) if (!passes(reasons[at])) ends.set(offset, reasons[at])
      const passing = reasons.find(passes)
      if (passing !== undefined) throw passing
    }
    for (const { offset } of records) if (ends.get(offset) !== undefined) throw ends.get(offset)
    for (const { offset } of records) ends.delete(offset)
  })
}
