/** Reads one request of ClickHouse's HTTP interface: statement, parameters, settings and the rows of an insert. */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib'

/** Largest body, decompressed. The writer's batches stay far below it. */
export const bodyBytesMax = 256 * 1024 * 1024
export const statementCharsMax = 16 * 1024 * 1024

/** An answer that the engine itself never gave: HTTP status and ClickHouse's error code and name. */
export class Refusal extends Error {
  readonly status: number
  readonly errorCode: number
  constructor(status: number, errorCode: number, name: string, message: string) {
    super(`Code: ${errorCode}. DB::Exception: ${message}. (${name})`)
    this.status = status
    this.errorCode = errorCode
  }
}

export type EngineRequest = Readonly<{
  sql: string
  kind: 'read' | 'write' | 'kill'
  /** The engine streams the answers of SELECT, and refuses to for EXPLAIN, SHOW and their like. */
  selects: boolean
  /** Format named by the statement, else by `default_format`. */
  format: string
  params: ReadonlyMap<string, string>
  settings: ReadonlyMap<string, string>
  database: string | undefined
  /** Rows of an insert; the statement is then split around the place of `FROM INFILE`. */
  rows: Readonly<{ head: string; tail: string; bytes: Buffer }> | undefined
  gzip: boolean
}>

/** Parameters of the HTTP interface itself: everything else in the URL is a setting of the query. */
const interfaceNames = new Set(
  'query query_id database default_format session_id session_timeout session_check role user password quota_key enable_http_compression http_zlib_compression_level wait_end_of_query buffer_size send_progress_in_http_headers http_headers_progress_interval_ms compress decompress http_response_buffer_size cancel_http_readonly_queries_on_client_close stacktrace log_comment'.split(
    ' ',
  ),
)

export function authorised(request: IncomingMessage, token: string): boolean {
  const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1]
  const given =
    basic === undefined ? request.headers['x-clickhouse-key'] : Buffer.from(basic, 'base64').toString('utf8').split(':').slice(1).join(':')
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return typeof given === 'string' && timingSafeEqual(digest(given), digest(token))
}

/** The whole body, decompressed, or a refusal at the bound. */
async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const encoding = request.headers['content-encoding']
  const decoder =
    encoding === 'gzip'
      ? createGunzip()
      : encoding === 'br'
        ? createBrotliDecompress()
        : encoding === 'zstd'
          ? createZstdDecompress()
          : undefined
  if (encoding !== undefined && decoder === undefined) throw new Refusal(415, 432, 'UNKNOWN_COMPRESSION_METHOD', 'Unknown Content-Encoding')
  let total = 0
  async function* bounded(source: AsyncIterable<Buffer>) {
    for await (const chunk of source) {
      total += chunk.length
      if (total > bodyBytesMax) throw new Refusal(413, 307, 'TOO_MANY_BYTES', `Request body is larger than ${bodyBytesMax} bytes`)
      yield chunk
    }
  }
  if (decoder === undefined) return buffer(bounded(request))
  request.on('error', (error) => decoder.destroy(error))
  // A body cut off before its end must not wait for ever in the decoder.
  request.on('aborted', () => decoder.destroy(new Error('aborted')))
  return buffer(bounded(request.pipe(decoder)))
}

/** The form fields of a multipart body: the client sends long parameters this way. Names are ours or `param_…`. */
function multipart(body: Buffer, boundary: string): Map<string, string> {
  const fields = new Map<string, string>()
  const mark = Buffer.from(`--${boundary}`)
  let at = body.indexOf(mark)
  while (at >= 0) {
    const next = body.indexOf(mark, at + mark.length)
    if (next < 0) break
    const part = body.subarray(at + mark.length + 2, next - 2)
    const split = part.indexOf('\r\n\r\n')
    const name = split < 0 ? undefined : /\bname="([^"]*)"/i.exec(part.subarray(0, split).toString('latin1'))?.[1]
    if (name !== undefined) fields.set(name, part.subarray(split + 4).toString('utf8'))
    at = next
  }
  return fields
}

/** Where a second statement begins, or -1. The engine would run all of them; ClickHouse's HTTP interface runs one. */
export function secondStatement(sql: string): number {
  // What is not closed reaches to the end: no text is scanned twice.
  const token =
    /'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)|"(?:[^"\\]|\\[\s\S]|"")*(?:"|$)|`(?:[^`\\]|\\[\s\S]|``)*(?:`|$)|--[^\n]*|#[ !][^\n]*|\/\*[\s\S]*?(?:\*\/|$)|\$(\w*)\$[\s\S]*?(?:\$\1\$|$)|;|[^\s]/g
  let ended = false
  for (const match of sql.matchAll(token)) {
    const text = match[0]
    if (text.startsWith('--') || text.startsWith('/*') || (text.startsWith('#') && text.length > 1)) continue
    if (text === ';') ended = true
    else if (ended) return match.index
  }
  return -1
}

const insertFormat = /^(\s*INSERT\s+INTO\s[\s\S]*?)\s+FORMAT\s+(\w+)[ \t]*;?(?:\r?\n|\s|$)/i

/** `INSERT … FORMAT X` + rows → the two halves around `FROM INFILE '…'`: the engine reads every format from a file, binary too. */
function splitInsert(sql: string, body: Buffer): { head: string; tail: string; format: string; bytes: Buffer } | undefined {
  const match = insertFormat.exec(sql)
  const [whole, clause, format] = match ?? []
  if (whole === undefined || clause === undefined || format === undefined || /^values$/i.test(format)) return undefined
  const settings = /\sSETTINGS\s/i.exec(clause)
  const head = settings === null ? clause : clause.slice(0, settings.index)
  const inline = Buffer.from(sql.slice(whole.length))
  const bytes = inline.length === 0 ? body : body.length === 0 ? inline : Buffer.concat([inline, body])
  return { head, tail: `${settings === null ? '' : clause.slice(settings.index)} FORMAT ${format}`, format, bytes }
}

const firstWord = (sql: string): string => /^(?:\s|--[^\n]*\n|\/\*[\s\S]*?\*\/|\()*(\w+)/.exec(sql)?.[1]?.toUpperCase() ?? ''

function kindOf(word: string): EngineRequest['kind'] {
  if (word === 'KILL') return 'kill'
  return ['SELECT', 'WITH', 'SHOW', 'DESCRIBE', 'DESC', 'EXPLAIN', 'EXISTS'].includes(word) ? 'read' : 'write'
}

export async function readRequest(request: IncomingMessage): Promise<EngineRequest> {
  const url = new URL(request.url ?? '/', 'http://engine')
  const fields = new Map(url.searchParams)
  let body = await bodyOf(request)
  const boundary = /^multipart\/form-data;\s*boundary="?([^";]+)/i.exec(request.headers['content-type'] ?? '')?.[1]
  if (boundary !== undefined) {
    for (const [name, value] of multipart(body, boundary)) fields.set(name, value)
    body = Buffer.alloc(0)
  }
  const inUrl = fields.get('query')
  const sql = inUrl ?? body.toString('utf8')
  if (sql.length > statementCharsMax) throw new Refusal(413, 62, 'SYNTAX_ERROR', 'Statement is too long')
  if (sql.trim() === '') throw new Refusal(400, 62, 'SYNTAX_ERROR', 'Empty query')
  const rows = splitInsert(sql, inUrl === undefined ? Buffer.alloc(0) : body)
  if (secondStatement(rows === undefined ? sql : rows.head + rows.tail) >= 0) {
    throw new Refusal(400, 62, 'SYNTAX_ERROR', 'Multi-statements are not allowed')
  }
  const params = new Map<string, string>()
  const settings = new Map<string, string>()
  for (const [name, value] of fields) {
    if (name.startsWith('param_')) params.set(name.slice(6), value)
    else if (!interfaceNames.has(name)) settings.set(name, value)
  }
  for (const name of [...params.keys(), ...settings.keys()]) {
    if (!/^[A-Za-z_]\w{0,99}$/.test(name)) throw new Refusal(400, 36, 'BAD_ARGUMENTS', 'Parameter or setting name is not an identifier')
  }
  const word = firstWord(sql)
  const named = /\bFORMAT\s+(\w+)(?:\s+SETTINGS\s[^;]*)?[\s;]*$/i.exec(sql)?.[1]
  return {
    sql,
    kind: kindOf(word),
    selects: word === 'SELECT' || word === 'WITH',
    format: rows?.format ?? named ?? fields.get('default_format') ?? header(request, 'x-clickhouse-format') ?? 'TabSeparated',
    params,
    settings,
    database: fields.get('database') ?? header(request, 'x-clickhouse-database'),
    rows: rows === undefined ? undefined : { head: rows.head, tail: rows.tail, bytes: rows.bytes },
    gzip: fields.get('enable_http_compression') === '1' && /\bgzip\b/.test(header(request, 'accept-encoding') ?? ''),
  }
}

const header = (request: IncomingMessage, name: string): string | undefined => {
  const value = request.headers[name]
  return Array.isArray(value) ? value[0] : value
}
