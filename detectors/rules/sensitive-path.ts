/** A call that touches a place worth guarding: credentials on a disk, or files that something will run or obey. */
import { z } from 'zod'
import type { Severity } from '../../schemas/alert.ts'
import { defineDetector, type Output } from '../../schemas/detector.ts'
import type { McpEvent } from '../../schemas/event.ts'
import { calls, exchange, story } from '../../schemas/story.ts'
import { type Argument, argumentsOf, writes } from '../signals/arguments.ts'
import { codePlace, credentialPlace, instructionPlace, parsePath } from '../signals/paths.ts'

const WINDOW = 600_000_000_000n
const SIGHTINGS_MAX = 64
const PATH_MAX = 1_024

type Sighting = { label: string; time: bigint; eventId: string }
type Place = { path: string; canonical: string; pointer: string }

const isPath = ({ kind, name, text }: Argument): boolean => {
  if (kind === 'path') return text.length <= PATH_MAX
  if (kind === 'prose' || text.length > PATH_MAX) return false
  const isGlob = /glob|pattern/i.test(name) && /[/*]/.test(text)
  return isGlob || /^(\/|~|\.{1,2}[/\\]|[A-Za-z]:[/\\]|file:\/\/|\$HOME|%USERPROFILE%)/i.test(text)
}

/** Paths among the arguments, path-like values of glob parameters too, and the URI of resources/read. */
function* placesOf(event: McpEvent): Generator<Place> {
  if (event.method === 'resources/read' && event.resourceUri && event.kind !== 'response') {
    const canonical = /^file:/i.test(event.resourceUri) ? parsePath(event.resourceUri)?.canonical : undefined
    if (canonical) yield { path: event.resourceUri, canonical, pointer: '/resourceUri' }
  }
  for (const argument of event.arguments === undefined ? [] : argumentsOf(event)) {
    const { text, pointer } = argument
    const canonical = isPath(argument) ? parsePath(text.startsWith('*') ? text.replace(/^(\*\*\/)+/, '') : text)?.canonical : undefined
    if (canonical) yield { path: text, canonical, pointer }
  }
}

function judge(canonical: string, writing: boolean): { label: string; severity: Severity; act: string } | undefined {
  const code = writing ? codePlace(canonical) : undefined
  if (code) return { label: code, severity: 'high', act: 'writes' }
  const credential = credentialPlace(canonical)
  // Making one is part of setting up a project.
  if (credential === 'environment file' && writing) return { label: credential, severity: 'low', act: 'writes' }
  if (credential) return { label: credential, severity: writing ? 'high' : 'medium', act: writing ? 'writes' : 'reads' }
  if (writing && instructionPlace(canonical)) return { label: 'instructions that agents obey', severity: 'low', act: 'writes' }
  return undefined
}

export default defineDetector({
  id: 'sensitive-path',
  title: 'Call touches a guarded place',
  why: 'Keys, tokens and start-up files are what a steered agent is sent for, and what turns a file write into code execution (CurXecute CVE-2025-54135, MCPoison CVE-2025-54136, CVE-2025-68143).',
  family: 'D12',
  severity: 'medium',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1552.001', 'T1546', 'T1543'],
    atlas: ['AML.T0055', 'AML.T0083', 'AML.T0081'],
    cosai: ['MCP-T1', 'MCP-T5', 'MCP-T6'],
    owaspMcp: ['MCP01', 'MCP10'],
    owaspAsi: ['ASI02', 'ASI04'],
    safeMcp: ['SAFE-T1502', 'SAFE-T1503'],
  },
  needs: ['arguments', 'toolName'],
  blindSpots: [
    'Renamed or linked files, and places that no list knows.',
    'What a shell command reads stands in its text, not in a path argument.',
  ],
  playbook: [
    'Ask who wanted {tool} on {server} to touch {path} ({place}): is it in the user’s request?',
    'If nobody did, rotate what stands there and look for text in the thread that named it.',
    'For a file that runs code: compare its content before and after, and remove what was added.',
  ],
  settings: z.object({ sweepMin: z.int().min(2).default(3) }),
  scope: 'actor',
  reads: ['request', 'call'],
  methods: ['tools/call', 'resources/read'],
  memory: { version: 1, keysMax: 20_000, ttlMs: 3_600_000, initial: (): Sighting[] => [] },

  inspect({ subject, memories: [seen], settings }) {
    const outputs: Output[] = []
    if (subject.kind !== 'event' || !seen) return outputs
    const { event } = subject
    const server = event.serverAlias ?? event.serverKey
    const tool = event.toolName ?? event.method ?? ''
    const writing = event.method === 'tools/call' && writes(event)
    for (const { path, canonical, pointer } of placesOf(event)) {
      const judged = judge(canonical, writing)
      if (!judged) continue
      const evidence = { server, tool, path: path.slice(0, 200), canonical: canonical.slice(0, 200), pointer, place: judged.label }
      outputs.push({
        finding: `${event.serverKey} ${tool} ${canonical} ${judged.act}`,
        confidence: 0.8,
        severity: judged.severity,
        summary: `${tool} ${judged.act} ${path.slice(0, 120)}: ${judged.label}`,
        evidence,
      })
      if (judged.act !== 'reads') continue
      seen.push({ label: judged.label, time: event.time, eventId: event.eventId })
      if (seen.length > SIGHTINGS_MAX) seen.shift()
      const recent = seen.filter(({ time }) => event.time - time <= WINDOW)
      const labels = [...new Set(recent.map(({ label }) => label))].sort()
      if (labels.length < settings.sweepMin) continue
      outputs.push({
        finding: `sweep ${event.serverKey}`,
        confidence: 0.9,
        severity: 'critical',
        summary: `${labels.length} kinds of secrets were read within ten minutes: ${labels.join(', ')}`,
        evidence: { ...evidence, kinds: labels },
        events: recent.map(({ eventId }) => eventId),
      })
    }
    return outputs
  },

  examples: [
    { name: 'a private key is read', story: story(calls('fs', 'read_file', { path: '/home/u/.ssh/id_ed25519' })), fires: [0] },
    {
      name: 'cloud credentials by a home variable',
      story: story(calls('fs', 'read_text_file', { path: '$HOME/.aws/credentials' })),
      fires: [0],
    },
    { name: 'a repository made in a credential folder', story: story(calls('git', 'git_init', { repo_path: '/home/u/.ssh' })), fires: [0] },
    {
      name: 'a git hook is written',
      story: story(calls('fs', 'write_file', { path: '/srv/repo/.git/hooks/post-merge', content: '#!/bin/sh' })),
      fires: [0],
    },
    {
      name: 'an agent’s servers are changed',
      story: story(calls('ed', 'edit', { file: 'C:\\Users\\u\\.cursor\\mcp.json', edits: [] })),
      fires: [0],
    },
    {
      name: 'a resource by URI',
      story: story(exchange('fs', 'resources/read', { uri: 'file:///etc/shadow' }, { contents: [] })),
      fires: [0],
    },
    {
      name: 'a sweep over three kinds',
      story: story(
        calls('fs', 'read_file', { path: '~/.ssh/id_rsa' }),
        calls('fs', 'read_file', { path: '~/.npmrc' }),
        calls('fs', 'read_file', { path: '~/.kube/config' }),
      ),
      fires: [0, 2, 4, 4],
    },
    { name: 'a sample environment file', story: story(calls('fs', 'read_file', { path: '/app/.env.example' })), fires: [] },
    { name: 'a public key', story: story(calls('fs', 'read_file', { path: '/home/u/.ssh/id_rsa.pub' })), fires: [] },
    { name: 'source code about keys', story: story(calls('fs', 'read_file', { path: 'src/keys/key.ts' })), fires: [] },
    { name: 'prose that names a place', story: story(calls('chat', 'post', { text: '~/.ssh/id_rsa must never be shared' })), fires: [] },
    { name: 'git configuration is read', story: story(calls('fs', 'read_file', { path: '.gitattributes' })), fires: [] },
    {
      name: 'an ordinary file is written',
      story: story(calls('fs', 'write_file', { path: '/srv/repo/README.md', content: 'hello' })),
      fires: [],
    },
    { name: 'a certificate chain', story: story(calls('fs', 'read_file', { path: '/etc/ssl/certs/fullchain.pem' })), fires: [] },
  ],
})
