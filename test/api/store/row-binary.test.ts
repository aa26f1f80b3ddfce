/** Rows become bytes a slice at a time: the slices change nothing, and others get their turn between them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventTable } from '../../../api/store/columns.ts'
import { encodeRows } from '../../../api/store/row-binary.ts'
import { eventOf } from './store-tools.ts'

const rowsOf = (count: number) =>
  Array.from({ length: count }, (_, at) => ({
    value: eventOf(at, { arguments: { path: `/home/dev/${at}`, text: 'ä'.repeat(at % 90) } }),
    origin: { topic: 'mcp.events', partition: 0, offset: BigInt(at), stored: 1 },
  }))

test('many rows are the bytes of each, one after another', async () => {
  const rows = rowsOf(100)
  const each = await Promise.all(rows.map((row) => encodeRows(eventTable, [row])))
  assert.deepEqual(await encodeRows(eventTable, rows), Buffer.concat(each))
  assert.equal((await encodeRows(eventTable, [])).length, 0)
})

test('others get their turn while thousands of rows are encoded', async () => {
  const rows = rowsOf(20_000)
  let turns = 0
  let encoding = true
  const count = () => {
    turns += 1
    if (encoding) setImmediate(count)
  }
  setImmediate(count)
  await encodeRows(eventTable, rows)
  encoding = false
  assert.ok(turns > 2, `${turns} turns`)
})
