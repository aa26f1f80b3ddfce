/** The worker over the real log: whatever stops it, no verdict is lost and none is another one. */
import assert from 'node:assert/strict'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { it } from 'node:test'
import { openCheckpoints } from '../../detectors/checkpoint.ts'
import { prepareDetectors } from '../../detectors/engine.ts'
import { runWorker, type Worker } from '../../detectors/worker.ts'
import type { Bus, DeadLetter } from '../../schemas/bus.ts'
import type { Checkpoints } from '../../schemas/checkpoint.ts'
import { decodeVerdict, encodeEvent } from '../../schemas/codec.ts'
import { Fault } from '../../schemas/errors.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { letterOf, temporaryDir, until } from '../conformance/bus-tools.ts'
import { open } from '../conformance/log-tools.ts'
import { eventsOf, manySteps, tiny } from './tiny-detectors.ts'

const timeout = 20_000
const prepared = prepareDetectors(tiny)
const events = eventsOf(manySteps(240))

const publish = (bus: Bus, some: readonly McpEvent[]) =>
  bus.publish(
    'mcp.events',
    some.map((event) => ({ key: `${event.tenant}\0${event.actor}`, bytes: encodeEvent(event) })),
  )
const settled = (worker: Worker) => until(async () => [...(await worker.lag()).values()].every((lag) => lag === 0n))

/**
 * What stands in `mcp.alerts`: alert ids, and hits as the store would count them. Which of several facts completes a finding
 * is their order of arrival, so the hits of what is found from facts are left out.
 */
async function verdictsOf(bus: Bus): Promise<{ alerts: string[]; hits: string[]; links: number }> {
  const alerts = new Map<string, string>()
  const hits = new Map<string, string>()
  const links = new Set<string>()
  const running = await bus.consume(['mcp.alerts'], 'check', {
    batch: async (_, records) => {
      for (const { bytes } of records) {
        const verdict = decodeVerdict(bytes)
        if (verdict.type === 'alert') alerts.set(verdict.alert.alertId, verdict.alert.detector)
        if (verdict.type === 'hits') for (const { alertId, eventId } of verdict.hits) hits.set(`${alertId} ${eventId}`, alertId)
        if (verdict.type === 'links') for (const { eventId, threadId } of verdict.links) links.add(`${eventId} ${threadId}`)
      }
    },
  })
  await until(async () => [...(await running.lag()).values()].every((lag) => lag === 0n))
  await running.stop()
  const ofEvents = [...hits].filter(([, alertId]) => alerts.get(alertId) !== 'shared-tool').map(([hit]) => hit)
  return { alerts: [...alerts.keys()].sort(), hits: ofEvents.sort(), links: links.size }
}

/** Without any trouble. */
async function undisturbed() {
  await using dir = await temporaryDir()
  await using bus = await open(dir.path)
  const worker = await runWorker({ bus, prepared })
  await publish(bus, events)
  await settled(worker)
  await worker.stop()
  const verdicts = await verdictsOf(bus)
  assert.ok(verdicts.alerts.length > 50 && verdicts.hits.length > 50)
  assert.equal(verdicts.links, events.length)
  return verdicts
}
const expected = await undisturbed()

/** Checkpoints that a process which dies does not write any more. */
function mortal(real: Checkpoints): Checkpoints & { die: () => void } {
  let dead = false
  return {
    load: real.load,
    save: async (partition, checkpoint) => (dead ? undefined : real.save(partition, checkpoint)),
    die() {
      dead = true
    },
  }
}

it('killed before any checkpoint: all is judged again, and gives the same alerts', { timeout }, async () => {
  await using dir = await temporaryDir()
  await using bus = await open(dir.path)
  const checkpoints = mortal(openCheckpoints(join(dir.path, 'checkpoints'), 'r1'))
  checkpoints.die()
  const first = await runWorker({ bus, prepared, checkpoints })
  await publish(bus, events.slice(0, 301))
  await settled(first)
  await first.stop()
  await publish(bus, events.slice(301))
  const second = await runWorker({ bus, prepared, checkpoints: openCheckpoints(join(dir.path, 'checkpoints'), 'r1') })
  await settled(second)
  assert.equal(
    second.stats().reduce((sum, { events: count }) => sum + count, 0),
    events.length,
  )
  await second.stop()
  assert.deepEqual(await verdictsOf(bus), expected)
})

it('killed between checkpoint and end: what came after the checkpoint is judged again, and no more', { timeout }, async () => {
  await using dir = await temporaryDir()
  await using bus = await open(dir.path)
  const real = openCheckpoints(join(dir.path, 'checkpoints'), 'r1')
  const checkpoints = mortal(real)
  const first = await runWorker({ bus, prepared, checkpoints })
  await publish(bus, events.slice(0, 200))
  await settled(first)
  await first.checkpoint()
  checkpoints.die()
  await publish(bus, events.slice(200, 301))
  await settled(first)
  await first.stop()
  await publish(bus, events.slice(301))
  const second = await runWorker({ bus, prepared, checkpoints: real })
  await settled(second)
  assert.equal(
    second.stats().reduce((sum, { events: count }) => sum + count, 0),
    events.length - 200,
  )
  await second.stop()
  assert.deepEqual(await verdictsOf(bus), expected)
})

it('the newest checkpoint is damaged: the one before is used, and nothing is lost', { timeout }, async () => {
  await using dir = await temporaryDir()
  await using bus = await open(dir.path)
  const folder = join(dir.path, 'checkpoints')
  const checkpoints = openCheckpoints(folder, 'r1')
  const first = await runWorker({ bus, prepared, checkpoints })
  await publish(bus, events.slice(0, 100))
  await settled(first)
  await first.checkpoint()
  await publish(bus, events.slice(100, 300))
  await settled(first)
  await first.stop()
  for (let partition = 0; partition < bus.partitions; partition += 1) {
    const names = (await readdir(folder)).filter((name) => name.startsWith(`engine-${partition}-`))
    const ordinal = (name: string) => Number(name.split('-')[2]?.split('.')[0])
    const newest = join(folder, names.sort((a, b) => ordinal(a) - ordinal(b)).at(-1) as string)
    const bytes = await readFile(newest)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] as number) ^ 0xff
    await writeFile(newest, bytes)
  }
  await publish(bus, events.slice(300))
  const second = await runWorker({ bus, prepared, checkpoints })
  await settled(second)
  const judged = second.stats().reduce((sum, { events: count }) => sum + count, 0)
  assert.equal(judged, events.length - 100, 'from the older checkpoint on, not from the start')
  await second.stop()
  assert.deepEqual(await verdictsOf(bus), expected)
})

it('a log that is full for a while delays verdicts and loses none, wherever it strikes', { timeout }, async () => {
  for (const topic of ['mcp.alerts', 'mcp.facts'] as const) {
    await using dir = await temporaryDir()
    await using log = await open(dir.path)
    let refusals = 0
    let calls = 0
    const bus: Bus = {
      ...log,
      publish: async (to, records) => {
        if (to === topic && records.length > 0) calls += 1
        if (to === topic && records.length > 0 && calls % 2 === 1 && refusals < 6) {
          refusals += 1
          throw new Fault('BUS_FULL', 'on purpose')
        }
        return log.publish(to, records)
      },
    }
    const worker = await runWorker({ bus, prepared })
    for (let from = 0; from < events.length; from += 60) await publish(log, events.slice(from, from + 60))
    await settled(worker)
    await worker.stop()
    assert.ok(refusals > 0)
    assert.deepEqual(await verdictsOf(log), expected)
  }
})

it('a record that is no event goes to the dead letters, and its neighbours are judged', { timeout }, async () => {
  await using dir = await temporaryDir()
  await using bus = await open(dir.path)
  const poison = { key: 'default\0actor-1', bytes: Buffer.from('{"eventId":') }
  const worker = await runWorker({ bus, prepared })
  const good = events.map((event) => ({ key: `${event.tenant}\0${event.actor}`, bytes: encodeEvent(event) }))
  await bus.publish('mcp.events', [...good.slice(0, 77), poison, ...good.slice(77, 150), poison, ...good.slice(150)])
  await settled(worker)
  await worker.stop()
  const letters: DeadLetter[] = []
  const running = await bus.consume(['mcp.dead'], 'check', { batch: async (_, records) => void letters.push(...records.map(letterOf)) })
  await until(() => letters.length >= 2)
  await running.stop()
  assert.deepEqual(
    letters.map(({ topic, reason }) => `${topic} ${reason}`),
    ['mcp.events RECORD_INVALID', 'mcp.events RECORD_INVALID'],
  )
  assert.deepEqual(await verdictsOf(bus), expected)
})
