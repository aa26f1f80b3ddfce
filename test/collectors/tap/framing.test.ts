/** Lines and server-sent events come out the same however the bytes are cut; limits and gaps are counted exactly. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { createBody } from '../../../collectors/tap/body.ts'
import { createLines, type Line } from '../../../collectors/tap/lines.ts'
import { endsMidLine, linesIn } from '../../../collectors/tap/notes.ts'
import { createSse } from '../../../collectors/tap/sse.ts'

const cut = (bytes: Buffer, sizes: readonly number[]): Buffer[] => {
  const parts: Buffer[] = []
  let at = 0
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = sizes[turn % sizes.length] ?? 1
    parts.push(bytes.subarray(at, at + size))
    at += size
  }
  return parts
}
const sizes = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 10 })
const textOf = (line: Line): string => ('bytes' in line ? Buffer.from(line.bytes).toString() : `#${line.tooLong}`)

test('lines do not depend on how they were cut; a long one is its length', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '\r', ' '), maxLength: 20 })), sizes, (texts, widths) => {
      const lines = createLines(12)
      const got = cut(Buffer.from(`${texts.join('\n')}\nlast`), widths).flatMap((part) => lines.push(part))
      const expected = texts
        .filter((text) => text !== '')
        .map((text) => (Buffer.byteLength(text) > 12 ? `#${Buffer.byteLength(text)}` : text))
      assert.deepEqual(got.map(textOf), expected)
      assert.deepEqual(lines.end().map(textOf), ['last'])
    }),
  )
})

test('wherever bytes are missing, lines read and lines told as lost are all there were', () => {
  const chunk = fc.record({
    bytes: fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 6 }),
    dropped: fc.boolean(),
  })
  fc.assert(
    fc.property(fc.array(chunk, { maxLength: 30 }), (chunks) => {
      // No empty lines: they are no messages, and a newline in a gap cannot be told from one.
      const whole: string[] = []
      let previous = '\n'
      const parts = chunks.map(({ bytes, dropped }) => {
        let kept = ''
        for (const letter of bytes) {
          if (letter === '\n' && previous === '\n') continue
          kept += letter
          previous = letter
        }
        whole.push(kept)
        return { bytes: Buffer.from(kept), dropped }
      })
      const lines = createLines(1_000)
      let read = 0
      let lost = 0
      let gap = { bytes: 0, lines: 0, midLine: false }
      const flush = () => {
        if (gap.bytes > 0) lost += lines.gap(gap)
        gap = { bytes: 0, lines: 0, midLine: false }
      }
      for (const { bytes, dropped } of parts) {
        if (bytes.length === 0) continue
        if (dropped) gap = { bytes: gap.bytes + bytes.length, lines: gap.lines + linesIn(bytes), midLine: endsMidLine(bytes) }
        else {
          flush()
          read += lines.push(bytes).length
        }
      }
      flush()
      read += lines.end().length
      assert.equal(read + lost, whole.join('').split('\n').filter(Boolean).length)
    }),
    { numRuns: 500 },
  )
})

test('events of a stream do not depend on how they were cut, nor on the kind of line end', () => {
  for (const end of ['\n', '\r\n', '\r']) {
    const text = [
      '\u{feff}: comment',
      'id: 7',
      'event: message',
      'data: {"a":',
      'data:  1}',
      '',
      'data',
      '',
      ':',
      'id: 8',
      '',
      'retry: 10',
      'data:é',
      'unknown: x',
      '',
      'data: never ended',
    ].join(end)
    fc.assert(
      fc.property(sizes, (widths) => {
        const sse = createSse(1_000)
        const got = cut(Buffer.from(text), widths).flatMap((part) => sse.push(part))
        const shown = got.map(({ id, event, data }) => [id, event, Buffer.from(data).toString()])
        assert.deepEqual(shown, [
          ['7', 'message', '{"a":\n 1}'],
          [undefined, undefined, ''],
          [undefined, undefined, 'é'],
        ])
      }),
    )
  }
})

test('an event over the limit is told by its size, and the next one is read', () => {
  const sse = createSse(10)
  const got = sse.push(Buffer.from(`data: 12345\ndata: 6789012\n\ndata: ${'x'.repeat(50)}\n\ndata: ok\n\n`))
  assert.deepEqual(
    got.map(({ data, tooLong }) => [Buffer.from(data).toString(), tooLong !== undefined]),
    [
      ['', true],
      ['', true],
      ['ok', false],
    ],
  )
})

test('bodies are undone from their coding; what cannot be read is told', async () => {
  const read = async (headers: string[], bytes: Uint8Array, endpoint = true, waitMs = 20_000) => {
    const told: string[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    const say = (text: string) => {
      told.push(text)
      resolve()
    }
    const body = createBody(headers, {
      endpoint,
      message: (message) => say(Buffer.from(message).toString()),
      unread: (_at, _size, reason) => say(`#${reason}`),
    })
    body.chunk(bytes, 1)
    body.end(2, false)
    await Promise.race([promise, new Promise((nothing) => setTimeout(nothing, waitMs).unref())])
    return told
  }
  const json = ['Content-Type', 'application/json; charset=utf-8']
  const rpc = Buffer.from('{"jsonrpc":"2.0"}')
  assert.deepEqual(await read(json, rpc), [String(rpc)])
  assert.deepEqual(await read([...json, 'content-encoding', 'gzip'], gzipSync(rpc)), [String(rpc)])
  assert.deepEqual(await read([...json, 'content-encoding', 'gzip'], rpc), ['#content_coding'])
  assert.deepEqual(await read([...json, 'content-encoding', 'odd'], rpc), ['#content_coding'])
  assert.deepEqual(await read(json, Buffer.from('{"issuer":"x"}'), false, 0), [])
  assert.deepEqual(await read(json, rpc, false), [String(rpc)])
  assert.deepEqual(await read(['content-type', 'text/html'], rpc, true, 0), [])
  assert.deepEqual(
    await read(['content-type', 'text/event-stream'], Buffer.from('event: endpoint\ndata: /x\n\nid: 1\ndata:\n\ndata: {}\n\n')),
    ['{}'],
  )
  assert.deepEqual(await read([...json, 'content-encoding', 'gzip'], gzipSync(Buffer.alloc(40 * 1024 * 1024, 97))), ['#too_large'])
})
