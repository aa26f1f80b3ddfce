/** Reads a request body within its bounds: bytes on the wire, bytes unpacked, their ratio, and all bytes in flight. */
import type { IncomingMessage } from 'node:http'
import { createGunzip } from 'node:zlib'

export type BodyLimits = Readonly<{ compressedBytesMax: number; decompressedBytesMax: number }>
/** All requests together; `waiting` is what they hold now. */
export type Room = { readonly bytesMax: number; bytes: number }
export type Read = Readonly<{ body: Buffer }> | 'too_large' | 'busy' | 'damaged' | 'gone'

/** Telemetry packs 5 to 30 to one, zeros a thousand to one. Small bodies are let through whatever their ratio. */
const ratioMax = 100
const ratioBytesMin = 1024 * 1024

export type Held = { bytes: number }

function take(room: Room, held: Held, bytes: number): boolean {
  if (room.bytes + bytes > room.bytesMax) return false
  room.bytes += bytes
  held.bytes += bytes
  return true
}
export function release(room: Room, held: Held): void {
  room.bytes -= held.bytes
  held.bytes = 0
}

/** The body as sent. After an early end the rest is left unread: the answer closes the connection. */
function receive(request: IncomingMessage, bytesMax: number, room: Room, held: Held): Promise<Read> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    let size = 0
    const finish = (read: Read): void => {
      request.off('data', onData)
      request.pause()
      resolve(read)
    }
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > bytesMax) finish('too_large')
      else if (take(room, held, chunk.length)) chunks.push(chunk)
      else finish('busy')
    }
    request.on('data', onData)
    request.once('end', () => resolve({ body: Buffer.concat(chunks, size) }))
    request.once('close', () => resolve('gone'))
    request.once('error', () => resolve('gone'))
  })
}

/** Stops as soon as a bound is passed, long before a bomb is unpacked. */
function unpack(packed: Buffer, bytesMax: number, room: Room, held: Held): Promise<Read> {
  return new Promise((resolve) => {
    const gunzip = createGunzip({ chunkSize: 64 * 1024 })
    const chunks: Buffer[] = []
    let size = 0
    const finish = (read: Read): void => {
      gunzip.destroy()
      resolve(read)
    }
    gunzip.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > bytesMax || (size > ratioBytesMin && size > ratioMax * gunzip.bytesWritten)) return finish('too_large')
      if (!take(room, held, chunk.length)) return finish('busy')
      chunks.push(chunk)
    })
    gunzip.once('end', () => resolve({ body: Buffer.concat(chunks, size) }))
    gunzip.once('error', () => finish('damaged'))
    gunzip.end(packed)
  })
}

export async function readBody(request: IncomingMessage, gzip: boolean, limits: BodyLimits, room: Room, held: Held): Promise<Read> {
  const bytesMax = gzip ? limits.compressedBytesMax : limits.decompressedBytesMax
  if (Number(request.headers['content-length'] ?? 0) > bytesMax) return 'too_large'
  const read = await receive(request, bytesMax, room, held)
  if (!gzip || typeof read === 'string' || read.body.length === 0) return read
  return unpack(read.body, limits.decompressedBytesMax, room, held)
}
