/** The pipeline watches itself: what waits, died, was lost or fell silent becomes an event, once, and nothing it does can hurt the rest. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { openStore, type Store } from '../../api/store/connect.ts'
import { migrate } from '../../api/store/migrate.ts'
import { createWriter } from '../../api/store/writer.ts'
import { openLog } from '../../collectors/bus/log.ts'
import { logRecord, logRequest } from '../../collectors/tap/log-request.ts'
import { type GroupLag, type MonitorOptions, startMonitor } from '../../commands/monitor.ts'
import { loadCatalog } from '../../detectors/catalog.ts'
import { prepareDetectors } from '../../detectors/engine.ts'
import { createInline } from '../../detectors/inline.ts'
import { type Bus, gapFault, gapOf, type Part, partId, type Rec, type Topic } from '../../schemas/bus.ts'
import { decodeEvent } from '../../schemas/codec.ts'
import { Fault } from '../../schemas/errors.ts'
import { McpEvent } from '../../schemas/event.ts'
import { ask, drained, eventOf, openTestLog, recordOf } from '../api/store/store-tools.ts'
import { openReceiver, post, types } from '../collectors/otlp-receiver.ts'
import { rec, remember, sealForTest, temporaryDir, until } from '../conformance/bus-tools.ts'
import { readAll } from '../conformance/log-tools.ts'

const minute = 60_000
const hour = 60 * minute
const noon = Date.parse('2026-03-04T12:00:10Z')

/** A bus that keeps what it is given, or refuses as told. */
function openDesk() {
  const sent: McpEvent[] = []
  const desk = { sent, refusal: undefined as unknown, asked: 0 }
  const publish = async (topic: Topic, records: readonly Rec[]) => {
    desk.asked += 1
    assert.equal(topic, 'mcp.events')
    if (desk.refusal !== undefined) throw desk.refusal
    for (const { bytes, key } of records) {
      const event = decodeEvent(bytes)
      McpEvent.parse(event)
      assert.equal(key, `${event.tenant}/${event.actor}`)
      sent.push(event)
    }
    return []
  }
  return Object.assign(desk, { bus: { publish } satisfies Pick<Bus, 'publish'> })
}

function open(more: Partial<MonitorOptions> = {}) {
  const desk = openDesk()
  const clock = { ms: noon }
  const lags: { now: Record<string, GroupLag> } = { now: {} }
  const errors: unknown[] = []
  const monitor = startMonitor({
    ...{ bus: desk.bus, role: 'detect', instance: 'a', lag: async () => lags.now, now: () => clock.ms, intervalMs: minute },
    onError: (error) => errors.push(error),
    ...more,
  })
  const round = async (now: Record<string, GroupLag> = {}, stepMs = minute) => {
    lags.now = now
    await monitor.observe()
    clock.ms += stepMs
  }
  return { monitor, desk, clock, lags, errors, round, [Symbol.asyncDispose]: () => monitor.stop() }
}
const settled = () => new Promise((resolve) => setImmediate(resolve))
const paramsOf = (event: McpEvent | undefined) => event?.params as Record<string, unknown>

describe('lag', () => {
  it('is told when something waits at two looks in a row, and once more when it is gone', async () => {
    await using it = await open()
    await it.round({ store: { records: 5 }, detect: { records: 0 } })
    await it.round({ store: { records: 9, oldestMs: 65_400 }, detect: { records: 1 } })
    await it.round({ store: { records: 0 }, detect: { records: 0 } })
    await it.round({ store: { records: 0 }, detect: { records: 0 } })
    assert.deepEqual(
      it.desk.sent.map((event) => [event.eventName, event.kind, event.params]),
      [
        ['pipeline.lag', 'pipeline', { group: 'store', records: 9, role: 'detect', instance: 'a', behindSeconds: 60, waitingSeconds: 65 }],
        ['pipeline.lag', 'pipeline', { group: 'store', records: 0, role: 'detect', instance: 'a', behindSeconds: 0 }],
      ],
    )
    assert.equal(it.desk.sent[0]?.actor, 'lapwing/detect@a')
  })

  it('of a healthy pipeline is no event at all', async () => {
    await using it = await open()
    for (let round = 0; round < 5; round += 1) await it.round({ store: { records: 0 }, detect: { records: round % 2 } })
    assert.deepEqual(it.desk.sent, [])
  })

  it('has the same id within one interval, and another on another instance', async () => {
    const ids: string[] = []
    for (const [instance, at] of [
      ['a', 0],
      ['a', 40_000],
      ['b', 0],
      ['a', minute],
    ] as const) {
      await using it = await open({ instance })
      it.clock.ms += at - minute
      await it.round({ store: { records: 5 } })
      await it.round({ store: { records: 5 } })
      ids.push(it.desk.sent[0]?.eventId ?? '')
    }
    assert.equal(ids[0], ids[1])
    assert.equal(new Set(ids).size, 3)
  })
})

describe('gaps', () => {
  it('are told at once, each with its exact number, and the same gap of two readers once', async () => {
    await using it = await open()
    it.monitor.reportGap({ topic: 'mcp.events', partition: 2, from: 4711n, lost: 1_234 })
    await settled()
    it.monitor.reportGap({ topic: 'mcp.events', partition: 2, from: 4711n, lost: 1_234 })
    it.monitor.reportGap({ topic: 'mcp.events', partition: 3, from: 0n, lost: 1 })
    await settled()
    const [first, again, other] = it.desk.sent
    assert.deepEqual(first?.params, { topic: 'mcp.events', partition: 2, from: '4711', lost: 1_234, role: 'detect', instance: 'a' })
    assert.equal(first?.eventId, again?.eventId)
    assert.equal(paramsOf(other)?.['lost'], 1)
  })

  it('that the bus did not take are told later, all of them, however many', async () => {
    await using it = await open()
    it.desk.refusal = new Fault('BUS_FULL', 'full')
    for (let from = 0; from < 3_000; from += 1) it.monitor.reportGap({ topic: 'mcp.events', partition: from % 2, from, lost: 2 })
    await settled()
    await it.round()
    assert.equal(it.desk.sent.length, 0)
    it.desk.refusal = undefined
    await it.round()
    assert.ok(it.desk.sent.length <= 1_002, String(it.desk.sent.length))
    assert.equal(
      it.desk.sent.reduce((sum, event) => sum + Number(paramsOf(event)['lost']), 0),
      6_000,
    )
    assert.deepEqual(it.errors, [], 'a full bus is nobody’s news')
  })
})

describe('a loss of the log', () => {
  it('is told by the bus with its number, and becomes a high alert that says it', { timeout: 20_000 }, async () => {
    await using dir = await temporaryDir()
    let clock = noon
    const faults: unknown[] = []
    await using log = await openLog({
      ...{ dir: dir.path, bytesMax: 2 ** 30, seal: sealForTest, retryMs: () => 1, onFault: (error) => faults.push(error) },
      ...{ keepMs: 5_000, now: () => clock, tailBytesMax: 1 },
    })
    for (let i = 0; i < 1_300; i += 1) await log.publish('mcp.events', [rec('one', String(i))])
    await readAll(log, 'detect')
    clock += 10_000
    await log.trim(0)
    const assigned = async (parts: readonly Part[]) => new Map(parts.map((part) => [partId(part), 0n]))
    const late = await log.consume(['mcp.events'], 'late', { ...remember().handler, assigned })
    await until(() => faults.length > 0)
    await late.stop()
    await using it = open()
    const gap = gapOf(faults[0])
    assert.ok(gap, String(faults[0]))
    it.monitor.reportGap(gap)
    await settled()
    const engine = createInline({ prepared: prepareDetectors((await loadCatalog()).detectors) })
    const alerts = it.desk.sent.flatMap((event) => engine.event(event).alerts)
    assert.deepEqual(
      alerts.map(({ detector, severity, summary }) => [detector, severity, summary]),
      [['telemetry-gap', 'high', `1,300 records of mcp.events/${gap.partition} were lost: they left the log before they were read`]],
    )
  })

  it('and nothing else that a bus says is one', () => {
    for (const cause of [undefined, null, 'gap', new Error('inner'), {}]) {
      assert.equal(gapOf(new Fault('RECORD_INVALID', '1 records of mcp.events/1 from 4 on are no longer in the log', cause)), undefined)
    }
    const gap = { topic: 'mcp.alerts', partition: 11, from: '900', lost: 7 }
    assert.deepEqual(gapOf(gapFault(gap, 'Kafka')), gap)
  })
})

describe('the product', () => {
  it('does not notice failures of what is asked, one does not hide the other, and rounds do not overlap', async () => {
    let asked = 0
    await using it = await open({
      lag: async () => {
        asked += 1
        throw new Error('worker is gone')
      },
    })
    it.desk.refusal = new TypeError('odd')
    await Promise.all([it.monitor.observe(), it.monitor.observe()])
    assert.equal(asked, 1)
    it.monitor.reportGap({ topic: 'mcp.events', partition: 0, from: 0, lost: 1 })
    await settled()
    assert.deepEqual(
      it.errors.map((error) => (error as Error).message),
      ['worker is gone', 'odd'],
    )
    it.desk.refusal = undefined
    await it.round()
    assert.equal(it.desk.sent.length, 1)
  })

  it('does not wait for a bus that hangs', { timeout: 10_000 }, async () => {
    const monitor = startMonitor({
      ...{ bus: { publish: () => new Promise<never>(() => undefined) }, role: 'all', instance: 'a', intervalMs: minute, now: () => noon },
      lag: async () => ({}),
    })
    monitor.reportGap({ topic: 'mcp.events', partition: 0, from: 0, lost: 1 })
    void monitor.observe()
    await monitor.stop()
  })

  it('is not kept alive, and after the end nothing is published', async () => {
    await using it = await open()
    await it.monitor.stop()
    it.lags.now = { store: { records: 1 } }
    await it.monitor.observe()
    it.monitor.reportGap({ topic: 'mcp.events', partition: 0, from: 0, lost: 1 })
    await settled()
    assert.equal(it.desk.asked, 0)
  })
})

type Fed = Readonly<{ source?: string; at: number }>
/** A store with events of sources at certain times, written by the writer itself. */
async function storeWith(dir: string, fed: readonly Fed[], more: { letters?: number } = {}) {
  await using undo = new AsyncDisposableStack()
  const store = undo.use(await openStore({ kind: 'embedded', dir: join(dir, 'store') }))
  await migrate(store, { retentionDays: 3_650 })
  const log = undo.use(await openTestLog(dir))
  const writer = await createWriter({ bus: log, store, tickMs: 1, now: () => noon })
  undo.defer(() => writer.stop())
  const records = fed.map(({ source = 'gateway', at }, number) => recordOf(eventOf(number, { source, time: BigInt(at) * 1_000_000n })))
  if (records.length > 0) await log.publish('mcp.events', records)
  const letter = { topic: 'mcp.events', partition: 1, reason: 'RECORD_INVALID', detail: '', sealed: 'x', at: new Date(noon).toISOString() }
  const letters = Array.from({ length: more.letters ?? 0 }, (_, offset) => ({ ...letter, offset: String(offset) }))
  const dead = (items: readonly object[]) =>
    log.publish(
      'mcp.dead',
      items.map((item) => ({ key: '', bytes: Buffer.from(JSON.stringify(item)) })),
    )
  if (letters.length > 0) await dead(letters)
  await drained(writer)
  const owned = undo.move()
  return { store, log, writer, letter, dead, [Symbol.asyncDispose]: () => owned.disposeAsync() }
}
const named = (events: readonly McpEvent[], name: string) => events.filter((event) => event.eventName === name)
const everyMinutes = (step: number, fromMs: number, toMs: number, source: string): Fed[] =>
  Array.from({ length: Math.floor((toMs - fromMs) / (step * minute)) }, (_, n) => ({ source, at: fromMs + n * step * minute }))

describe('nobody else', () => {
  it('can speak for the pipeline: its kind is refused from senders, what taps tell of their losses is not', async () => {
    await using it = await open()
    it.monitor.reportGap({ topic: 'mcp.events', partition: 0, from: 0, lost: 1 })
    await settled()
    const [own] = it.desk.sent
    assert.ok(own)
    await using receiver = await openReceiver()
    const loss: McpEvent = { ...own, kind: 'other', eventName: 'tap.gap', params: { bytes: 10, messages: 1 } }
    const resource = { hostName: 'h', pid: 1 }
    const body = gunzipSync(logRequest([logRecord(own), logRecord(loss)], resource))
    const answer = await post(receiver, '/v1/logs', body, types.json)
    assert.equal(answer.status, 200)
    assert.equal(receiver.intake.stats().rejected, 1)
    assert.deepEqual(
      receiver.events().map(({ kind, eventName }) => [kind, eventName]),
      [['other', 'tap.gap']],
    )
  })
})

describe('dead letters', () => {
  it('are counted per minute with their reasons and the events beside them, once for all replicas, and again when more come late', async () => {
    await using dir = await temporaryDir()
    await using stored = await storeWith(dir.path, [{ at: noon }, { at: noon + 1 }, { at: noon + 2 }], { letters: 3 })
    const replicas = [
      open({ store: stored.store, role: 'store', instance: 'a' }),
      open({ store: stored.store, role: 'store', instance: 'b' }),
    ]
    for (const replica of replicas) {
      await replica.round()
      assert.deepEqual(replica.desk.sent, [], 'the minute is not over')
      for (let round = 0; round < 3; round += 1) await replica.round()
      assert.deepEqual(replica.errors, [])
    }
    const [first, second] = replicas.map(({ desk }) => desk.sent)
    assert.equal(first?.length, 1)
    assert.deepEqual(first, second)
    assert.deepEqual(first?.[0]?.params, {
      letters: 3,
      events: 3,
      reasons: [{ topic: 'mcp.events', reason: 'RECORD_INVALID', letters: 3 }],
    })
    assert.equal(first?.[0]?.time, BigInt(noon - (noon % minute)) * 1_000_000n)
    await stored.dead([{ ...stored.letter, offset: '77' }])
    await drained(stored.writer)
    const [one] = replicas
    if (one) one.desk.refusal = new Fault('BUS_FULL', 'full')
    await one?.round()
    if (one) one.desk.refusal = undefined
    await one?.round()
    assert.deepEqual(
      one?.desk.sent.map((event) => paramsOf(event)['letters']),
      [3, 4],
    )
    for (const replica of replicas) await replica.monitor.stop()
  })
})

describe('silent sources', () => {
  const from = noon - 60 * hour
  const lastWord = noon + 5 * minute
  const steady = everyMinutes(7, from, lastWord, 'gateway')
  const office = [0, 1, 2].flatMap((day) => everyMinutes(5, from + day * 24 * hour, from + (day * 24 + 8) * hour, 'office'))
  const fresh = everyMinutes(1, noon - 3 * hour, noon, 'fresh')
  /** Stopped while nobody listened. */
  const stopped = everyMinutes(7, from, noon - 3 * hour, 'stopped')
  const awake = everyMinutes(7, from, noon + 90 * minute, 'awake')
  const future = [{ source: 'gateway', at: noon + 10 * 365 * 24 * hour }]

  it('are those that always speak: told from their usual pause on, and the rule raises one alert', { timeout: 60_000 }, async () => {
    await using dir = await temporaryDir()
    await using stored = await storeWith(dir.path, [...steady, ...stopped, ...office, ...fresh, ...awake, ...future])
    await using it = open({ store: stored.store, role: 'store' })
    for (let round = 0; round < 75; round += 1) await it.round()
    assert.deepEqual(it.errors, [])
    const told = named(it.desk.sent, 'pipeline.sources')
    assert.deepEqual(new Set(told.map((event) => paramsOf(event)['source'])), new Set(['gateway', 'stopped']))
    const gateway = told.filter((event) => paramsOf(event)['source'] === 'gateway')
    const first = paramsOf(gateway[0])
    assert.equal(first?.['usualSeconds'], 7 * 60)
    assert.equal(first?.['owner'], 'default')
    assert.ok(Number(first?.['silentSeconds']) > 7 * 60 && Number(first?.['silentSeconds']) < 9 * 60, String(first?.['silentSeconds']))
    assert.ok(Number(first?.['activeHours']) >= Number(first?.['knownHours']) - 1)
    assert.equal(new Set(gateway.map((event) => paramsOf(event)['lastSeen'])).size, 1)
    assert.equal(new Set(told.map(({ eventId }) => eventId)).size, told.length)
    assert.ok(gateway.length < 65, 'a long silence is told less often')
    const missed = told.find((event) => paramsOf(event)['source'] === 'stopped')
    assert.ok(Number(paramsOf(missed)['silentSeconds']) < 9 * 60, 'silence counts from when somebody listened')
    const engine = createInline({ prepared: prepareDetectors((await loadCatalog()).detectors) })
    const alerts = told.flatMap((event) => engine.event(event).alerts)
    assert.deepEqual(
      alerts.map(({ detector, severity }) => [detector, severity]),
      [
        ['source-silent', 'medium'],
        ['source-silent', 'medium'],
      ],
    )
  })

  it('are nobody’s while the pipeline itself is behind', async () => {
    await using dir = await temporaryDir()
    await using stored = await storeWith(dir.path, steady)
    await using it = open({ store: stored.store, role: 'store' })
    it.clock.ms += 0
    for (let round = 0; round < 20; round += 1) await it.round({ store: { records: 5, oldestMs: 300_000 } })
    assert.deepEqual(named(it.desk.sent, 'pipeline.sources'), [])
  })
})

it('a store that fails is told to the caller and asked again: for letters in the next round, for habits after a while', async () => {
  const client = { query: async () => Promise.reject(new Fault('STORE_UNREACHABLE', 'away')) }
  await using it = open({ store: { client } as unknown as Store, role: 'store' })
  await it.round({ store: { records: 1 } })
  await it.round({ store: { records: 1 } })
  assert.equal(it.errors.length, 3)
  assert.equal(named(it.desk.sent, 'pipeline.lag').length, 1, 'what is known without the store is still told')
  for (let round = 0; round < 5; round += 1) await it.round()
  assert.equal(it.errors.length, 9)
})

it('through the log into the store and back as one event, however often it was told', async () => {
  await using dir = await temporaryDir()
  await using stored = await storeWith(dir.path, [])
  for (const instance of ['a', 'b']) {
    await using it = open({ bus: stored.log, instance })
    it.monitor.reportGap({ topic: 'mcp.facts', partition: 1, from: 9n, lost: 5 })
    await it.round()
  }
  await drained(stored.writer)
  const rows = await ask<Record<string, string>>(
    stored.store,
    'SELECT `lapwing.event.kind` AS kind, `lapwing.event.name` AS name, `lapwing.params` AS params FROM events FINAL',
  )
  assert.deepEqual(
    rows.map(({ kind, name }) => [kind, name]),
    [['pipeline', 'pipeline.gap']],
  )
  assert.equal((JSON.parse(rows[0]?.['params'] ?? '') as { lost: number }).lost, 5)
})
