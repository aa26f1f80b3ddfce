/** The product as a cluster: each role a process of its own over one broker and one store, started, killed and started again. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Role } from '../../schemas/config.ts'
import { otlpOf, type Process, pageOf, startProcess } from '../faults/product.ts'

export type ServedRole = Readonly<{
  api?: string | undefined
  token?: string | undefined
  otlp?: string | undefined
  ops?: string | undefined
}>
export type RoleProcess = Process<ServedRole>
export type ClusterOptions = Readonly<{
  dir: string
  brokers: readonly string[]
  storeUrl: string
  topicPrefix: string
  partitions?: number
  flags?: readonly string[]
}>

/** Member `n` of a role keeps its folder and, once it had them, its ports: senders come back to the same address. */
export function createRoles({ dir, brokers, storeUrl, topicPrefix, partitions = 4, flags = [] }: ClusterOptions) {
  const keysDir = join(dir, 'keys')
  const ports = new Map<string, { otlp: string; api: string }>()
  const flagsOf = (role: Role, name: string): string[] => {
    const { otlp = '0', api = '0' } = ports.get(name) ?? {}
    return [
      ...['--role', role, '--keys-dir', keysDir],
      ...['--kafka-brokers', brokers.join(','), '--kafka-topic-prefix', topicPrefix, '--kafka-client-id', name],
      ...['--kafka-partitions', String(partitions), '--kafka-replication-factor', '1', '--kafka-session-ms', '6000'],
      ...['--store-url', storeUrl, '--ops-port', '0', '--api-port', api, '--otlp-http-port', otlp, '--otlp-grpc-port', '0'],
      ...flags,
    ]
  }
  const servedOf = (output: string): ServedRole => {
    const [, api, token] = pageOf(output) ?? []
    return { api, token, otlp: otlpOf(output), ops: /metrics\s+(http:\S+)\/metrics/.exec(output)?.[1] }
  }
  return {
    keysDir,
    start(role: Role, n: number): RoleProcess {
      const name = `${role}-${n}`
      const data = join(dir, name)
      mkdirSync(data, { recursive: true, mode: 0o700 })
      const started = startProcess(data, flagsOf(role, name), servedOf)
      void started.ready.then(
        ({ otlp, api }) =>
          ports.set(name, { otlp: new URL(otlp ?? 'http://x:0').port || '0', api: new URL(api ?? 'http://x:0').port || '0' }),
        () => undefined,
      )
      return started
    },
  }
}
export type Roles = ReturnType<typeof createRoles>
