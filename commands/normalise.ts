/** `lapwing normalise FILE…`: what a file says, as events under their external names, and the calls it makes up. */
import { Command, Option } from 'commander'
import { type InputKind, inputKinds, readEvents } from '../collectors/file.ts'
import type { McpEvent } from '../schemas/event.ts'
import { external, rfc3339, semconv } from '../schemas/semconv.ts'
import { complainOfRejected, fileHash } from './detect.ts'
import { createOtlpFile } from './otlp-file.ts'
import { print } from './print.ts'
import { fileRedactor } from './redact-file.ts'

type Outcome = NonNullable<McpEvent['outcome']>
/** What several observations of one call know together. */
type Call = {
  id: string
  first: McpEvent
  method: string | undefined
  tool: string | undefined
  serverKey: string
  serverAlias: string | undefined
  outcome: Outcome
  events: Set<string>
  vantages: Set<McpEvent['vantage']>
}

/** Calls held until the end of their file; beyond it the oldest is printed at once, so it may come again. */
const callsMax = 200_000
/** Of one call; what is beyond is counted no more. */
const observationsMax = 1_000

/** The later, the more it says: a refusal or a failure that one side saw is not undone by another that saw none. */
const outcomeOrder: readonly Outcome[] = [
  'unknown',
  'task_created',
  'input_required',
  'success',
  'cancelled',
  'timeout',
  'transport_error',
  'protocol_error',
  'tool_error',
  'denied',
]
const worse = (a: Outcome, b: Outcome): Outcome => (outcomeOrder.indexOf(a) >= outcomeOrder.indexOf(b) ? a : b)

export function normaliseCommand(): Command {
  return new Command('normalise')
    .description('Print the events of files as JSON lines, then one line per tool call')
    .argument('<file...>', 'JSON lines, gzip or plain; OTLP as JSON or protobuf')
    .addOption(new Option('--input <kind>', 'what a line is').choices(['auto', ...inputKinds]).default('auto'))
    .action(normalise)
}

async function normalise(files: string[], { input }: { input: InputKind | 'auto' }): Promise<void> {
  const redact = fileRedactor(fileHash)
  for (const file of files) {
    const calls = new Map<string, Call>()
    const otlp = createOtlpFile({ keyedHash: fileHash, onRejected: complainOfRejected(file) })
    for await (const { event } of readEvents(file, { kind: input, keyedHash: fileHash, otlp })) {
      const shown = redact(event)
      await print(JSON.stringify(external(shown)))
      add(calls, shown)
      const [oldest] = calls.size > callsMax ? calls.values() : []
      if (oldest) {
        calls.delete(oldest.id)
        await printCall(oldest)
      }
    }
    for (const call of calls.values()) await printCall(call)
  }
}

function add(calls: Map<string, Call>, event: McpEvent): void {
  const { callId } = event
  if (callId === undefined) return
  const call = calls.get(callId) ?? {
    id: callId,
    first: event,
    method: event.method,
    tool: event.toolName,
    serverKey: event.serverKey,
    serverAlias: event.serverAlias,
    outcome: 'unknown',
    events: new Set(),
    vantages: new Set(),
  }
  calls.set(callId, call)
  if (event.time < call.first.time) call.first = event
  call.method ??= event.method
  call.tool ??= event.toolName
  if (call.serverAlias === undefined && event.serverAlias !== undefined) {
    call.serverAlias = event.serverAlias
    call.serverKey = event.serverKey
  }
  call.outcome = worse(call.outcome, event.outcome ?? 'unknown')
  call.vantages.add(event.vantage)
  if (call.events.size < observationsMax) call.events.add(event.eventId)
}

async function printCall({ id, first, method, tool, serverKey, serverAlias, outcome, events, vantages }: Call): Promise<void> {
  if (method !== 'tools/call') return
  await print(
    JSON.stringify({
      kind: 'call',
      [semconv.callId[0]]: id,
      [semconv.toolName[0]]: tool,
      [semconv.method[0]]: method,
      [semconv.serverKey[0]]: serverKey,
      [semconv.serverAlias[0]]: serverAlias,
      [semconv.actor[0]]: first.actor,
      [semconv.time[0]]: rfc3339(first.time),
      [semconv.outcome[0]]: outcome,
      'lapwing.observations': events.size,
      'lapwing.vantages': [...vantages],
    }),
  )
}
