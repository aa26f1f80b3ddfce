/** A real Apache Kafka for tests: one broker or three, from Maven’s artifacts in the user’s cache, under Java 17, gone when the test is. */
import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const version = '4.3.1'
const quick = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'lapwing')
const home = join(cache, `kafka-${version}`)

const pom = `<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>lapwing</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${version}</version></dependency>
  </dependencies>
</project>
`

/** What is missing on this machine, in one line; undefined when a broker can be started. */
export async function whatIsMissing(): Promise<string | undefined> {
  const missing: string[] = []
  const java = await run('java', ['-version']).catch(() => undefined)
  const major = Number(/version "(\d+)/.exec(java?.stderr ?? '')?.[1] ?? 0)
  if (major < 17) missing.push('Java 17 or newer')
  if (!existsSync(join(home, 'lib')) && !(await run('mvn', ['-version']).catch(() => undefined))) missing.push('Maven (mvn)')
  if (missing.length === 0) return undefined
  const line = `a Kafka broker needs ${missing.join(' and ')}, which this machine does not have`
  if (process.env['CI'] === 'true') throw new Error(line)
  return line
}

/** Made beside and renamed, so that two test files that start together do not read half of it. */
async function install(): Promise<string> {
  const lib = join(home, 'lib')
  if (existsSync(lib)) return lib
  mkdirSync(cache, { recursive: true })
  const beside = await mkdtemp(join(cache, 'kafka-making-'))
  writeFileSync(join(beside, 'pom.xml'), pom)
  const goal = ['-q', '-B', 'dependency:copy-dependencies', '-DoutputDirectory=lib', '-DincludeScope=runtime']
  await run('mvn', goal, { cwd: beside, maxBuffer: 16 * 1024 ** 2 })
  try {
    renameSync(beside, home)
  } catch (error) {
    rmSync(beside, { recursive: true, force: true })
    if (!existsSync(lib)) throw error
  }
  return lib
}

async function freePorts(count: number): Promise<readonly number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}

async function answers(port: number, alive: () => boolean): Promise<void> {
  while (alive()) {
    const socket = connect(port, '127.0.0.1')
    const isOpen = await Promise.race([once(socket, 'connect').then(() => true), once(socket, 'error').then(() => false)]).catch(
      () => false,
    )
    socket.destroy()
    if (isOpen) return
    await sleep(50)
  }
  throw new Error('the broker ended before it answered')
}

export type Brokers = AsyncDisposable & {
  readonly brokers: readonly string[]
  /** Node n (from 1) dies at once. */
  kill(node: number): Promise<void>
  /** The same node again, with its data. */
  start(node: number): Promise<void>
}
export type BrokersOptions = Readonly<{
  count?: 1 | 3
  config?: Readonly<Record<string, string | number>>
  /** What clients are told to connect to instead of node 1’s own port: a proxy in front of it. */
  advertise?: (port: number) => Promise<number>
}>

function propertiesOf(node: number, count: number, ports: readonly number[], advertised: number, dir: string) {
  const controller = ports[0] ?? 0
  const port = ports[node] ?? 0
  const isController = node === 1
  return {
    'process.roles': isController ? 'broker,controller' : 'broker',
    'node.id': node,
    'controller.quorum.bootstrap.servers': `127.0.0.1:${controller}`,
    'controller.listener.names': 'CONTROLLER',
    listeners: `PLAINTEXT://127.0.0.1:${port}${isController ? `,CONTROLLER://127.0.0.1:${controller}` : ''}`,
    'advertised.listeners': `PLAINTEXT://127.0.0.1:${advertised}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'log.dirs': join(dir, `data-${node}`),
    'offsets.topic.replication.factor': count,
    'offsets.topic.num.partitions': 5,
    'transaction.state.log.replication.factor': count,
    'transaction.state.log.min.isr': 1,
    'group.initial.rebalance.delay.ms': 0,
    'group.min.session.timeout.ms': 1_000,
    'auto.create.topics.enable': false,
    'broker.session.timeout.ms': 6_000,
    // So that a thousand partitions of short tests do not fill a small disk.
    'log.index.size.max.bytes': 64 * 1024,
    'log.retention.check.interval.ms': 1_000,
    'log.initial.task.delay.ms': 1_000,
  }
}

export async function startBrokers({ count = 1, config = {}, advertise }: BrokersOptions = {}): Promise<Brokers> {
  const lib = await install()
  const dir = await mkdtemp(join(tmpdir(), 'lapwing-kafka-'))
  const ports = await freePorts(count + 1)
  const classpath = ['-cp', join(lib, '*')]
  const nodes = Array.from({ length: count }, (_, i) => i + 1)
  const file = (node: number): string => join(dir, `server-${node}.properties`)
  const addresses: string[] = []
  for (const node of nodes) {
    const advertised = advertise ? await advertise(ports[node] ?? 0) : (ports[node] ?? 0)
    addresses.push(`127.0.0.1:${advertised}`)
    const properties = { ...propertiesOf(node, count, ports, advertised, dir), ...config }
    writeFileSync(
      file(node),
      Object.entries(properties)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    )
  }
  const children = new Map<number, ReturnType<typeof spawn>>()
  const killAll = (): void => {
    for (const child of children.values()) child.kill('SIGKILL')
  }
  process.on('exit', killAll) // a test that dies leaves no broker
  const start = async (node: number): Promise<void> => {
    const child = spawn('java', ['-Xmx384m', ...quick, ...classpath, 'kafka.Kafka', file(node)], { stdio: 'ignore' })
    children.set(node, child)
    await answers(ports[node] ?? 0, () => child.exitCode === null && child.signalCode === null)
  }
  const kill = async (node: number): Promise<void> => {
    const child = children.get(node)
    children.delete(node)
    if (!child || child.exitCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  const end = async (): Promise<void> => {
    await Promise.all([...children.keys()].map(kill))
    process.off('exit', killAll)
    await rm(dir, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    const id = `l${randomBytes(16).toString('base64url').slice(1)}` // 22 characters of base64 that do not begin with a dash
    await Promise.all(
      nodes.map((node) => {
        const standalone = node === 1 ? ['--standalone'] : []
        return run('java', [...quick, ...classpath, 'kafka.tools.StorageTool', 'format', ...standalone, '-t', id, '-c', file(node)])
      }),
    )
    await Promise.all(nodes.map(start))
  } catch (error) {
    await end()
    throw error
  }
  return { brokers: addresses, start, kill, [Symbol.asyncDispose]: end }
}
