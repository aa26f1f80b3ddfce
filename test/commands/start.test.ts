/** `lapwing start` as a process: it refuses clearly, ends in order, and survives that one of its folders is gone. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { openStore } from '../../api/store/connect.ts'
import { startLoad } from '../faults/load.ts'
import { createOracle, type Oracle } from '../faults/oracle.ts'
import { freePorts, healthOf, type Product, startProduct } from '../faults/product.ts'

const timeout = 240_000
const dirs: string[] = []
const running = new Set<Product>()
after(async () => {
  for (const product of running) product.kill('SIGKILL')
  await Promise.all([...running].map(({ ended }) => ended))
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
})
const newDir = (): string => {
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-start-'))
  dirs.push(dir)
  return dir
}
function start(dir: string, flags?: readonly string[], ownGroup = false): Product {
  const product = startProduct(dir, flags, ownGroup)
  running.add(product)
  return product
}
async function end(product: Product): Promise<void> {
  product.kill('SIGTERM')
  assert.equal(await product.ended, 0, product.output())
}

it('a second one on the same data directory is refused with the reason, and the first goes on', { timeout }, async () => {
  const dir = newDir()
  const first = start(dir)
  const served = await first.ready
  const second = start(dir)
  assert.equal(await second.ended, 1)
  assert.match(second.output(), /another process has the log open: .*lapwing-start-/)
  assert.doesNotMatch(second.output(), /\n\s+at /, 'a refusal is no crash: no stack')
  await healthOf(served)
  await end(first)
})

it('a port in use is named with its setting', { timeout }, async () => {
  await using taken = createServer().listen(0, '127.0.0.1')
  await new Promise((listening) => taken.once('listening', listening))
  const { port } = taken.address() as AddressInfo
  for (const [at, setting] of [
    [1, 'api.port'],
    [3, 'otlp.httpPort'],
    [5, 'otlp.grpcPort'],
  ] as const) {
    const product = start(newDir(), freePorts.with(at, String(port)))
    assert.equal(await product.ended, 1)
    assert.match(product.output(), new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port}: the port is in use; set ${setting}`))
    assert.doesNotMatch(product.output(), /\n\s+at /)
  }
})

/** Sends a little and waits until it is acknowledged; with `settled`, until it is stored too. */
async function send(product: Product, oracle: Oracle, name: string, settled: boolean): Promise<void> {
  const served = await product.ready
  const load = startLoad({ oracle, name, restMs: 5 })
  load.to(served.otlp)
  await sleep(300)
  await load.finish()
  while (settled) {
    await sleep(100)
    if (Object.values((await healthOf(served)).lag).every((lag) => lag === 0)) return
  }
}
async function check(dir: string, oracle: Oracle): Promise<void> {
  await using store = await openStore({ kind: 'embedded', dir: join(dir, 'store') })
  const { alerts } = await oracle.check(store)
  assert.ok(alerts > 0)
}

it('Ctrl-C, which its engine gets too, ends it in order, and the next start stores what was left', { timeout }, async () => {
  const dir = newDir()
  const oracle = createOracle()
  const product = start(dir, freePorts, true)
  await send(product, oracle, 'group', false)
  product.killGroup('SIGINT')
  assert.equal(await product.ended, 0, product.output())
  const next = start(dir)
  await send(next, oracle, 'next', true)
  await end(next)
  await check(dir, oracle)
})

it('with its log deleted, it stores and judges all that comes afterwards, also over a kill', { timeout }, async () => {
  const dir = newDir()
  const oracle = createOracle()
  const before = start(dir)
  await send(before, oracle, 'before', true)
  await end(before)
  rmSync(join(dir, 'log'), { recursive: true })
  const killed = start(dir)
  await send(killed, oracle, 'killed', false)
  killed.kill('SIGKILL')
  await killed.ended
  const last = start(dir)
  await send(last, oracle, 'last', true)
  await end(last)
  await check(dir, oracle)
})

it('with its store deleted, it fills the new one with all that the log still keeps', { timeout }, async () => {
  const dir = newDir()
  const oracle = createOracle()
  const before = start(dir)
  await send(before, oracle, 'before', true)
  await end(before)
  rmSync(join(dir, 'store'), { recursive: true })
  const last = start(dir)
  await send(last, oracle, 'last', true)
  await end(last)
  await check(dir, oracle)
})
