/** A URL in an argument that makes the server fetch what only the server can reach: metadata service, itself, its network, its files. */
import { z } from 'zod'
import type { Severity } from '../../schemas/alert.ts'
import { defineDetector, type Output } from '../../schemas/detector.ts'
import { secretTokenPattern } from '../../schemas/secret.ts'
import { calls, story } from '../../schemas/story.ts'
import { type Address, parseAddress, parseHost } from '../signals/addresses.ts'
import { type Argument, argumentsOf, sign } from '../signals/arguments.ts'

const PENDING_MAX = 256

type Pending = { eventId: string; url: string; host: string }
type Judged = { severity: Severity; reason: string }

/** Schemes that read files, speak raw protocols or run code when a fetcher accepts them. */
const oddSchemes = new Set(
  'file gopher dict ldap ldaps jar netdoc phar php expect tftp sftp scp smb zip data-uri glob ogg view-source javascript vbscript'.split(
    ' ',
  ),
)
/** Ports of things that have no business being fetched on this machine; development servers live elsewhere. */
const servicePorts = new Set([
  '',
  '22',
  '23',
  '25',
  '80',
  '443',
  '445',
  '2049',
  '2375',
  '2376',
  '2379',
  '3306',
  '5432',
  '6379',
  '6443',
  '8500',
  '9200',
  '10250',
  '10255',
  '11211',
  '27017',
])

function judge(address: Address, argument: Argument, tool: string): Judged | undefined {
  const { grade, disguise, scheme, port } = address
  if (grade === 'metadata')
    return { severity: disguise ? 'critical' : 'high', reason: `cloud metadata address${disguise ? `; ${disguise}` : ''}` }
  if (scheme === 'file') return fileScheme(argument, tool)
  if (oddSchemes.has(scheme))
    return argument.kind === 'url' || argument.kind === 'path' || wholeUrl.test(argument.text)
      ? { severity: 'high', reason: `scheme ${scheme}: is not for fetching` }
      : undefined
  if (grade === 'public' || grade === 'special') return disguise ? { severity: 'medium', reason: disguise } : undefined
  const where = grade === 'loopback' ? 'the server’s own machine' : 'a private network'
  if (disguise) return { severity: 'high', reason: `${where}; ${disguise}` }
  // A `host` parameter names a machine to work with; a URL is fetched.
  if (argument.kind === 'host') return { severity: 'low', reason: where }
  if (grade === 'private') return { severity: 'medium', reason: where }
  return { severity: servicePorts.has(port) ? 'medium' : 'low', reason: where }
}

/** A value that is a web address and nothing else is one whatever its parameter is called. */
const wholeUrl = /^\s*[a-z][a-z0-9+.-]{1,20}:\/\/\S+\s*$/i
const fetcher =
  /fetch|http|url|web|page|html|pdf|render|shot|crawl|scrap|brows|navigat|convert|download|import|proxy|preview|request|feed|image|thumb|hook/i

/** A file server speaks `file:` by nature; what fetches pages does not. */
function fileScheme(argument: Argument, tool: string): Judged | undefined {
  const fetches = argument.kind === 'url' || (argument.kind !== 'path' && fetcher.test(tool))
  if (!fetches || /file|resource|document_open/i.test(tool)) return undefined
  return { severity: 'high', reason: 'scheme file: reads the server’s disk' }
}

function addressOf(argument: Argument): Address | undefined {
  if (argument.kind === 'prose' || (argument.kind === 'code' && !wholeUrl.test(argument.text))) return undefined
  // An address has a colon behind its scheme.
  const address = (argument.signs & sign.colon) === 0 ? undefined : parseAddress(argument.text)
  return address ?? (argument.kind === 'host' ? parseHost(argument.text) : undefined)
}

export default defineDetector({
  id: 'ssrf',
  title: 'Server is made to fetch an inside address',
  why: 'A fetch tool runs where the model does not: a URL of the metadata service or of the inner network turns it into a way in (CVE-2026-26118, MarkItDown "MCP fURI").',
  family: 'D13',
  severity: 'high',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1552.005', 'T1090'],
    atlas: ['AML.T0049', 'AML.T0098'],
    cosai: ['MCP-T3', 'MCP-T8'],
    owaspMcp: ['MCP05'],
    owaspAsi: ['ASI02', 'ASI05'],
    safeMcp: ['SAFE-T1704'],
  },
  needs: ['arguments', 'toolName'],
  blindSpots: [
    'A redirect, or a name that resolves to an inside address, is seen by an egress proxy only.',
    'URLs inside code or prose are not judged.',
  ],
  playbook: [
    'Read the answer of {tool} on {server} for {url}: did it hold credentials or an inner page?',
    'If it did, revoke the role or key that {host} hands out and look for its use elsewhere.',
    'Block {host} for this server at the network: metadata v2 with a hop limit of 1, an egress proxy with an allow list.',
  ],
  settings: z.object({ internalHosts: z.array(z.string()).default([]) }),
  scope: 'actor',
  reads: ['request', 'response', 'call'],
  methods: ['tools/call'],
  memory: { version: 1, keysMax: 20_000, ttlMs: 3_600_000, initial: (): Map<string, Pending> => new Map() },

  inspect({ subject, memories: [pending], settings }) {
    const outputs: Output[] = []
    if (subject.kind !== 'event' || !pending) return outputs
    const { event } = subject
    const server = event.serverAlias ?? event.serverKey
    const tool = event.toolName ?? ''
    const call = event.callId ?? event.eventId
    for (const argument of event.arguments === undefined ? [] : argumentsOf(event)) {
      const address = addressOf(argument)
      const judged = address && judge(address, argument, tool)
      if (!address || !judged || settings.internalHosts.includes(address.host)) continue
      const url = argument.text.slice(0, 200)
      const host = address.host || `${address.scheme}:`
      const evidence = { server, tool, url, host, pointer: argument.pointer, reason: judged.reason }
      if (address.grade === 'metadata') pending.set(call, { eventId: event.eventId, url, host })
      if (pending.size > PENDING_MAX) pending.delete(pending.keys().next().value as string)
      outputs.push({
        finding: `${event.serverKey} ${tool} ${host}:${address.port} ${url}`,
        confidence: 0.9,
        severity: judged.severity,
        summary: `${tool} was given ${url}: ${judged.reason}`,
        evidence,
      })
    }
    const asked = pending.size === 0 ? undefined : pending.get(call)
    if (!asked || event.result === undefined) return outputs
    pending.delete(call)
    const kinds = new Set(
      subject.texts.flatMap(({ position, text }) =>
        position === 'result' ? [...text.matchAll(secretTokenPattern)].map((match) => match[1] as string) : [],
      ),
    )
    if (kinds.size === 0) return outputs
    outputs.push({
      finding: `credentials ${event.serverKey} ${asked.host}`,
      confidence: 0.95,
      severity: 'critical',
      summary: `${tool} brought credentials back from ${asked.host}`,
      evidence: { server, tool, url: asked.url, host: asked.host, reason: `the answer holds ${[...kinds].join(', ')}` },
      events: [asked.eventId],
    })
    return outputs
  },

  examples: [
    { name: 'metadata address', story: story(calls('web', 'fetch', { url: 'http://169.254.169.254/latest/meta-data/' })), fires: [0] },
    { name: 'the same address as one number', story: story(calls('web', 'fetch', { url: 'http://2852039166/latest/' })), fires: [0] },
    { name: 'loopback in octal', story: story(calls('web', 'fetch', { url: 'http://0177.0.0.1:8080/' })), fires: [0] },
    { name: 'loopback inside IPv6', story: story(calls('web', 'fetch', { url: 'http://[::ffff:127.0.0.1]/' })), fires: [0] },
    {
      name: 'a name that spells a private address',
      story: story(calls('web', 'open_page', { link: 'http://10.0.0.5.nip.io/' })),
      fires: [0],
    },
    { name: 'a file through a fetcher', story: story(calls('md', 'convert_to_markdown', { uri: 'file:///etc/hosts' })), fires: [0] },
    { name: 'a file, by a parameter of another name', story: story(calls('pdf', 'render_url', { source: 'file:///srv/a' })), fires: [0] },
    { name: 'gopher', story: story(calls('web', 'fetch', { url: 'gopher://127.0.0.1:6379/_INFO' })), fires: [0] },
    {
      name: 'credentials come back from the metadata service',
      story: story(
        calls('web', 'fetch', { url: 'http://169.254.169.254/latest/meta-data/iam/' }, 'key ⟦secret:aws-secret-key:0123456789abcdef⟧'),
      ),
      fires: [0, 1],
    },
    { name: 'a host parameter', story: story(calls('net', 'ping', { host: '169.254.169.254' })), fires: [0] },
    { name: 'an ordinary page', story: story(calls('web', 'fetch', { url: 'https://docs.example/a?b=c' })), fires: [] },
    { name: 'a public address', story: story(calls('web', 'fetch', { url: 'https://93.184.215.14/' })), fires: [] },
    {
      name: 'prose about the metadata service',
      story: story(calls('chat', 'post', { text: 'block http://169.254.169.254/ at the proxy' })),
      fires: [],
    },
    { name: 'a file server’s own scheme', story: story(calls('fs', 'read_file', { uri: 'file:///srv/a.txt' })), fires: [] },
    { name: 'a Windows path', story: story(calls('fs', 'read', { path: 'C:\\data\\a.txt' })), fires: [] },
    { name: 'a time and a ratio', story: story(calls('cal', 'add', { start: '10:30', ratio: '4:3', id: 'urn:uuid:1' })), fires: [] },
    { name: 'a public name with digits', story: story(calls('web', 'fetch', { url: 'https://10.example.com/127.0.0.1' })), fires: [] },
  ],
})
