/** What came into a thread is found in what leaves it, by the print: the same answer as when every source is compared with every call. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { createEngine, prepareDetectors } from '../../detectors/engine.ts'
import taintToSink from '../../detectors/rules/taint-to-sink.ts'
import { type HeldPrints, hold, letGo, noPrints, placesOf, type Span } from '../../detectors/signals/held-prints.ts'
import { type Flow, judge, mayMatter, type Named } from '../../detectors/signals/outflow.ts'
import { carriedBy, type Field, payloadOf } from '../../detectors/signals/payload.ts'
import { gradeRank, hear, learn, matchesOf, noSources } from '../../detectors/signals/taint.ts'
import type { AnyDetector } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { fingerprintContent, fingerprintText, flatten, shingleFrom, workerKey } from '../../schemas/fingerprint.ts'

/** Many of them fall into one bucket: their lower 32 bits are the same. */
const prints = fc.oneof(
  fc.nat(40),
  fc.nat(300).map((n) => n * 2 ** 32 + 7),
  fc.nat(2 ** 31).map((n) => n * 65_537),
)

it('finds every print where it is held and nowhere else, whatever was let go before', () => {
  const steps = fc.array(
    fc.oneof(
      fc.record({ take: fc.array(prints, { maxLength: 300, size: 'max' }) }),
      fc.record({ drop: fc.nat(20) }),
      fc.record({ ask: fc.uniqueArray(prints, { maxLength: 60 }) }),
    ),
    { maxLength: 40 },
  )
  fc.assert(
    fc.property(steps, (all) => {
      const held: HeldPrints = noPrints()
      const sources: (Span & { own: Set<number> })[] = []
      for (const step of all) {
        if ('take' in step) {
          const own = new Set(step.take)
          const span = hold(held, new Float64Array(step.take), sources.values())
          assert.equal(span.count, own.size)
          sources.push({ ...span, own })
        } else if ('drop' in step) {
          const [gone] = sources.splice(step.drop % Math.max(1, sources.length), 1)
          if (gone) letGo(held, gone)
        } else {
          const places = placesOf(held, step.ask)
          const expected = sources.flatMap(({ own }) => step.ask.filter((print) => own.has(print)))
          assert.equal(places.length, expected.length)
          for (const { from, count, own } of sources)
            assert.deepEqual(
              new Set(places.filter((place) => place >= from && place < from + count).map((place) => held.prints[place])),
              new Set(step.ask.filter((print) => own.has(print))),
            )
        }
      }
    }),
    { numRuns: 300 },
  )
})

it('asks and takes in proportion to what it holds, though all prints were made to fall into one bucket', () => {
  const held = noPrints()
  const spans: Span[] = []
  for (let source = 0; source < 30; source += 1)
    spans.push(
      hold(
        held,
        Float64Array.from({ length: 600 }, (_, at) => (source * 600 + at) * 2 ** 32 + 7),
        spans,
      ),
    )
  const sought = Array.from({ length: 4_000 }, (_, at) => at * 5 * 2 ** 32 + 7)
  const started = performance.now()
  assert.equal(placesOf(held, sought).length, 18_000 / 5)
  assert.ok(performance.now() - started < 200)
})

const base = { tenant: 't', kind: 'call', method: 'tools/call', serverKey: 's', time: 1n }
const eventWith = (rest: object): McpEvent => ({ ...base, ...rest }) as unknown as McpEvent
const phrase = fc.constantFrom(
  'the payroll of the northern region is paid on the last working day of each month',
  'anna.smith@partner.example',
  'contract QX-998812 and account 123456789',
  'water levels at the upper dam have been falling since the end of the long winter',
  '⟦secret:api-key:0123456789abcdef⟧',
  Buffer.from('a plan of the house by the river with all its rooms').toString('base64'),
  'a plan of the house by the river with all its rooms',
  'Größe über alles: naïve Bücher über den Fluss Σίσυφος',
)
/** Some have more prints than a source may hold. */
const long = fc.tuple(fc.nat(4), fc.constantFrom(900, 4_000, 12_000)).map(([seed, length]) => {
  let words = ''
  for (let at = seed; words.length < length; at += 1) words += `${Math.imul(at + 1, 0x9e3779b1) >>> 8} ${at % 5 === 0 ? 'and' : 'to'} `
  return words
})
const text = fc.array(phrase, { maxLength: 6 }).map((parts) => parts.join(' … '))
const result = fc.oneof(
  { weight: 4, arbitrary: text },
  long,
  fc.tuple(text, long).map((parts) => parts.join(' ')),
)

it('shares with each source as many tokens and shingles as their fingerprints do', () => {
  const sourcesMax = 64
  fc.assert(
    fc.property(fc.array(result, { maxLength: 80 }), result, text, (results, sent, spoken) => {
      const sources = noSources()
      results.forEach((each, at) => {
        learn(sources, eventWith({ eventId: `e${at}`, callId: `c${at}`, result: { content: [{ type: 'text', text: each }] } }))
      })
      const call = eventWith({ eventId: 'x', callId: 'x', toolName: 'send_message', arguments: { body: sent, id: 7 } })
      const matches = matchesOf(sources, call, carriedBy(call), hear(new Map(), spoken))
      const said = new Set(flatten(fingerprintText(spoken, workerKey)))
      const fields = payloadOf(call).map((field) => field.text)
      const carried = new Set(flatten(fingerprintContent(fields, workerKey)))
      const held = results.flatMap((each, at) => {
        const prints = flatten(fingerprintContent([[{ type: 'text', text: each }]], workerKey)).slice(0, 600)
        return prints.length === 0 ? [] : [{ eventId: `e${at}`, prints }]
      })
      const sum = (all: typeof held) => all.reduce((total, { prints }) => total + prints.length, 0)
      while (held.length > sourcesMax || sum(held) > 20_000) held.shift()
      const expected = held.flatMap(({ eventId, prints }) => {
        const shared = prints.filter((each) => carried.has(each) && !said.has(each))
        const tokens = shared.filter((each) => each < shingleFrom).length
        return tokens > 0 || shared.length > 2 ? [{ eventId, tokens, shingles: shared.length - tokens }] : []
      })
      assert.deepEqual(
        matches.map(({ source, tokens, shingles }) => ({ eventId: source.eventId, tokens, shingles })),
        expected,
      )
    }),
    { numRuns: 60 },
  )
})

const grades = ['public', 'plain', 'personal', 'private', 'secret'] as const
const named: Named = { kind: 'email', serverKey: 's', server: 's', tool: 't', where: 'definition', eventId: 'e', ordered: true }

it('passes over no call of which something could be said', () => {
  const flow = fc.record({
    grade: fc.constantFrom(...grades),
    crossing: fc.boolean(),
    samePlace: fc.boolean(),
    tokens: fc.nat(3),
    shingles: fc.nat(5),
    transform: fc.constantFrom('none', 'base64', 'hex+gzip'),
    fieldName: fc.option(fc.constantFrom('body', 'sidenote', 'note', 'conversation_history', 'context', 'url', 'query'), {
      nil: undefined,
    }),
    isUrl: fc.boolean(),
    isProse: fc.boolean(),
    isImage: fc.boolean(),
    act: fc.constantFrom('send', 'write', 'fetch', 'read'),
    sinkVisibility: fc.constantFrom('private', 'public', undefined),
    named: fc.option(
      fc.record({
        kind: fc.constantFrom('email', 'host'),
        where: fc.constantFrom('definition', 'content'),
        serverKey: fc.constantFrom('s', 'o'),
      }),
      { nil: undefined },
    ),
    flags: fc.record({
      asked: fc.boolean(),
      outsideText: fc.boolean(),
      outsider: fc.boolean(),
      calculates: fc.boolean(),
      retried: fc.boolean(),
    }),
    tool: fc.constantFrom('update_page', 'log_event', 'run_command'),
  })
  let said = 0
  fc.assert(
    fc.property(flow, (given) => {
      const { fieldName, isUrl, isProse, isImage, act, grade, flags } = given
      const field: Field | undefined =
        fieldName === undefined ? undefined : { name: fieldName, pointer: '', text: 'a+b+c+d', isUrl, isProse, isImage }
      const source = { grade, serverKey: 'o', server: 'o', eventId: 'o', place: 'p', why: '', time: 1n }
      const made = {
        ...flags,
        match: { source, tokens: given.tokens, shingles: given.shingles, field, transform: given.transform, matched: () => '' },
        act,
        sinkKey: given.crossing ? 's' : 'o',
        sinkTool: given.tool,
        sinkServer: 's',
        sinkPlace: given.samePlace ? 'p' : 'q',
        sinkVisibility: given.sinkVisibility,
        named: given.named && { ...named, ...given.named },
      }
      // Safe: `judge` reads no more of a source than is here.
      if (judge(made as unknown as Flow) === undefined) return
      said += 1
      const argument = { pointer: '', name: fieldName ?? 'q', text: '', whole: '', kind: 'plain', signs: 0 } as const
      const failedAt = flags.retried ? 1n : undefined
      const guarded = gradeRank(grade) >= gradeRank('private')
      assert.ok(mayMatter({ act, named: made.named as Named | undefined, failedAt, guarded, given: [argument] }))
    }),
    { numRuns: 5_000 },
  )
  assert.ok(said > 500, String(said))
})

it('leaves a snapshot as it was when two engines go on from it', () => {
  const prepared = prepareDetectors([taintToSink as unknown as AnyDetector])
  const result = (at: number) => ({
    content: [{ type: 'text', text: `record ${at}: ${'all that the upper dam holds back '.repeat(20)}${at * 7_919}` }],
  })
  const eventAt = (at: number): McpEvent =>
    eventWith({
      eventId: `e${at}`,
      callId: `c${at}`,
      actor: 'a',
      time: BigInt(at),
      source: 'otlp',
      toolName: 'read_note',
      arguments: {},
      result: result(at),
    })
  const first = createEngine({ prepared })
  for (let at = 0; at < 70; at += 1) first.event(eventAt(at))
  const snapshot = first.snapshot()
  const before = Buffer.from(snapshot)
  const [second, third] = [createEngine({ prepared, snapshot }), createEngine({ prepared, snapshot })]
  for (let at = 70; at < 140; at += 1) second.event(eventAt(at))
  assert.ok(before.equals(snapshot))
  assert.deepEqual(third.snapshot(), createEngine({ prepared, snapshot: before }).snapshot())
})
