/** A damaged log: whatever was spoilt, no wrong record is handed over, nothing is missing silently, and nothing loops. */
import assert from 'node:assert/strict'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { it } from 'node:test'
import type { DeadLetter } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { letterOf, numbers, rec, remember, temporaryDir, until } from './bus-tools.ts'
import { open, readAll } from './log-tools.ts'

const timeout = 20_000

it('a damaged row is said aloud, its whole neighbours are handed over, the damaged part is buried once, and reading goes on', {
  timeout,
}, async () => {
  await using dir = await temporaryDir()
  await using first = await open(dir.path)
  for (const i of [0, 10, 20, 30])
    await first.publish(
      'mcp.events',
      numbers(i + 10)
        .slice(i)
        .map((n) => rec('one', `text ${n}`)),
    )
  await first[Symbol.asyncDispose]()
  const db = new DatabaseSync(join(dir.path, 'log.db'))
  const rows = db.prepare('SELECT id, bytes FROM log ORDER BY id').all() as { id: number; bytes: Uint8Array }[]
  const spoil = (row: number, at: number): void => {
    const bytes = Uint8Array.from(rows[row]?.bytes ?? [])
    bytes[at] = (bytes[at] ?? 0) ^ 0x40
    db.prepare('UPDATE log SET bytes = ? WHERE id = ?').run(bytes, rows[row]?.id ?? 0)
  }
  const each = (rows[0]?.bytes.length ?? 0) / 10
  spoil(0, each * 3 - 1) // a byte of record 2
  spoil(2, (rows[2]?.bytes.length ?? 0) / 10 + 7) // the length of record 21: nothing after it in this row can be found
  db.close()
  const faults: string[] = []
  const letters: DeadLetter[] = []
  await using log = await open(dir.path, { onFault: (error) => faults.push((error as Fault).message) })
  await log.consume(['mcp.dead'], 'd', { batch: async (_, some) => void letters.push(...some.map(letterOf)) })
  const expected = numbers(40).filter((n) => n !== '2' && !(Number(n) > 20 && Number(n) < 30))
  assert.deepEqual(
    await readAll(log, 'g'),
    expected.map((n) => `text ${n}`),
  )
  await until(() => letters.length === 2)
  assert.deepEqual(
    letters.map(({ offset }) => offset),
    ['2', '21'],
  )
  assert.ok(Buffer.from(letters[0]?.sealed.slice(7) ?? '', 'base64').length > 16)
  assert.deepEqual(
    faults.map((message) => message.split(' ')[0]),
    ['1', '9'],
  )
  assert.deepEqual(await readAll(log, 'g'), [], 'passed for good')
})

it('garbage anywhere in the file: no wrong record is handed over, and what is missing is not missing silently', { timeout }, async () => {
  await using dir = await temporaryDir()
  const path = join(dir.path, 'log.db')
  {
    await using log = await open(dir.path)
    for (let i = 0; i < 100; i += 1) await log.publish('mcp.events', [rec(`k${i}`, String(i).padEnd(3_000))])
  }
  const whole = await readFile(path)
  let noticed = 0
  for (let at = 0; at < whole.length; at += 48_000) {
    const spoilt = Buffer.from(whole)
    spoilt.fill(0xa5, at, at + 2_000)
    await writeFile(path, spoilt)
    const faults: unknown[] = []
    const { handler, texts } = remember()
    try {
      await using log = await open(dir.path, { onFault: (error) => faults.push(error) })
      const running = await log.consume(['mcp.events'], 'g', handler)
      await until(
        async () =>
          faults.some((error) => (error as Fault).code === 'BUS_IO') || [...(await running.lag()).values()].every((lag) => lag === 0n),
      )
    } catch (error) {
      assert.ok(error instanceof Fault)
      faults.push(error)
    }
    const found = new Set(texts().map((text) => text.trimEnd()))
    assert.ok([...found].every((text) => numbers(100).includes(text)))
    if (found.size < 100) assert.ok(faults.length > 0, `silent at ${at}`)
    if (faults.length > 0) noticed += 1
    await Promise.all(['', '-wal', '-journal'].map((end) => rm(path + end, { force: true })))
  }
  assert.ok(noticed > 3, String(noticed))
})
