/** Each step of the way by itself, in one thread and without I/O: where the CPU of an event goes. */
import { createHash } from 'node:crypto'
import { encodeRows } from '../../api/store/row-binary.ts'
import { events as eventTable } from '../../api/store/tables.ts'
import { frame } from '../../collectors/bus/frame.ts'
import { createJoiner } from '../../collectors/joiner.ts'
import { openKeys } from '../../collectors/keys.ts'
import { decodeOtlpJson } from '../../collectors/otlp/json.ts'
import { createProtobufDecoder } from '../../collectors/otlp/protobuf.ts'
import { toEvent } from '../../collectors/otlp/to-event.ts'
import { createRedactor } from '../../collectors/redact/redactor.ts'
import { loadCatalog } from '../../detectors/catalog.ts'
import { createEngine, prepareDetectors } from '../../detectors/engine.ts'
import { decodeEvent, encodeEvent } from '../../schemas/codec.ts'
import { Config } from '../../schemas/config.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { encode } from '../collectors/otlp-bodies.ts'
import { chunked, spans, tracesOf } from './events.ts'
import { cpuNow, type Figure, median, type Part, type Run } from './measure.ts'
import { scratch } from './scratch.ts'

const perBody = 256
/** What runs for weeks is measured warm. */
const warmUps = 3

type Step = Readonly<{ name: string; run: () => unknown }>

/** The steps of one set of spans, in their order; each leaves its results to the next. */
function stepsOf(seed: number, count: number, open: ReturnType<typeof opened>): Step[] {
  const messages = chunked(spans(count, { seed }), perBody).map(tracesOf)
  const texts = messages.map((message) => JSON.stringify(message))
  const json = texts.map((text) => Buffer.from(text))
  const protobuf = messages.map((message) => encode('Traces', message))
  const { keyedHash, redact, joiner, engine, decode } = open
  const context = { tenant: 'default', source: 'otlp', now: BigInt(Date.now()) * 1_000_000n, keyedHash, osUser: 'bench@here' }
  const events = (decoded: ReturnType<typeof decode>) => decoded.records.map((record) => toEvent(record, context) as McpEvent)
  let made: McpEvent[] = []
  let bytes: Uint8Array[] = []
  return [
    { name: 'JSON.parse', run: () => texts.forEach((text) => void JSON.parse(text)) },
    {
      name: 'decode + normalise OTLP/JSON',
      run: () => json.forEach((body) => void events(decodeOtlpJson({ elementsMax: 100_000 }, 'traces', body))),
    },
    {
      name: 'decode + normalise OTLP/protobuf',
      run: () => {
        made = protobuf.flatMap((body) => events(decode('traces', body)))
      },
    },
    {
      name: 'redact',
      run: () => {
        made = made.map(redact)
      },
    },
    {
      name: 'encode event',
      run: () => {
        bytes = made.map(encodeEvent)
      },
    },
    {
      name: 'frame for the log',
      run: () =>
        void chunked(
          made.map((event, at) => ({ key: event.eventId, bytes: bytes[at] as Uint8Array })),
          256,
        ).map(frame),
    },
    {
      name: 'join spans to calls',
      run: () => {
        made = chunked(made, 256).flatMap((some) => joiner.joinAll(some))
      },
    },
    { name: 'decode event', run: () => bytes.forEach(decodeEvent) },
    { name: 'detect', run: () => made.forEach((event) => void engine.event(event)) },
    {
      name: 'encode rows of events',
      run: async () => {
        const origin = { topic: 'mcp.events', partition: 0, offset: 0n, stored: 0 }
        const rows = made.map((value) => ({ value, origin }))
        createHash('sha256').update(await encodeRows(eventTable, rows))
      },
    },
  ]
}

function opened(dir: string, catalog: Awaited<ReturnType<typeof loadCatalog>>) {
  const keyedHash = openKeys(dir).keyedHash('default')
  return {
    keyedHash,
    redact: createRedactor({ keyedHash, tiers: Config.parse({}).capture }),
    joiner: createJoiner(),
    engine: createEngine({ prepared: prepareDetectors(catalog.detectors) }),
    decode: createProtobufDecoder({ elementsMax: 100_000 }),
  }
}

async function run({ quick, say }: Run): Promise<readonly Figure[]> {
  using folder = scratch()
  const open = opened(folder.path, await loadCatalog())
  const rounds = quick ? 3 : 5
  const count = quick ? 512 : 2_048
  const taken = new Map<string, number[]>()
  for (let round = 1 - warmUps; round <= rounds; round += 1) {
    let floor = 0
    for (const { name, run: step } of stepsOf(round + warmUps, count, open)) {
      const from = cpuNow()
      await step()
      const cpu = cpuNow() - from
      if (name === 'JSON.parse') floor = cpu
      if (round > 0) taken.set(name, [...(taken.get(name) ?? []), cpu / floor])
      if (round === rounds) say(`${name}: ${(cpu / count).toFixed(1)} µs CPU per event`)
    }
  }
  const aims: Record<string, Figure['aim']> = {
    'decode + normalise OTLP/protobuf': { atMost: 1 },
    'decode + normalise OTLP/JSON': { atMost: 2 },
  }
  return [...taken]
    .slice(1)
    .map(([name, ratios]) => ({ name, value: median(ratios), unit: '× JSON.parse', ...(aims[name] ? { aim: aims[name] } : {}) }))
}

export const stagesPart: Part = { name: 'stages', about: 'each step by itself', run }
