/** A process that publishes and reads until it is killed or refused, and says on stdout what was acknowledged and what was handled. */
import { writeSync } from 'node:fs'
import { openLog } from '../../collectors/bus/log.ts'
import { Fault } from '../../schemas/errors.ts'
import { numbers, rec, sealForTest, textOf } from './bus-tools.ts'

const say = (line: string): void => void writeSync(1, `${line}\n`)
const [dir = '', begin = '0', recordBytes = '10'] = process.argv.slice(2)
try {
  const log = await openLog({ dir, bytesMax: 1024 ** 3, seal: sealForTest, retryMs: () => 1 })
  await log.consume(['mcp.events'], 'child', {
    async batch(_, records) {
      for (const record of records) say(`handled ${textOf(record).trimEnd()}`)
    },
  })
  let next = Number(begin)
  const publisher = async (): Promise<void> => {
    for (;;) {
      const mine = numbers(5).map((i) => String(next + Number(i)))
      next += 5
      await log.publish(
        'mcp.events',
        mine.map((text) => rec(`key-${Number(text) % 7}`, text.padEnd(Number(recordBytes)))),
      )
      say(`acknowledged ${mine.join(' ')}`)
    }
  }
  await Promise.all([publisher(), publisher(), publisher()])
} catch (error) {
  say(`refused ${error instanceof Fault ? error.code : String(error)}`)
  process.exit(3)
}
