/** `lapwing history`: sends what an OpenTelemetry Collector has already stored in ClickHouse to a running Lapwing. */
import { Command } from 'commander'
import { openExporterTables } from '../api/exporter-tables.ts'
import { sendHistory } from '../collectors/otlp/clickhouse-history.ts'
import { postOtlp } from '../collectors/otlp/otlp-post.ts'
import { Fault } from '../schemas/errors.ts'
import { since as sinceText, until as untilText } from '../schemas/query.ts'
import { rfc3339 } from '../schemas/semconv.ts'
import { environmentOf } from './config.ts'
import { print } from './print.ts'
import { safeText } from './terminal-text.ts'

type Options = Readonly<{
  url: string
  user?: string
  database: string
  since?: string
  until?: string
  tracesTable: string
  logsTable: string
  service?: string[]
  endpoint: string
  token?: string
}>

const patienceMs = 120_000
const reasonsShownMax = 20
const passwordVariable = 'LAPWING_HISTORY_PASSWORD'

export function historyCommand(): Command {
  return new Command('history')
    .description('Send what a Collector’s ClickHouse exporter has stored to a running Lapwing; again is harmless')
    .requiredOption('--url <url>', `the ClickHouse server, http(s)://host:port; its password: ${passwordVariable}`)
    .option('--user <name>', 'its user, who needs to read only; default: the one in the URL, else default')
    .option('--database <name>', 'where the tables are', 'default')
    .option('--since <time>', 'from this time on, RFC 3339; default: from the beginning')
    .option('--until <time>', 'before this time; default: now')
    .option('--traces-table <name>', '"" reads no spans', 'otel_traces')
    .option('--logs-table <name>', '"" reads no logs', 'otel_logs')
    .option('--service <name...>', 'only of these services; default: of all')
    .option('--endpoint <url>', 'OTLP/HTTP receiver of the running Lapwing', 'http://127.0.0.1:4318')
    .option('--token <token>', 'its ingest token; default: LAPWING_OTLP_TOKEN')
    .action(history)
}

function timeOf(text: string, option: string, reader: typeof sinceText): bigint {
  const read = reader.safeParse(text)
  if (read.success) return BigInt(read.data)
  throw new Fault('CONFIG_INVALID', `${option}: not a time like 2026-11-21T09:00:00Z: ${text.slice(0, 60)}`)
}

function urlOf(text: string, option: string): URL {
  const url = URL.parse(text)
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url
  throw new Fault('CONFIG_INVALID', `${option}: not an http(s) URL`)
}

/** Credentials in the URL are taken out of it: a message may quote the address. */
function serverOf({ url: text, user }: Options, environment: NodeJS.ProcessEnv) {
  const { origin, username, password } = urlOf(text, '--url')
  return {
    url: origin,
    user: user ?? (decodeURIComponent(username) || 'default'),
    password: decodeURIComponent(password) || (environment[passwordVariable] ?? ''),
  }
}

const say = (line: string): void => void process.stderr.write(`history: ${safeText(line)}\n`)

async function history(options: Options): Promise<void> {
  const environment = environmentOf()
  const since = timeOf(options.since ?? '1970-01-02T00:00:00Z', '--since', sinceText)
  const until = timeOf(options.until ?? new Date().toISOString(), '--until', untilText)
  const endpoint = urlOf(options.endpoint, '--endpoint').href.replace(/\/$/, '')
  const token = options.token ?? environment['LAPWING_OTLP_TOKEN']
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    process.once(signal, () => stopping.abort(new Fault('OUTPUT_REFUSED', `stopped by ${signal}`)))
  const tables = { traces: options.tracesTable, logs: options.logsTable }
  const { database, service: services = [] } = options
  await using source = await openExporterTables({ ...serverOf(options, environment), database, tables, services })
  const post = { endpoint, token, patienceMs, signal: stopping.signal }
  const onWait = (reason: string, waitMs: number): void =>
    say(`${endpoint} takes nothing now (${reason}); again in ${Math.ceil(waitMs / 1_000)} s`)
  let reasonsShown = 0
  let done = since
  try {
    const counts = await sendHistory({
      ...{ since, until, tables: source, signal: stopping.signal },
      send: (kind, request) => postOtlp(kind, request, { ...post, onWait }),
      onWindow: (end, { spans, logs, refused }) => {
        done = end
        say(`all before ${rfc3339(end)} sent: ${spans} spans, ${logs} logs${refused > 0 ? `, ${refused} refused` : ''}`)
      },
      onRefused: (count, reason) => {
        reasonsShown += 1
        if (reasonsShown <= reasonsShownMax) say(`${count} refused: ${reason}`)
      },
    })
    await print(
      `${counts.spans} spans and ${counts.logs} logs sent, ${counts.refused} refused; what comes later: --since ${rfc3339(until)}`,
    )
  } catch (error) {
    say(`all before ${rfc3339(done)} is sent: go on with --since ${rfc3339(done)}`)
    throw stopping.signal.aborted ? stopping.signal.reason : error
  }
}
