/** Where an output may connect to: public addresses only, checked after the name is resolved and before anything is sent. */
import { lookup as resolve } from 'node:dns/promises'
import { BlockList, isIP, type LookupFunction } from 'node:net'
import { Fault } from '../../schemas/errors.ts'

export type Address = Readonly<{ address: string; family: number }>
export type Resolve = (host: string) => Promise<readonly Address[]>

/** Special-purpose IPv4 (IANA registry), and the one public address that answers as a cloud's metadata service. */
const notPublic4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
/** Inside 2000::/3, the only IPv6 that is public at all: Teredo and friends, documentation, 6to4 (it hides an IPv4 address). */
const notPublic6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20']

function blockListOf(ranges: readonly string[], family: 'ipv4' | 'ipv6'): BlockList {
  const list = new BlockList()
  for (const range of ranges) {
    const [net = '', bits] = range.split('/')
    list.addSubnet(net, Number(bits), family)
  }
  return list
}
const blocked4 = blockListOf(notPublic4, 'ipv4')
const blocked6 = blockListOf(notPublic6, 'ipv6')
const public6 = blockListOf(['2000::/3'], 'ipv6')

export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !blocked4.check(address, 'ipv4')
  return family === 6 && public6.check(address, 'ipv6') && !blocked6.check(address, 'ipv6')
}

/** The URL parser has already turned decimal, octal, hexadecimal and full-width hosts into plain ones. */
const literalHost = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '')

/** What can be said before a name is resolved; the rest is said by `checkedLookup`, at the moment of connecting. */
export function checkUrl(text: string, allowPrivate: boolean): URL {
  const url = URL.parse(text)
  if (url === null || text.length > 2_048) throw new Fault('OUTPUT_REFUSED', 'not a URL')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') throw new Fault('OUTPUT_REFUSED', 'neither http nor https')
  if (url.username !== '' || url.password !== '') throw new Fault('OUTPUT_REFUSED', 'credentials in the URL')
  if (allowPrivate) return url
  const port = Number(url.port || '443')
  if (port < 1_024 && port !== 80 && port !== 443) throw new Fault('OUTPUT_REFUSED', 'port of another service')
  const host = literalHost(url)
  // A literal address never passes a lookup: Node connects to it at once.
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw new Fault('OUTPUT_REFUSED', 'address is not public')
  if (isIP(host) === 0 && /(^|\.)(localhost|local|internal|localdomain)\.?$/.test(host))
    throw new Fault('OUTPUT_REFUSED', 'name is not public')
  return url
}

export const resolveAll: Resolve = (host) => resolve(host, { all: true, verbatim: true })

/** Resolves once and hands the very addresses that were checked to connect; one private address among them refuses all. */
export function checkedLookup(resolveHost: Resolve, allowPrivate: boolean): LookupFunction {
  return (host, options, done) => {
    resolveHost(host).then(
      (found) => {
        const first = found[0]
        if (first === undefined) return done(new Fault('OUTPUT_UNREACHABLE', 'name has no address'), '', 4)
        if (!allowPrivate && !found.every(({ address }) => isPublicAddress(address))) {
          return done(new Fault('OUTPUT_REFUSED', 'name resolves to an address that is not public'), '', 4)
        }
        if (options.all) return done(null, [...found])
        return done(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => done(error, '', 4),
    )
  }
}
