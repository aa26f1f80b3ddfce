/** Sends OTLP bodies over a few kept connections, in order, and comes again where it is told to wait. */
import { Agent, request } from 'node:http'

export type Body = Readonly<{ bytes: Uint8Array; path: string; type: string }>
export type Sender = Readonly<{
  send: (body: Body) => Promise<void>
  sendAll: (bodies: readonly Body[], inFlight: number) => Promise<void>
  close: () => void
}>

const waitMs = 50

export function createSender(url: string): Sender {
  const agent = new Agent({ keepAlive: true, maxSockets: 16 })
  const once = ({ bytes, path, type }: Body): Promise<number> =>
    new Promise((resolve, reject) => {
      const asked = request(`${url}${path}`, {
        method: 'POST',
        agent,
        headers: { 'content-type': type, 'content-length': bytes.byteLength },
      })
      asked.on('response', (answer) => {
        answer.resume()
        answer.on('end', () => resolve(answer.statusCode ?? 0))
      })
      asked.on('error', reject)
      asked.end(bytes)
    })
  const send = async (body: Body): Promise<void> => {
    for (let status = await once(body); status !== 200; status = await once(body)) {
      if (status !== 429 && status !== 503) throw new Error(`refused: ${status}`)
      await new Promise((resolve) => setTimeout(resolve, waitMs))
    }
  }
  return {
    send,
    async sendAll(bodies, inFlight) {
      const waiting = bodies.values()
      const lane = async (): Promise<void> => {
        for (const body of waiting) await send(body)
      }
      await Promise.all(Array.from({ length: inFlight }, lane))
    },
    close: () => agent.destroy(),
  }
}
