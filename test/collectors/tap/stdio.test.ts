/** The promises of the stdio tap: it passes bytes, ends and signals as if it were not there, and tells what it saw. */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { test } from 'node:test'
import { chance, chunks, oddMessage, sha256 } from '../../fixtures/odd-messages.ts'
import { openSink } from '../../fixtures/otlp-sink.ts'

const cli = join(import.meta.dirname, '../../fixtures/tap-cli.ts')
const folder = () => {
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-test-'))
  return { dir, [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }) }
}
const nowhere = 'http://127.0.0.1:9'
const tap = (dir: string, endpoint: string, server: readonly string[], more: readonly string[] = []): ChildProcess =>
  spawn(process.execPath, [cli, 'stdio', '--endpoint', endpoint, '--data-dir', dir, ...more, '--', ...server], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
const script = (code: string): string[] => [process.execPath, '-e', code]
const ended = (child: ChildProcess): Promise<[number | null, string | null]> =>
  new Promise((resolve) => child.once('close', (code, signal) => resolve([code, signal])))
async function bytesOf(child: ChildProcess): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of child.stdout as AsyncIterable<Buffer>) parts.push(part)
  return Buffer.concat(parts)
}
const count = 3_000

test('bytes pass unchanged both ways, whatever they are and however they are cut', async () => {
  using data = folder()
  const random = chance(1)
  const sent = Buffer.concat(Array.from({ length: count }, (_, at) => oddMessage(random, at)))
  // The server answers with what it got, and says on stderr what that was.
  const echo = `const h=require('crypto').createHash('sha256');process.stdin.on('data',(c)=>{h.update(c);process.stdout.write(c)||(process.stdin.pause(),process.stdout.once('drain',()=>process.stdin.resume()))}).on('end',()=>process.stderr.write(h.digest('hex')))`
  const child = tap(data.dir, nowhere, script(echo))
  const received = bytesOf(child)
  const stderr = text(child.stderr as NodeJS.ReadableStream)
  for (const chunk of chunks(sent, random)) {
    if (!child.stdin?.write(chunk)) await new Promise((resolve) => child.stdin?.once('drain', resolve))
  }
  child.stdin?.end()
  assert.equal(sha256(await received), sha256(sent))
  assert.match(await stderr, new RegExp(sha256(sent)))
})

test('exit codes and deaths by signal pass on', async () => {
  using data = folder()
  const cases: [string[], number | null, string | null][] = [
    [['sh', '-c', 'exit 3'], 3, null],
    [['sh', '-c', 'kill -TERM $$'], null, 'SIGTERM'],
    [['sh', '-c', 'kill -KILL $$'], null, 'SIGKILL'],
  ]
  await Promise.all(
    cases.map(async ([server, code, signal]) =>
      assert.deepEqual(await ended(tap(data.dir, nowhere, server)), [code, signal], server.join(' ')),
    ),
  )
})

test('a signal reaches the server, which decides what comes of it', async () => {
  using data = folder()
  const child = tap(data.dir, nowhere, script(`process.on('SIGTERM',()=>process.exit(9));console.log('up');setInterval(()=>{},1e3)`))
  await new Promise((resolve) => child.stdout?.once('data', resolve))
  child.kill('SIGTERM')
  assert.deepEqual(await ended(child), [9, null])
})

test('a server that cannot be run is told by the code a shell would give', async () => {
  using data = folder()
  const child = tap(data.dir, nowhere, ['/nonexistent/server'])
  const said = text(child.stderr as NodeJS.ReadableStream)
  assert.deepEqual(await ended(child), [127, null])
  assert.match(await said, /ENOENT/)
})

test('arguments reach the server exactly, without a shell, and our token is not in its environment', async () => {
  using data = folder()
  const odd = ['a b', '$HOME', '`id`', "'; exit 3", 'x\ny', '', '--token', 'é'.repeat(5_000), '--', '-h']
  const file = join(data.dir, 'echo.mjs')
  writeFileSync(
    file,
    'process.stdout.write(JSON.stringify([process.argv.slice(2),process.cwd(),process.env.LAPWING_OTLP_TOKEN??null,process.env.PLAIN]))',
  )
  const child = spawn(
    process.execPath,
    [cli, 'stdio', '--endpoint', nowhere, '--data-dir', data.dir, '--', process.execPath, file, ...odd],
    {
      cwd: data.dir,
      env: { ...process.env, LAPWING_OTLP_TOKEN: 'secret', PLAIN: 'kept' },
    },
  )
  assert.deepEqual(JSON.parse((await bytesOf(child)).toString()), [odd, data.dir, null, 'kept'])
})

test('half-close: a server may go on after its input has ended, and live on after it has closed its output', async () => {
  using data = folder()
  const late = tap(data.dir, nowhere, script(`process.stdin.resume().on('end',()=>setTimeout(()=>console.log('late'),100))`))
  late.stdin?.end()
  assert.equal((await bytesOf(late)).toString(), 'late\n')
  const mute = tap(data.dir, nowhere, ['sh', '-c', 'echo bye; exec >&-; read line; exit 4'])
  assert.equal((await bytesOf(mute)).toString(), 'bye\n')
  assert.equal(mute.exitCode, null)
  mute.stdin?.end('go\n')
  assert.deepEqual(await ended(mute), [4, null])
})

test('a reader that stalls stalls the server, and nothing is lost', async () => {
  using data = folder()
  const child = tap(
    data.dir,
    nowhere,
    script(
      `let n=0;const w=()=>{while(n<400){n++;if(!process.stdout.write('x'.repeat(65535)+'\\n'))return process.stdout.once('drain',w)}};w()`,
    ),
  )
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  assert.equal(child.exitCode, null)
  assert.equal((await bytesOf(child)).length, 400 * 65_536)
})

test('every message becomes one event with the next id, the actor is the OS user, and no secret leaves', async () => {
  using data = folder()
  await using sink = await openSink()
  const secret = 'ghp_0123456789abcdefghijABCDEFGHIJ456789'
  const request = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'deploy', arguments: { key: secret } } }
  const child = tap(data.dir, sink.url, ['cat'], ['--server', 'demo', '--token', 'ingest'])
  const out = bytesOf(child)
  child.stdin?.end(`${JSON.stringify(request)}\r\n\n{"half": `)
  await out
  await ended(child)
  const told = sink.events.map(({ kind, direction, toolName, serverAlias, transport }) =>
    [kind, direction, toolName, serverAlias, transport].join(' '),
  )
  assert.deepEqual(told.sort(), [
    'malformed client_to_server  demo stdio',
    'malformed server_to_client  demo stdio',
    'request client_to_server deploy demo stdio',
    'request server_to_client deploy demo stdio',
  ])
  assert.equal(new Set(sink.events.map(({ eventId }) => eventId)).size, 4)
  assert.match(sink.events[0]?.actor ?? '', /.@./)
  assert.equal(sink.requests[0]?.headers.authorization, 'Bearer ingest')
  for (const { text: sent } of sink.requests) assert.ok(!sent.includes(secret))
})

test('while the pipeline is away traffic flows; later taps bring every event once, with its id', async () => {
  using data = folder()
  const away = await openSink()
  const { port, url } = away
  await away[Symbol.asyncDispose]()
  const before = tap(data.dir, url, ['cat'])
  const out = bytesOf(before)
  before.stdin?.end('{"jsonrpc":"2.0","id":7,"method":"ping"}\n')
  assert.match((await out).toString(), /ping/)
  await ended(before)
  await using sink = await openSink(port)
  const child = tap(data.dir, url, ['cat'])
  await sink.until((events) => events.length === 2)
  child.stdin?.end()
  await ended(child)
  assert.deepEqual(sink.events.map(({ requestId }) => requestId).sort(), ['7', '7'])
  assert.equal(new Set(sink.events.map(({ eventId }) => eventId)).size, 2)
})
