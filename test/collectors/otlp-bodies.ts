/** OTLP messages for tests: written as OTLP/JSON objects, and encoded to protobuf in any order of fields. */
import { BinaryWriter } from '@bufbuild/protobuf/wire'

// biome-ignore lint/suspicious/noExplicitAny: test bodies are wrong on purpose now and then
export type Message = Record<string, any>
type Kind =
  | 'string'
  | 'hex'
  | 'int64'
  | 'fixed64'
  | 'fixed32'
  | 'int32'
  | 'bool'
  | 'double'
  | 'base64'
  | { message: string; repeated?: boolean }
type Fields = Record<string, readonly [number, Kind]>

const attributes = [9, { message: 'KeyValue', repeated: true }] as const
const schema: Record<string, Fields> = {
  Traces: { resourceSpans: [1, { message: 'ResourceSpans', repeated: true }] },
  ResourceSpans: {
    resource: [1, { message: 'Resource' }],
    scopeSpans: [2, { message: 'ScopeSpans', repeated: true }],
    schemaUrl: [3, 'string'],
  },
  ScopeSpans: { scope: [1, { message: 'Scope' }], spans: [2, { message: 'Span', repeated: true }] },
  Logs: { resourceLogs: [1, { message: 'ResourceLogs', repeated: true }] },
  ResourceLogs: { resource: [1, { message: 'Resource' }], scopeLogs: [2, { message: 'ScopeLogs', repeated: true }] },
  ScopeLogs: { scope: [1, { message: 'Scope' }], logRecords: [2, { message: 'LogRecord', repeated: true }] },
  Metrics: { resourceMetrics: [1, { message: 'ResourceMetrics', repeated: true }] },
  ResourceMetrics: { resource: [1, { message: 'Resource' }], scopeMetrics: [2, { message: 'ScopeMetrics', repeated: true }] },
  ScopeMetrics: { scope: [1, { message: 'Scope' }], metrics: [2, { message: 'Metric', repeated: true }] },
  Metric: {
    name: [1, 'string'],
    gauge: [5, { message: 'Points' }],
    sum: [7, { message: 'Points' }],
    histogram: [9, { message: 'Points' }],
  },
  Points: { dataPoints: [1, { message: 'Point', repeated: true }] },
  Point: { timeUnixNano: [3, 'fixed64'] },
  Resource: { attributes: [1, { message: 'KeyValue', repeated: true }] },
  Scope: { name: [1, 'string'], version: [2, 'string'], attributes: [3, { message: 'KeyValue', repeated: true }] },
  KeyValue: { key: [1, 'string'], value: [2, { message: 'AnyValue' }] },
  AnyValue: {
    stringValue: [1, 'string'],
    boolValue: [2, 'bool'],
    intValue: [3, 'int64'],
    doubleValue: [4, 'double'],
    arrayValue: [5, { message: 'Values' }],
    kvlistValue: [6, { message: 'KeyValues' }],
    bytesValue: [7, 'base64'],
  },
  Values: { values: [1, { message: 'AnyValue', repeated: true }] },
  KeyValues: { values: [1, { message: 'KeyValue', repeated: true }] },
  Span: {
    traceId: [1, 'hex'],
    spanId: [2, 'hex'],
    traceState: [3, 'string'],
    parentSpanId: [4, 'hex'],
    name: [5, 'string'],
    kind: [6, 'int32'],
    startTimeUnixNano: [7, 'fixed64'],
    endTimeUnixNano: [8, 'fixed64'],
    attributes,
    droppedAttributesCount: [10, 'int32'],
    events: [11, { message: 'Event', repeated: true }],
    links: [13, { message: 'Link', repeated: true }],
    status: [15, { message: 'Status' }],
    flags: [16, 'fixed32'],
  },
  Event: { timeUnixNano: [1, 'fixed64'], name: [2, 'string'], attributes: [3, { message: 'KeyValue', repeated: true }] },
  Link: { traceId: [1, 'hex'], spanId: [2, 'hex'], traceState: [3, 'string'] },
  Status: { message: [2, 'string'], code: [3, 'int32'] },
  LogRecord: {
    timeUnixNano: [1, 'fixed64'],
    severityNumber: [2, 'int32'],
    severityText: [3, 'string'],
    body: [5, { message: 'AnyValue' }],
    attributes: [6, { message: 'KeyValue', repeated: true }],
    flags: [8, 'fixed32'],
    traceId: [9, 'hex'],
    spanId: [10, 'hex'],
    observedTimeUnixNano: [11, 'fixed64'],
    eventName: [12, 'string'],
  },
}
const wireTypes = { string: 2, hex: 2, int64: 0, fixed64: 1, fixed32: 5, int32: 0, bool: 0, double: 1, base64: 2 } as const

/** `descending` is how the Collector writes; `order` decides otherwise. Fields not in the schema are left out. */
export type Order = (fields: [string, unknown][], schema: Fields) => [string, unknown][]
const byNumber =
  (sign: number): Order =>
  (fields, of) =>
    fields.sort(([a], [b]) => sign * ((of[a]?.[0] ?? 0) - (of[b]?.[0] ?? 0)))
export const ascending = byNumber(1)
export const descending = byNumber(-1)

export function encode(type: string, message: Message, order: Order = ascending): Uint8Array {
  const fields = schema[type] as Fields
  const writer = new BinaryWriter()
  for (const [name, value] of order(Object.entries(message), fields)) {
    const field = fields[name]
    if (!field || value === undefined || value === null) continue
    const [number, kind] = field
    if (typeof kind === 'object') {
      const items = kind.repeated ? (value as Message[]) : [value as Message]
      for (const item of items) writer.tag(number, 2).bytes(encode(kind.message, item, order))
      continue
    }
    writer.tag(number, wireTypes[kind])
    if (kind === 'hex') writer.bytes(Buffer.from(String(value), 'hex'))
    else if (kind === 'base64') writer.bytes(Buffer.from(String(value), 'base64'))
    else if (kind === 'double') writer.double(Number(value))
    else if (kind === 'bool') writer.bool(Boolean(value))
    else if (kind === 'string') writer.string(String(value))
    else if (kind === 'fixed64') writer.fixed64(String(value))
    else if (kind === 'int64') writer.int64(String(value))
    else writer[kind](Number(value))
  }
  return writer.finish()
}

export function anyValue(value: unknown): Message {
  if (typeof value === 'string') return { stringValue: value }
  if (typeof value === 'boolean') return { boolValue: value }
  if (typeof value === 'number') return Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value }
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } }
  if (value !== null && typeof value === 'object') return { kvlistValue: { values: keyValues(value) } }
  return {}
}
export const keyValues = (object: object): Message[] => Object.entries(object).map(([key, value]) => ({ key, value: anyValue(value) }))

export const traceOf = (n: number): string => n.toString(16).padStart(32, 'a')
export const spanOf = (n: number): string => n.toString(16).padStart(16, 'b')
const base = 1_795_270_000_000_000_000n

/** `at` and `ms` in milliseconds after a fixed instant. */
export type SpanSketch = {
  trace: number
  id: number
  parent?: number
  kind: 1 | 2 | 3
  name: string
  at: number
  ms: number
  attributes?: object
  error?: string | true
  links?: [number, number][]
}
export function span({ trace, id, parent, kind, name, at, ms, attributes: named = {}, error, links }: SpanSketch): Message {
  return {
    traceId: traceOf(trace),
    spanId: spanOf(id),
    ...(parent === undefined ? {} : { parentSpanId: spanOf(parent) }),
    flags: 256,
    name,
    kind,
    startTimeUnixNano: String(base + BigInt(Math.round(at * 1e6))),
    endTimeUnixNano: String(base + BigInt(Math.round((at + ms) * 1e6))),
    attributes: keyValues(named),
    status: error === undefined ? {} : { code: 2, ...(error === true ? {} : { message: error }) },
    ...(links ? { links: links.map(([t, s]) => ({ traceId: traceOf(t), spanId: spanOf(s) })) } : {}),
  }
}
export const traces = (service: string, scopes: Record<string, Message[]>): Message => ({
  resourceSpans: [
    {
      resource: { attributes: keyValues({ 'service.name': service, 'service.instance.id': 'one' }) },
      scopeSpans: Object.entries(scopes).map(([name, spans]) => ({ scope: { name }, spans })),
    },
  ],
})
export const logs = (scope: string, records: Message[], resource: object = { 'service.name': 'app' }): Message => ({
  resourceLogs: [{ resource: { attributes: keyValues(resource) }, scopeLogs: [{ scope: { name: scope }, logRecords: records }] }],
})

/** One call as the Python SDK reports it from both sides: server and client body. */
export function sdkCall(n: number, tool: string, failed = false): [Message, Message] {
  const at = n * 100
  const id = n * 10
  const server = span({
    ...{ trace: n, id: id + 2, parent: id + 1, kind: 2, name: `tools/call ${tool}`, at: at + 1, ms: 8 },
    attributes: {
      'mcp.method.name': 'tools/call',
      'mcp.protocol.version': '2025-11-25',
      'jsonrpc.request.id': String(n),
      'gen_ai.operation.name': 'execute_tool',
      'gen_ai.tool.name': tool,
      ...(failed ? { 'error.type': 'tool_error' } : {}),
    },
    ...(failed ? { error: true as const } : {}),
  })
  const client = span({
    ...{ trace: n, id: id + 1, kind: 3, name: `MCP send tools/call ${tool}`, at, ms: 10 },
    attributes: { 'mcp.method.name': 'tools/call', 'jsonrpc.request.id': String(n) },
  })
  return [server, client]
}

/** One call as FastMCP reports it over HTTP in the modern era: server, the SDK's client, its own client, and the list nobody asked for. */
export function fastmcpCall(
  n: number,
  tool: string,
  failed = false,
): { server: Message; sdk: Message; client: Message; implicit: Message } {
  const at = n * 100
  const id = n * 10
  const wrong = failed ? { 'error.type': 'tool_error' } : {}
  const error = failed ? { error: `Error calling tool '${tool}'` } : {}
  const own = { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': tool }
  const modern = { 'fastmcp.server.name': 'office', 'mcp.protocol.version': '2026-07-28', 'mcp.session.id': `fresh-${n}` }
  return {
    server: span({
      ...{ trace: n, id: id + 3, parent: id + 2, kind: 2, name: `tools/call ${tool}`, at: at + 4, ms: 4, ...error },
      attributes: { ...own, ...modern, 'fastmcp.component.key': `tool:${tool}@`, 'fastmcp.component.type': 'tool', ...wrong },
    }),
    sdk: span({
      ...{ trace: n, id: id + 2, parent: id + 1, kind: 3, name: `MCP send tools/call ${tool}`, at: at + 1, ms: 10 },
      attributes: { 'mcp.method.name': 'tools/call', 'jsonrpc.request.id': String(n) },
    }),
    client: span({
      ...{ trace: n, id: id + 1, kind: 3, name: `tools/call ${tool}`, at, ms: 12, ...error },
      attributes: { ...own, 'fastmcp.component.key': tool, ...wrong },
    }),
    implicit: span({
      ...{ trace: 1000 + n, id: id + 9, kind: 2, name: 'tools/list', at: at + 2, ms: 1 },
      attributes: { 'mcp.method.name': 'tools/list', ...modern, 'fastmcp.component.type': 'tool' },
    }),
  }
}
