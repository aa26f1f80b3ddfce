/** OTLP out of a file → events: no header says what a body is, so its own bytes must. */
import { Fault } from '../../schemas/errors.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { decodeOtlpJson } from './json.ts'
import { createProtobufDecoder } from './protobuf.ts'
import type { Decoded, DecodeLimits, OtlpSignal } from './record.ts'
import { type IngestContext, toEvent } from './to-event.ts'

export type FileEvents = Readonly<{ events: readonly McpEvent[]; rejected: number; reason: string }>

const signals: readonly OtlpSignal[] = ['traces', 'logs', 'metrics']
const firstByte = (body: Uint8Array): number | undefined =>
  body.find((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0a && byte !== 0x0d)

/** One export request, JSON or protobuf. Throws a Fault when it is none. */
export function createOtlpFileReader(limits: DecodeLimits): (body: Uint8Array, context: IngestContext) => FileEvents {
  const decodeProtobuf = createProtobufDecoder(limits)
  return (body, context) => {
    const decoded =
      firstByte(body) === 0x7b
        ? bestOf(signals, (signal) => decodeOtlpJson(limits, signal, body))
        : bestOf(signals, (signal) => decodeProtobuf(signal, body))
    const events: McpEvent[] = []
    let { rejected, reason } = decoded
    for (const record of decoded.records) {
      const event = toEvent(record, context)
      if (typeof event !== 'string') events.push(event)
      else {
        rejected += 1
        reason ||= event
      }
    }
    return { events, rejected, reason }
  }
}

/** JSON names its signal; protobuf of one signal read as another is refused, or has fewer whole records. */
function bestOf(of: readonly OtlpSignal[], decode: (signal: OtlpSignal) => Decoded): Decoded {
  let best: Decoded | undefined
  let failure: unknown = new Fault('RECORD_INVALID', 'no OTLP request')
  for (const signal of of) {
    try {
      const decoded = decode(signal)
      if (!best || worth(decoded) > worth(best)) best = decoded
    } catch (error) {
      failure = error
    }
  }
  if (!best) throw failure
  return best
}
const worth = ({ records, points, rejected }: Decoded): number => records.length + points - rejected
