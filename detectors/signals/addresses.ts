/** URLs and hosts as a fetcher would resolve them, graded by where they lead: metadata service, this machine, private network. */

export type Address = Readonly<{
  scheme: string
  host: string
  port: string
  grade: 'metadata' | 'loopback' | 'private' | 'special' | 'public'
  /** Why the spelling hides where it leads; undefined when it is written plainly. */
  disguise: string | undefined
}>

const metadataHosts = new Set([
  '169.254.169.254',
  '169.254.170.2',
  '169.254.170.23',
  '169.254.169.253',
  '100.100.100.200',
  '192.0.0.192',
  '168.63.129.16',
  'fd00:ec2::254',
  'fd20:ce::254',
  'metadata.google.internal',
  'metadata.goog',
  'metadata',
  'instance-data',
  'instance-data.ec2.internal',
  'metadata.azure.internal',
  'metadata.platformequinix.com',
  'metadata.packet.net',
  'rancher-metadata',
])
/** Names that resolve to the address they spell: a public name for a private place. */
const spellingZones =
  /(?:^|\.)(nip\.io|sslip\.io|xip\.io|localtest\.me|lvh\.me|vcap\.me|lacolhost\.com|localho\.st|spoofed\.[\w.-]+|rbndr\.us|1u\.ms)$/

const octets = (host: string): number[] | undefined => {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(host)
  return match?.slice(1).map(Number)
}

function gradeOfIPv4([a = 0, b = 0, c = 0]: readonly number[]): Address['grade'] {
  if (a === 127 || a === 0) return 'loopback'
  if (a === 10 || (a === 172 && b >= 16 && b <= 31) || (a === 192 && b === 168) || (a === 100 && b >= 64 && b <= 127)) return 'private'
  if (a === 169 && b === 254) return 'private'
  if (a >= 224 || (a === 192 && b === 0 && c === 0) || (a === 198 && (b === 18 || b === 19))) return 'special'
  return 'public'
}

/** `::ffff:7f00:1` → [127,0,0,1]; also NAT64 and 6to4 wrappings. */
function embeddedIPv4(host: string): number[] | undefined {
  const wrapped =
    /^(?:::ffff:(?:0:)?|64:ff9b::|::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(host) ?? /^2002:([0-9a-f]{1,4}):([0-9a-f]{1,4}):/.exec(host)
  if (!wrapped) return undefined
  const [high = 0, low = 0] = wrapped.slice(1).map((group) => Number.parseInt(group, 16))
  return [high >> 8, high & 255, low >> 8, low & 255]
}

function gradeOfHost(host: string): Address['grade'] {
  if (metadataHosts.has(host)) return 'metadata'
  const v4 = octets(host) ?? embeddedIPv4(host)
  if (v4) return metadataHosts.has(v4.join('.')) ? 'metadata' : gradeOfIPv4(v4)
  if (
    host === '::1' ||
    host === '::' ||
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host === 'localhost.localdomain' ||
    host === 'ip6-localhost'
  )
    return 'loopback'
  if (/^f[cd][0-9a-f]{2}:|^fe[89ab][0-9a-f]:/.test(host)) return 'private'
  if (/^ff[0-9a-f]{2}:/.test(host)) return 'special'
  if (/\.(internal|intranet|local|lan|corp|home\.arpa|svc|cluster\.local)$/.test(host) || host === 'kubernetes.default') return 'private'
  const spelled = spellingZones.test(host) ? /(\d{1,3})[.-](\d{1,3})[.-](\d{1,3})[.-](\d{1,3})/.exec(host)?.slice(1).map(Number) : undefined
  if (spelled) return metadataHosts.has(spelled.join('.')) ? 'metadata' : gradeOfIPv4(spelled)
  return spellingZones.test(host) ? 'loopback' : 'public'
}

/** What stands between `//` and the path, as it was written. */
const writtenAuthority = (text: string): string => /^[a-z][a-z0-9+.-]*:[/\\]{0,4}([^/\\?#]*)/i.exec(text)?.[1] ?? ''

function disguiseOf(text: string, host: string, grade: Address['grade']): string | undefined {
  if (grade === 'public') return undefined
  const written = writtenAuthority(text)
  const spelled = written.replace(/^.*@/, '').replace(/:\d*$/, '').toLowerCase()
  if (octets(host) && spelled !== host) return 'the address is written as a number, in octal, hex, short or with look-alike digits'
  if (embeddedIPv4(host)) return 'an IPv4 address inside an IPv6 one'
  if (spellingZones.test(host)) return 'a public name that resolves to the address it spells'
  if (written.includes('@')) return 'a user part that looks like the host'
  if (/[\\%]/.test(written)) return 'characters that parsers read differently'
  if (host === '0.0.0.0' || host === '::') return 'the unspecified address reaches this machine'
  return undefined
}

const withScheme = /^\s*([a-z][a-z0-9+.-]{1,20}):/i

/** Undefined when the text is no absolute URL. Never resolves a name. */
export function parseAddress(text: string): Address | undefined {
  const trimmed = text.trim().slice(0, 2_048)
  const scheme = withScheme.exec(trimmed)?.[1]?.toLowerCase()
  if (!scheme || /^[a-z]$/.test(scheme)) return undefined
  if (!['http', 'https', 'ws', 'wss', 'ftp'].includes(scheme)) return { scheme, host: '', port: '', grade: 'special', disguise: undefined }
  const url = URL.parse(trimmed)
  if (!url) return undefined
  const host = url.hostname
    .replace(/^\[|\]$/g, '')
    .replace(/\.$/, '')
    .toLowerCase()
  const grade = gradeOfHost(host)
  return { scheme, host, port: url.port, grade, disguise: disguiseOf(trimmed, host, grade) }
}

/** A bare host or host:port, as in `host` parameters. */
export const parseHost = (text: string): Address | undefined =>
  /^[\w.:[\]-]{1,253}$/.test(text.trim()) ? parseAddress(`http://${text.trim()}/`) : undefined
