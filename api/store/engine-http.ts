/** ClickHouse's HTTP interface, as far as @clickhouse/client uses it, in front of the engine's sessions. */
import { randomBytes } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import { authorised, type EngineRequest, Refusal, readRequest } from './engine-request.ts'
import type { Rows, Sessions } from './engine-sessions.ts'

export function createEngineServer(sessions: Sessions, token: string): Server {
  // Parameters may travel in the URL; the client moves long ones into a form.
  const server = createServer({ maxHeaderSize: 1024 * 1024, keepAliveTimeout: 30_000 }, (request, response) => {
    void answer(sessions, token, request, response).catch((error) => fail(response, error))
  })
  server.requestTimeout = 120_000
  return server
}

async function answer(sessions: Sessions, token: string, request: IncomingMessage, response: ServerResponse) {
  const gone = new AbortController()
  response.on('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  response.on('error', () => gone.abort())
  if (!authorised(request, token)) throw new Refusal(401, 516, 'AUTHENTICATION_FAILED', 'Authentication failed: password is incorrect')
  const path = new URL(request.url ?? '/', 'http://engine').pathname
  if (path === '/ping') return void response.end('Ok.\n')
  if (path !== '/') throw new Refusal(404, 79, 'INCORRECT_FILE_NAME', 'There is no such page')
  const wanted = await readRequest(request)
  if (gone.signal.aborted) return
  await send(response, wanted, await sessions.run(wanted, gone.signal))
}

async function send(response: ServerResponse, request: EngineRequest, rows: Rows) {
  const tag = randomBytes(8).toString('hex')
  response.setHeader('Content-Type', /JSON/i.test(request.format) ? 'application/json; charset=UTF-8' : 'application/octet-stream')
  response.setHeader('X-ClickHouse-Format', request.format)
  response.setHeader('X-ClickHouse-Summary', JSON.stringify(rows.summary()))
  response.setHeader('X-ClickHouse-Exception-Tag', tag)
  if (request.gzip) response.setHeader('Content-Encoding', 'gzip')
  let failed = false
  async function* body() {
    try {
      yield* rows.chunks
    } catch (error) {
      failed = true
      yield lateError(messageOf(error), tag)
    }
  }
  const source = Readable.from(body(), { objectMode: false })
  const output = request.gzip ? source.pipe(createGzip()) : source
  // The client may leave: then the source must be told, or its session would stay open for ever.
  response.on('close', () => source.destroy())
  for await (const chunk of output) {
    if (response.destroyed) break
    if (!response.write(chunk)) await new Promise((done) => void response.once('drain', done).once('close', done))
  }
  // A cut connection tells every reader of the answer that it is not whole, also one that does not know the tag.
  if (failed) response.write('', () => response.destroy())
  else response.end()
}

/** How ClickHouse says, at the end of an answer that began well, that the query failed. */
function lateError(message: string, tag: string): Buffer {
  const text = `${message}\n`
  return Buffer.from(`\r\n__exception__\r\n${tag}\r\n${text}${Buffer.byteLength(text)} ${tag}\r\n__exception__\r\n`)
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

function fail(response: ServerResponse, error: unknown) {
  if (response.headersSent || response.destroyed) return void response.destroy()
  const message = messageOf(error)
  const code = error instanceof Refusal ? error.errorCode : Number(/Code: (\d+)\./.exec(message)?.[1] ?? 1002)
  const status = error instanceof Refusal ? error.status : code === 60 || code === 81 ? 404 : 400
  response.writeHead(code === 1002 ? 500 : status, {
    'Content-Type': 'text/plain; charset=UTF-8',
    'X-ClickHouse-Exception-Code': String(code),
    ...(status === 503 ? { 'Retry-After': '1' } : {}),
  })
  response.end(/^Code: \d+\./.test(message) ? `${message}\n` : `Code: 1002. DB::Exception: ${message}. (UNKNOWN_EXCEPTION)\n`)
}
