/**
 * The program of the engine child: chDB on one data directory, behind ClickHouse's HTTP interface on loopback.
 * It is a process of its own because libchdb can take its process down and may have to be killed.
 * Started by supervisor.ts, which sends one message; it ends when its pipe to the parent closes.
 */
import { mkdirSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createEngineServer } from './engine-http.ts'
import { createSessions, type EngineLimits, type Sessions } from './engine-sessions.ts'
import { createSpill } from './engine-spill.ts'

export type EngineOrder = Readonly<{ dir: string; token: string; port: number; limits: EngineLimits; sharedMemory: string }>
export type EngineReport = Readonly<{ ready: number } | { failed: string }>

/** An earlier engine of this directory may still be dying: its exclusive lock is waited for. */
const lockWaitMs = 10_000

const delay = (ms: number) => new Promise((done) => setTimeout(done, ms))

/** Leaves at once: the engine survives kill -9 at any moment, and its own way out can hang behind a running query. */
const leave = () => process.kill(process.pid, 'SIGKILL')

async function openSessions(order: EngineOrder): Promise<Sessions> {
  mkdirSync(order.dir, { recursive: true, mode: 0o700 })
  const deadline = Date.now() + lockWaitMs
  for (;;) {
    try {
      const giveUp = (reason: string) => {
        process.stderr.write(`engine: ${reason}\n`)
        leave()
      }
      return createSessions(`${order.dir}/engine`, order.limits, () => createSpill(order.dir, order.sharedMemory), giveUp)
    } catch (error) {
      if (!/lock|status/i.test(String(error)) || Date.now() > deadline) throw error
      await delay(100)
    }
  }
}

async function serve(order: EngineOrder) {
  const sessions = await openSessions(order)
  const server = createEngineServer(sessions, order.token)
  process.off('disconnect', leave)
  process.on('disconnect', () => {
    sessions.abandon()
    leave()
  })
  process.on('message', (message) => {
    if (message !== 'close') return
    server.close()
    server.closeAllConnections()
    if (sessions.running() > 0) {
      sessions.abandon()
      leave()
    }
    sessions.close()
    process.exit(0)
  })
  server.on('error', (error) => report({ failed: String(error) }))
  server.listen(order.port, '127.0.0.1', () => report({ ready: (server.address() as AddressInfo).port }))
}

const report = (message: EngineReport) => process.send?.(message)

if (process.send !== undefined) {
  // Ctrl-C and service managers reach the whole group: the last rows are still to be stored, and the supervisor ends us then.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined)
  process.on('disconnect', leave)
  process.once('message', (order: EngineOrder) => {
    serve(order).catch((error) => {
      report({ failed: String(error) })
      setTimeout(leave, 100)
    })
  })
}
