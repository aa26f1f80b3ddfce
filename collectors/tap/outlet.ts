/** The observer's way out: redacts every event before it reaches the queue, the spool or the network; makes the tap's own events. */
import { accessSync, constants, mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { actorOf } from '../../schemas/actor.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { hashId } from '../../schemas/ids.ts'
import { createNormaliser, type Normaliser } from '../jsonrpc/normaliser.ts'
import { createRedactor } from '../redact/redactor.ts'
import { createSender, type SenderCounts } from './sender.ts'
import { serverFields } from './server-identity.ts'
import type { TapSettings } from './settings.ts'
import { createSpool } from './spool.ts'
import { tapKey } from './tap-keys.ts'

export type OwnEvent = Readonly<{ kind: McpEvent['kind']; eventName?: string; at: number; fields?: Partial<McpEvent> }>
export type Outlet = Readonly<{
  keyedHash: (text: string) => string
  /** A client on this machine is the OS user; one elsewhere is its address. */
  normaliser(connectionId: string, local: boolean): Normaliser
  send(events: readonly McpEvent[]): void
  sendOwn(event: OwnEvent): void
  /** ms of the relay's clock → ns, never twice the same: order is kept even within one tick. */
  time(at: number): bigint
  eventId(...parts: readonly (string | number)[]): string
  close(deadlineMs: number): Promise<SenderCounts>
}>

export async function createOutlet(settings: TapSettings, remark: (text: string) => void): Promise<Outlet> {
  const { keyedHash, shared } = await tapKey(settings)
  if (!shared) remark('no key: only the shape of content is captured')
  const tiers = shared ? settings.tiers : ({ arguments: 'shape', results: 'shape', definitions: 'shape', prompts: 'shape' } as const)
  const redact = redactKeeping(createRedactor({ keyedHash, tiers }))
  const fixed = { ...serverFields(settings, keyedHash), hostName: settings.hostName, processPid: settings.pid }
  let last = 0n
  let own = 0

  const time = (at: number): bigint => {
    const exact = BigInt(Math.round(at * 1_000)) * 1_000n
    last = exact > last ? exact : last + 1n
    return last
  }
  const eventId = (...parts: readonly (string | number)[]) => hashId('tap', settings.instance, ...parts)
  const actor = (local: boolean) => ({ configured: settings.actor, osUser: local ? settings.osUser : undefined })
  const ownEvent = ({ kind, eventName, at, fields }: OwnEvent): McpEvent => ({
    eventId: eventId('own', own++),
    time: time(at),
    kind,
    ...(eventName === undefined ? {} : { eventName }),
    ...envelope(settings),
    era: 'unknown',
    contentLevel: 'metadata',
    captureTier: 'none',
    tenant: settings.tenant,
    source: 'tap',
    ...actorOf({ ...actor(true), source: 'tap' }),
    ...fixed,
    ...fields,
  })
  const sender = createSender({
    url: `${settings.endpoint.replace(/\/+$/, '')}/v1/logs`,
    token: settings.token,
    timeoutMs: 10_000,
    spool: createSpool({ ...spoolPlace(settings), ...(settings.spoolBytesMax === undefined ? {} : { bytesMax: settings.spoolBytesMax }) }),
    resource: { hostName: settings.hostName, pid: settings.pid },
    lossEvent: (eventName, facts) => redact(ownEvent({ kind: 'other', eventName, at: Date.now(), fields: { params: { ...facts } } })),
    remark,
    ...(settings.lingerMs === undefined ? {} : { lingerMs: settings.lingerMs }),
  })
  const send = (events: readonly McpEvent[]) => {
    for (const event of events) sender.add(redact(event))
  }
  return {
    keyedHash,
    normaliser: (connectionId, local) =>
      createNormaliser({
        ...envelope(settings),
        source: 'tap',
        tenant: settings.tenant,
        keyedHash,
        actor: actor(local),
        connectionId,
        serverKey: fixed.serverKey,
        fixed,
        ...(settings.serverAlias === undefined ? {} : { serverAlias: settings.serverAlias }),
        hostApp: settings.hostName,
      }),
    send,
    sendOwn: (event) => send([ownEvent(event)]),
    time,
    eventId,
    close: (deadlineMs) => sender.close(deadlineMs),
  }
}

/** `token:HASH` is our own writing, and looks like a secret to the rules. */
const redactKeeping =
  (redact: (event: McpEvent) => McpEvent) =>
  (event: McpEvent): McpEvent =>
    event.actorSource === 'token_hash' ? { ...redact({ ...event, actor: '' }), actor: event.actor } : redact(event)

const envelope = (settings: TapSettings) =>
  ({
    dialect: 'lapwing-tap',
    signal: 'wire',
    vantage: settings.kind === 'stdio' ? 'client' : 'gateway',
    transport: settings.kind === 'stdio' ? 'stdio' : 'streamable_http',
  }) as const

/** A folder of the data directory, or, where that cannot be written, a private temporary one. */
function spoolPlace({ dataDir, instance }: TapSettings): { root: string; instance: string } {
  const root = join(dataDir, 'tap-spool')
  try {
    mkdirSync(root, { recursive: true, mode: 0o700 })
    accessSync(root, constants.W_OK)
    return { root, instance }
  } catch {
    return { root: mkdtempSync(join(tmpdir(), 'lapwing-tap-')), instance }
  }
}
