/** One partition between fetch and handler: holes and damage are said with their exact number, room is bounded, batches are too. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { type LaneOptions, openLane } from '../../collectors/bus/kafka-lane.ts'
import type { FetchedMessage } from '../../collectors/bus/kafka-records.ts'
import type { StoredRec } from '../../schemas/bus.ts'
import { until } from '../conformance/bus-tools.ts'

const part = { topic: 't.mcp.events', partition: 0 }
const messageAt = (offset: number, bytes = 1): FetchedMessage => ({ key: null, value: Buffer.alloc(bytes), offset: BigInt(offset) })
const fetched = (messages: readonly FetchedMessage[], next: number, damaged = 0) => ({
  ...{ ...part, messages, next: BigInt(next), damaged, errorCode: 0, end: BigInt(next) },
})

function open(more: Partial<LaneOptions> = {}) {
  const said: string[] = []
  const batches: (readonly StoredRec[])[] = []
  const stop = new AbortController()
  const lane = openLane({
    ...{
      part,
      about: { ...part, topic: 'mcp.events' },
      name: 'mcp.events/0',
      begin: 10n,
      readAheadBytesMax: 1_000,
      onCommit: () => undefined,
      onRoom: () => undefined,
    },
    delivery: {
      ...{ signal: stop.signal, retryMs: () => 1, bury: async () => undefined },
      onFault: (error) => void said.push((error as Error).message),
      handle: async (records) => void batches.push(records),
    },
    ...more,
  })
  return { lane, said, batches, stop }
}

it('a hole is said with its exact number, damage too, and neither twice', async () => {
  const { lane, said, batches, stop } = open()
  const running = lane.run()
  lane.take(fetched([messageAt(13), messageAt(14)], 15))
  lane.take(fetched([messageAt(17)], 18, 2))
  lane.take(fetched([messageAt(18)], 19))
  await until(() => batches.flat().length === 4)
  stop.abort()
  await running
  assert.deepEqual(said, [
    '3 records of mcp.events/0 from 10 on are no longer in Kafka',
    '2 records of mcp.events/0 from 15 on are damaged in Kafka',
  ])
  assert.equal(lane.handled, 19n)
})

it('what cannot be read does not hold up the position', () => {
  const { lane } = open()
  lane.take(fetched([], 25, 15))
  assert.deepEqual([lane.next, lane.handled], [25n, 25n])
})

it('reads ahead as far as it has room, and asks for more when there is room again', async () => {
  let asked = 0
  const { lane, batches, stop } = open({
    onRoom: () => {
      asked += 1
    },
  })
  lane.take(fetched([messageAt(10, 600)], 11))
  assert.ok(lane.hasRoom())
  lane.take(fetched([messageAt(11, 600)], 12))
  assert.ok(!lane.hasRoom())
  const running = lane.run()
  await until(() => batches.flat().length === 2)
  assert.ok(lane.hasRoom())
  assert.equal(asked, 1)
  stop.abort()
  await running
  assert.ok(!lane.hasRoom(), 'nothing is fetched for one that has ended')
})
