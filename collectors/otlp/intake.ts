/** From a decoded body to the bus: records become events, are redacted, and are durable before the sender hears so. */
import type { Bus, Rec } from '../../schemas/bus.ts'
import { encodeEvent } from '../../schemas/codec.ts'
import { Fault } from '../../schemas/errors.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { eventKeyOf } from '../../schemas/ids.ts'
import { selfScope, selfService } from '../../schemas/otlp-event.ts'
import { remembered } from '../../schemas/remembered.ts'
import type { Encoding, Rejection } from './answer.ts'
import { decodeOtlpJson } from './json.ts'
import { createProtobufDecoder } from './protobuf.ts'
import type { OtlpRecord, OtlpSignal } from './record.ts'
import { toEvent } from './to-event.ts'

/** Whose the records are: known from the ingest credential alone. */
export type IngestCredential = Readonly<{ tenant: string; source: string; actor?: string | undefined }>
export type OtlpRequest = Readonly<{
  signal: OtlpSignal
  encoding: Encoding
  body: Uint8Array
  credential: IngestCredential
  /** The sender's address, unless it is this machine. */
  peerAddress: string | undefined
}>
export type IntakeOptions = Readonly<{
  bus: Pick<Bus, 'publish'>
  /** Replaces secrets and applies the capture tier; what it throws is a fault of ours, never of the sender. */
  protect: (event: McpEvent) => McpEvent
  keyedHash: (tenant: string) => (text: string) => string
  /** user@host of senders on this machine, where known. */
  osUser?: string | undefined
  elementsMax: number
  now?: () => bigint
}>
export type IntakeStats = { spans: number; logs: number; points: number; unclassified: number; rejected: number; own: number }
export type Intake = Readonly<{
  /** Throws RECORD_INVALID or INPUT_TOO_LARGE for a bad body; any other failure means: send it again. */
  accept: (request: OtlpRequest) => Promise<Rejection>
  stats: () => Readonly<IntakeStats>
}>

/** One event on the bus. The log takes records of 32 MiB; a larger one would hold up its neighbours for ever. */
const eventBytesMax = 24 * 1024 * 1024

export function createIntake(options: IntakeOptions): Intake {
  const { bus, protect, keyedHash, elementsMax, now = wallClock } = options
  const decodeProtobuf = createProtobufDecoder({ elementsMax })
  const hashOf = createRemembered(keyedHash)
  const stats: IntakeStats = { spans: 0, logs: 0, points: 0, unclassified: 0, rejected: 0, own: 0 }

  function prepare(records: readonly OtlpRecord[], { credential, peerAddress }: OtlpRequest) {
    const { tenant, source, actor: configuredActor } = credential
    const osUser = peerAddress === undefined ? options.osUser : undefined
    const context = { tenant, source, configuredActor, peerAddress, osUser, now: now(), keyedHash: hashOf(tenant) }
    const spans: Rec[] = []
    const events: Rec[] = []
    const refusal = { rejected: 0, reason: '' }
    let unclassified = 0
    let own = 0
    for (const record of records) {
      if (isOwn(record)) {
        own += 1
        continue
      }
      const made = fromOutside(toEvent(record, context))
      const event = typeof made === 'string' ? undefined : protect(made)
      const bytes = event === undefined ? undefined : encodeEvent(event)
      if (event === undefined || bytes === undefined || bytes.byteLength > eventBytesMax) {
        refusal.rejected += 1
        refusal.reason ||= typeof made === 'string' ? made : `event larger than ${eventBytesMax} bytes`
        continue
      }
      if (event.kind === 'unclassified') unclassified += 1
      if (record.span) spans.push({ key: event.traceId ?? event.eventId, bytes, value: event })
      else events.push({ key: eventKeyOf(event), bytes, value: event })
    }
    return { spans, events, refusal, unclassified, own }
  }

  async function accept(request: OtlpRequest): Promise<Rejection> {
    const { signal, encoding, body } = request
    const decoded = encoding === 'json' ? decodeOtlpJson({ elementsMax }, signal, body) : decodeProtobuf(signal, body)
    try {
      const { spans, events, refusal, unclassified, own } = prepare(decoded.records, request)
      await Promise.all([
        spans.length > 0 ? bus.publish('mcp.spans', spans) : undefined,
        events.length > 0 ? bus.publish('mcp.events', events) : undefined,
      ])
      const rejected = decoded.rejected + refusal.rejected
      stats.spans += spans.length
      stats.logs += events.length
      stats.points += decoded.points
      stats.unclassified += unclassified
      stats.own += own
      stats.rejected += rejected
      return { rejected, reason: decoded.reason || refusal.reason }
    } catch (error) {
      throw ours(error)
    }
  }
  return { accept, stats: () => ({ ...stats }) }
}

const hashesMax = 1_000

/** A keyed hash that knows its last answers, for the tenant of the last request: spans of one session come together. */
function createRemembered(keyedHash: IntakeOptions['keyedHash']): IntakeOptions['keyedHash'] {
  let last: Readonly<{ tenant: string; hash: (text: string) => string }> | undefined
  return (tenant) => {
    if (last?.tenant !== tenant) last = { tenant, hash: remembered(keyedHash(tenant), hashesMax) }
    return last.hash
  }
}

/** Our own spans, come round through some collector: taking them in would make new ones, for ever. A span of MCP is never dropped. */
const isOwn = ({ span, scope, resource }: OtlpRecord): boolean =>
  span !== undefined && scope.name === selfScope && resource.get('service.name') === selfService && !span.attributes.has('mcp.method.name')

/** The pipeline speaks of itself on its own bus; from outside it would be somebody else speaking for it. */
const fromOutside = (made: McpEvent | string): McpEvent | string =>
  typeof made !== 'string' && made.kind === 'pipeline' ? 'the kind "pipeline" is not taken from senders' : made

const wallClock = (): bigint => BigInt(Date.now()) * 1_000_000n

/** What fails behind the decoder is never the sender's fault, whatever its code says. */
function ours(error: unknown): unknown {
  const blames = error instanceof Fault && (error.code === 'RECORD_INVALID' || error.code === 'INPUT_TOO_LARGE')
  return blames ? new Fault('BUS_IO', 'events could not be passed on', error) : error
}
