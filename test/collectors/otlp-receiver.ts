/** A listening OTLP receiver for tests, over a bus that is an array or the durable log. */
import { createOtlpGrpc, type OtlpGrpc } from '../../collectors/otlp/grpc.ts'
import { createOtlpHttp, type OtlpHttp, type OtlpHttpOptions } from '../../collectors/otlp/http.ts'
import { createIntake, type Intake, type IntakeOptions } from '../../collectors/otlp/intake.ts'
import type { Bus, Rec, Topic } from '../../schemas/bus.ts'
import type { McpEvent } from '../../schemas/event.ts'

export const bounds = { compressedBytesMax: 2 * 1024 * 1024, decompressedBytesMax: 8 * 1024 * 1024 }
export type Receiver = AsyncDisposable & {
  intake: Intake
  http: OtlpHttp
  grpc: OtlpGrpc | undefined
  sent: { topic: Topic; record: Rec }[]
  events: () => McpEvent[]
  faults: unknown[]
  /** What the bus does before it takes records. */
  before: { publish: () => Promise<void> }
}

export type ReceiverOptions = Partial<OtlpHttpOptions> & { bus?: Pick<Bus, 'publish'>; withGrpc?: boolean } & Partial<
    Pick<IntakeOptions, 'protect'>
  >

export async function openReceiver({ bus, withGrpc, protect = (event) => event, ...options }: ReceiverOptions = {}): Promise<Receiver> {
  const sent: Receiver['sent'] = []
  const faults: unknown[] = []
  const before = { publish: async () => undefined }
  const intake = createIntake({
    bus: {
      async publish(topic, records) {
        await before.publish()
        const positions = (await bus?.publish(topic, records)) ?? []
        sent.push(...records.map((record) => ({ topic, record })))
        return positions
      },
    },
    protect,
    keyedHash: () => (text) => `h${text.length}`,
    elementsMax: 20_000,
  })
  const common = { host: '127.0.0.1', port: 0, limits: bounds, intake, onFault: (error: unknown) => faults.push(error), ...options }
  const http = await createOtlpHttp(common)
  const grpc = withGrpc ? await createOtlpGrpc(common) : undefined
  return {
    ...{ intake, http, grpc, sent, faults, before },
    events: () => sent.map(({ record }) => record.value as McpEvent),
    async [Symbol.asyncDispose]() {
      await http[Symbol.asyncDispose]()
      await grpc?.[Symbol.asyncDispose]()
    },
  }
}

export const types = { json: { 'content-type': 'application/json' }, protobuf: { 'content-type': 'application/x-protobuf' } } as const

export async function post(receiver: Receiver, path: string, body: Uint8Array | string, headers: Record<string, string> = types.protobuf) {
  const response = await fetch(`${receiver.http.url}${path}`, { method: 'POST', body: Buffer.from(body), headers })
  return { status: response.status, headers: response.headers, body: Buffer.from(await response.arrayBuffer()) }
}
