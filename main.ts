/** The command line: loads the verb that is asked for from commands/, which puts the stages together. */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { exitCodeOf, quietOnClosedPipe } from './commands/print.ts'
import { Fault } from './schemas/errors.ts'

const { version } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as { version: string }

/** Loaded one by one: a tap stands in front of every server of a host and must be there at once. */
const verbs = new Map<string, () => Promise<Command>>([
  ['start', async () => (await import('./commands/start.ts')).startCommand(version)],
  ['demo', async () => (await import('./commands/demo.ts')).demoCommand(version)],
  ['tap', async () => (await import('./commands/tap.ts')).tapCommand((await import('./commands/config.ts')).environmentOf())],
  ['detect', async () => (await import('./commands/detect.ts')).detectCommand()],
  ['normalise', async () => (await import('./commands/normalise.ts')).normaliseCommand()],
  ['dead', async () => (await import('./commands/dead.ts')).deadCommand()],
  ['history', async () => (await import('./commands/history.ts')).historyCommand()],
  ['grafana', async () => (await import('./commands/grafana.ts')).grafanaCommand()],
  ['config', async () => (await import('./commands/config.ts')).configCommand()],
])

const program = new Command('lapwing')
  .description('Security observability and detection for the Model Context Protocol')
  .version(version)
  .enablePositionalOptions()
  .showHelpAfterError()
const asked = verbs.get(process.argv[2] ?? '')
const justVersion = /^(--version|-V)$/.test(process.argv[2] ?? '')
for (const load of justVersion ? [] : asked ? [asked] : verbs.values()) program.addCommand(await load())

quietOnClosedPipe()
try {
  await program.parseAsync()
} catch (error) {
  const known = error instanceof Fault
  process.stderr.write(`lapwing: ${known ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exitCode = exitCodeOf(error)
}
