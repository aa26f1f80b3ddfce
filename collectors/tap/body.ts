/** The body of one request or response → messages: JSON whole, event streams event by event, content codings undone within bounds. */
import type { Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createInflate, createZstdDecompress } from 'node:zlib'
import { headerValue } from './headers.ts'
import { createSse } from './sse.ts'

export type Body = Readonly<{
  chunk(bytes: Uint8Array, at: number): void
  /** Bytes are missing here; answers how many messages that costs for certain. */
  gap(): number
  end(at: number, aborted: boolean): void
}>
export type BodyHandler = Readonly<{
  /** The MCP endpoint itself: there, whatever comes is taken for a message. */
  endpoint: boolean
  message(bytes: Uint8Array, at: number, sse?: Record<string, string>): void
  /** Something there that could not be read, with its size. */
  unread(at: number, bytes: number, reason: string): void
}>

/** Per message, after content codings are undone. */
const messageBytesMax = 16 * 1024 * 1024

const decoders: ReadonlyMap<string, () => Transform> = new Map<string, () => Transform>([
  ['gzip', createGunzip],
  ['x-gzip', createGunzip],
  ['deflate', createInflate],
  ['br', createBrotliDecompress],
  ['zstd', createZstdDecompress],
])
const nothing: Body = { chunk() {}, gap: () => 0, end() {} }

export function createBody(rawHeaders: readonly string[], handler: BodyHandler): Body {
  const type = (headerValue(rawHeaders, 'content-type') ?? '').toLowerCase()
  const coding = (headerValue(rawHeaders, 'content-encoding') ?? 'identity').trim().toLowerCase()
  const plain = /^text\/event-stream\b/.test(type) ? eventStream(handler) : /\bjson\b/.test(type) ? whole(handler) : nothing
  if (plain === nothing || coding === 'identity' || coding === '') return plain
  const decoder = decoders.get(coding)
  return decoder ? decoded(plain, decoder(), handler) : unknownCoding(handler)
}

/** OAuth documents and the like are JSON too: elsewhere than at the endpoint, only JSON-RPC is taken for a message. */
function whole(handler: BodyHandler): Body {
  let parts: Uint8Array[] = []
  let held = 0
  let broken = false
  return {
    chunk(bytes) {
      held += bytes.length
      if (held <= messageBytesMax && !broken) parts.push(bytes)
      else parts = []
    },
    gap() {
      const before = broken
      broken = true
      parts = []
      return before ? 0 : 1
    },
    end(at, aborted) {
      if (broken || held === 0) return
      if (held > messageBytesMax) return handler.unread(at, held, 'too_large')
      const bytes = Buffer.concat(parts)
      if (aborted) return handler.unread(at, held, 'aborted')
      if (handler.endpoint || bytes.includes('"jsonrpc"')) handler.message(bytes, at)
    },
  }
}

function eventStream(handler: BodyHandler): Body {
  const sse = createSse(messageBytesMax)
  return {
    chunk(bytes, at) {
      for (const event of sse.push(bytes)) {
        if (event.tooLong !== undefined) handler.unread(at, event.tooLong, 'too_large')
        // Not messages: the address of the older transport, and the empty event that only carries an id.
        else if (event.data.length > 0 && event.event !== 'endpoint') handler.message(event.data, at, named(event))
      }
    },
    gap: () => (sse.gap() ? 1 : 0),
    end() {},
  }
}

function named({ id, event }: { id?: string; event?: string }): Record<string, string> | undefined {
  if (id === undefined && event === undefined) return undefined
  return { ...(id === undefined ? {} : { id }), ...(event === undefined ? {} : { event }) }
}

/** A decoder takes its time: what comes out carries the time of what went in last. */
function decoded(plain: Body, decoder: Transform, handler: BodyHandler): Body {
  let at = 0
  let bytes = 0
  let broken = false
  decoder.on('data', (chunk: Uint8Array) => plain.chunk(chunk, at))
  decoder.on('error', () => {
    broken = true
    handler.unread(at, bytes, 'content_coding')
  })
  return {
    chunk(chunk, time) {
      at = time
      bytes += chunk.length
      if (!broken) decoder.write(chunk)
    },
    gap() {
      const before = broken
      broken = true
      decoder.destroy()
      return before ? 0 : 1
    },
    end(time, aborted) {
      at = time
      if (broken) return
      decoder.once('end', () => plain.end(time, aborted))
      decoder.end()
    },
  }
}

function unknownCoding(handler: BodyHandler): Body {
  let held = 0
  return {
    chunk(bytes) {
      held += bytes.length
    },
    gap: () => 1,
    end: (at) => handler.unread(at, held, 'content_coding'),
  }
}
