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

test('what observers had not taken when they died is told to the next one: taken and told make up all there was', async () => {
  const deaths = 3
  const log = new Int32Array(new SharedArrayBuffer(12))
  log[2] = deaths
  const feed = createFeed({ observer, settings: { fail: 'on the third', log }, restartDelayMs: 1, restartsMax: deaths })
  let sent = 0
  const send = () => {
    feed.chunk('a', line)
    sent += 1
  }
  while (feed.totals().deaths < deaths) {
    for (let burst = 0; burst < 5; burst += 1) send()
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  // The last observer lives. Once it is there, a line is no longer lost, and brings the news.
  for (let before = -1; before !== feed.totals().lostLines; ) {
    await new Promise((resolve) => setTimeout(resolve, 20))
    before = feed.totals().lostLines
    send()
  }
  feed.end('a', false)
  const totals = await feed.close(5_000)
  const [taken = 0, told = 0] = log
  assert.equal(totals.offeredLines, sent)
  assert.equal(taken + told, sent)
  assert.equal(told, totals.lostLines)
  assert.ok(told > 0)
})

test('bytes left out on purpose are counted like others', async () => {
  const feed = createFeed({ observer, settings: { fail: 'no' } })
  feed.chunk('a', line)
  feed.skip('a', line)
  const { lostBytes, lostLines } = await feed.close(1_000)
  assert.deepEqual([lostBytes, lostLines], [1_024, 1])
})
