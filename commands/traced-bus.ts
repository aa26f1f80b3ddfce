/**
 * A bus whose sends and batches are spans, named by the messaging conventions. Batches, never single records: a span costs
 * more than a record. Without a running SDK the API hands out spans that do nothing, and nothing is made for them.
 */
import { type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Bus, Handler, Part, Topic } from '../schemas/bus.ts'
import { Fault } from '../schemas/errors.ts'
import { selfScope } from '../schemas/otlp-event.ts'

type Facts = Readonly<Record<string, string | number | undefined>>

/** `system`: `kafka`, or our own log. */
export function tracedBus(bus: Bus, system = 'lapwing_log'): Bus {
  const tracer = trace.getTracer(selfScope)
  const traced = <T>(operation: 'send' | 'process', topic: Topic, facts: () => Facts, work: (span: Span) => Promise<T>): Promise<T> =>
    tracer.startActiveSpan(
      `${operation} ${topic}`,
      { kind: operation === 'send' ? SpanKind.PRODUCER : SpanKind.CONSUMER },
      async (span) => {
        try {
          if (span.isRecording()) {
            span.setAttributes({
              'messaging.system': system,
              'messaging.operation.name': operation,
              'messaging.operation.type': operation,
              'messaging.destination.name': topic,
            })
            put(span, facts())
          }
          return await work(span)
        } catch (error) {
          fail(span, error)
          throw error
        } finally {
          span.end()
        }
      },
    )

  const handled = (group: string, handler: Handler): Handler => ({
    ...(handler.assigned ? { assigned: (parts: readonly Part[]) => handler.assigned?.(parts) ?? Promise.resolve(new Map()) } : {}),
    ...(handler.revoked ? { revoked: (parts: readonly Part[]) => handler.revoked?.(parts) ?? Promise.resolve() } : {}),
    batch(part, records, epoch) {
      const facts = (): Facts => ({
        'messaging.batch.message_count': records.length,
        'messaging.destination.partition.id': String(part.partition),
        'messaging.consumer.group.name': group,
        'messaging.kafka.offset': system === 'kafka' && records[0] ? Number(records[0].offset) : undefined,
      })
      return traced('process', part.topic, facts, () => handler.batch(part, records, epoch))
    },
  })

  return {
    get partitions() {
      return bus.partitions
    },
    ...(bus.id === undefined ? {} : { id: bus.id }),
    publish: (topic, records) =>
      traced(
        'send',
        topic,
        () => ({ 'messaging.batch.message_count': records.length }),
        async (span) => {
          const positions = await bus.publish(topic, records)
          const [first] = positions
          if (first && span.isRecording() && positions.every(({ partition }) => partition === first.partition)) {
            put(span, { 'messaging.destination.partition.id': String(first.partition) })
          }
          return positions
        },
      ),
    consume: (consumed, group, handler) => bus.consume(consumed, group, handled(group, handler)),
    [Symbol.asyncDispose]: () => bus[Symbol.asyncDispose](),
  }
}

function put(span: Span, facts: Facts): void {
  for (const [name, value] of Object.entries(facts)) if (value !== undefined) span.setAttribute(name, value)
}

/** The kind of failure, not its words: a message may quote what was in a record. */
function fail(span: Span, error: unknown): void {
  const kind = error instanceof Fault ? error.code : error instanceof Error ? error.name : 'unknown'
  span.setAttribute('error.type', kind)
  span.setStatus({ code: SpanStatusCode.ERROR, message: kind })
}
