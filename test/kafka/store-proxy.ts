/** A ClickHouse endpoint over the embedded engine, at one address for the whole test, that can be down, slow, or lose its answers. */
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Store } from '../../api/store/connect.ts'

export type Weather = 'fair' | 'down' | 'slow'
export type StoreProxy = AsyncDisposable &
  Readonly<{
    url: string
    turn: (weather: Weather) => void
    /** This share of answers to POST is lost after the engine has done what was asked. */
    lose: (share: number) => void
    counts: () => { refused: number; delayed: number; lost: number; passed: number }
  }>

const slowMs = 1_500

export async function openStoreProxy(engine: Store, random: () => number): Promise<StoreProxy> {
  let weather: Weather = 'fair'
  let losing = 0
  const counts = { refused: 0, delayed: 0, lost: 0, passed: 0 }
  const authorization = `Basic ${Buffer.from(`lapwing:${engine.token}`).toString('base64')}`

  async function pass(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    if (weather === 'down') {
      counts.refused += 1
      incoming.destroy()
      return
    }
    if (weather === 'slow') {
      counts.delayed += 1
      await sleep(slowMs)
    }
    const drop = incoming.method === 'POST' && random() < losing
    const { 'x-clickhouse-user': _user, 'x-clickhouse-key': _key, ...headers } = incoming.headers
    const inner = request(new URL(incoming.url ?? '/', engine.url), { method: incoming.method, headers: { ...headers, authorization } })
    inner.on('error', () => outgoing.destroy())
    inner.on('response', (answer) => {
      if (drop) {
        counts.lost += 1
        answer.resume().on('end', () => outgoing.destroy())
        return
      }
      counts.passed += 1
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
      answer.on('error', () => outgoing.destroy())
    })
    incoming.on('error', () => inner.destroy())
    incoming.pipe(inner)
  }

  const server = createServer((incoming, outgoing) => void pass(incoming, outgoing).catch(() => outgoing.destroy()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    turn: (next) => {
      weather = next
      if (next === 'down') server.closeAllConnections()
    },
    lose: (share) => {
      losing = share
    },
    counts: () => ({ ...counts }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
