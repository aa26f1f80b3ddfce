/** Secrets of an event: the marks that redaction left in what a call carries and in what an answer brings, and whose business they are. */
import type { Subject } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { secretTokenPattern } from '../../schemas/secret.ts'
import { walkStrings } from '../texts.ts'
import { wordsOf } from './arguments.ts'

const PER_EVENT_MAX = 64

/** `name` is that of the parameter it stands in. */
export type Token = { kind: string; hash: string; pointer: string; name: string }

/** Numbers of people are not keys. */
export const isPersonal = (kind: string): boolean => kind.startsWith('pii-')
/** Servers and tools whose business it is to hand out secrets. */
const vaultWords = new Set(
  'vault secret secrets secretsmanager secretmanager keyvault keychain password passwords 1password onepassword bitwarden lastpass doppler infisical credential credentials token tokens kms login auth oauth iam sts'.split(
    ' ',
  ),
)
export const isVault = (event: McpEvent): boolean =>
  [event.toolName, event.serverAlias].some((name) => wordsOf(name ?? '').some((word) => vaultWords.has(word)))

/** Parameters that take a credential because the tool needs one. */
const credentialWords = new Set(
  'token key apikey password passwd pwd secret authorization auth credential credentials bearer header headers cookie cookies env environment dsn connection uri'.split(
    ' ',
  ),
)
export const takesCredential = ({ name, pointer }: Token): boolean =>
  [...wordsOf(name), ...wordsOf(pointer.split('/').slice(2).join(' '))].some((word) => credentialWords.has(word))

export function tokensOf(text: string, pointer: string, name: string, into: Token[]): void {
  if (!text.includes('⟦secret:')) return
  for (const [, kind = '', hash = ''] of text.matchAll(secretTokenPattern))
    if (into.length < PER_EVENT_MAX) into.push({ kind, hash, pointer, name })
}

/** Where the text was not kept, the event still lists its secrets. */
function listed(event: McpEvent, into: Token[]): void {
  for (const secret of (event.secrets ?? []).slice(0, PER_EVENT_MAX)) {
    const [kind = '', hash = ''] = secret.split(':')
    if (hash !== '') into.push({ kind, hash, pointer: '', name: '' })
  }
}

export function sentOf(event: McpEvent): Token[] {
  const tokens: Token[] = []
  if (event.method !== 'tools/call') return tokens
  walkStrings(event.arguments, '/arguments', (pointer, text, name) => tokensOf(text, pointer, name, tokens))
  if (event.arguments === undefined && event.argsHash !== undefined && event.kind === 'request') listed(event, tokens)
  return tokens
}

const incoming = new Set(['result', 'resource', 'prompt', 'error'])

export function broughtOf(subject: Extract<Subject, { kind: 'event' }>): Token[] {
  const { event, texts } = subject
  const tokens: Token[] = []
  for (const { position, pointer, text, layer } of texts)
    if (incoming.has(position) && layer === undefined) tokensOf(text, pointer, '', tokens)
  if (event.result === undefined && event.body === undefined && event.kind === 'response') listed(event, tokens)
  return tokens.filter(({ kind }) => !isPersonal(kind))
}
