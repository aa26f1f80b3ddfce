/** The command line: picks a verb from commands/, which puts the stages together. */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { configCommand, environmentOf } from './commands/config.ts'
import { demoCommand } from './commands/demo.ts'
import { detectCommand, exitCodeOf } from './commands/detect.ts'
import { normaliseCommand } from './commands/normalise.ts'
import { quietOnClosedPipe } from './commands/print.ts'
import { startCommand } from './commands/start.ts'
import { tapCommand } from './commands/tap.ts'
import { Fault } from './schemas/errors.ts'

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as { version: string }

const program = new Command('lapwing')
  .description('Security observability and detection for the Model Context Protocol')
  .version(version)
  .enablePositionalOptions()
  .showHelpAfterError()
  .addCommand(startCommand(version))
  .addCommand(demoCommand(version))
  .addCommand(tapCommand(environmentOf()))
  .addCommand(detectCommand())
  .addCommand(normaliseCommand())
  .addCommand(configCommand())

quietOnClosedPipe()
try {
  await program.parseAsync()
} catch (error) {
  const known = error instanceof Fault
  process.stderr.write(`lapwing: ${known ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exitCode = exitCodeOf(error)
}
