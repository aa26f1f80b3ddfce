/** Calls far above their own norm: results, arguments and fields that are suddenly large or random, and data that leaves in pieces. */
import { z } from 'zod'
import { defineDetector, type Output, type Subject } from '../../schemas/detector.ts'
import { isFirstObservation, type Json, type McpEvent, resultOf } from '../../schemas/event.ts'
import { remembered } from '../../schemas/remembered.ts'
import { calls, type StoryLine, story } from '../../schemas/story.ts'
import { type Argument, allArgumentsOf } from '../signals/arguments.ts'
import { learnSize, longestCoded, looksCoded, newSizes, quantile, type Sizes } from '../signals/quantiles.ts'

const FIELDS_MAX = 16
const ARGUMENTS_MAX = 64
const PIECES_MAX = 16
const HOUR = 3_600_000_000_000n
/** A value that was told teaches little, else thirty leaks make the leak normal. */
const TOLD_WEIGHT = 0.1

type Piece = { length: number; head: string; time: bigint; eventId: string }
type Field = { lengths: Sizes; seen: number; coded: number; pieces: Piece[]; toldAt: bigint }
type Memory = { results: Sizes; args: Sizes; fields: Map<string, Field> }
type Settings = {
  warmUp: number
  times: number
  resultFloor: number
  argumentFloor: number
  codedMin: number
  bitsMin: number
  pieces: number
}
type Shared = Readonly<{ server: string; tool: string }>

/** Random by nature: to see them change is nothing. */
const randomByNature =
  /cursor|token|after|before|page|hash|sha\d*|digest|etag|signature|nonce|checksum|continuation|next|key|secret|embedding|vector|session|jwt|auth/i
const isRandomByNature = remembered((name) => randomByNature.test(name))
/** Made to carry files. */
const carriesFiles =
  /^(?:data|blob|bytes|image|images|file|files|content|contents|base64|payload|attachment|attachments|binary|screenshot|audio|document|body_base64)$/i

function keysOf(subject: Subject): readonly string[] {
  if (subject.kind !== 'event') return []
  const { tenant, actor, serverKey, toolName } = subject.event
  return toolName === undefined ? [] : [`${tenant}\0${actor}\0${serverKey}\0${toolName}`]
}

const sizeOf = (bytes: number | undefined, value: unknown): number | undefined =>
  bytes ?? (value === undefined ? undefined : JSON.stringify(value).length)

/** Learns; true when the value is far above all but one in a thousand, and several times the usual. */
function stands(sizes: Sizes, size: number, floor: number, { warmUp, times }: Settings): { median: number } | undefined {
  const median = sizes.total >= warmUp && size > floor ? quantile(sizes, 0.5) : undefined
  const out = median !== undefined && size > times * median && size > quantile(sizes, 0.999)
  learnSize(sizes, size, out ? TOLD_WEIGHT : 1)
  return out ? { median } : undefined
}

const fieldName = remembered((pointer) => pointer.replace(/\/\d+(?=\/|$)/g, '/*').slice(0, 200))

function fieldOf(memory: Memory, { pointer }: Argument): Field | undefined {
  const name = fieldName(pointer)
  const known = memory.fields.get(name)
  if (known || memory.fields.size >= FIELDS_MAX) return known
  const field: Field = { lengths: newSizes(), seen: 0, coded: 0, pieces: [], toldAt: -HOUR }
  memory.fields.set(name, field)
  return field
}

const nothing: readonly Output[] = []
const roundOf = (size: number): number => Math.round(size)

/** Five pieces of one length and more, all code, all different: the shape of something large that is carried out in slices. */
function sliced(field: Field, run: string, length: number, event: McpEvent, piecesMin: number): Piece[] | undefined {
  const { pieces } = field
  pieces.push({ length, head: run.slice(0, 24), time: event.time, eventId: event.eventId })
  if (pieces.length > PIECES_MAX) pieces.shift()
  const recent = pieces.filter(({ time }) => event.time - time <= HOUR)
  if (recent.length < piecesMin || event.time - field.toldAt < HOUR) return undefined
  const lengths = recent.map(({ length }) => length)
  const longest = Math.max(...lengths)
  // The last slice of something may be short: it is not asked.
  const alike = recent.filter((one) => one.length >= Math.min(longest * 0.98, longest - 8))
  if (alike.length < piecesMin || new Set(alike.map(({ head }) => head)).size < alike.length) return undefined
  field.toldAt = event.time
  return alike
}

/** Learns the field; what stands out is seldom, and an empty list costs nothing. */
function judgeField(event: McpEvent, argument: Argument, field: Field, settings: Settings, shared: Shared): readonly Output[] {
  const { name, whole, pointer } = argument
  const long = stands(field.lengths, whole.length, settings.argumentFloor, settings)
  const run = whole.length < settings.codedMin || isRandomByNature(name) ? '' : longestCoded(whole)
  const coded = run.length >= settings.codedMin && run.length >= Math.min(whole.length, 16_384) * 0.5 && looksCoded(run, settings.bitsMin)
  // Where code is one in twenty or more it is what the field is for.
  const usual = field.coded > field.seen * 0.05
  const ready = field.seen >= settings.warmUp
  field.seen += 1
  if (coded) field.coded += usual || !ready ? 1 : TOLD_WEIGHT
  if (!long && !coded) return nothing
  const slices = coded ? sliced(field, run, whole.length, event, settings.pieces) : undefined
  const evidence = { ...shared, field: name, pointer }
  const told: Output[] = []
  if (long) {
    told.push({
      signal: 'field-above-norm',
      weight: 0.4,
      summary: `${shared.tool}: ${name} has ${whole.length} characters, usually ${roundOf(long.median)}`,
      evidence: { ...evidence, length: whole.length, median: roundOf(long.median) },
    })
  }
  if (coded && ready && !usual) {
    told.push({
      signal: 'field-coded',
      weight: 0.4,
      summary: `${shared.tool}: ${name} holds ${run.length} characters of code, which it never does`,
      evidence: { ...evidence, length: run.length, seen: field.seen },
    })
  }
  if (slices) {
    told.push({
      signal: 'sliced-transfer',
      weight: carriesFiles.test(name) ? 0.15 : 0.6,
      summary: `${shared.tool}: ${slices.length} calls carry slices of about ${run.length} characters in ${name}`,
      evidence: { ...evidence, length: run.length, slices: slices.length },
      events: slices.map(({ eventId }) => eventId),
    })
  }
  return told
}

/** Questions alone: their answers say nothing here. */
const asked = (count: number, srv: string, tool: string, args: (n: number) => Json): StoryLine[] =>
  Array.from({ length: count }, (_, n) => calls(srv, tool, args(n))[0] as StoryLine)
const notes = asked(30, 'crm', 'add_note', (n) => ({ note: `called back on day ${n}, all is well` }))

export default defineDetector({
  id: 'volume-baseline',
  title: 'Far more data than usual for this tool',
  why: 'Theft that hides in allowed calls shows in their size: a note field that holds a file, a query that returns the table, a file in slices.',
  family: 'D8',
  severity: 'informational',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1030', 'T1048'],
    atlas: ['AML.T0086', 'AML.T0057'],
    cosai: ['MCP-T5', 'MCP-T10'],
    owaspMcp: ['MCP10'],
    owaspAsi: ['ASI02', 'ASI08'],
    safeMcp: ['SAFE-T1910', 'SAFE-T1911'],
  },
  needs: ['toolName', 'argsBytes', 'resultBytes'],
  blindSpots: [
    'Nothing is judged before thirty calls of the same tool by the same actor.',
    'Data that leaves slowly, in ordinary sizes, becomes part of the norm.',
    'A signal only: it counts together with another family.',
  ],
  playbook: [
    'Compare the call of {tool} on {server} with earlier ones: is the size explained by the task?',
    'Look at where the data went, and at what was read before it in the thread.',
  ],
  settings: z.object({
    warmUp: z.int().min(10).default(30),
    times: z.number().min(2).default(4),
    resultFloor: z.int().min(1).default(65_536),
    argumentFloor: z.int().min(1).default(2_048),
    codedMin: z.int().min(32).default(64),
    bitsMin: z.number().min(3).default(4.5),
    pieces: z.int().min(3).default(5),
  }),
  scope: 'actor',
  reads: ['request', 'response', 'call'],
  methods: ['tools/call'],
  keys: keysOf,
  memory: {
    version: 1,
    keysMax: 20_000,
    ttlMs: 30 * 24 * 3_600_000,
    initial: (): Memory => ({ results: newSizes(), args: newSizes(), fields: new Map() }),
  },

  inspect({ subject, memories, settings }) {
    const outputs: Output[] = []
    const [memory] = memories
    if (subject.kind !== 'event' || !memory) return outputs
    const { event } = subject
    const shared = { server: event.serverAlias ?? event.serverKey, tool: event.toolName ?? '' }
    const isAnswer = event.kind === 'response' || (event.kind === 'call' && isFirstObservation(event))
    const resultSize = isAnswer ? sizeOf(event.resultBytes, resultOf(event)) : undefined
    const large = resultSize === undefined ? undefined : stands(memory.results, resultSize, settings.resultFloor, settings)
    if (large && resultSize !== undefined) {
      outputs.push({
        signal: 'result-above-norm',
        weight: 0.3,
        summary: `${shared.tool} answered with ${resultSize} bytes, usually ${roundOf(large.median)}`,
        evidence: { ...shared, bytes: resultSize, median: roundOf(large.median) },
      })
    }
    if (event.kind === 'response' || !isFirstObservation(event)) return outputs
    let told = false
    const given = allArgumentsOf(event)
    for (let at = 0; at < given.length && at < ARGUMENTS_MAX; at += 1) {
      const argument = given[at] as Argument
      const field = fieldOf(memory, argument)
      const some = field ? judgeField(event, argument, field, settings, shared) : nothing
      told ||= some.length > 0
      outputs.push(...some)
    }
    const size = sizeOf(event.argsBytes, event.arguments)
    const heavy = size === undefined ? undefined : stands(memory.args, size, settings.argumentFloor, settings)
    if (!heavy || told || size === undefined) return outputs
    outputs.push({
      signal: 'arguments-above-norm',
      weight: 0.4,
      summary: `${shared.tool} was called with ${size} bytes, usually ${roundOf(heavy.median)}`,
      evidence: { ...shared, bytes: size, median: roundOf(heavy.median) },
    })
    return outputs
  },

  examples: [
    {
      name: 'a note that is suddenly a file',
      story: story(notes, calls('crm', 'add_note', { note: 'row of the table; '.repeat(300) })),
      fires: [30],
    },
    { name: 'a note that is suddenly code', story: story(notes, calls('crm', 'add_note', { note: code(1, 200) })), fires: [30] },
    {
      name: 'a result of the whole table',
      story: story(...Array.from({ length: 31 }, (_, n) => calls('crm', 'list', {}, 'x'.repeat(n < 30 ? 900 + n : 100_000)))),
      fires: [61],
    },
    {
      name: 'slices in a comment',
      story: story(...Array.from({ length: 5 }, (_, n) => calls('gh', 'comment', { tag: code(n, 180) }))),
      fires: [8],
    },
    {
      name: 'many small arguments at once',
      story: story(notes, calls('crm', 'add_note', { note: 'n', ids: Array.from({ length: 900 }, (_, n) => n) })),
      fires: [30],
    },
    {
      name: 'a leak repeated does not become the norm at once',
      story: story(
        notes,
        calls('crm', 'add_note', { note: 'row; '.repeat(1_000) }),
        calls('crm', 'add_note', { note: 'row! '.repeat(1_500) }),
      ),
      fires: [30, 32],
    },
    {
      name: 'the first call of all, large and random',
      story: story(calls('img', 'upload', { name: 'a.png', data: code(1, 8_000) }, 'x'.repeat(200_000))),
      fires: [],
    },
    {
      name: 'paging through results of one size',
      story: story(...Array.from({ length: 34 }, (_, n) => calls('gh', 'list', { after: code(n, 80) }, 'x'.repeat(90_000)))),
      fires: [],
    },
    {
      name: 'pictures of different sizes',
      story: story(asked(34, 'img', 'upload', (n) => ({ data: code(n, 500 + 37 * ((n * 13) % 34) ** 2) }))),
      fires: [],
    },
    { name: 'before the warm-up', story: story(notes.slice(10), calls('crm', 'add_note', { note: 'row; '.repeat(1_000) })), fires: [] },
    { name: 'longer, but not by far', story: story(notes, calls('crm', 'add_note', { note: 'a longer note '.repeat(20) })), fires: [] },
    {
      name: 'a commit hash each time',
      story: story(asked(34, 'git', 'show', (n) => ({ sha: code(n, 64), path: 'src/a.ts' }))),
      fires: [],
    },
    {
      name: 'prose of very different lengths',
      story: story(asked(34, 'gh', 'issue', (n) => ({ body: 'some words here. '.repeat(1 + ((n * 37) % 300)) }))),
      fires: [],
    },
    {
      name: 'another actor’s norm',
      story: story(notes, calls('crm', 'add_note', { note: 'row; '.repeat(1_000) }, 'ok', { principal: 'bob' })),
      fires: [],
    },
  ],
})

/** Letters and digits without a pattern, the same for the same seed. */
function code(seed: number, length: number): string {
  let state = seed * 7_919 + 12_345
  return Array.from({ length }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'[state >>> 26]
  }).join('')
}
