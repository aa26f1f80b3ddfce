/** What one pastes to connect a source, and how its first event is recognised. */

export type Ways = Readonly<{ command: readonly string[]; otlpHttp: string }>
/** What has arrived, as api/queries/connections.ts tells it. */
export type Connection = Readonly<{
  source: string
  dialect: string
  signal: string
  transport: string
  events: number
  oldest: string
  newest: string
}>
export type Snippet = Readonly<{
  id: string
  title: string
  about: string
  text: string
  after: string
  came: (connection: Connection) => boolean
}>

/** Where the server does not say how it was started: to be replaced by hand. */
export const unknownWays: Ways = { command: ['/path/to/node', '/path/to/lapwing/main.ts'], otlpHttp: 'http://127.0.0.1:4318' }

const tapDialect = 'lapwing-tap'
const quoted = (part: string): string => (/^[\w@%+=:,./-]+$/.test(part) ? part : `'${part.replaceAll("'", `'\\''`)}'`)
const isTelemetry = ({ dialect, signal }: Connection) => dialect !== tapDialect && (signal === 'span' || signal === 'log')

function stdio({ command: [command = '', ...first] }: Ways): Snippet {
  const list = (parts: readonly string[]) => parts.map((part) => JSON.stringify(part)).join(', ')
  const tap = ['tap', 'stdio', '--server', 'files', '--']
  const server = [
    ['npx', '-y'],
    ['@modelcontextprotocol/server-filesystem', '/home/you/work'],
  ]
  const rows = [first, tap, ...server].filter((row) => row.length > 0).map((row) => `        ${list(row)}`)
  return {
    id: 'stdio',
    title: 'A server on this machine (stdio)',
    about: 'In the configuration of the AI host: put Lapwing’s tap before the command. Not a byte between them changes.',
    text: [
      '{',
      '  "mcpServers": {',
      '    "files": {',
      `      "command": ${JSON.stringify(command)},`,
      '      "args": [',
      rows.join(',\n'),
      '      ]',
      '    }',
      '  }',
      '}',
    ].join('\n'),
    after: 'Keep your own command behind “--”, restart the host, and let it list its tools.',
    came: ({ dialect, transport }) => dialect === tapDialect && transport === 'stdio',
  }
}

function http({ command }: Ways): Snippet {
  return {
    id: 'http',
    title: 'A server elsewhere (HTTP)',
    about: 'Run the tap in front of the server, and give clients the address of the tap.',
    text: `${command.map(quoted).join(' ')} tap http \\\n  --listen 127.0.0.1:8931 \\\n  --target https://mcp.example.com/mcp`,
    after: 'Clients then use http://127.0.0.1:8931/mcp.',
    came: ({ dialect, transport }) => dialect === tapDialect && transport !== 'stdio',
  }
}

function otlp({ otlpHttp }: Ways): Snippet {
  return {
    id: 'otlp',
    title: 'A program that exports OpenTelemetry',
    about: 'Agents, SDKs and gateways that emit MCP or GenAI spans: point their exporter here.',
    text: `export OTEL_EXPORTER_OTLP_ENDPOINT=${otlpHttp}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_TRACES_EXPORTER=otlp\nexport OTEL_LOGS_EXPORTER=otlp`,
    after: 'Start the program in the same shell. Content is judged only where the program records it.',
    came: isTelemetry,
  }
}

function collector({ otlpHttp }: Ways): Snippet {
  return {
    id: 'collector',
    title: 'An OpenTelemetry Collector you already run',
    about: 'Add one exporter to your pipelines; what you send elsewhere stays as it is.',
    text: [
      'exporters:',
      '  otlphttp/lapwing:',
      `    endpoint: ${otlpHttp}`,
      '    compression: gzip',
      '    sending_queue: { enabled: true }',
      '    retry_on_failure: { enabled: true }',
      'service:',
      '  pipelines:',
      '    traces:',
      '      exporters: [otlphttp/lapwing] # beside those you have',
      '    logs:',
      '      exporters: [otlphttp/lapwing]',
    ].join('\n'),
    after: 'Put it before any sampling or filtering: what is dropped there cannot be judged here.',
    came: isTelemetry,
  }
}

export const snippetsOf = (ways: Ways): Snippet[] => [stdio(ways), http(ways), otlp(ways), collector(ways)]
