/** The embedded log keeps the promises of every bus, and those of its own: one owner, no loss at kill -9, a bound, damage said aloud. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { LogOptions } from '../../collectors/bus/log.ts'
import type { Part, StoredRec } from '../../schemas/bus.ts'
import { partId, topics } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { busConformance } from './bus.ts'
import { numbered, numbers, onPurpose, rec, remember, sorted, temporaryDir, textOf, until } from './bus-tools.ts'
import { mebibyte, open, readAll } from './log-tools.ts'

const timeout = 20_000

busConformance('log', (dir) => open(dir))

/** Runs the child until it has said `lines` lines, then kills it; or until it ends by itself. */
async function runChild(args: readonly string[], lines: number, shell?: string): Promise<string[]> {
  const program = [fileURLToPath(new URL('./log-child.ts', import.meta.url)), ...args]
  const child = shell ? spawn('sh', ['-c', `${shell}; exec "$@"`, 'sh', process.execPath, ...program]) : spawn(process.execPath, program)
  let said = ''
  let complaint = ''
  child.stderr.on('data', (data) => {
    complaint += String(data)
  })
  const ended = new Promise((resolve) => child.on('close', resolve))
  child.stdout.on('data', (data) => {
    said += String(data)
    if (said.split('\n').length > lines) child.kill('SIGKILL')
  })
  await ended
  assert.equal(complaint, '')
  return said.split('\n').slice(0, -1) // the last line may be half
}
const wordsAfter = (said: readonly string[], verb: string): string[] =>
  said.filter((line) => line.startsWith(`${verb} `)).flatMap((line) => line.split(' ').slice(1))

it('kill -9 while publishing and reading loses nothing acknowledged, stores nothing twice, hands over what was not handled', {
  timeout,
}, async () => {
  await using dir = await temporaryDir()
  const acknowledged: string[] = []
  for (const round of [1, 2, 3]) {
    const said = await runChild([dir.path, String(round * 1_000_000)], 150 + round * 117)
    acknowledged.push(...wordsAfter(said, 'acknowledged'))
    assert.ok(wordsAfter(said, 'acknowledged').length > 100)
    await using log = await open(dir.path)
    const stored = await readAll(log, `check ${round}`)
    assert.equal(new Set(stored).size, stored.length, 'stored twice')
    assert.deepEqual(
      acknowledged.filter((text) => !new Set(stored).has(text)),
      [],
    )
    const handled = new Set([...wordsAfter(said, 'handled'), ...(await readAll(log, 'child'))])
    assert.deepEqual(
      stored.filter((text) => Number(text) >= round * 1_000_000 && !handled.has(text)),
      [],
    )
  }
})

it('a disk that takes no more stops the log with BUS_IO, and what was acknowledged is there afterwards', { timeout }, async () => {
  await using dir = await temporaryDir()
  const said = await runChild([dir.path, '0', '20000'], Number.POSITIVE_INFINITY, 'ulimit -f 16384')
  assert.ok(wordsAfter(said, 'acknowledged').length > 50)
  assert.deepEqual(wordsAfter(said, 'refused'), ['BUS_IO'])
  await using log = await open(dir.path)
  const stored = new Set(await readAll(log, 'check'))
  assert.deepEqual(
    wordsAfter(said, 'acknowledged').filter((text) => !stored.has(text)),
    [],
  )
})

it('a log has one owner: a second opener is refused, in this process and in another, until the first one closes', { timeout }, async () => {
  await using dir = await temporaryDir()
  const faults: unknown[] = []
  {
    await using log = await open(dir.path, { onFault: (error) => faults.push(error) })
    await assert.rejects(
      open(dir.path),
      (error) => error instanceof Fault && error.code === 'START_REFUSED' && /another process/.test(error.message),
    )
    assert.deepEqual(await runChild([dir.path], 1), ['refused START_REFUSED'])
    await log.publish('mcp.events', numbered(3))
    await assert.rejects(open(dir.path), { code: 'START_REFUSED' })
  }
  await using log = await open(dir.path)
  assert.equal((await readAll(log, 'g')).length, 3)
  assert.deepEqual(faults, [])
  assert.equal((await stat(join(dir.path, 'log.db'))).mode & 0o777, 0o600)
})

it('what is no log, and fewer partitions than before, are refused with a reason', { timeout }, async () => {
  await using dir = await temporaryDir()
  await (await open(dir.path))[Symbol.asyncDispose]()
  await assert.rejects(open(dir.path, { partitions: 2 }), { code: 'START_REFUSED', message: /4 partitions/ })
  await using more = await open(dir.path, { partitions: 8 })
  assert.equal(more.partitions, 8)
  await assert.rejects(open('/dev/null/log'), { code: 'START_REFUSED' })
})

it('full: refuses with BUS_FULL, later for topics further down the stream, and has room again once records were handled', {
  timeout,
}, async () => {
  await using dir = await temporaryDir()
  await using log = await open(dir.path, { bytesMax: 10 * mebibyte, keepMs: 0 })
  let isOpen = false
  const { handler, seen } = remember(() => (isOpen ? undefined : onPurpose()))
  const running = await log.consume([...topics], 'g', handler)
  const fill = async (topic: (typeof topics)[number]): Promise<number> => {
    for (let count = 0; ; count += 1) {
      try {
        await log.publish(topic, [{ key: `k${count}`, bytes: Buffer.alloc(100_000) }])
      } catch (error) {
        assert.ok(error instanceof Fault && error.code === 'BUS_FULL' && error.retry)
        return count
      }
    }
  }
  const counts: number[] = []
  for (const topic of topics) counts.push(await fill(topic))
  assert.ok(
    counts.every((count) => count > 3),
    String(counts),
  )
  assert.ok(log.counts().storedBytes <= 10 * mebibyte)
  isOpen = true
  await until(() => seen.length === counts.reduce((a, b) => a + b))
  await until(async () => [...(await running.lag()).values()].every((lag) => lag === 0n))
  await log.publish('mcp.spans', [rec('a', 'there is room')])
  assert.ok(log.counts().storedBytes < 4 * mebibyte)
})

/** Everything was trimmed: a reader from the beginning is told how much is gone, and waits for what comes. */
async function passesWhatIsGone(dir: string, more: Partial<LogOptions>): Promise<void> {
  const faults: string[] = []
  await using log = await open(dir, { ...more, onFault: (error) => faults.push((error as Fault).message) })
  const assigned = async (parts: readonly Part[]) => new Map(parts.map((part) => [partId(part), 0n]))
  const running = await log.consume(['mcp.events'], 'from the beginning', { ...remember().handler, assigned })
  await until(async () => [...(await running.lag()).values()].every((lag) => lag === 0n))
  assert.equal(faults.length, 1)
  assert.match(faults[0] ?? '', /^401 records of .* no longer in the log/)
}

it('trims only what every known group has handled and nobody keeps; offsets go on, also after a restart', { timeout }, async () => {
  await using dir = await temporaryDir()
  let clock = 1_000_000
  const more = { keepMs: 5_000, now: () => clock, tailBytesMax: 1 }
  {
    await using log = await open(dir.path, more)
    for (let i = 0; i < 400; i += 1) await log.publish('mcp.events', [rec('one', String(i))])
    await log.publish('mcp.facts', [rec('one', 'nobody reads facts yet')])
    clock += 10_000
    assert.equal(await log.trim(0), 0, 'no group has read anything')
    const slow = await log.consume(['mcp.events'], 'slow', remember(onPurpose).handler)
    await readAll(log, 'fast')
    assert.equal(await log.trim(0), 0, 'one group has not')
    await slow.stop()
    await readAll(log, 'slow')
    await log.publish('mcp.events', [rec('one', '400')])
    assert.ok((await log.trim(0)) > 0)
    assert.deepEqual(await readAll(log, 'late'), ['400'], 'young or unread rows stay')
    await readAll(log, 'fast')
    await readAll(log, 'slow')
    clock += 10_000
    await log.trim(0)
  }
  await passesWhatIsGone(dir.path, more)
  const faults: unknown[] = []
  await using log = await open(dir.path, { ...more, onFault: (error) => faults.push(error) })
  const [position] = await log.publish('mcp.events', [rec('one', '401')])
  assert.equal(position?.offset, 401n)
  const { handler, texts } = remember()
  await log.consume(['mcp.events'], 'replay', { ...handler, assigned: async (parts) => new Map(parts.map((part) => [partId(part), 390n])) })
  await until(() => texts().length === 1)
  assert.deepEqual(texts(), ['401'])
  assert.ok(
    faults.some((error) => /^11 records of .* no longer in the log/.test((error as Fault).message)),
    String(faults),
  )
  assert.equal(faults.length, 4, 'three empty partitions cannot begin at 390, one has a gap')
})

it('who keeps up gets the value by reference without touching the disk; who is behind the tail reads the bytes from there', {
  timeout,
}, async () => {
  await using dir = await temporaryDir()
  await using log = await open(dir.path, { tailBytesMax: 100_000 })
  const value = { decoded: true }
  const found: StoredRec[] = []
  const running = await log.consume(['mcp.events'], 'near', { batch: async (_, some) => void found.push(...some) })
  await log.publish('mcp.events', [{ ...rec('one', 'text'), value }])
  await until(() => found.length === 1)
  assert.equal(found[0]?.value, value)
  assert.equal(textOf(found[0] as StoredRec), 'text')
  assert.equal(log.counts().diskReads, 0)
  await running.stop()
  for (let i = 0; i < 50; i += 1) await log.publish('mcp.events', [{ key: 'one', bytes: Buffer.alloc(10_000), value }])
  assert.ok(log.counts().tailBytes <= 100_000 && log.counts().tailEvicted > 0)
  const far: StoredRec[] = []
  await log.consume(['mcp.events'], 'far', { batch: async (_, some) => void far.push(...some) })
  await until(() => far.length === 51)
  assert.equal(far[0]?.value, undefined)
  assert.equal(textOf(far[0] as StoredRec), 'text')
  assert.ok(log.counts().diskReads > 0)
})

it('what every group has handled is kept in memory no longer, and is still there for who comes later', { timeout }, async () => {
  await using dir = await temporaryDir()
  await using log = await open(dir.path)
  let slow = 0
  let release: () => void = () => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  const batch = async (_: Part, some: readonly StoredRec[]) => {
    await held
    slow += some.length
  }
  await log.consume(['mcp.events'], 'fast', { batch: async () => undefined })
  await log.consume(['mcp.events'], 'slow', { batch })
  for (let i = 0; i < 20; i += 1) await log.publish('mcp.events', [rec(`key ${i}`, String(i))])
  assert.ok(log.counts().tailBytes > 0)
  release()
  await until(() => slow === 20 && log.counts().tailBytes === 0)
  assert.deepEqual([log.counts().tailEvicted, log.counts().diskReads], [0, 0])
  assert.deepEqual(sorted(await readAll(log, 'late')), numbers(20))
})

it('trimming spares the young, and a row of which one record is not handled', { timeout }, async () => {
  await using dir = await temporaryDir()
  let clock = 1_000_000
  await using log = await open(dir.path, { keepMs: 5_000, now: () => clock, tailBytesMax: 1 })
  await log.publish(
    'mcp.events',
    numbered(10, () => 'one'),
  )
  const assigned = async (parts: readonly Part[]) => new Map(parts.map((part) => [partId(part), 9n]))
  const behind = await log.consume(['mcp.events'], 'behind', { ...remember(onPurpose).handler, assigned })
  await behind.stop()
  clock += 10_000
  assert.equal(await log.trim(0), 0, 'the last record of the row is not handled')
  await readAll(log, 'behind')
  await log.publish('mcp.events', [rec('one', '10')])
  await readAll(log, 'behind')
  assert.ok((await log.trim(0)) > 0)
  assert.equal(await log.trim(0), 0, 'handled, but young')
  assert.deepEqual(await readAll(log, 'late'), ['10'])
})

it('a topic of a group has one reader at a time', { timeout }, async () => {
  await using dir = await temporaryDir()
  await using log = await open(dir.path)
  const running = await log.consume(['mcp.events', 'mcp.facts'], 'g', remember().handler)
  await assert.rejects(log.consume(['mcp.facts'], 'g', remember().handler), { code: 'START_REFUSED' })
  await running.stop()
  await log.consume(['mcp.facts'], 'g', remember().handler)
})
