/** Runs one verb of commands/ as main.ts does, so that a test needs nothing but the verb's own file. */
import type { Command } from 'commander'
import { exitCodeOf } from '../../commands/print.ts'

const [verb = '', ...args] = process.argv.slice(2)
try {
  const { [`${verb}Command`]: made } = (await import(`../../commands/${verb}.ts`)) as Record<string, () => Command>
  await made?.().parseAsync(args, { from: 'user' })
} catch (error) {
  process.stderr.write(`lapwing: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = exitCodeOf(error)
}
