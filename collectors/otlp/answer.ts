/** What a receiver says back, in the encoding of the request: an Export response, or a google.rpc.Status. */
import { BinaryWriter } from '@bufbuild/protobuf/wire'
import type { OtlpSignal } from './record.ts'

export type Encoding = 'protobuf' | 'json'
export type Rejection = Readonly<{ rejected: number; reason: string }>

const reasonCharsMax = 500
const rejectedNames = { traces: 'rejectedSpans', logs: 'rejectedLogRecords', metrics: 'rejectedDataPoints' } as const

/** Empty when all was taken. Rejected records are never to be sent again. */
export function exportResponse(encoding: Encoding, signal: OtlpSignal, { rejected, reason }: Rejection): Uint8Array {
  const message = reason.slice(0, reasonCharsMax)
  if (encoding === 'json') {
    const partialSuccess = { [rejectedNames[signal]]: String(rejected), errorMessage: message }
    return Buffer.from(JSON.stringify(rejected > 0 ? { partialSuccess } : {}))
  }
  if (rejected === 0) return new Uint8Array(0)
  return new BinaryWriter().tag(1, 2).fork().tag(1, 0).int64(rejected).tag(2, 2).string(message).join().finish()
}

/** `code` is gRPC's. With `retrySeconds` the status carries RetryInfo, which is what makes RESOURCE_EXHAUSTED retryable. */
export function statusBody(encoding: Encoding, code: number, message: string, retrySeconds?: number): Uint8Array {
  const text = message.slice(0, reasonCharsMax)
  if (encoding === 'json') return Buffer.from(JSON.stringify({ code, message: text }))
  const writer = new BinaryWriter().tag(1, 0).int32(code).tag(2, 2).string(text)
  if (retrySeconds !== undefined) {
    const info = new BinaryWriter().tag(1, 2).fork().tag(1, 0).int64(retrySeconds).join().finish()
    writer.tag(3, 2).fork().tag(1, 2).string('type.googleapis.com/google.rpc.RetryInfo').tag(2, 2).bytes(info).join()
  }
  return writer.finish()
}
