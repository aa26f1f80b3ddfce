/** What each role of a cluster costs, one at a time, against plain kafkajs and JSON.parse of the same events; and what more workers bring. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'
import { openStore, type Store } from '../../api/store/connect.ts'
import { openKafka } from '../../collectors/bus/kafka.ts'
import { recordOf } from '../../collectors/bus/kafka-lane.ts'
import { openKeys } from '../../collectors/keys.ts'
import { relayedHeader } from '../../collectors/otlp/otlp-post.ts'
import type { Rec } from '../../schemas/bus.ts'
import { encode } from '../collectors/otlp-bodies.ts'
import { startBrokers, whatIsMissing } from '../kafka/broker.ts'
import { freshPrefix, readAll } from '../kafka/kafka-tools.ts'
import { createRoles } from '../kafka/roles.ts'
import { type Grown, growthFigures, type StageRound, stageFigures, type Taken } from './cluster-figures.ts'
import { chunked, spans, tracesOf } from './events.ts'
import { type Held, openWatch, type Reader, startHeld, type Watch } from './held.ts'
import { stock } from './kafka.ts'
import { alternate, cpuOf, type Figure, type Part, type Run } from './measure.ts'
import { scratch } from './scratch.ts'

const perBody = 256
const inFlight = 4
const partitionsOfStages = 4
const grown = [1, 2, 4] as const
/** Nobody is missed while it is stopped. */
const sessionMs = 120_000

/** `opening` ends what a measurement that was interrupted has left open. */
type Place = Readonly<{ opening: AsyncDisposableStack; dir: string; brokers: readonly string[]; engine: Store; settings: string }>
const rolesIn = ({ dir, brokers, engine, settings }: Place, topicPrefix: string, partitions: number) =>
  createRoles({
    ...{ dir, brokers, topicPrefix, partitions, storeUrl: engine.url },
    flags: ['--config', settings, '--kafka-session-ms', String(sessionMs)],
  })

/** As a relay sends, over connections of its own: else all would be done by the user of this machine, and lie in one partition. */
async function send(url: string, bodies: readonly Uint8Array[]): Promise<void> {
  const pool = new Pool(url, { connections: inFlight })
  const headers = { 'content-type': 'application/x-protobuf', [relayedHeader]: '1' }
  const waiting = bodies.values()
  const lane = async (): Promise<void> => {
    for (const body of waiting) {
      for (let isTaken = false; !isTaken; ) {
        const answer = await pool.request({ method: 'POST', path: '/v1/traces', headers, body })
        await answer.body.dump()
        isTaken = answer.statusCode === 200
        if (!isTaken && answer.statusCode !== 429 && answer.statusCode !== 503) throw new Error(`refused: ${answer.statusCode}`)
        if (!isTaken) await sleep(50)
      }
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane))
  await pool.close()
}

const less = (after: number | undefined, before: number | undefined): number | undefined =>
  after === undefined || before === undefined ? undefined : after - before

async function timed(held: Held, work: () => Promise<void>): Promise<Taken> {
  const [from, before] = [performance.now(), held.cpu()]
  await work()
  return { ms: performance.now() - from, cpu: less(held.cpu(), before) }
}

/** From the moment at which it may work to the last position committed. */
const drain = (held: Held, watch: Watch, role: Reader): Promise<Taken> =>
  timed(held, async () => {
    held.release()
    await watch.drained(role)
    held.hold()
  })

/** Records of a topic that came since it was asked before. */
function createTail(brokers: readonly string[], topic: string, partitions: number) {
  const seen = Array.from({ length: partitions }, () => 0)
  return async (): Promise<Rec[]> => {
    const fresh: Rec[] = []
    for (const partition of seen.keys()) {
      const all = await readAll(brokers, topic, partition)
      for (const message of all.slice(seen[partition])) fresh.push(recordOf(message))
      seen[partition] = all.length
    }
    return fresh
  }
}

/** The three roles, one of each: each gets as its backlog what the one before has made of the same spans. */
async function stages(place: Place, count: number, rounds: number, { say }: Run): Promise<readonly StageRound[]> {
  await using opening = place.opening.use(new AsyncDisposableStack())
  const topicPrefix = freshPrefix()
  const roles = rolesIn(place, topicPrefix, partitionsOfStages)
  const start = (role: 'collect' | Reader) => startHeld(opening, roles, role, [1])
  const [collect, detect, store] = [await start('collect'), await start('detect'), await start('store')]
  const watch = await openWatch(place.brokers, topicPrefix)
  opening.defer(watch.close)
  await watch.shared('detect', 1)
  await watch.shared('store', 1)
  for (const { hold } of [collect, detect, store]) hold()
  const tail = createTail(place.brokers, `${topicPrefix}mcp.spans`, partitionsOfStages)
  const taken: StageRound[] = []
  for (let round = 0; round <= rounds; round += 1) {
    const some = chunked(spans(count, { seed: 600 + round }), perBody).map(tracesOf)
    const bodies = some.map((traces) => encode('Traces', traces))
    const texts = some.map((traces) => JSON.stringify(traces))
    const collected = await timed(collect, async () => {
      collect.release()
      await send(collect.served[0]?.otlp ?? '', bodies)
      collect.hold()
    })
    const backlog = await tail()
    if (backlog.length !== count) throw new Error(`${backlog.length} of ${count} spans were collected`)
    const detected = await drain(detect, watch, 'detect')
    const engineBefore = cpuOf(place.engine.pid())
    const stored = await drain(store, watch, 'store')
    const engineCpu = less(cpuOf(place.engine.pid()), engineBefore)
    const plain = await stock(place.brokers, backlog, partitionsOfStages)
    const [floor = Number.NaN] = await alternate([() => texts.forEach((text) => void JSON.parse(text))], 3)
    const one = { collect: collected, detect: detected, store: { ...stored, engineCpu } }
    // The first round warms up.
    taken.push({ ...one, plain: plain.produceCpu + plain.consumeCpu, floor, backlog })
    const each = (cpu: number | undefined): string => ((cpu ?? Number.NaN) / count).toFixed(1)
    say(
      `round ${round} of ${rounds}, µs CPU per event: collect ${each(collected.cpu)}, detect ${each(detected.cpu)}, ` +
        `store ${each(stored.cpu)} and engine ${each(engineCpu)}, plain kafkajs ${each(plain.produceCpu + plain.consumeCpu)}, JSON.parse ${each(floor)}`,
    )
  }
  return taken
}

type Workers = Readonly<{ members: number; fullest: () => Promise<number>; next: (backlog: readonly Rec[]) => Promise<Taken> }>

/** So many partitions, and as many workers, stopped. */
async function openWorkers(opening: AsyncDisposableStack, place: Place, members: number): Promise<Workers> {
  const topicPrefix = freshPrefix()
  const options = { brokers: place.brokers, clientId: 'backlog', topicPrefix, partitions: members, replicationFactor: 1 }
  const bus = opening.use(await openKafka({ ...options, retentionMs: 3_600_000, seal: () => '', onFault: () => undefined }))
  const numbers = Array.from({ length: members }, (_, i) => members * 10 + i)
  const detect = await startHeld(opening, rolesIn(place, topicPrefix, members), 'detect', numbers)
  const watch = await openWatch(place.brokers, topicPrefix)
  opening.defer(watch.close)
  await watch.shared('detect', members)
  detect.hold()
  return {
    members,
    fullest: () => watch.fullest('mcp.events'),
    async next(backlog) {
      for (const some of chunked(backlog, 1_000)) await bus.publish('mcp.spans', some)
      return drain(detect, watch, 'detect')
    },
  }
}

/** The same backlogs for each number of workers, in turn, so that a busier moment of the machine meets all of them. */
async function growth(place: Place, backlogs: readonly (readonly Rec[])[], { say }: Run): Promise<readonly Grown[]> {
  await using opening = place.opening.use(new AsyncDisposableStack())
  const sets: (Workers & { taken: Taken[] })[] = []
  for (const members of grown) sets.push({ ...(await openWorkers(opening, place, members)), taken: [] })
  for (const [round, backlog] of backlogs.entries()) {
    const said: string[] = []
    for (const { members, next, taken } of sets) {
      const one = await next(backlog)
      // Two rounds warm up: of four workers each gets a quarter of them.
      if (round >= warmRounds) taken.push(one)
      const cpu = ((one.cpu ?? Number.NaN) / backlog.length).toFixed(0)
      said.push(`${members}: ${Math.round((backlog.length * 1_000) / one.ms)} a second and ${cpu} µs CPU per event`)
    }
    say(`workers, round ${round} of ${backlogs.length - 1}; ${said.join('; ')}`)
  }
  return await Promise.all(sets.map(async ({ members, fullest, taken }) => ({ members, fullest: await fullest(), taken })))
}
const warmRounds = 2

async function measure(place: Place, run: Run): Promise<readonly Figure[]> {
  const count = run.quick ? 4_096 : 6_144
  const rounds = await stages(place, count, run.quick ? 2 : 4, run)
  const sets = await growth(
    place,
    rounds.map(({ backlog }) => backlog),
    run,
  )
  return [...stageFigures(rounds.slice(1)), ...growthFigures(sets, count)]
}

async function run(run: Run): Promise<readonly Figure[]> {
  const missing = await whatIsMissing()
  if (missing) return [{ name: 'cluster', value: undefined, unit: '', note: missing }]
  await using opening = new AsyncDisposableStack()
  // A stopped process does not hear of a signal to this one, and would stay.
  const interrupted = Promise.withResolvers<never>()
  interrupted.promise.catch(() => undefined)
  const onSignal = (): void => interrupted.reject(new Error('interrupted'))
  for (const signal of signals) process.once(signal, onSignal)
  opening.defer(() => signals.forEach((signal) => void process.off(signal, onSignal)))
  const { path: dir } = opening.use(scratch())
  const keys = openKeys(dir)
  keys.keyedHash('default')('made')
  keys.seal(Buffer.from('made'))
  const { brokers } = opening.use(await startBrokers())
  const engine = opening.use(await openStore({ kind: 'embedded', dir: join(dir, 'store'), querySecondsMax: 120 }))
  const settings = join(dir, 'lapwing.yaml')
  writeFileSync(settings, JSON.stringify({ store: { user: 'lapwing', password: engine.token } }), { mode: 0o600 })
  return await Promise.race([interrupted.promise, measure({ opening, dir, brokers, engine, settings }, run)])
}
const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

export const clusterPart: Part = {
  name: 'cluster',
  about: 'collect, detect and store, each alone, over a real broker; 1 to 4 workers',
  run,
}
