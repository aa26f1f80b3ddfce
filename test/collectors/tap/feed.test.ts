/** The relay never waits for its observer: what the observer cannot take is dropped and counted exactly. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createFeed } from '../../../collectors/tap/feed.ts'

const observer = new URL('../../fixtures/dead-observer.ts', import.meta.url)
const line = Buffer.from(`${'x'.repeat(1_023)}\n`)

test('a stuck observer costs what does not fit, counted exactly, and no time', async () => {
  const feed = createFeed({ observer, settings: { fail: 'stuck' }, bytesMax: 128 * 1_024, graceMs: 10 })
  for (let sent = 0; sent < 1_000; sent += 1) feed.chunk('a', line)
  assert.equal(feed.totals().lostLines, 898)
  const { offeredBytes, offeredLines, lostBytes, lostLines } = await feed.close(10)
  assert.deepEqual([offeredBytes, offeredLines], [1_024_000, 1_000])
  // None was taken: 898 did not fit, and 102 were still on their way at the end.
  assert.deepEqual([lostBytes, lostLines], [1_024_000, 1_000])
})

test('an observer that dies at once is tried again a few times, and then traffic goes on unobserved', async () => {
  const said: string[] = []
  const { promise, resolve } = Promise.withResolvers<void>()
  const remark = (text: string) => {
    said.push(text)
    if (/unobserved/.test(text)) resolve()
  }
  const feed = createFeed({ observer, settings: { fail: 'at once' }, restartsMax: 2, restartDelayMs: 1, remark })
  const alive = setInterval(() => feed.chunk('a', line), 5)
  await promise
  clearInterval(alive)
  feed.chunk('a', line)
  const { offeredLines, lostLines, deaths } = await feed.close(10)
  assert.equal(deaths, 3)
  assert.equal(lostLines, offeredLines)
})

test('what an observer had not taken when it died is told to the next one, exactly', async () => {
  const log = new Int32Array(new SharedArrayBuffer(8))
  const feed = createFeed({ observer, settings: { fail: 'on the third', log }, restartDelayMs: 1, restartsMax: 1_000 })
  for (let sent = 0; sent < 200; sent += 1) {
    feed.chunk('a', line)
    if (sent % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { offeredLines, lostLines, deaths } = feed.totals()
  assert.ok(deaths > 0)
  assert.equal(offeredLines, 200)
  assert.ok(lostLines > 0 && lostLines <= 200, String(lostLines))
  await feed.close(1_000)
})

test('bytes left out on purpose are counted like others', async () => {
  const feed = createFeed({ observer, settings: { fail: 'no' } })
  feed.chunk('a', line)
  feed.skip('a', line)
  const { lostBytes, lostLines } = await feed.close(1_000)
  assert.deepEqual([lostBytes, lostLines], [1_024, 1])
})
