/** Dead letters of a cluster: a record that no role can take is listed, shown with its bytes, and put back, by the role that serves. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { Role } from '../../schemas/config.ts'
import { whatIsMissing } from './broker.ts'
import { openCluster } from './cluster.ts'
import { openBus, readAll } from './kafka-tools.ts'
import type { RoleProcess } from './roles.ts'

const skip = await whatIsMissing()
const program = fileURLToPath(new URL('../../main.ts', import.meta.url))
const arrivalMsMax = 60_000
const poison = '{"not":"an event"}'

it('is listed, shown and put back', { timeout: 180_000, ...(skip ? { skip } : {}) }, async () => {
  await using cluster = await openCluster()
  const running: RoleProcess[] = []
  const start = async (role: Role) => {
    const process = cluster.roles.start(role, 1)
    running.push(process)
    return await process.ready
  }
  try {
    const [, , { api = '', token = '' }] = await Promise.all([start('store'), start('detect'), start('serve')])
    await using bus = await openBus(cluster.broker.brokers, cluster.topicPrefix)
    const [place] = await bus.publish('mcp.events', [{ key: 'poison', bytes: Buffer.from(poison), headers: { from: 'a test' } }])
    const dead = async (verb: string, ...args: string[]) => {
      const where = ['--api', api, '--token', token, '--data-dir', cluster.dir]
      return (await promisify(execFile)(process.execPath, [program, 'dead', verb, ...args, ...where])).stdout
    }
    const listed = async () =>
      (await dead('list', '--json')).split('\n').flatMap((line) => (line ? [JSON.parse(line) as { id: string; reason: string }] : []))
    let letters = await listed()
    for (const deadline = Date.now() + arrivalMsMax; letters.length === 0 && Date.now() < deadline; letters = await listed())
      await sleep(200)
    assert.equal(letters.length, 1, 'one letter, though two roles refused it')
    const { id = '', reason } = letters[0] ?? {}
    assert.equal(reason, 'RECORD_INVALID')
    assert.ok(id.startsWith(`mcp.events:${place?.partition}:${place?.offset}:`), id)
    assert.equal(await dead('show', id, '--raw'), poison)
    assert.match(await dead('show', id), /a test/)
    await dead('replay', id)
    const records = await readAll(cluster.broker.brokers, `${cluster.topicPrefix}mcp.events`, place?.partition)
    assert.deepEqual(
      records.map(({ value }) => String(value)).filter((text) => text === poison),
      [poison, poison],
    )
  } finally {
    for (const role of running) role.kill('SIGKILL')
    await Promise.all(running.map(({ ended }) => ended))
  }
})
