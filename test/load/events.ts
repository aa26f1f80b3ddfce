/** Made-up MCP traffic for measurements: deterministic, about 2.3 kB a span, as varied and as compressible as real calls. */
import type { Message } from '../collectors/otlp-bodies.ts'

export type SpanSpec = Readonly<{ number: number; attack: boolean; message: Message }>

/** mulberry32: the same seed gives the same traffic on every machine. */
export function chance(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

const words = (
  'the of to and in is for that on with as it be this are or by from at an will not can when if each which has was into all more other than ' +
  'server client request response session handler result value index record table query column update delete create config service deploy release ' +
  'version branch commit review merge ticket customer order invoice payment account address report summary quarter revenue forecast region team ' +
  'meeting agenda notes action owner deadline status priority blocked waiting running failed passed retry timeout error warning message stack trace ' +
  'function method class module package import export return async await promise buffer stream socket thread worker queue batch cache memory disk ' +
  'network latency throughput percentile median sample window bucket counter gauge histogram label metric alert rule detector policy user group role ' +
  'permission access path file folder archive backup restore snapshot migration schema document paragraph section heading image chart colour layout ' +
  'train station museum hotel booking arrival departure weather temperature humidity wind recipe flour sugar butter oven minutes garden river mountain'
).split(' ')
const tools = [
  'read_file',
  'list_directory',
  'search_issues',
  'run_query',
  'fetch_page',
  'run_tests',
  'get_ticket',
  'update_document',
] as const
const servers = ['files', 'tracker', 'database', 'browser', 'runner', 'helpdesk', 'wiki', 'calendar'] as const

type Chance = () => number
const whole = (random: Chance, below: number): number => Math.floor(random() * below)
const pick = <T>(random: Chance, list: readonly T[]): T => list[whole(random, list.length)] as T
/** Few words are most of a text. */
const word = (random: Chance): string => words[Math.floor(words.length * random() ** 2.2)] as string

function prose(random: Chance, chars: number): string {
  let text = ''
  while (text.length < chars) {
    const sentence = Array.from({ length: 6 + whole(random, 12) }, () => word(random)).join(' ')
    text += `${sentence[0]?.toUpperCase()}${sentence.slice(1)}${random() < 0.1 ? `, see ${whole(random, 900)}` : ''}. `
    if (random() < 0.15) text += '\n\n'
  }
  return text.slice(0, chars)
}

function source(random: Chance, chars: number): string {
  let text = ''
  while (text.length < chars) {
    const [a, b, c] = [word(random), word(random), word(random)]
    text += pick(random, [
      `export function ${a}${whole(random, 99)}(${b}: string, ${c}: number): string {\n`,
      `  const ${a} = await ${b}.${c}(${whole(random, 400)})\n`,
      `  if (${a} === undefined || ${b}.length > ${whole(random, 64)}) return ${c}\n`,
      `  // ${prose(random, 40)}\n`,
      `  for (const ${a} of ${b}) ${c}.push({ ${a}, at: ${whole(random, 9999)} })\n`,
      '}\n\n',
    ])
  }
  return text.slice(0, chars)
}

function rows(random: Chance, chars: number): string {
  const list: unknown[] = []
  for (let size = 0; size < chars; size += 96)
    list.push({
      id: 10_000 + whole(random, 80_000),
      owner: word(random),
      title: prose(random, 28),
      state: word(random),
      total: whole(random, 90_000) / 100,
    })
  return JSON.stringify(list)
}

function listing(random: Chance, chars: number): string {
  let text = ''
  while (text.length < chars)
    text += `[FILE] src/${word(random)}/${word(random)}-${word(random)}.${pick(random, ['ts', 'md', 'json', 'py'])} ${whole(random, 90_000)}\n`
  return text
}

const log = (random: Chance, chars: number): string => {
  let text = ''
  while (text.length < chars)
    text += `2026-03-${10 + whole(random, 18)}T0${whole(random, 9)}:${10 + whole(random, 49)}:${10 + whole(random, 49)}Z ${pick(random, ['INFO', 'WARN', 'DEBUG'])} ${word(random)}.${word(random)} ${prose(random, 44)} took=${whole(random, 900)}ms\n`
  return text
}

const makers = [prose, source, rows, listing, log, prose, source, rows] as const

/** Mostly around 1.7 kB, now and then ten times that, as results are. */
function resultOf(random: Chance, kind: number): unknown {
  const chars = random() < 0.03 ? 6_000 + whole(random, 10_000) : 400 + whole(random, 2_000)
  const text = (makers[kind] as typeof prose)(random, chars)
  const content = [{ type: 'text', text }]
  return random() < 0.15 ? { content, structuredContent: { items: chars >> 6, next: word(random), ok: true } } : { content, isError: false }
}

function argumentsOf(random: Chance, kind: number): Record<string, unknown> {
  if (kind === 0 || kind === 1) return { path: `/home/dev/src/${word(random)}/${word(random)}.md`, limit: whole(random, 500) }
  if (kind === 2) return { query: prose(random, 60), state: 'open', labels: [word(random), word(random)] }
  if (kind === 3)
    return { sql: `SELECT ${word(random)}, ${word(random)} FROM ${word(random)} WHERE ${word(random)} = ${whole(random, 9999)} LIMIT 50` }
  if (kind === 4) return { url: `https://docs.example.com/${word(random)}/${word(random)}?page=${whole(random, 40)}`, format: 'markdown' }
  if (kind === 7) return { id: whole(random, 9999), title: prose(random, 40), body: prose(random, 300 + whole(random, 900)) }
  return { id: `T-${whole(random, 99_999)}`, verbose: random() < 0.5 }
}

const attribute = (key: string, value: string | number): Message => ({
  key,
  value: typeof value === 'string' ? { stringValue: value } : { intValue: String(value) },
})
const hex = (random: Chance, bytes: number): string =>
  Array.from({ length: bytes / 4 }, () =>
    Math.floor(1 + random() * (2 ** 32 - 2))
      .toString(16)
      .padStart(8, '0'),
  ).join('')

const startNs = 1_772_000_000_000_000_000n

export type Traffic = Readonly<{ seed?: number; attackEvery?: number }>

/** Span n of the traffic. Every `attackEvery`-th one reads a file that nobody's notes are in. */
export function spans(count: number, { seed = 1, attackEvery = 97 }: Traffic = {}): SpanSpec[] {
  const random = chance(seed)
  return Array.from({ length: count }, (_, number): SpanSpec => {
    const attack = number % attackEvery === attackEvery - 1
    const quiet = !attack && random() < 0.12
    const kind = whole(random, tools.length)
    const server = servers[kind] as string
    const session = `${whole(random, 40)}-0f1e-4c2b-9a7d-61c2${10_000_000 + whole(random, 40)}`
    const attributes = [
      attribute('mcp.method.name', quiet ? pick(random, ['ping', 'resources/list', 'notifications/progress']) : 'tools/call'),
      attribute('mcp.session.id', session),
      attribute('jsonrpc.request.id', String(number)),
      attribute('mcp.protocol.version', '2025-06-18'),
      attribute('network.transport', 'tcp'),
      attribute('network.protocol.name', 'http'),
      attribute('server.address', `${server}.internal.example.com`),
      attribute('server.port', 443),
      attribute('user.id', `dev-${whole(random, 25)}@example.com`),
      attribute('gen_ai.conversation.id', `conv-${whole(random, 200)}`),
    ]
    if (!quiet) {
      const given = attack ? { path: `../../../../home/dev-${number}/.ssh/id_ed25519` } : argumentsOf(random, kind)
      attributes.push(
        attribute('gen_ai.operation.name', 'execute_tool'),
        attribute('gen_ai.tool.name', attack ? 'read_file' : (tools[kind] as string)),
        attribute('gen_ai.tool.call.arguments', JSON.stringify(given)),
        attribute('gen_ai.tool.call.result', JSON.stringify(resultOf(random, kind))),
      )
    }
    const start = startNs + BigInt(number) * 3_000_000n
    return {
      number,
      attack,
      message: {
        traceId: hex(random, 16),
        spanId: hex(random, 8),
        name: quiet ? 'ping' : `tools/call ${tools[kind]}`,
        kind: 3,
        startTimeUnixNano: String(start),
        endTimeUnixNano: String(start + BigInt(1_000_000 + whole(random, 400_000_000))),
        attributes,
      },
    }
  })
}

const resource = {
  attributes: [attribute('service.name', 'assistant'), attribute('host.name', 'build-7'), attribute('process.pid', 4_321)],
}
const scope = { name: 'mcp-client-instrumentation', version: '1.4.0' }

/** One OTLP request of these spans. */
export const tracesOf = (some: readonly SpanSpec[]): Message => ({
  resourceSpans: [{ resource, scopeSpans: [{ scope, spans: some.map(({ message }) => message) }] }],
})

export function chunked<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, at) => list.slice(at * size, (at + 1) * size))
}
