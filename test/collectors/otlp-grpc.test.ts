/** The OTLP/gRPC door: the same intake as HTTP, in gRPC's words. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-grpc'
import { SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace'
import { Fault } from '../../schemas/errors.ts'
import { descending, encode, logs, sdkCall, traces } from './otlp-bodies.ts'
import { bounds, openReceiver, type Receiver } from './otlp-receiver.ts'

const bytes = encode('Traces', traces('shop', { 'mcp-python-sdk': sdkCall(1, 'add') }), descending)
type Answer = { code: number; body: Buffer; metadata: Metadata }

async function call(
  receiver: Receiver,
  service: string,
  body: Uint8Array,
  headers: Record<string, string> = {},
  options = {},
): Promise<Answer> {
  const client = new Client(`127.0.0.1:${receiver.grpc?.port}`, credentials.createInsecure(), options)
  const metadata = new Metadata()
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value)
  const asIs = (buffer: Buffer) => buffer
  const path = `/opentelemetry.proto.collector.${service}/Export`
  try {
    return await new Promise((resolve) => {
      client.makeUnaryRequest(path, asIs, asIs, Buffer.from(body), metadata, (error: ServiceError | null, answer?: Buffer) =>
        resolve({ code: error?.code ?? 0, body: answer ?? Buffer.alloc(0), metadata: error?.metadata ?? new Metadata() }),
      )
    })
  } finally {
    client.close()
  }
}
const trace = 'trace.v1.TraceService'

test('takes traces, logs and metrics, packed or not, and answers what HTTP answers', async () => {
  await using receiver = await openReceiver({ withGrpc: true })
  assert.deepEqual(await call(receiver, trace, bytes).then(({ code, body }) => [code, body.length]), [0, 0])
  assert.equal((await call(receiver, trace, bytes, {}, { 'grpc.default_compression_algorithm': 2 })).code, 0)
  const message = logs('x', [{ body: { stringValue: 'a' } }, { timeUnixNano: String(2n ** 63n) }])
  assert.match(String((await call(receiver, 'logs.v1.LogsService', encode('Logs', message))).body), /time out of range/)
  assert.equal((await call(receiver, 'metrics.v1.MetricsService', new Uint8Array())).code, 0)
  assert.equal((await call(receiver, 'profiles.v1.ProfilesService', bytes)).code, status.UNIMPLEMENTED)
  assert.equal(receiver.sent.length, 5)
  assert.equal(receiver.grpc?.stats().accepted, 4)
})

test('bad data is never to be sent again, everything else is', async () => {
  await using receiver = await openReceiver({ withGrpc: true })
  const retryInfo = ({ metadata }: Answer) => String(metadata.get('grpc-status-details-bin')[0] ?? '').includes('google.rpc.RetryInfo')
  const invalid = await call(receiver, trace, Buffer.from('not protobuf'))
  assert.deepEqual([invalid.code, retryInfo(invalid)], [status.INVALID_ARGUMENT, false])
  const large = await call(receiver, trace, Buffer.alloc(bounds.decompressedBytesMax + 1))
  assert.deepEqual([large.code, retryInfo(large)], [status.RESOURCE_EXHAUSTED, false])
  const bomb = await call(receiver, trace, Buffer.alloc(bounds.decompressedBytesMax * 4), {}, { 'grpc.default_compression_algorithm': 2 })
  assert.equal(bomb.code, status.RESOURCE_EXHAUSTED)
  for (const failure of [new Fault('BUS_FULL', 'full'), new Fault('RECORD_INVALID', 'ours'), new TypeError('odd')]) {
    receiver.before.publish = () => Promise.reject(failure)
    const answer = await call(receiver, trace, bytes)
    assert.deepEqual([answer.code, retryInfo(answer)], [status.UNAVAILABLE, true])
  }
  receiver.before.publish = async () => undefined
  assert.equal((await call(receiver, trace, bytes)).code, 0)
})

test('a token is needed where one is set, and an open bind needs one', async () => {
  await using receiver = await openReceiver({ withGrpc: true, token: 'secret' })
  assert.equal((await call(receiver, trace, bytes)).code, status.UNAUTHENTICATED)
  assert.equal((await call(receiver, trace, bytes, { authorization: 'Bearer other' })).code, status.UNAUTHENTICATED)
  assert.equal((await call(receiver, trace, bytes, { authorization: 'Bearer secret' })).code, 0)
})

test('the gRPC exporter of OpenTelemetry delivers', async () => {
  await using receiver = await openReceiver({ withGrpc: true })
  const exporter = new OTLPTraceExporter({ url: `http://127.0.0.1:${receiver.grpc?.port}` })
  const provider = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] })
  provider
    .getTracer('t')
    .startSpan('ping', { attributes: { 'mcp.method.name': 'ping' } })
    .end()
  await provider.forceFlush()
  await provider.shutdown()
  assert.deepEqual(
    receiver.events().map(({ method }) => method),
    ['ping'],
  )
})
