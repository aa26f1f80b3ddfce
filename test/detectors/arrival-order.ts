/** Orders in which the events of a story can arrive when each connection is observed by a sender of its own. */
import type { McpEvent } from '../../schemas/event.ts'

const SECOND = 1_000_000_000n
/** A tap that lingers, one that retries, one whose receiver was away: how much later than the others it sends. */
const delays = [SECOND / 20n, SECOND, 2n * SECOND, 3n * SECOND, 5n * SECOND]
const LATE_MAX = 5n * SECOND

/** One sender keeps its own order: a tap per server, connection and person, a hook per host. */
export const senderOf = ({ serverKey, connectionId, hostApp, actor }: McpEvent): string =>
  serverKey === '' ? `host ${hostApp ?? ''} ${actor}` : `${serverKey} ${connectionId ?? ''} ${actor}`

const stable = (events: readonly McpEvent[], arrives: (event: McpEvent) => bigint): McpEvent[] =>
  events
    .map((event, at) => ({ event, at, due: arrives(event) }))
    .sort((a, b) => (a.due === b.due ? a.at - b.at : a.due < b.due ? -1 : 1))
    .map(({ event }) => event)

/** Every second pair of neighbours changes places, where two senders could have sent them so. */
function swapped(events: readonly McpEvent[], from: number): McpEvent[] {
  const order = [...events]
  for (let at = from; at + 1 < order.length; at += 2) {
    const [one, next] = [order[at] as McpEvent, order[at + 1] as McpEvent]
    if (senderOf(one) === senderOf(next) || next.time - one.time > LATE_MAX) continue
    order[at] = next
    order[at + 1] = one
  }
  return order
}

/** `userLate`: what the user said or allowed comes after what it explains. */
export type Arrival = Readonly<{ how: string; events: readonly McpEvent[]; userLate: boolean }>

const ofUser = ({ kind }: McpEvent): boolean => kind === 'user_prompt' || kind === 'approval' || kind === 'decision'
const userLateIn = (events: readonly McpEvent[]): boolean =>
  events.some((event, at) => ofUser(event) && events.slice(0, at).some(({ time }) => time > event.time))

/** The orders that differ from that of the story; none where all events come from one sender, or the story is about lateness itself. */
export function arrivals(events: readonly McpEvent[]): Arrival[] {
  const senders = [...new Set(events.map(senderOf))]
  const inOrder = events.every(({ time }, at) => at === 0 || time >= (events[at - 1] as McpEvent).time)
  if (senders.length < 2 || !inOrder) return []
  const all: Omit<Arrival, 'userLate'>[] = [0, 1].map((from) => ({ how: `neighbours from ${from}`, events: swapped(events, from) }))
  for (const sender of senders)
    for (const delay of delays) {
      const name = events.find((event) => senderOf(event) === sender)?.serverAlias ?? 'the host'
      all.push({
        how: `${name} ${Number(delay / 1_000_000n)} ms late`,
        events: stable(events, (event) => event.time + (senderOf(event) === sender ? delay : 0n)),
      })
    }
  const known = new Set([events.map(({ eventId }) => eventId).join()])
  const others = all.filter((arrival) => {
    const order = arrival.events.map(({ eventId }) => eventId).join()
    const fresh = !known.has(order)
    known.add(order)
    return fresh
  })
  return others.map((arrival) => ({ ...arrival, userLate: userLateIn(arrival.events) }))
}
