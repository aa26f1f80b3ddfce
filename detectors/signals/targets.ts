/** What orders are about: places of secrets, literal addresses, things that are not the sender's to give. RE2 syntax, lower case. */

import { literals } from './marks.ts'

/** Files that hold credentials. Every alternative begins at the literal that gates it. */
export const secretPlace =
  '(?:\\.ssh\\b|id_(?:rsa|dsa|ecdsa|ed25519)|\\.aws[/\\\\]|(?:^|[^\\p{L}\\p{N}_)\\]])\\.env(?:[^.\\w]|$|\\.(?:local|prod|dev|stag|test)|\\.\\s)|\\.npmrc|\\.pypirc|\\.netrc|\\.pgpass|\\.git-credentials|\\.gnupg|/etc/(?:passwd|shadow|sudoers)|' +
  'mcp\\.json|claude_desktop_config|\\.kube/config|kubeconfig|\\.docker/config|gcloud|\\.azure|wallet\\.dat|keychain|login data|authorized_keys|known_hosts|' +
  '(?:secrets?|credentials?|tokens?|passwords?|private[_-]?key)\\.(?:json|ya?ml|toml|txt|csv|env|pem|ini|db)|[\\w-]+\\.pem\\b|_history\\b|\\.cursor/|/proc/self/environ|' +
  '~/[\\w./-]*(?:token|credential|secret|password|api_?key)|system://|secrets?://|internal://|confidential\\b|environment variables?)'

export const secretPlaceLiterals: readonly string[] = literals(
  '~/;.ssh;id_rsa;id_ed25519;id_ecdsa;.aws/;.env;.npmrc;.pypirc;.netrc;.pgpass;.git-credentials;.gnupg;/etc/passwd;/etc/shadow;/etc/sudoers;mcp.json;claude_desktop_config;.kube/config;kubeconfig;.docker/config;gcloud;.azure;wallet.dat;keychain;login data;authorized_keys;known_hosts;secrets.;credentials.;.pem;_history;.cursor/;/proc/self/environ;system://;secret://;secrets://;internal://;confidential;environment variable',
)

const email = '[\\w.+-]+@[\\w-]+\\.[\\w.-]*\\w'
const phone = '\\+\\d[\\d ().-]{7,16}\\d'
const iban = '[a-z]{2}\\d{2}[ ]?(?:[a-z0-9]{4}[ ]?){2,7}[a-z0-9]{1,4}'
/** An account number is a token by the time a rule sees it. */
const redacted = '⟦secret:pii-iban:'
const crypto = '(?:0x[a-f0-9]{40}|bc1[a-z0-9]{25,60}|[13][a-km-z1-9]{26,34})'
const url = '(?:(?:https?|ftp|wss?)://|www\\.|hxxps?://)[^\\s"\'<>`)]+'

/** An address of a person or an account: a definition has no business with one. */
export const personalAddress = `(?:${email}|${phone}|\\b${iban}\\b|${redacted}|\\b${crypto}\\b)`
export const anyAddress = `(?:${email}|${phone}|\\b${iban}\\b|${redacted}|\\b${crypto}\\b|${url})`

/** What an outsider has no right to order away. */
export const sensitive =
  '(?:passwords?|passcode|credentials?|secrets?|(?:api|access|auth|session|bearer|refresh)[ _-]?(?:keys?|tokens?)|private[ _-]?keys?|ssh|\\.env\\b|cookies?|' +
  '(?:security|verification|reset|login|2fa|one-time|authentication)[ _-](?:codes?|tokens?|links?)|passport|id_?numbers?|bank[ _-]?accounts?|credit[ _-]?cards?|card numbers?|' +
  'social security|iban\\b|conversations?|chat[ _-]?(?:history|logs?)|system[ _-]?prompts?|inbox|mailbox|transaction history|transactions|' +
  '(?:all|every|each|any|entire|whole|full|complete)(?:[^\\p{L}.!?]+\\p{L}+){0,3}?[^\\p{L}.!?]+(?:messages?|e-?mails?|files?|documents?|contents?|data|records?|contacts?|user|customers?|history|notes?|chats?|repositor(?:y|ies)|database)|' +
  "user(?:['’]s|s['’]?)?[ _-]?(?:name|information|data|details|phone|address|location|e-?mails?|files?|profile|(?:last |latest |first |current |previous )?(?:messages?|requests?|questions?|quer(?:y|ies)|inputs?|prompts?)|personal)|personal (?:information|data|details)|" +
  'contents? of|environment variables?|confidential|sensitive|(?:last|recent|previous|received|sent|private) (?:\\w+ )?(?:messages?|e-?mails?|conversations?)|contacts?(?: list)?|customer (?:data|e-?mails?|records?|list)|client list|database|source code|balance)'

export const sendVerb =
  '(?:send|sends|sending|forward|forwards|forwarding|e-?mail|mail|post|posts|upload|uploads|transmit|transfer|submit|leak|exfiltrate|deliver|copy|copies|cc|bcc|share|wire|push|relay|redirect|publish|dispatch|report|curl|put|drop|route|sync|mirror|append|add|export)'

const domains = literals('.com;.net;.org;.io;.example;.co;.ru;.cn;.dev;.me;.info;.xyz;.invalid;.test;.app;.ai;.email;.eu;.de')
/** Gates for orders to send: the address itself, which is rarer than the verb. */
export const personalLiterals: readonly string[] = [
  ...domains,
  'iban',
  'account',
  'bcc',
  'recipient',
  '0x',
  'bc1',
  ' +',
  '(+',
  '"+',
  "'+",
  '`+',
  'wallet',
]
export const addressLiterals: readonly string[] = ['http', 'www.', 'hxxp', 'ftp://', 'wss://', ...personalLiterals]
