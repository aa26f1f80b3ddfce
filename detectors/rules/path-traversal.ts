/** A path that leaves where it belongs: parent-directory steps, encodings that hide them, roots left, prefix twins of a root. */
import { z } from 'zod'
import type { Severity } from '../../schemas/alert.ts'
import { defineDetector, type Output } from '../../schemas/detector.ts'
import type { Json, McpEvent } from '../../schemas/event.ts'
import { isObject, member } from '../../schemas/event.ts'
import { calls, exchange, host, story } from '../../schemas/story.ts'
import { type Argument, argumentsOf, sign } from '../signals/arguments.ts'
import { credentialPlace, type Path, parsePath, placeInRoots } from '../signals/paths.ts'

const ROOTS_MAX = 64
const SERVERS_MAX = 64
const PENDING_MAX = 256

type Pending = { about: string; evidence: Record<string, string>; eventId: string }
type Memory = { roots: Map<string, string[]>; pending: Map<string, Pending[]> }
type Judged = { why: string; severity: Severity }

const looksLikePath = ({ kind, text }: Argument): boolean =>
  kind === 'path' ||
  (kind !== 'prose' && kind !== 'code' && /^(\/|~|\.{1,2}[/\\]|[A-Za-z]:[/\\]|file:\/\/|%2e|%2f)/i.test(text) && !/\s\S*\s/.test(text))

/** `\\\\host\\share`: Windows signs in at the host by itself. A short name is one of the own network. */
function shareOf(text: string): Judged | undefined {
  const host = /^\s*(?:\\\\\?\\UNC\\|\\\\(?!\?\\|\.\\))([^\\/]{1,255})[\\/]/i.exec(text)?.[1]
  if (host === undefined || /^wsl(?:\.localhost|\$)$/i.test(host)) return undefined
  const outside =
    /@|^\d{1,3}(?:\.\d{1,3}){3}$|ipv6-literal|\.[a-z]{2,}$/i.test(host) && !/\.(?:local|lan|corp|internal|intranet)$/i.test(host)
  return { why: 'a network share: the server signs in at its host', severity: outside ? 'medium' : 'low' }
}

function judge(path: Path, roots: readonly string[], text: string): Judged | undefined {
  const share = shareOf(text)
  if (share?.severity === 'medium') return share
  if (path.nul) return { why: 'NUL in a path', severity: 'high' }
  if (path.encoded) return { why: 'parent-directory steps hidden by an encoding', severity: 'high' }
  const place = placeInRoots(path.canonical, roots)
  if (place === 'twin') return { why: 'a directory whose name only begins like an allowed root', severity: 'medium' }
  if (path.climbs >= 3 || (path.climbs > 0 && credentialPlace(path.canonical)))
    return { why: `climbs ${path.climbs} levels above its start`, severity: 'high' }
  if (path.climbs === 2) return { why: 'climbs 2 levels above its start', severity: 'low' }
  if (path.parentSteps > 0 && path.absolute) {
    return place === 'inside' ? undefined : { why: 'an absolute path with parent-directory steps', severity: 'medium' }
  }
  if (place === 'outside') return { why: 'outside every root of this server', severity: 'medium' }
  return share
}

/** Where no roots are known, only a path with one of these can be judged: steps, encodings, NUL, shares. */
const oddSigns = sign.dots | sign.percent | sign.nul | sign.backslash

const strings = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((entry): entry is string => typeof entry === 'string') : []

/** In the modern era the answer to roots/list rides on the next request. */
function riding(event: McpEvent): Json | undefined {
  const responses = member(event.params, 'inputResponses')
  if (!isObject(responses)) return undefined
  for (const response of Object.values(responses).slice(0, ROOTS_MAX)) {
    const roots = member(response, 'roots') ?? member(member(response, 'result'), 'roots')
    if (roots !== undefined) return roots
  }
  return undefined
}

/** Roots come from the host's configuration, or from the client's answer to roots/list. */
function learnRoots(event: McpEvent, roots: Map<string, string[]>): void {
  const answered = event.method === 'roots/list' ? member(event.body, 'roots') : riding(event)
  const listed = Array.isArray(answered) ? answered.map((root) => member(root, 'uri')) : undefined
  const found = event.kind === 'config' ? strings(member(event.params, 'roots')) : listed ? strings(listed as Json) : []
  if (found.length === 0) return
  if (roots.size >= SERVERS_MAX) roots.delete(roots.keys().next().value as string)
  roots.set(
    event.serverKey,
    found.slice(0, ROOTS_MAX).flatMap((root) => parsePath(root)?.canonical ?? []),
  )
}

export default defineDetector({
  id: 'path-traversal',
  title: 'Path leaves where it belongs',
  why: 'A model, or text that steers it, asks for a path outside what the server may touch: EscapeRoute (CVE-2025-53109, CVE-2025-53110), CVE-2026-27735.',
  family: 'D12',
  severity: 'medium',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1083', 'T1005'],
    atlas: ['AML.T0085', 'AML.T0049'],
    cosai: ['MCP-T3', 'MCP-T5'],
    owaspMcp: ['MCP05', 'MCP10'],
    owaspAsi: ['ASI02'],
    safeMcp: ['SAFE-T1105'],
  },
  needs: ['arguments', 'toolName'],
  blindSpots: [
    'Symbolic links are resolved by the server: a file audit is needed.',
    'Without known roots an absolute path alone says nothing.',
  ],
  playbook: [
    'Read what {tool} on {server} was given ({path}) and what it answered.',
    'If it answered with content, treat what stands at {canonical} as read by the agent and by whoever steers it.',
    'Check the roots of {server} and whether its version resolves links and prefixes rightly.',
  ],
  settings: z.object({}),
  scope: 'actor',
  reads: ['request', 'response', 'call', 'config'],
  memory: { version: 1, keysMax: 20_000, ttlMs: 24 * 3_600_000, initial: (): Memory => ({ roots: new Map(), pending: new Map() }) },

  inspect({ subject, memories: [memory] }) {
    const outputs: Output[] = []
    if (subject.kind !== 'event' || !memory) return outputs
    const { event } = subject
    learnRoots(event, memory.roots)
    const server = event.serverAlias ?? event.serverKey
    const tool = event.toolName ?? event.method ?? ''
    const known = memory.roots.get(event.serverKey)
    const asked: Pending[] = []
    for (const argument of event.arguments === undefined ? [] : argumentsOf(event)) {
      if (!known && (argument.signs & oddSigns) === 0) continue
      const path = looksLikePath(argument) ? parsePath(argument.text) : undefined
      const judged = path && judge(path, known ?? [], argument.text)
      if (!path || !judged) continue
      const evidence = {
        server,
        tool,
        path: argument.text.slice(0, 200),
        canonical: path.canonical.slice(0, 200),
        pointer: argument.pointer,
        reason: judged.why,
      }
      const about = `${event.serverKey} ${tool} ${path.canonical} ${judged.why}`
      asked.push({ about, evidence, eventId: event.eventId })
      outputs.push({
        finding: about,
        confidence: 0.8,
        severity: judged.severity,
        summary: `${tool} was given ${argument.text.slice(0, 120)}: ${judged.why}`,
        evidence,
      })
    }
    if (asked.length === 0 && memory.pending.size === 0) return outputs
    const call = event.callId ?? event.eventId
    if (event.outcome === 'success') {
      for (const { about, evidence, eventId } of [...asked, ...(memory.pending.get(call) ?? [])]) {
        if (evidence.reason !== 'outside every root of this server' && !evidence.reason?.startsWith('a directory whose name')) continue
        outputs.push({
          finding: `answered ${about}`,
          confidence: 0.9,
          severity: 'high',
          summary: `${tool} answered for ${evidence.path}: ${evidence.reason}`,
          evidence,
          events: [eventId],
        })
      }
    }
    if (event.outcome !== undefined) memory.pending.delete(call)
    else if (asked.length > 0) memory.pending.set(call, asked)
    if (memory.pending.size > PENDING_MAX) memory.pending.delete(memory.pending.keys().next().value as string)
    return outputs
  },

  examples: [
    { name: 'an absolute path with a step', story: story(calls('fs', 'read_file', { path: '/srv/../etc/hosts' })), fires: [0] },
    { name: 'many levels up', story: story(calls('git', 'git_add', { files: ['../../../../tmp/x'] })), fires: [0] },
    { name: 'steps hidden by an encoding', story: story(calls('docs', 'get_document', { filename: '..%2f..%2fetc%2fhosts' })), fires: [0] },
    { name: 'doubly encoded', story: story(calls('docs', 'get_document', { filename: '%252e%252e%252f%252e%252e%252fx' })), fires: [0] },
    {
      name: 'prefix twin of a root, answered',
      story: story(host('config', { srv: 'fs', roots: ['/srv/allow'] }), calls('fs', 'list_directory', { path: '/srv/allow_secrets' })),
      fires: [1, 2],
    },
    {
      name: 'outside the roots a client named, refused',
      story: story(
        exchange('fs', 'roots/list', {}, { roots: [{ uri: 'file:///home/u/project' }] }),
        calls('fs', 'read_file', { path: '/opt/x' }, { isError: true, content: [{ type: 'text', text: 'denied' }] }),
      ),
      fires: [2],
    },
    {
      name: 'outside the roots that rode on the call before',
      story: story(
        exchange(
          'fs',
          'tools/call',
          { name: 'index', arguments: {}, inputResponses: { r: { roots: [{ uri: 'file:///home/u/project' }] } } },
          {},
        ),
        calls('fs', 'read_file', { path: '/home/u/project-old/x' }),
      ),
      fires: [2, 3],
    },
    { name: 'a share of a host outside', story: story(calls('docs', 'open', { file: '\\\\192.0.2.7\\s\\a.dll' })), fires: [0] },
    { name: 'NUL cuts the extension', story: story(calls('docs', 'get_document', { filename: 'report.txt%00.png' })), fires: [0] },
    { name: 'a file of the project', story: story(calls('fs', 'read_file', { path: 'src/main.ts' })), fires: [] },
    { name: 'one level up in a monorepo', story: story(calls('fs', 'read_file', { path: '../shared/index.ts' })), fires: [] },
    {
      name: 'inside a root',
      story: story(host('config', { srv: 'fs', roots: ['/srv/allow'] }), calls('fs', 'read_file', { path: '/srv/allow/a/../b.txt' })),
      fires: [],
    },
    { name: 'an absolute path without known roots', story: story(calls('fs', 'read_file', { path: '/opt/data/a.csv' })), fires: [] },
    { name: 'an ellipsis in prose', story: story(calls('chat', 'post', { text: 'wait ... ../../../ is how you go up' })), fires: [] },
    { name: 'a URL with encoded characters', story: story(calls('web', 'fetch', { url: 'https://a.example/x%2Fy?q=%2e' })), fires: [] },
    { name: 'dots in names', story: story(calls('fs', 'read_file', { path: 'notes..old/v1...2.txt' })), fires: [] },
    {
      name: 'code that imports from above',
      story: story(calls('ed', 'write_file', { path: 'a.ts', content: "import '../../../x.ts'" })),
      fires: [],
    },
  ],
})
