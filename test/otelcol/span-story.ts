/** A story told in spans by an agent and a server: through the OpenTelemetry SDK, or as records that a Collector would write to Kafka. */
import { context, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { descending, encode, span, traceOf, traces } from '../collectors/otlp-bodies.ts'

type Step = Readonly<{ tool: string; arguments: object; outcome: 'success' | 'tool_error' }>

export const attackUrl = 'http://169.254.169.254/latest/meta-data/iam/security-credentials/shop'
/** All tools are called after this word, so that others’ calls in the same store are told apart. */
export const toolWord = 'bookshop'
const step = (name: string, args: object, outcome: Step['outcome'] = 'success'): Step => ({
  ...{ tool: `${toolWord}_${name}`, arguments: args, outcome },
})
export const steps: readonly Step[] = [
  ...Array.from({ length: 12 }, (_, page) => step('search', { query: 'lapwings of the fens', page })),
  step('stock', { isbn: '9780000000001' }),
  step('order', { isbn: '9780000000001', copies: 2 }, 'tool_error'),
  step('cover', { url: attackUrl }),
]

const agent = 'bookshop-agent'
const server = 'bookshop-server'
const scope = 'bookshop'
const attributesOf = ({ tool, arguments: args, outcome }: Step) => ({
  'mcp.method.name': 'tools/call',
  'gen_ai.operation.name': 'execute_tool',
  'gen_ai.tool.name': tool,
  'gen_ai.tool.call.arguments': JSON.stringify(args),
  'server.address': 'bookshop.example',
  ...(outcome === 'tool_error' ? { 'error.type': 'tool_error' } : {}),
})

/** Two processes with an SDK each. Resolves when both exporters have their spans acknowledged. */
export async function tellBySdk(url: string, token: string): Promise<void> {
  const failures: unknown[] = []
  const providerOf = (service: string) => {
    const exporter = new OTLPTraceExporter({
      url: `${url}/v1/traces`,
      headers: { authorization: `Bearer ${token}` },
      timeoutMillis: 30_000,
    })
    const exported: typeof exporter.export = (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error) failures.push(result.error)
        done(result)
      })
    const watched = { export: exported, shutdown: () => exporter.shutdown(), forceFlush: () => exporter.forceFlush() }
    const spanProcessors = [new BatchSpanProcessor({ exporter: watched, maxExportBatchSize: 4 })]
    return new TracerProvider({ resource: resourceFromAttributes({ 'service.name': service }), spanProcessors })
  }
  const providers = [agent, server].map(providerOf)
  const [ofAgent, ofServer] = providers.map((provider) => provider.getTracer(scope, '1.0.0'))
  if (!ofAgent || !ofServer) return
  for (const one of steps) {
    const attributes = attributesOf(one)
    const name = `tools/call ${one.tool}`
    const asked = ofAgent.startSpan(name, { kind: SpanKind.CLIENT, attributes })
    const answered = ofServer.startSpan(name, { kind: SpanKind.SERVER, attributes }, trace.setSpan(context.active(), asked))
    for (const ending of [answered, asked]) {
      if (one.outcome === 'tool_error') ending.setStatus({ code: SpanStatusCode.ERROR })
      ending.end()
    }
  }
  await Promise.all(providers.map((provider) => provider.forceFlush()))
  await Promise.all(providers.map((provider) => provider.shutdown()))
  if (failures.length > 0) throw failures[0]
}

/** As the Collector's Kafka exporter writes it: by trace, a record per process, servers first, fields in descending order. */
export function kafkaRecords(): { key: string; value: Buffer }[] {
  const sides = [
    { service: server, kind: 2, id: 2 },
    { service: agent, kind: 3, id: 1 },
  ] as const
  return sides.flatMap(({ service, kind, id }) =>
    steps.map((one, n) => {
      const made = span({
        ...{ trace: n + 1, id: n * 10 + id, kind, name: `tools/call ${one.tool}`, at: n * 100 + id, ms: 40 - 10 * id },
        ...(id === 2 ? { parent: n * 10 + 1 } : {}),
        attributes: attributesOf(one),
        ...(one.outcome === 'tool_error' ? { error: true as const } : {}),
      })
      return { key: traceOf(n + 1), value: Buffer.from(encode('Traces', traces(service, { [scope]: [made] }), descending)) }
    }),
  )
}
