/** A file's lines as bytes, gzip undone where the first bytes say so. A line has a maximum; nothing else is held. */
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { createGunzip } from 'node:zlib'
import { Fault } from '../../schemas/errors.ts'

export const lineBytesMax = 64 * 1024 * 1024
export type Line = Readonly<{ number: number; bytes: Buffer }>

async function isGzip(path: string): Promise<boolean> {
  await using file = await open(path, 'r')
  const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0)
  return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
}

async function* chunks(path: string): AsyncGenerator<Buffer> {
  if (!(await isGzip(path))) {
    yield* createReadStream(path, { highWaterMark: 256 * 1024 }) as AsyncIterable<Buffer>
    return
  }
  const file = createReadStream(path)
  const plain = createGunzip({ chunkSize: 256 * 1024 })
  file.on('error', (error) => plain.destroy(error))
  file.pipe(plain)
  try {
    yield* plain as AsyncIterable<Buffer>
  } finally {
    file.destroy()
    plain.destroy()
  }
}

/** Every line with its 0-based number, blank ones included (they count), an empty last one not. */
export async function* readLines(path: string, bytesMax = lineBytesMax): AsyncGenerator<Line> {
  let number = 0
  let held: Buffer[] = []
  let heldBytes = 0
  const joined = (last: Buffer): Buffer => {
    const bytes = held.length ? Buffer.concat([...held, last]) : last
    held = []
    heldBytes = 0
    return bytes
  }
  try {
    for await (const chunk of chunks(path)) {
      let from = 0
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, from)) {
        if (heldBytes + end - from > bytesMax) throw tooLong(path, number, bytesMax)
        yield { number, bytes: joined(chunk.subarray(from, end)) }
        number += 1
        from = end + 1
      }
      if (from < chunk.length) {
        held.push(chunk.subarray(from))
        heldBytes += chunk.length - from
      }
      if (heldBytes > bytesMax) throw tooLong(path, number, bytesMax)
    }
  } catch (error) {
    if (error instanceof Fault) throw error
    throw new Fault('INPUT_UNREADABLE', `${path}: ${error instanceof Error ? error.message : 'cannot be read'}`, error)
  }
  if (heldBytes) yield { number, bytes: joined(Buffer.alloc(0)) }
}

const tooLong = (path: string, number: number, bytesMax: number): Fault =>
  new Fault('INPUT_UNREADABLE', `${path}:${number + 1}: line longer than ${bytesMax} bytes`)
