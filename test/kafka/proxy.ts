/** A TCP proxy in front of a broker that can drop one Produce response and hang up: what was stored is not acknowledged. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { type Brokers, startBrokers } from './broker.ts'

const produceKey = 0
const fetchKey = 1

export type KafkaProxy = AsyncDisposable & {
  readonly port: number
  /** The next `count` Produce responses are dropped, each with its connection. */
  drop(count: number): void
  dropped(): number
  /** Fetch responses of connections that are open now never arrive, and nobody hangs up. */
  swallowFetches(): void
}

/** Calls `frame` with every whole frame of a stream, its length included. */
function cutFrames(frame: (bytes: Buffer) => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0)
  return (chunk) => {
    held = held.byteLength === 0 ? chunk : Buffer.concat([held, chunk])
    for (; held.byteLength >= 4 && held.byteLength >= 4 + held.readInt32BE(0); ) {
      const end = 4 + held.readInt32BE(0)
      frame(held.subarray(0, end))
      held = held.subarray(end)
    }
  }
}

export async function startProxy(target: number): Promise<KafkaProxy> {
  const sockets = new Set<Socket>()
  let toDrop = 0
  let dropped = 0
  let swallowedUntil = 0
  let connections = 0
  const server = createServer((client) => {
    const broker = connect(target, '127.0.0.1')
    const number = connections
    connections += 1
    const produces = new Set<number>()
    const fetches = new Set<number>()
    for (const socket of [client, broker]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        broker.destroy()
      })
    }
    client.on(
      'data',
      cutFrames((bytes) => {
        const key = bytes.readInt16BE(4)
        if (key === produceKey) produces.add(bytes.readInt32BE(8))
        if (key === fetchKey) fetches.add(bytes.readInt32BE(8))
        broker.write(bytes)
      }),
    )
    broker.on(
      'data',
      cutFrames((bytes) => {
        if (fetches.delete(bytes.readInt32BE(4)) && number < swallowedUntil) return
        const isProduce = produces.delete(bytes.readInt32BE(4))
        if (!isProduce || toDrop === 0) {
          client.write(bytes)
          return
        }
        toDrop -= 1
        dropped += 1
        client.destroy()
      }),
    )
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as { port: number }).port,
    drop(count) {
      toDrop += count
    },
    dropped: () => dropped,
    swallowFetches() {
      swallowedUntil = connections
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** One broker whose clients are told to come through a proxy. */
export async function startProxied(): Promise<{ broker: Brokers; proxy: KafkaProxy }> {
  let proxy: KafkaProxy | undefined
  const broker = await startBrokers({
    advertise: async (port) => {
      proxy = await startProxy(port)
      return proxy.port
    },
  })
  if (!proxy) throw new Error('nobody asked where the broker is')
  return { broker, proxy }
}
