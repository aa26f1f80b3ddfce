/** An OTLP/HTTP receiver for tests of our own telemetry: keeps spans decoded, names and values of metrics, and answers as told. */
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import { createProtobufDecoder } from '../../collectors/otlp/protobuf.ts'
import type { OtlpRecord } from '../../collectors/otlp/record.ts'

export type Point = Readonly<{ metric: string; value: number; labels: string }>
export type TelemetrySink = AsyncDisposable & {
  url: string
  port: number
  requests: { path: string; headers: IncomingHttpHeaders }[]
  spans: OtlpRecord[]
  points: Point[]
  answer: { status: number; headers: Record<string, string> }
  until: (done: () => boolean) => Promise<void>
}

/** Fields of one message by number: bytes of embedded ones, values of fixed ones. */
function fieldsOf(bytes: Uint8Array): Map<number, (Uint8Array | number)[]> {
  const fields = new Map<number, (Uint8Array | number)[]>()
  const reader = new BinaryReader(bytes)
  while (reader.pos < reader.len) {
    const [number, type] = reader.tag()
    const at = reader.pos
    const bytesOfIt = type === 2 ? reader.bytes() : undefined
    if (bytesOfIt === undefined) reader.skip(type)
    const read = bytesOfIt ?? (type === 1 ? new DataView(bytes.buffer, bytes.byteOffset).getFloat64(at, true) : 0)
    fields.set(number, [...(fields.get(number) ?? []), read])
  }
  return fields
}
const inner = (message: Uint8Array, field: number): Uint8Array[] =>
  (fieldsOf(message).get(field) ?? []).filter((one): one is Uint8Array => typeof one !== 'number')
const text = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('utf8')

/** ResourceMetrics → ScopeMetrics → Metric (gauge 5, sum 7) → NumberDataPoint (as_double 4, as_int 6, attributes 7). */
function pointsOf(body: Uint8Array): Point[] {
  const metrics = inner(body, 1).flatMap((resource) => inner(resource, 2).flatMap((scope) => inner(scope, 2)))
  return metrics.flatMap((metric) =>
    [5, 7].flatMap((kind) =>
      inner(metric, kind).flatMap((data) =>
        inner(data, 1).map((point) => {
          const value = fieldsOf(point).get(4)?.[0]
          const labels = inner(point, 7).map(
            (pair) => `${text(inner(pair, 1)[0])}=${text(inner(inner(pair, 2)[0] ?? new Uint8Array(), 1)[0])}`,
          )
          return { metric: text(inner(metric, 1)[0]), value: typeof value === 'number' ? value : Number.NaN, labels: labels.join() }
        }),
      ),
    ),
  )
}

export async function openTelemetrySink(): Promise<TelemetrySink> {
  const decode = createProtobufDecoder({ elementsMax: 10_000 })
  const waiting = new Set<() => void>()
  const server = createServer((request, response) => {
    const parts: Buffer[] = []
    request.on('data', (part: Buffer) => parts.push(part))
    request.on('end', () => {
      const path = request.url ?? ''
      sink.requests.push({ path, headers: request.headers })
      const { status, headers } = sink.answer
      if (status === 200 && path === '/v1/traces') sink.spans.push(...decode('traces', Buffer.concat(parts)).records)
      if (status === 200 && path === '/v1/metrics') sink.points.push(...pointsOf(Buffer.concat(parts)))
      response.writeHead(status, headers).end()
      for (const check of waiting) check()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const sink: TelemetrySink = {
    ...{ url: `http://127.0.0.1:${port}`, port, requests: [], spans: [], points: [] },
    answer: { status: 200, headers: {} },
    until: (done) =>
      new Promise((resolve) => {
        const check = () => {
          if (!done()) return
          waiting.delete(check)
          resolve()
        }
        waiting.add(check)
        check()
      }),
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => server.close(resolve))
      server.closeAllConnections()
      await closed
    },
  }
  return sink
}
