/** `lapwing start`: the whole product on this machine, until a signal ends it. */
import { Command } from 'commander'
import { pino } from 'pino'
import { readConfig, withConfigFlags } from './config.ts'
import { openPipeline } from './pipeline.ts'

export function startCommand(version: string): Command {
  return withConfigFlags(new Command('start'))
    .description('Receive, detect, store and serve: everything on this machine')
    .action(async (flags: Record<string, unknown>) => {
      const { config } = readConfig(flags)
      const log = pino(
        { level: 'info', serializers: { error: pino.stdSerializers.errWithCause } },
        pino.destination({ dest: 2, sync: true }),
      )
      const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
      for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop())
      await using pipeline = await openPipeline({ config, version, log, onFatal: () => process.exit(1) })
      process.stdout.write(
        [
          '',
          `  Lapwing ${version}`,
          `  page        ${pipeline.api}/#token=${pipeline.token}`,
          `  OTLP/HTTP   ${pipeline.otlpHttp}`,
          `  OTLP/gRPC   ${config.otlp.host}:${pipeline.otlpGrpcPort}`,
          `  data        ${config.dataDir}`,
          '',
          '',
        ].join('\n'),
      )
      await stopped
      log.info('stopping')
    })
}
