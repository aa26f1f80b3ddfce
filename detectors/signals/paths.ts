/** Paths as an operating system would see them, and the places on a disk that are worth guarding. */
import { remembered } from '../../schemas/remembered.ts'

export type Path = Readonly<{
  /** Decoded, forward slashes, `~` and home variables as `~`, `.` and `..` resolved as far as they can be. */
  canonical: string
  /** How many levels a relative path climbs above where it starts. */
  climbs: number
  /** Holds a `..` segment after decoding. */
  parentSteps: number
  /** The `..` or the separator was hidden behind an encoding. */
  encoded: boolean
  absolute: boolean
  nul: boolean
}>

const DECODE_ROUNDS_MAX = 4
const PATH_MAX = 2_048

/** Overlong UTF-8 and IIS-style spellings of `.`, `/` and `\`. */
const overlong = /%(?:c0%(?:ae|2e|af|5c|9v)|e0%80%(?:ae|af)|f0%80%80%(?:ae|af)|f8%80%80%80%(?:ae|af)|u002e|u2215|u2216|252e|252f|255c)/gi

function decoded(text: string): string {
  if (!text.includes('%')) return text
  let current = text
  for (let round = 0; round < DECODE_ROUNDS_MAX; round += 1) {
    const next = current
      .replace(overlong, (match) => (/ae|2e/i.test(match.slice(-2)) ? '.' : '/'))
      .replace(/%([0-7][0-9a-f])/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    if (next === current) break
    current = next
  }
  return current
}

const home =
  /^(?:~[a-z_][\w-]*|~|\$HOME|\$\{HOME\}|%USERPROFILE%|%HOMEPATH%|\/home\/[^/]+|\/Users\/[^/]+|\/root|[A-Za-z]:\/Users\/[^/]+)(?=\/|$)/i

/** Nothing to decode, to resolve or to take away, but for a home: most paths are of this shape. */
const plainPath = /^(?:\/|~\/)?[\w-][\w.-]*(?:\/[\w-][\w.-]*)*$/

/** Undefined when the text is not a path: several lines, prose, or too long. */
export const parsePath = remembered((text): Path | undefined => {
  if (text.length <= PATH_MAX && plainPath.test(text)) {
    const rooted = text.startsWith('/')
    const absolute = rooted || text.startsWith('~')
    return { canonical: rooted ? text.replace(home, '~') : text, climbs: 0, parentSteps: 0, encoded: false, absolute, nul: false }
  }
  return resolved(text)
}, 200)

/** The whole way, for any text. */
export function resolved(text: string): Path | undefined {
  const trimmed = text.trim()
  if (trimmed === '' || trimmed.length > PATH_MAX || /[\n\r]/.test(trimmed)) return undefined
  const written = trimmed.replace(/^file:\/\/(localhost)?/i, '')
  const plain = decoded(written)
  const nul = plain.indexOf('\0')
  const unified = (nul < 0 ? plain : plain.slice(0, nul)).replaceAll('\\', '/').replace(/\/{2,}/g, '/')
  const withHome = unified.replace(home, '~')
  const absolute = /^(\/|~|[A-Za-z]:\/)/.test(withHome)
  const kept: string[] = []
  let climbs = 0
  let parentSteps = 0
  for (const segment of withHome.split('/')) {
    const bare = segment.includes(';') ? segment.replace(/;.*$/, '') : segment
    if (bare === '' || bare === '.') continue
    if (bare.includes('..') && /^\.{2,}$/.test(bare.trim())) {
      parentSteps += 1
      if (kept.length > 0 && kept.at(-1) !== '~') kept.pop()
      else climbs += 1
      continue
    }
    kept.push(segment)
  }
  const lead = withHome.startsWith('/') ? '/' : ''
  const encoded = plain !== written && (parentSteps > 0 || nul >= 0)
  return { canonical: lead + kept.join('/'), climbs, parentSteps, encoded, absolute, nul: nul >= 0 || /%00|\0/.test(trimmed) }
}

export type Guarded = Readonly<{ label: string; pattern: RegExp }>

/** Credentials and other secrets on a disk. Public keys and samples are none. */
const credentialPlaces: readonly Guarded[] = [
  { label: 'SSH keys', pattern: /(^|\/)\.ssh(\/|$)|(^|\/)id_(rsa|dsa|ecdsa|ed25519)(_\w+)?$/ },
  {
    label: 'cloud credentials',
    pattern:
      /(^|\/)\.(aws|azure|gcloud|oci|aliyun)(\/|$)|(^|\/)(gcloud\/)?application_default_credentials\.json$|(^|\/)service[-_]?account[\w-]*\.json$/i,
  },
  { label: 'Kubernetes configuration', pattern: /(^|\/)\.kube\/|(^|\/)kubeconfig$|\/serviceaccount\/token$/ },
  { label: 'container registry credentials', pattern: /(^|\/)\.docker\/config\.json$/ },
  {
    label: 'package registry tokens',
    pattern: /(^|\/)(\.npmrc|\.pypirc|\.yarnrc(\.yml)?|\.gem\/credentials|\.cargo\/credentials(\.toml)?|\.composer\/auth\.json)$/,
  },
  {
    label: 'stored passwords',
    pattern:
      /(^|\/)(\.netrc|_netrc|\.git-credentials|\.pgpass|\.my\.cnf|\.htpasswd|\.vault-token|\.terraformrc|terraform\.rc|credentials\.tfrc\.json)$/,
  },
  { label: 'environment file', pattern: /(^|\/)\.env(\.(local|prod|production|staging|dev|development))?$/ },
  { label: 'private key', pattern: /\.(pem|key|p12|pfx|ppk|keystore|jks|kdbx|asc)$/i },
  { label: 'GnuPG keyring', pattern: /(^|\/)\.gnupg(\/|$)/ },
  {
    label: 'system accounts',
    pattern:
      /^\/?etc\/(shadow|gshadow|passwd|sudoers(\.d\/.*)?|master\.passwd|krb5\.keytab)-?$|windows\/(system32\/config\/(sam|system|security)|repair\/sam|ntds\/ntds\.dit|win\.ini)|(^|\/)(ntds\.dit|boot\.ini|unattend\.xml)$/i,
  },
  { label: 'process memory or environment', pattern: /^\/?proc\/(self|\d+|\*)\/(environ|cmdline|maps|mem|fd(\/|$))/ },
  { label: 'browser data', pattern: /(login data|cookies|logins\.json|key4\.db|cookies\.sqlite|local state)$/i },
  { label: 'wallet', pattern: /(^|\/)(wallet\.dat|\.ethereum\/keystore|\.bitcoin|\.solana\/id\.json|\.config\/solana)(\/|$)/ },
  { label: 'shell history', pattern: /(^|\/)\.(bash|zsh|sh|python|mysql|psql|node_repl)_history$/ },
  { label: 'secret mount', pattern: /^\/?(run|var\/run)\/secrets\// },
  { label: 'agent tokens', pattern: /(^|\/)(\.claude\/\.credentials\.json|\.codex\/auth\.json|\.config\/gh\/hosts\.yml|\.mcp-auth(\/|$))/ },
]
const harmless =
  /(\.pub|\.example|\.sample|\.template|\.dist|\.md)$|(^|\/)(known_hosts|\.ssh\/config)$|(^|\/)(public|cert|certs?|fullchain|chain|ca[-_]?bundle|cacert)[\w.-]*\.pem$/i

/** Files that something will run or obey. */
const codePlaces: readonly Guarded[] = [
  {
    label: 'git configuration or hook',
    pattern: /(^|\/)\.git\/(config|hooks\/[^/]+|info\/attributes)$|(^|\/)(\.gitconfig|\.gitattributes|\.config\/git\/\w+)$/,
  },
  {
    label: 'shell start-up file',
    pattern:
      /(^|\/)\.(bashrc|bash_profile|bash_login|bash_logout|profile|zshrc|zshenv|zprofile|zlogin|cshrc|kshrc|inputrc|xinitrc|xprofile)$|config\/fish\/config\.fish$|^\/?etc\/(profile|bash\.bashrc|environment)/,
  },
  {
    label: 'scheduled job or service',
    pattern:
      /(^|\/)(crontab|cron\.(d|daily|hourly|weekly|monthly))(\/|$)|\/spool\/cron\/|systemd\/(system|user)\/[^/]+\.(service|timer|socket)$|(Library\/)?Launch(Agents|Daemons)\/|Start Menu\/Programs\/Startup|^\/?etc\/(init\.d|rc\.local)/i,
  },
  {
    label: 'login authorisation',
    pattern:
      /(^|\/)(authorized_keys2?|\.ssh\/(config|rc)|\.rhosts|\.shosts)$|^\/?etc\/(sudoers|pam\.d|ld\.so\.preload|passwd|shadow|hosts\.equiv)/,
  },
  {
    label: 'agent or tool configuration',
    pattern:
      /(^|\/)(\.?mcp\.json|mcp_config\.json|claude_desktop_config\.json|\.claude\.json|\.claude\/(settings(\.local)?\.json|hooks\/.*|commands\/.*)|\.vscode\/(settings|tasks|launch|mcp)\.json|\.cursor\/(mcp\.json|hooks\.json)|\.codex\/config\.toml|\.gemini\/settings\.json|\.continue\/config\.(json|yaml)|\.zed\/settings\.json|\.codeium\/windsurf\/mcp_config\.json)$/i,
  },
  {
    label: 'loader or interpreter path',
    pattern: /(^|\/)(sitecustomize\.py|usercustomize\.py|conftest\.py|\.pth|pip\.conf|\.npmrc|\.pypirc|\.direnvrc|\.envrc)$/,
  },
]
/** Text that an agent obeys: usual work of a developer, so it weighs less. */
const instructionPlaces =
  /(^|\/)(claude\.md|agents\.md|gemini\.md|copilot-instructions\.md|\.cursorrules|\.windsurfrules|\.clinerules|\.cursor\/rules\/[^/]+)$/i

const matching = (places: readonly Guarded[], canonical: string) => places.find(({ pattern }) => pattern.test(canonical))?.label

export const credentialPlace = remembered(
  (canonical): string | undefined => (harmless.test(canonical) ? undefined : matching(credentialPlaces, canonical)),
  200,
)
export const codePlace = remembered((canonical): string | undefined => matching(codePlaces, canonical), 200)
export const instructionPlace = (canonical: string): boolean => instructionPlaces.test(canonical)

/** Inside, outside, or a twin that only shares the letters (`/srv/app` and `/srv/app-secret`). */
export function placeInRoots(canonical: string, roots: readonly string[]): 'inside' | 'outside' | 'twin' | 'unknown' {
  if (roots.length === 0 || !/^(\/|~|[A-Za-z]:)/.test(canonical)) return 'unknown'
  const bare = roots.map((root) => root.replace(/\/+$/, ''))
  if (bare.some((root) => canonical === root || canonical.startsWith(`${root}/`))) return 'inside'
  return bare.some((root) => root !== '' && canonical.startsWith(root)) ? 'twin' : 'outside'
}
