/**
 * OTLP protobuf → neutral records in one pass, without building the message tree.
 * Fields may come in any order: real collectors write them descending, so resource, scope and keys are bound last.
 */
import type { Json } from '../../schemas/event.ts'
import { type Budget, createBudget, rejectAll, settle, spendElement, takeRefusal } from './budget.ts'
import { anyValue, readAttribute, stringValue } from './protobuf-value.ts'
import {
  type Decoded,
  type DecodeLimits,
  type Log,
  type OtlpRecord,
  type OtlpSignal,
  refusalOf,
  type Scope,
  type Span,
  type SpanEvent,
  type SpanLink,
} from './record.ts'
import {
  createIntern,
  each,
  enter,
  expectType,
  fixed32,
  fixed64,
  hex,
  leave,
  openWire,
  skip,
  tag,
  text,
  varint,
  type Wire,
} from './wire.ts'

type State = Readonly<{ wire: Wire; budget: Budget; records: OtlpRecord[] }>

const LENGTH = 2

function spanEvent(state: State): SpanEvent {
  const { wire } = state
  let time = 0n
  let name = ''
  const attributes = new Map<string, Json>()
  while (wire.pos < wire.end) {
    const seen = tag(wire)
    const field = seen >>> 3
    if (field === 1) {
      expectType(seen, 1)
      time = fixed64(wire)
    } else if (field === 2) {
      expectType(seen, LENGTH)
      name = stringValue(wire, state.budget, 'event.name')
    } else if (field === 3) readAttribute(wire, state.budget, seen, attributes)
    else skip(wire, seen & 7)
  }
  return { time, name, attributes }
}

function spanLink(state: State): SpanLink {
  const { wire } = state
  let traceId = ''
  let spanId = ''
  while (wire.pos < wire.end) {
    const seen = tag(wire)
    if (seen >>> 3 === 1 || seen >>> 3 === 2) {
      expectType(seen, LENGTH)
      const id = hex(wire)
      if (seen >>> 3 === 1) traceId = id
      else spanId = id
    } else skip(wire, seen & 7)
  }
  return { traceId, spanId }
}

function status(state: State, into: { statusCode: number; statusMessage: string }): void {
  const { wire } = state
  while (wire.pos < wire.end) {
    const seen = tag(wire)
    if (seen >>> 3 === 2) {
      expectType(seen, LENGTH)
      into.statusMessage = stringValue(wire, state.budget, 'status.message')
    } else if (seen >>> 3 === 3) {
      expectType(seen, 0)
      into.statusCode = varint(wire) | 0
    } else skip(wire, seen & 7)
  }
}

/** Wire types of the span's fields we read, by field number; 0 where the field is skipped. */
const spanTypes = [-1, 2, 2, 2, 2, 2, 0, 1, 1, 2, -1, 2, -1, 2, -1, 2, 5]

function readSpan(state: State): Span {
  const { wire } = state
  const span = { ...blankSpan, attributes: new Map<string, Json>(), events: [] as SpanEvent[], links: [] as SpanLink[] }
  while (wire.pos < wire.end) {
    const seen = tag(wire)
    const field = seen >>> 3
    const type = field < spanTypes.length ? (spanTypes[field] as number) : -1
    if (type < 0) {
      skip(wire, seen & 7)
      continue
    }
    expectType(seen, type)
    if (field === 9) readAttribute(wire, state.budget, seen, span.attributes)
    else if (field === 1) span.traceId = hex(wire)
    else if (field === 2) span.spanId = hex(wire)
    else if (field === 3) span.traceState = stringValue(wire, state.budget, 'trace_state')
    else if (field === 4) span.parentSpanId = hex(wire)
    else if (field === 5) span.name = stringValue(wire, state.budget, 'span.name')
    else if (field === 6) span.kind = varint(wire) | 0
    else if (field === 7) span.start = fixed64(wire)
    else if (field === 8) span.end = fixed64(wire)
    else if (field === 16) span.flags = fixed32(wire)
    else {
      const outer = enter(wire)
      if (field === 15) status(state, span)
      else {
        spendElement(state.budget)
        if (field === 11) span.events.push(spanEvent(state))
        else span.links.push(spanLink(state))
      }
      leave(wire, outer)
    }
  }
  return span
}

const blankSpan = {
  traceId: '',
  spanId: '',
  parentSpanId: '',
  traceState: '',
  flags: 0,
  name: '',
  kind: 0,
  start: 0n,
  end: 0n,
  statusCode: 0,
  statusMessage: '',
}

const logTypes = [-1, 1, 0, 2, -1, 2, 2, -1, 5, 2, 2, 1, 2]

function readLog(state: State): Log {
  const { wire, budget } = state
  const log = { ...blankLog, body: null as Json, attributes: new Map<string, Json>() }
  while (wire.pos < wire.end) {
    const seen = tag(wire)
    const field = seen >>> 3
    const type = field < logTypes.length ? (logTypes[field] as number) : -1
    if (type < 0) {
      skip(wire, seen & 7)
      continue
    }
    expectType(seen, type)
    if (field === 6) readAttribute(wire, budget, seen, log.attributes)
    else if (field === 1) log.time = fixed64(wire)
    else if (field === 2) log.severityNumber = varint(wire) | 0
    else if (field === 3) log.severityText = stringValue(wire, budget, 'severity_text')
    else if (field === 5) {
      const outer = enter(wire)
      log.body = anyValue(wire, budget, 'lapwing.params', 0)
      leave(wire, outer)
    } else if (field === 8) log.flags = fixed32(wire)
    else if (field === 9) log.traceId = hex(wire)
    else if (field === 10) log.spanId = hex(wire)
    else if (field === 11) log.observedTime = fixed64(wire)
    else log.eventName = stringValue(wire, budget, 'event.name')
  }
  return log
}

const blankLog = { time: 0n, observedTime: 0n, severityNumber: 0, severityText: '', eventName: '', traceId: '', spanId: '', flags: 0 }

function readScope(wire: Wire, into: { name: string; version: string }): void {
  while (wire.pos < wire.end) {
    const seen = tag(wire)
    if (seen >>> 3 === 1 || seen >>> 3 === 2) {
      expectType(seen, LENGTH)
      const value = text(wire)
      if (seen >>> 3 === 1) into.name = value
      else into.version = value
    } else skip(wire, seen & 7)
  }
}

type Item = { scope: Scope; facts: readonly string[] } & ({ span: Span } | { log: Log })

/** One ScopeSpans or ScopeLogs: items hold the scope by reference, which may be read after them. */
function readScopeGroup(state: State, signal: OtlpSignal, items: Item[]): void {
  const { wire, budget } = state
  const scope = { name: '', version: '' }
  each(
    wire,
    2,
    () => {
      spendElement(budget)
      const item = signal === 'traces' ? { span: readSpan(state) } : { log: readLog(state) }
      const { kept, facts } = settle(budget, refusalOf(item))
      if (kept) items.push({ scope, facts, ...item })
    },
    (seen) => {
      if (seen >>> 3 !== 1) return skip(wire, seen & 7)
      expectType(seen, LENGTH)
      const outer = enter(wire)
      readScope(wire, scope)
      leave(wire, outer)
    },
  )
}

function readResourceGroup(state: State, signal: OtlpSignal): void {
  const { wire, budget, records } = state
  const resource = new Map<string, Json>()
  const items: Item[] = []
  let refusal: string | undefined
  each(
    wire,
    2,
    () => readScopeGroup(state, signal, items),
    (seen) => {
      if (seen >>> 3 !== 1) return skip(wire, seen & 7)
      expectType(seen, LENGTH)
      const outer = enter(wire)
      while (wire.pos < wire.end) {
        const inner = tag(wire)
        if (inner >>> 3 === 1) readAttribute(wire, budget, inner, resource)
        else skip(wire, inner & 7)
      }
      leave(wire, outer)
      refusal ??= takeRefusal(budget)
    },
  )
  if (refusal !== undefined) rejectAll(budget, items.length, refusal)
  else for (const item of items) records.push({ resource, ...item })
}

/** Data points of gauge 5, sum 7, histogram 9, exponential histogram 10 and summary 11. */
function countPoints(wire: Wire): number {
  let points = 0
  each(wire, 2, () =>
    each(wire, 2, () => {
      while (wire.pos < wire.end) {
        const seen = tag(wire)
        const field = seen >>> 3
        if (field === 5 || field === 7 || (field >= 9 && field <= 11)) {
          expectType(seen, LENGTH)
          const outer = enter(wire)
          each(wire, 1, () => {
            points += 1
          })
          leave(wire, outer)
        } else skip(wire, seen & 7)
      }
    }),
  )
  return points
}

export type ProtobufDecoder = (signal: OtlpSignal, body: Uint8Array) => Decoded

/** The decoder keeps a table of strings it has seen, so one is made per receiver. Throws a Fault that says what is wrong. */
export function createProtobufDecoder(decodeLimits: DecodeLimits): ProtobufDecoder {
  const intern = createIntern()
  return (signal, body) => {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    const wire = openWire(bytes, intern)
    const budget = createBudget(decodeLimits)
    const records: OtlpRecord[] = []
    let points = 0
    each(wire, 1, () => {
      if (signal === 'metrics') points += countPoints(wire)
      else readResourceGroup({ wire, budget, records }, signal)
    })
    return { records, points, rejected: budget.rejected, reason: budget.reason }
  }
}
