/** `lapwing start`: the whole product on this machine, until a signal ends it. */
import { Command } from 'commander'
import { pino } from 'pino'
import type { Config } from '../schemas/config.ts'
import { readConfig, withConfigFlags } from './config.ts'
import { openPipeline, type Pipeline } from './pipeline.ts'

export function startCommand(version: string): Command {
  return withConfigFlags(new Command('start'))
    .description('Receive, detect, store and serve: everything on this machine, or one role of a cluster')
    .action(async (flags: Record<string, unknown>) => {
      const { config } = readConfig(flags)
      const log = pino(
        { level: 'info', serializers: { error: pino.stdSerializers.errWithCause } },
        pino.destination({ dest: 2, sync: true }),
      )
      const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop())
      await using pipeline = await openPipeline({ config, version, log, onFatal: () => process.exit(1) })
      process.stdout.write(greeting(pipeline, config, version))
      await stopped
      log.info('stopping')
    })
}

function greeting({ serve, collect, ops }: Pipeline, config: Config, version: string): string {
  const lines = [
    `Lapwing ${version}${config.role === 'all' ? '' : `, role ${config.role}`}`,
    // A token that was given is known to whoever gave it, and has no place in a log.
    serve && `page        ${serve.url}/${config.api.token ? '' : `#token=${serve.token}`}`,
    collect && `OTLP/HTTP   ${collect.httpUrl}`,
    collect && `OTLP/gRPC   ${config.otlp.host}:${collect.grpcPort}`,
    ops && `metrics     ${ops.url}/metrics`,
    `data        ${config.dataDir}`,
  ]
  return `\n${lines.flatMap((line) => (line ? [`  ${line}\n`] : [])).join('')}\n`
}
