/** Who the server behind a tap is, by how it is reached: our key, and what of the command or address may be kept. */
import type { McpEvent } from '../../schemas/event.ts'
import { serverKeyOf } from '../../schemas/ids.ts'
import { secretToken } from '../../schemas/secret.ts'
import { createSecretFinder, nameKind } from '../redact/find-secrets.ts'
import type { TapSettings } from './settings.ts'

type KeyedHash = (text: string) => string
export type ServerFields = Pick<McpEvent, 'serverKey'> & Partial<McpEvent>

/** Secrets among the arguments are replaced before anything is hashed: none can be guessed from the key. */
export function serverFields(settings: Pick<TapSettings, 'target' | 'command' | 'serverAlias'>, keyedHash: KeyedHash): ServerFields {
  const alias = settings.serverAlias === undefined ? {} : { serverAlias: settings.serverAlias }
  if (settings.target === undefined) {
    const safe = withoutSecrets(settings.command ?? [], keyedHash)
    return { ...alias, serverKey: serverKeyOf('stdio', ...safe), serverCommand: safe.join(' '), serverGrade: 'observed' }
  }
  const url = new URL(settings.target)
  return {
    ...alias,
    serverKey: serverKeyOf('http', url.origin + url.pathname),
    serverOrigin: url.origin,
    serverAddress: url.hostname,
    serverPort: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
    serverGrade: 'observed',
  }
}

/** The value of `--token X` and `--api-key=X`, and whatever looks like a secret by itself. */
export function withoutSecrets(command: readonly string[], keyedHash: KeyedHash): string[] {
  const find = createSecretFinder()
  const flagName = (argument: string | undefined): string | undefined => /^--?([A-Za-z][\w-]*)$/.exec(argument ?? '')?.[1]
  return command.map((argument, at) => {
    const [, flag, value] = /^(-{0,2}[A-Za-z][\w-]*=)(.+)$/s.exec(argument) ?? []
    const kind = flag === undefined ? undefined : nameKind(flag.replace(/^-+|=$/g, ''))
    if (kind && value !== undefined) return `${flag}${secretToken(kind, keyedHash(value))}`
    const before = flagName(command[at - 1])
    const named = before === undefined ? undefined : nameKind(before)
    if (named && !argument.startsWith('-')) return secretToken(named, keyedHash(argument))
    let safe = argument
    for (const found of [...find(argument)].sort((a, b) => b.start - a.start)) {
      safe = safe.slice(0, found.start) + secretToken(found.kind, keyedHash(found.value)) + safe.slice(found.end)
    }
    return safe
  })
}
