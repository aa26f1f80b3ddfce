// Makes a fresh clone ready and runs a verb: installs the lockfile when node_modules is missing or stale, builds the page
// when its sources changed, and goes on in the Node 24 that npm brought. Plain JavaScript, runs on Node 20 and newer.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(fileURLToPath(import.meta.url))
const at = (...parts) => join(root, ...parts)
const stampFile = at('node_modules', '.lapwing-lock')
const sha = (...texts) => createHash('sha256').update(texts.join('\0')).digest('hex')

function run(command, args, options = {}) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options })
  if (error || status !== 0) {
    console.error(`lapwing: ${command} ${args.join(' ')} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`)
    process.exit(1)
  }
}

function installDependencies() {
  const wanted = sha(readFileSync(at('package-lock.json'), 'utf8'), process.platform, process.arch)
  if (existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wanted) return
  console.error('lapwing: installing dependencies (about 1 GB, once) …')
  run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
  writeFileSync(stampFile, wanted)
}

/** The Node 24 binary that came as an optional dependency, or this one when it is new enough. */
export function nodeBinary() {
  for (const name of [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`]) {
    const binary = at('node_modules', name, 'bin', 'node')
    if (existsSync(binary)) return binary
  }
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  console.error(`lapwing: Node 24 is needed and npm has no binary for ${process.platform}-${process.arch}; run with Node 24 or newer`)
  process.exit(1)
}

function sourcesOf(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

function buildPage() {
  if (!existsSync(at('dashboards', 'app'))) return
  const stamp = at('dashboards', 'dist', '.stamp')
  const sources = [at('dashboards', 'vite.config.ts'), ...sourcesOf(at('dashboards', 'app'))]
  const wanted = sha(...sources.map((file) => `${file.slice(root.length)}\n${readFileSync(file, 'utf8')}`))
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  console.error('lapwing: building the page …')
  run(nodeBinary(), [
    at('node_modules', 'vite', 'bin', 'vite.js'),
    'build',
    '--logLevel',
    'warn',
    '--config',
    at('dashboards', 'vite.config.ts'),
  ])
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, wanted)
}

export function prepare() {
  installDependencies()
  buildPage()
}

const bin = (name, file) => at('node_modules', name, file)
const verbs = {
  test: [['--test', 'test/*.test.ts', 'test/{schemas,collectors,detectors,api,dashboards,commands,conformance}/**/*.test.ts']],
  'test:faults': [['--test', 'test/faults/**/*.test.ts']],
  'test:kafka': [['--test', '--test-concurrency=1', 'test/kafka/**/*.test.ts']],
  'test:deploy': [['--test', 'test/deploy/**/*.test.ts']],
  'test:browser': [['--test', 'test/browser/**/*.test.ts']],
  bench: [['test/load/bench.ts']],
  'bench:kafka': [['test/load/bench.ts', 'kafka', 'cluster']],
  check: [[bin('typescript', 'bin/tsc')], [bin('@biomejs/biome', 'bin/biome'), 'check'], [bin('knip', 'bin/knip.js')]],
}

/** V8 takes four threads for garbage and compiling on any machine: on two cores they crowd out the one that answers. */
const v8Threads = Math.max(1, Math.min(4, availableParallelism() - 1))

/** Runs Node 24 with `args`, passing signals and the exit code on. */
export function runNode(args) {
  return new Promise((resolve) => {
    const child = spawn(nodeBinary(), [`--v8-pool-size=${v8Threads}`, ...args], { cwd: process.cwd(), stdio: 'inherit' })
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
    child.on('exit', (code, signal) => resolve(signal ? 1 : (code ?? 1)))
  })
}

const [verb, ...rest] = process.argv[1] === fileURLToPath(import.meta.url) ? process.argv.slice(2) : []
if (verb) {
  if (!verbs[verb]) {
    console.error(`usage: node setup.mjs ${Object.keys(verbs).join('|')}`)
    process.exit(2)
  }
  prepare()
  process.chdir(root)
  for (const args of verbs[verb]) {
    const code = await runNode([...args, ...rest])
    if (code !== 0) process.exit(code)
  }
}
