/** `lapwing demo`: starts everything on a temporary folder, plays real traffic with attacks, and shows where to look. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Command } from 'commander'
import { pino } from 'pino'
import { actorOf, play, type Stage } from '../demo/play.ts'
import { type DemoStory, files, stories } from '../demo/stories.ts'
import { openWebServer } from '../demo/web-server.ts'
import type { Verdicts } from '../detectors/engine.ts'
import { Config } from '../schemas/config.ts'
import { Fault } from '../schemas/errors.ts'
import { type Judgement, judge } from './demo-judge.ts'
import { openPipeline, type Pipeline } from './pipeline.ts'
import type { Serve } from './roles/serve.ts'

const say = (line = ''): void => void process.stdout.write(`${line.replace(/[\p{Cc}\p{Cf}]/gu, '·')}\n`)
/** Taps send what they saw when their connection ends; this long after the last one it must be here. */
const arrivalMsMax = 15_000

export function demoCommand(version: string): Command {
  return new Command('demo')
    .description('Start everything, play benign work and attacks as real MCP traffic, show where to look')
    .option('--exit', 'check what was found, print it and end; exit code 1 when something is missing')
    .action(async ({ exit }: { exit?: boolean }) => {
      const root = mkdtempSync(join(tmpdir(), 'lapwing-demo-'))
      try {
        await run(root, version, exit ?? false)
      } finally {
        rmSync(root, { recursive: true, force: true, maxRetries: 3 })
      }
    })
}

async function run(root: string, version: string, exit: boolean): Promise<void> {
  await using receiver = await openReceiver()
  const config = await demoConfig(join(root, 'data'), receiver.url, exit)
  // With --exit nothing but the verdict is said; otherwise alerts are shown as they come.
  const onVerdicts = ({ alerts }: Verdicts) => {
    for (const { severity, actor, detector, summary } of alerts)
      say(`    ${severity.padEnd(13)} ${actor.padEnd(24)} ${detector}: ${summary}`)
  }
  say('Starting log, engine, detectors and receivers …')
  await using pipeline = await openPipeline({
    config,
    version,
    log: pino({ level: 'warn', serializers: { error: pino.stdSerializers.errWithCause } }, pino.destination({ dest: 2, sync: true })),
    onVerdicts,
  })
  const { serve, collect } = pipeline
  if (!serve || !collect) throw new Fault('START_REFUSED', 'the demo needs every role')
  await using web = await openWebServer()
  const stage: Stage = { root: join(root, 'files'), dataDir: config.dataDir, endpoint: collect.httpUrl, webUrl: web.url }
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(stage.root, path)), { recursive: true })
    writeFileSync(join(stage.root, path), content)
  }
  say(`  page ${serve.url}/#token=${serve.token}`)
  const made = await playAll(stage)
  const judgement = await judged(pipeline, serve, made)
  await receiver.arrived(arrivalMsMax)
  tell(judgement, receiver.count())
  if (exit) {
    process.exitCode = judgement.problems.length > 0 ? 1 : 0
    return
  }
  say()
  say(`Look at ${serve.url}/#token=${serve.token}`)
  say(
    `Connect your own: OTLP/HTTP ${collect.httpUrl}, OTLP/gRPC ${config.otlp.host}:${collect.grpcPort}. Ctrl-C ends the demo and removes its data.`,
  )
  const { promise: stopped, resolve: stop } = Promise.withResolvers<void>()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop())
  await stopped
}

async function playAll(stage: Stage): Promise<Map<DemoStory, Map<string, number>>> {
  const made = new Map<DemoStory, Map<string, number>>()
  for (const [index, story] of stories.entries()) {
    say(`  [${index + 1}/${stories.length}] ${story.expects.length > 0 ? 'attack' : 'benign'}: ${story.title}`)
    made.set(story, await play(story, stage))
  }
  return made
}

/** Asks until every call is stored, then judges; what is late is missing. */
async function judged(pipeline: Pipeline, serve: Serve, made: ReadonlyMap<DemoStory, ReadonlyMap<string, number>>): Promise<Judgement> {
  const until = Date.now() + arrivalMsMax
  for (;;) {
    await pipeline.settled()
    const judgement = await judge(serve, pipeline.failedDetectors, made, actorOf)
    if (judgement.problems.length === 0 || Date.now() > until) return judgement
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

function tell({ expected, benign, problems }: Judgement, delivered: number): void {
  say()
  say('Expected alerts')
  for (const { story, families, min, found } of expected) {
    say(
      `  ${found ? 'found  ' : 'MISSING'} ${story.padEnd(20)} ${families.join('/')} ≥ ${min}${found ? `  ${found.severity} ${found.detector}: ${found.summary}` : ''}`,
    )
  }
  say('Alerts in benign threads')
  if (benign.length === 0) say('  none')
  for (const { severity, detector, summary, actor } of benign) say(`  ${severity.padEnd(13)} ${actor} ${detector}: ${summary}`)
  say(`Webhook: ${delivered} alert${delivered === 1 ? '' : 's'} delivered, signed`)
  for (const problem of problems) say(`PROBLEM: ${problem}`)
  say(problems.length === 0 ? 'All as expected.' : `${problems.length} problem${problems.length === 1 ? '' : 's'}.`)
}

/** A port that is free now: the default where it can be had, else any. With `any` the default is not even tried. */
async function freePort(wanted: number, any: boolean): Promise<number> {
  const attempt = (port: number) =>
    new Promise<number | undefined>((resolve) => {
      const server = createServer()
      server.once('error', () => resolve(undefined))
      server.listen(port, '127.0.0.1', () => {
        const { port: got } = server.address() as AddressInfo
        server.close(() => resolve(got))
      })
    })
  return (any ? undefined : await attempt(wanted)) ?? (await attempt(0)) ?? 0
}

async function demoConfig(dataDir: string, webhook: string, any: boolean): Promise<Config> {
  const { api, otlp, ...rest } = Config.parse({
    outputs: { webhook: { url: webhook, secret: 'demo', severity: 'high', allowPrivate: true } },
  })
  return {
    ...rest,
    dataDir,
    api: { ...api, port: await freePort(api.port, any) },
    otlp: { ...otlp, httpPort: await freePort(otlp.httpPort, any), grpcPort: await freePort(otlp.grpcPort, any) },
  }
}

/** Where the demo's webhook goes: counts what comes with a signature. */
async function openReceiver() {
  let count = 0
  const server = createHttpServer((request, response) => {
    request.resume().on('end', () => {
      if (request.headers['webhook-signature']) count += 1
      response.writeHead(204).end()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/alerts`,
    count: () => count,
    arrived: async (msMax: number) => {
      for (const until = Date.now() + msMax; count === 0 && Date.now() < until; ) await new Promise((resolve) => setTimeout(resolve, 100))
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
