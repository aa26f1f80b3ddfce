/** Events → the body of one OTLP/HTTP logs request (JSON, gzip): one log record per event. */
import { gzipSync } from 'node:zlib'
import type { McpEvent } from '../../schemas/event.ts'
import { type AnyValue, eventScope, toLogAttributes } from '../../schemas/otlp-event.ts'

export type Resource = Readonly<{ hostName: string; pid: number }>

/** Larger records are sent without their content: receivers and buses refuse what is far bigger. */
const recordCharsMax = 4 * 1024 * 1024

const written = (event: McpEvent): string =>
  JSON.stringify({
    timeUnixNano: String(event.time),
    observedTimeUnixNano: String(event.observedTime ?? event.time),
    severityNumber: 9,
    eventName: `lapwing.${event.kind}`,
    attributes: toLogAttributes(event),
  })

export function logRecord(event: McpEvent): string {
  const whole = written(event)
  if (whole.length <= recordCharsMax) return whole
  const { arguments: _arguments, result: _result, params: _params, body: _body, unmapped: _unmapped, ...rest } = event
  return written({ ...rest, contentLevel: 'metadata', rawFacts: [...(event.rawFacts ?? []), 'content_dropped:size'] })
}

export function logRequest(records: readonly string[], resource: Resource): Uint8Array {
  const attribute = (key: string, value: AnyValue) => ({ key, value })
  const attributes = [
    attribute('service.name', { stringValue: 'lapwing-tap' }),
    attribute('host.name', { stringValue: resource.hostName }),
    attribute('process.pid', { intValue: String(resource.pid) }),
  ]
  const head = `{"resourceLogs":[{"resource":${JSON.stringify({ attributes })},"scopeLogs":[{"scope":{"name":${JSON.stringify(eventScope)}},"logRecords":[`
  return gzipSync(`${head}${records.join(',')}]}]}]}`, { level: 1 })
}
