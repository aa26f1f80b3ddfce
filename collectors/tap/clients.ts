/** Which client an exchange belongs to, as far as HTTP shows it: its session, else its address and software. */
import type { Normaliser } from '../jsonrpc/normaliser.ts'
import type { Outlet } from './outlet.ts'

export type Client = { normaliser: Normaliser; connectionId: string }
export type Known = Readonly<{ session: string | undefined; address: string; userAgent: string; local: boolean }>

export type Clients = Readonly<{ of(known: Known): Client; bind(session: string, client: Client): void }>

/** What one client said of itself is not to be told of another; the least recent is forgotten first. */
export function createClients(outlet: Outlet, clientsMax = 1_000): Clients {
  const clients = new Map<string, Client>()
  let number = 0
  const remember = (key: string, client: Client): Client => {
    clients.delete(key)
    clients.set(key, client)
    if (clients.size > clientsMax) clients.delete(clients.keys().next().value ?? '')
    return client
  }
  const make = (local: boolean): Client => {
    number += 1
    const connectionId = outlet.eventId('client', number)
    return { normaliser: outlet.normaliser(connectionId, local), connectionId }
  }
  return {
    of({ session, address, userAgent, local }: Known): Client {
      const key = session === undefined ? `peer ${address} ${userAgent}` : `session ${session}`
      return remember(key, clients.get(key) ?? make(local))
    },
    /** The server gave this client a session: what it said before still holds; the next one without a session is another. */
    bind(session: string, client: Client): void {
      remember(`session ${session}`, client)
      for (const [key, other] of clients) if (other === client && key.startsWith('peer ')) clients.delete(key)
    },
  }
}
