/** `lapwing detect FILE…`: runs the detectors over files; no server, no store. */
import { createHmac } from 'node:crypto'
import { Command, Option } from 'commander'
import { type FileEvent, type InputKind, inputKinds, readEvents } from '../collectors/file.ts'
import { loadCatalog } from '../detectors/catalog.ts'
import { prepareDetectors, type Verdicts } from '../detectors/engine.ts'
import { createInline, type Inline } from '../detectors/inline.ts'
import type { Alert } from '../schemas/alert.ts'
import type { Signal } from '../schemas/detector.ts'
import { rfc3339 } from '../schemas/semconv.ts'
import { createOtlpFile } from './otlp-file.ts'
import { print } from './print.ts'
import { fileRedactor } from './redact-file.ts'

type Options = { input: InputKind | 'auto'; json?: boolean; signals?: boolean }

/** Files hold no tenant: the same file gives the same ids wherever it is read. */
export const fileHash = (text: string): string => createHmac('sha256', 'lapwing file input').update(text).digest('hex').slice(0, 16)

export function detectCommand(): Command {
  return new Command('detect')
    .description('Run the detectors over files: MCP messages, conversations, tools, calls, OTLP')
    .argument('<file...>', 'JSON lines, gzip or plain; OTLP as JSON or protobuf')
    .addOption(new Option('--input <kind>', 'what a line is').choices(['auto', ...inputKinds]).default('auto'))
    .option('--json', 'one JSON object a line')
    .option('--signals', 'print signals too: informational, not alerts')
    .action(detect)
}

async function detect(files: string[], options: Options): Promise<void> {
  const { detectors, failed } = await loadCatalog()
  for (const { id, reason } of failed) process.stderr.write(`lapwing: detector ${id} did not load: ${reason}\n`)
  const redact = fileRedactor(fileHash)
  const prepared = prepareDetectors(detectors)
  for (const file of files) {
    // Each item starts with empty memory; only the item in hand is kept.
    let current: { item: string; inline: Inline; messages: Map<string, number> } | undefined
    const otlp = createOtlpFile({ keyedHash: fileHash, onRejected: complainOfRejected(file) })
    for await (const { item, message, event } of readEvents(file, { kind: options.input, keyedHash: fileHash, otlp })) {
      if (current?.item !== item) current = { item, inline: createInline({ prepared, onError: complain }), messages: new Map() }
      current.messages.set(event.eventId, message)
      await report({ item, message }, current.inline.event(redact(event)), current.messages, options)
    }
  }
}

const complain = (detector: string, error: unknown) =>
  process.stderr.write(`lapwing: detector ${detector} failed on an event: ${error instanceof Error ? error.message : String(error)}\n`)

export const complainOfRejected = (file: string) => (count: number, reason: string) =>
  process.stderr.write(`lapwing: ${file}: ${count} records are no events: ${reason}\n`)

async function report(
  { item, message }: Omit<FileEvent, 'event'>,
  { alerts, signals }: Verdicts,
  messages: ReadonlyMap<string, number>,
  options: Options,
) {
  for (const alert of alerts) {
    const at = messages.get(alert.eventId) ?? message
    await print(
      options.json ? JSON.stringify(alertLine(item, at, alert)) : readable(item, at, alert.severity, alert.detector, alert.summary),
    )
  }
  for (const signal of options.signals ? signals : []) {
    const at = messages.get(signal.eventId) ?? message
    await print(options.json ? JSON.stringify(signalLine(item, at, signal)) : readable(item, at, 'signal', signal.signal, signal.summary))
  }
}

function alertLine(item: string, message: number, alert: Alert) {
  const { alertId, detector, severity, confidence, summary, evidence, maps, time } = alert
  return { item, message, alert_id: alertId, time: rfc3339(time), detector, severity, confidence, summary, evidence, maps }
}

function signalLine(item: string, message: number, signal: Signal) {
  const { detector, family, weight, summary, evidence, time } = signal
  return {
    item,
    message,
    signal: signal.signal,
    time: rfc3339(time),
    detector,
    severity: 'informational',
    weight,
    summary,
    evidence,
    maps: { family: [family] },
  }
}

/** Control characters of outside text must not reach a terminal. */
const readable = (item: string, message: number, severity: string, detector: string, summary: string): string =>
  `${item}:${message}  ${severity.padEnd(13)} ${detector.padEnd(26)} ${summary}`.replace(/[\p{Cc}\p{Cf}]/gu, '·')
