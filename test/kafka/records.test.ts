/** Record batches come back as they went, and what is damaged, cut off or hostile is said to be so, and never more than was sent. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { createChecksum, decodeBatches, encodeBatch } from '../../collectors/bus/kafka-records.ts'

const checksum = createChecksum()
const id = { producerId: 7n, producerEpoch: 0 }
const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const message = fc.record(
  {
    key: fc.option(bytes),
    value: fc.option(bytes),
    headers: fc.dictionary(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), { minKeys: 1 }),
  },
  { requiredKeys: ['key', 'value'] },
)
const messages = fc.array(message, { minLength: 1, maxLength: 40 })
const batchOf = (some: Parameters<typeof encodeBatch>[0], base = 0n): Promise<Buffer> =>
  encodeBatch(some, id, 0, 1_764_000_000_000, checksum).then((batch) => {
    batch.writeBigInt64BE(base, 0) // as a broker does when it appends it
    return batch
  })

it('the checksum is CRC32C', () => {
  assert.equal(checksum(Buffer.from('123456789')), 0xe3069283)
  assert.equal(checksum(Buffer.alloc(32)), 0x8a9136aa)
})

it('any key, value and header comes back, from whichever offset is asked for', async () => {
  await fc.assert(
    fc.asyncProperty(messages, fc.bigInt({ min: 0n, max: 2n ** 53n }), fc.nat(45), async (some, base, skip) => {
      const from = base + BigInt(skip)
      const found = await decodeBatches(await batchOf(some, base), from, checksum)
      const expected = some.map((one, i) => ({ ...one, offset: base + BigInt(i) })).slice(skip)
      assert.deepEqual(
        found.messages.map((one) => ({ ...one })),
        expected.map(({ headers, ...one }) => (headers ? { ...one, headers: Object.fromEntries(Object.entries(headers)) } : one)),
      )
      assert.equal(found.damaged, 0)
      assert.equal(found.next, skip < some.length ? base + BigInt(some.length) : from)
    }),
  )
})

it('a batch that is cut off is left for the next answer', async () => {
  const [first, second] = [
    await batchOf([{ key: null, value: Buffer.from('a') }]),
    await batchOf([{ key: null, value: Buffer.from('b') }], 1n),
  ]
  for (let cut = 0; cut < second.byteLength; cut += 1) {
    const found = await decodeBatches(Buffer.concat([first, second.subarray(0, cut)]), 0n, checksum)
    assert.deepEqual([found.messages.length, found.next, found.damaged], [1, 1n, 0])
  }
})

it('a changed byte is damage, counted exactly, and its neighbours live', async () => {
  const some = Array.from({ length: 5 }, (_, i) => ({ key: null, value: Buffer.from(`value ${i}`) }))
  const [first, second] = [await batchOf(some), await batchOf(some, 5n)]
  for (let at = 21; at < first.byteLength; at += 1) {
    if (at >= 23 && at < 27) continue // the count itself: what it says cannot be checked against anything
    const broken = Buffer.from(first)
    broken[at] = (broken[at] ?? 0) ^ 4
    const found = await decodeBatches(Buffer.concat([broken, second]), 0n, checksum)
    assert.deepEqual([found.messages.length, found.next, found.damaged], [5, 10n, 5], `byte ${at}`)
  }
})

it('gzip and nothing are read too, and lz4 is refused by name', async () => {
  const plain = await batchOf([{ key: Buffer.from('k'), value: Buffer.from('v') }])
  const records = Buffer.from([16, 0, 0, 0, 2, 0x6b, 2, 0x76, 0])
  const withCodec = (codec: number, body: Buffer): Buffer => {
    const batch = Buffer.concat([plain.subarray(0, 61), body])
    batch.writeInt32BE(batch.byteLength - 12, 8)
    batch.writeInt16BE(codec, 21)
    batch.writeUInt32BE(checksum(batch.subarray(21)), 17)
    return batch
  }
  for (const [codec, body] of [
    [0, records],
    [1, gzipSync(records)],
  ] as const) {
    const found = await decodeBatches(withCodec(codec, body), 0n, checksum)
    assert.deepEqual(found.messages, [{ key: Buffer.from('k'), value: Buffer.from('v'), offset: 0n }])
  }
  await assert.rejects(decodeBatches(withCodec(3, records), 0n, checksum), { code: 'RECORD_INVALID', message: /lz4/ })
})

it('records that lie about their lengths are damage, not a hang and not more memory than was sent', async () => {
  const plain = await batchOf([{ key: null, value: null }])
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: -5, max: 2 ** 31 - 1 }), async (array, count) => {
      const batch = Buffer.concat([plain.subarray(0, 61), array])
      batch.writeInt32BE(batch.byteLength - 12, 8)
      batch.writeInt16BE(0, 21)
      batch.writeInt32BE(count, 57)
      batch.writeUInt32BE(checksum(batch.subarray(21)), 17)
      const { messages, damaged } = await decodeBatches(batch, 0n, checksum)
      assert.ok(damaged === 1 || messages.length <= array.length)
    }),
  )
})
