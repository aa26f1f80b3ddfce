/** A real OpenTelemetry Collector between the senders and the four roles, with the configurations of deploy/otelcol as they are. */
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { it, type TestContext } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import kafkajs from 'kafkajs'
import type { Role } from '../../schemas/config.ts'
import { startLoad } from '../faults/load.ts'
import { createOracle } from '../faults/oracle.ts'
import { ask, freePorts, startProduct } from '../faults/product.ts'
import { type Collector, collectorBinary, openCollector } from '../otelcol/collector.ts'
import { attackUrl, kafkaRecords, steps, tellBySdk, toolWord } from '../otelcol/span-story.ts'
import { playThroughTap } from '../otelcol/tap-story.ts'
import { whatIsMissing } from './broker.ts'
import { type Cluster, openCluster } from './cluster.ts'
import type { RoleProcess, ServedRole } from './roles.ts'

const skip = await whatIsMissing()
const binary = skip ? { reason: skip } : await collectorBinary()
const noCollector = typeof binary === 'string' ? undefined : binary.reason
const token = 'one-token-for-all'
const topics = ['otlp_spans', 'otlp_logs']
const settleMsMax = 90_000
/** The pipeline’s observations of itself are events too, which nobody sent. */
const flags = ['--otlp-token', token, '--kafka-source-topics', topics.join(), '--monitor-interval-ms', '3600000']

type Shown = { api: string; token: string }
type Row = Record<string, unknown>
const shownBy = ({ api = '', token: shown = '' }: ServedRole): Shown => ({ api, token: shown })
const itemsOf = async (shown: Shown, path: string): Promise<Row[]> => ((await ask(shown, path)) as { items: Row[] }).items

/** What is owed may take a while to arrive; what is wrong for good stays wrong. */
async function settles(check: () => Promise<void>): Promise<void> {
  for (const deadline = Date.now() + settleMsMax; ; await sleep(300)) {
    const failure = await check().then(
      () => undefined,
      (error: unknown) => error,
    )
    if (failure === undefined) return
    if (Date.now() > deadline) throw failure
  }
}

type Chain = Readonly<{ cluster: Cluster; collect: () => RoleProcess; restartCollect: () => Promise<void>; shown: Shown }>

async function withRoles(t: TestContext, cluster: Cluster, use: (chain: Chain) => Promise<void>): Promise<void> {
  const running = new Map<Role, RoleProcess>()
  const start = async (role: Role): Promise<ServedRole> => {
    const process = cluster.roles.start(role, 1)
    running.set(role, process)
    return await process.ready
  }
  const collect = () => running.get('collect') as RoleProcess
  try {
    const [served] = await Promise.all((['serve', 'collect', 'detect', 'store'] as const).map(start))
    const restartCollect = async () => void (await start('collect'))
    await use({ cluster, collect, restartCollect, shown: shownBy(served ?? {}) })
  } catch (error) {
    for (const [role, { output }] of running) t.diagnostic(`${role}: ${output().slice(-1_500)}`)
    throw error
  } finally {
    for (const { kill } of running.values()) kill('SIGKILL')
    await Promise.all([...running.values()].map(({ ended }) => ended))
  }
}

async function collectorFor(t: TestContext, chain: Chain, route: 'to-kafka' | 'to-lapwing'): Promise<Collector> {
  if (typeof binary !== 'string') throw new Error(binary.reason)
  const { dir, broker } = chain.cluster
  const tokenFile = join(dir, 'token')
  writeFileSync(tokenFile, token)
  const { otlp = '' } = await chain.collect().ready
  const collector = await openCollector({
    command: binary,
    config: fileURLToPath(new URL(`../../deploy/otelcol/${route}.yaml`, import.meta.url)),
    environment: {
      ...{ KAFKA_BROKER: broker.brokers[0] ?? '', OTLP_ENDPOINT: otlp },
      ...{ OTLP_TOKEN_FILE: tokenFile, OTELCOL_QUEUE: join(dir, `queue ${t.name}`) },
    },
  })
  await collector.start()
  return collector
}

/** Shows the token for a sender that has none; what fails behind it fails in front. */
async function openDoor(url: string): Promise<AsyncDisposable & { url: string }> {
  const server = createServer((incoming, outgoing) => {
    const headers = { ...incoming.headers, authorization: `Bearer ${token}` }
    const inner = request(`${url}${incoming.url}`, { method: incoming.method, headers })
    inner.on('error', () => outgoing.destroy())
    inner.on('response', (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.on('error', () => outgoing.destroy()).pipe(outgoing)
    })
    incoming.on('error', () => inner.destroy()).pipe(inner)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Reads the store itself, so it goes first: nothing else may be in there. */
async function survivesKills(t: TestContext, chain: Chain): Promise<void> {
  await using collector = await collectorFor(t, chain, 'to-lapwing')
  await using door = await openDoor(collector.url)
  const oracle = createOracle()
  const load = startLoad({ oracle, name: 'collector', senders: 2, restMs: 100 })
  const more = async (count: number) => {
    const { acknowledged } = oracle.counts()
    await settles(async () => assert.ok(oracle.counts().acknowledged >= acknowledged + count, collector.output()))
  }
  try {
    load.to(door.url)
    await more(200)
    await collector.kill()
    await collector.start()
    await more(200)
    chain.collect().kill('SIGKILL')
    await chain.collect().ended
    await more(400)
    await collector.kill()
    const waiting = await chain.cluster.engine.client.query({ query: 'SELECT count() AS stored FROM events', format: 'JSONEachRow' })
    const [{ stored } = { stored: 0 }] = await waiting.json<{ stored: number }>()
    const { acknowledged } = oracle.counts()
    assert.ok(Number(stored) <= acknowledged - 400, `nothing waits in the queue: ${stored} of ${acknowledged} are stored`)
    await Promise.all([collector.start(), chain.restartCollect()])
    await more(100)
    await load.finish()
    await settles(async () => void (await oracle.check(chain.cluster.engine)))
    t.diagnostic(JSON.stringify({ ...oracle.counts(), ...load.counts(), waited: acknowledged - Number(stored) }))
    assert.ok(load.counts().retries > 0 && oracle.counts().attacks > 3)
  } finally {
    await load.stop()
  }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
const outcomes = ['unknown', 'success', 'tool_error']

/** Each call once, seen from both sides, with its tool and outcome; and the alert of the attack. */
async function checkSpanStory(shown: Shown): Promise<void> {
  const events = await itemsOf(shown, `/v1/events?method=tools%2Fcall&q=${toolWord}_&limit=1000`)
  const calls = Map.groupBy(events, (event) => String(event['lapwing.call.id']))
  const told = [...calls.values()].map((sides) => {
    const each = (name: string) => [...new Set(sides.map((event) => textOf(event[name])))].sort().join('+')
    const outcome = outcomes[Math.max(...sides.map((event) => outcomes.indexOf(String(event['lapwing.outcome']))))]
    return [each('gen_ai.tool.name'), each('gen_ai.tool.call.arguments'), outcome, sides.length, each('lapwing.vantage')].join(' ')
  })
  const expected = steps.map((step) => [step.tool, JSON.stringify(step.arguments), step.outcome, 2, 'client+server'].join(' '))
  assert.deepEqual(told.sort(), expected.sort())
  const alerts = await itemsOf(shown, '/v1/alerts?detector=ssrf&limit=1000')
  const raised = alerts.filter(({ tool_name }) => String(tool_name).startsWith(toolWord))
  // The agent knows its server by address and the server itself by name: each side may raise it.
  const abouts = new Set(raised.map(({ evidence, severity }) => `${(evidence as Row)['url']} ${severity}`))
  assert.deepEqual([...abouts], [`${attackUrl} high`])
}

async function throughKafka(t: TestContext, chain: Chain, kafka: kafkajs.Kafka): Promise<void> {
  if (noCollector !== undefined) {
    t.diagnostic(noCollector)
    const producer = kafka.producer()
    await producer.connect()
    await producer.send({ topic: 'otlp_spans', messages: kafkaRecords() })
    await producer.disconnect()
    return settles(() => checkSpanStory(chain.shown))
  }
  await using collector = await collectorFor(t, chain, 'to-kafka')
  await assert.rejects(tellBySdk(collector.url, 'another-token'), 'who shows no token is refused')
  await tellBySdk(collector.url, token)
  await settles(() => checkSpanStory(chain.shown))
}

const actor = 'agent-behind-a-tap'
const callsOf = (shown: Shown) => itemsOf(shown, `/v1/events?actor=${actor}&method=tools%2Fcall&limit=1000`)
const alertsOf = async (shown: Shown) => {
  const alerts = await itemsOf(shown, `/v1/alerts?actor=${actor}&limit=1000`)
  return alerts
    .map(({ detector, severity, title, server_alias, tool_name, hits }) => [detector, severity, title, server_alias, tool_name, hits])
    .sort()
}

async function sameAlerts(t: TestContext, chain: Chain): Promise<void> {
  const { dir, roles } = chain.cluster
  const tell = async (endpoint: string, shown: Shown, name: string) => {
    const dataDir = join(dir, `tap ${name}`)
    mkdirSync(dataDir)
    // A request and its answer each.
    const seen = async (calls: number) => assert.equal((await callsOf(shown)).length, 2 * calls)
    await playThroughTap({ root: join(dir, 'root'), endpoint, token, dataDir, actor }, (calls) => settles(() => seen(calls)))
  }
  const data = join(dir, 'direct')
  mkdirSync(data)
  const product = startProduct(data, [...freePorts, '--keys-dir', roles.keysDir, '--otlp-token', token])
  try {
    const direct = await product.ready
    await tell(direct.otlp, direct, 'direct')
    await using collector = await collectorFor(t, chain, 'to-lapwing')
    await tell(collector.url, chain.shown, 'behind')
    await settles(async () => {
      const alerts = await alertsOf(direct)
      assert.ok(alerts.length >= 3, JSON.stringify(alerts))
      assert.deepEqual(await alertsOf(chain.shown), alerts)
    })
    t.diagnostic(JSON.stringify(await alertsOf(direct)))
  } finally {
    product.kill('SIGTERM')
    await product.ended
  }
}

it('a Collector in front of the roles', { timeout: 600_000, ...(skip ? { skip } : {}) }, async (t) => {
  await using cluster = await openCluster(Math.random, flags)
  const kafka = new kafkajs.Kafka({ brokers: [...cluster.broker.brokers], clientId: 'test', logLevel: kafkajs.logLevel.NOTHING })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: 2, replicationFactor: 1 })) })
  await admin.disconnect()
  const needsOne = noCollector === undefined ? {} : { skip: noCollector }
  await withRoles(t, cluster, async (chain) => {
    await t.test('killed again and again, it loses nothing it has acknowledged', needsOne, (inner) => survivesKills(inner, chain))
    const instead = noCollector === undefined ? '' : ' (records as a Collector writes them: there is none)'
    await t.test(`from an SDK over Kafka every call is seen once, and the attack raises its alert${instead}`, (inner) =>
      throughKafka(inner, chain, kafka),
    )
    await t.test('behind a tap it changes no alert', needsOne, (inner) => sameAlerts(inner, chain))
  })
})
