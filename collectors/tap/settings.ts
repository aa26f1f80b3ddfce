/** What a tap's observer needs to know: plain data, so that it can be handed to a worker thread. */
import type { Config } from '../../schemas/config.ts'

export type TapSettings = Readonly<{
  kind: 'stdio' | 'http'
  /** Random, once per tap process: the first part of every event id. */
  instance: string
  endpoint: string
  token?: string
  tenant: string
  /** The configured actor, if any; else the OS user of a local client. */
  actor?: string
  osUser: string
  hostName: string
  pid: number
  dataDir: string
  /** Keys are made in the data directory when the pipeline is on this machine; else they are fetched. */
  keys: 'local' | 'fetch'
  tiers: Config['capture']
  serverAlias?: string
  /** Command and arguments of a stdio server: hashed and redacted before they are kept. */
  command?: readonly string[]
  /** The MCP endpoint of an HTTP server. */
  target?: string
  spoolBytesMax?: number
  lingerMs?: number
}>
