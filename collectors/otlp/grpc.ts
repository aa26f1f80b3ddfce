/** OTLP over gRPC: the same intake as HTTP, with gRPC's words. UNAVAILABLE with RetryInfo is what senders try again. */
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  status,
  type UntypedHandleCall,
} from '@grpc/grpc-js'
import { Fault } from '../../schemas/errors.ts'
import { exportResponse, statusBody } from './answer.ts'
import { bearerOf, createCredentialOf, isLoopback, refuseOpenBind, type TenantOf } from './guard.ts'
import type { Intake } from './intake.ts'
import type { OtlpSignal } from './record.ts'

export type OtlpGrpcOptions = Readonly<{
  host: string
  port: number
  token?: string | undefined
  limits: Readonly<{ decompressedBytesMax: number }>
  intake: Intake
  tenantOf?: TenantOf | undefined
  inFlightBytesMax?: number
  onFault?: (error: unknown) => void
}>
export type OtlpGrpcStats = { accepted: number; refused: Record<string, number> }
export type OtlpGrpc = AsyncDisposable & Readonly<{ port: number; stats: () => OtlpGrpcStats }>

const retrySeconds = 2
const services: readonly (readonly [string, OtlpSignal])[] = [
  ['opentelemetry.proto.collector.trace.v1.TraceService', 'traces'],
  ['opentelemetry.proto.collector.logs.v1.LogsService', 'logs'],
  ['opentelemetry.proto.collector.metrics.v1.MetricsService', 'metrics'],
]

const asIs = (bytes: Buffer): Buffer => bytes
/** Raw bytes in and out: the fused reader decodes, not the library. */
const definitionOf = (service: string): ServiceDefinition => ({
  Export: {
    path: `/${service}/Export`,
    originalName: 'export',
    requestStream: false,
    responseStream: false,
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  },
})

type Refusal = Readonly<{ code: number; details: string; metadata?: Metadata }>

/** RetryInfo travels in the status details; without it RESOURCE_EXHAUSTED means: never again. */
function later(code: number, details: string): Refusal {
  const metadata = new Metadata()
  metadata.set('grpc-status-details-bin', Buffer.from(statusBody('protobuf', code, details, retrySeconds)))
  return { code, details, metadata }
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Fault && error.code === 'RECORD_INVALID') return { code: status.INVALID_ARGUMENT, details: ascii(error.message) }
  if (error instanceof Fault && error.code === 'INPUT_TOO_LARGE') return { code: status.RESOURCE_EXHAUSTED, details: ascii(error.message) }
  return later(status.UNAVAILABLE, 'not now')
}
const ascii = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 500)

/** `ipv4:1.2.3.4:5` or `[::1]:5`, as the library words it. */
function addressOf(peer: string): string | undefined {
  const address = peer
    .replace(/^ipv[46]:/, '')
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')
  return address === '' || isLoopback(address) ? undefined : address
}

function createExport(
  options: OtlpGrpcOptions,
  signal: OtlpSignal,
  stats: OtlpGrpcStats,
  room: { bytes: number; readonly bytesMax: number },
) {
  const credentialOf = createCredentialOf(options)
  async function answer(call: ServerUnaryCall<Buffer, Buffer>): Promise<Buffer | Refusal> {
    const given = call.metadata.get('authorization')[0]
    const credential = credentialOf(bearerOf(typeof given === 'string' ? given : undefined))
    if (!credential) return { code: status.UNAUTHENTICATED, details: 'a valid token is needed' }
    const bytes = call.request.length
    if (room.bytes + bytes > room.bytesMax) return later(status.UNAVAILABLE, 'too many bytes in flight')
    room.bytes += bytes
    try {
      const peerAddress = addressOf(call.getPeer())
      const rejection = await options.intake.accept({ signal, encoding: 'protobuf', body: call.request, credential, peerAddress })
      return Buffer.from(exportResponse('protobuf', signal, rejection))
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal.code === status.UNAVAILABLE) options.onFault?.(error)
      return refusal
    } finally {
      room.bytes -= bytes
    }
  }
  return (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void => {
    const finish = (result: Buffer | Refusal): void => {
      if (Buffer.isBuffer(result)) {
        stats.accepted += 1
        done(null, result)
        return
      }
      const name = status[result.code] ?? 'UNKNOWN'
      stats.refused[name] = (stats.refused[name] ?? 0) + 1
      done(result)
    }
    answer(call).then(finish, (error: unknown) => {
      options.onFault?.(error)
      finish(later(status.UNAVAILABLE, 'not now'))
    })
  }
}

export async function createOtlpGrpc(options: OtlpGrpcOptions): Promise<OtlpGrpc> {
  refuseOpenBind(options.host, options.token)
  const stats: OtlpGrpcStats = { accepted: 0, refused: {} }
  const room = { bytes: 0, bytesMax: options.inFlightBytesMax ?? 2 * options.limits.decompressedBytesMax }
  const server = new Server({
    'grpc.max_receive_message_length': options.limits.decompressedBytesMax, // checked after unpacking too
    'grpc.max_concurrent_streams': 64,
  })
  for (const [service, signal] of services)
    server.addService(definitionOf(service), { Export: createExport(options, signal, stats, room) as UntypedHandleCall })
  const name = options.host.includes(':') ? `[${options.host}]` : options.host
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`${name}:${options.port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(new Fault('START_REFUSED', `cannot listen on ${name}:${options.port}`, error)) : resolve(bound),
    )
  })
  return {
    port,
    stats: () => ({ accepted: stats.accepted, refused: { ...stats.refused } }),
    [Symbol.asyncDispose]: () => close(server),
  }
}

const closeMs = 2_000
/** Calls in progress get their answer; a sender that keeps its connection open is cut off after a while. */
function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown()
      resolve()
    }, closeMs)
    server.tryShutdown(() => {
      clearTimeout(force)
      resolve()
    })
  })
}
