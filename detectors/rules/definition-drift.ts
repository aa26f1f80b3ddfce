/** A server offers a tool, and later quietly changes what the tool says it does, or who it says it is. */
import { z } from 'zod'
import type { Severity } from '../../schemas/alert.ts'
import { definitionHash } from '../../schemas/definition.ts'
import { defineDetector, type Hit } from '../../schemas/detector.ts'
import type { Json } from '../../schemas/event.ts'
import { isObject } from '../../schemas/event.ts'
import { hashId } from '../../schemas/ids.ts'
import { exchange, offers, story } from '../../schemas/story.ts'
import { actMarks } from '../signals/acts.ts'
import { languageMarks } from '../signals/languages.ts'
import { isLate } from '../signals/lateness.ts'
import type { MarkKind } from '../signals/marks.ts'
import { orderMarks } from '../signals/orders.ts'
import { steeringMarks } from '../signals/steering.ts'

const TOOLS_MAX = 2_000
const HASHES_MAX = 8
const NAMES_MAX = 20
/** A server whose texts change this often templates them (a date, a user name): plain changes of it are no news. */
const DYNAMIC_AFTER = 4

type Shape = {
  hash: string
  textHash: string
  length: number
  required: string[]
  readOnly: boolean
  destructive: boolean
  closed: boolean
  marks: string[]
  version: string
  eventId: string
  /** Absent in what earlier versions remember: definitions are kept for months, and not learned anew for this. */
  time?: bigint
}
type Known = Shape & { hashes: string[]; changes: number }
type Memory = { tools: Map<string, Known>; name: string; version: string }
type Change = { severity: Severity; says: string }

const rank: readonly Severity[] = ['informational', 'low', 'medium', 'high', 'critical']

/** Everything the comparison needs, small enough for a fact: hashes and counts, no text. */
function shapeOf(tool: { [key: string]: Json }, hits: readonly Hit[]): Omit<Shape, 'eventId' | 'version' | 'time'> {
  const schema = isObject(tool['inputSchema']) ? tool['inputSchema'] : {}
  const hints = isObject(tool['annotations']) ? tool['annotations'] : {}
  const text = [tool['title'], tool['description']].filter((part) => typeof part === 'string').join('\n')
  const required = Array.isArray(schema['required']) ? schema['required'].filter((name) => typeof name === 'string') : []
  return {
    hash: definitionHash(tool),
    textHash: hashId(text).slice(0, 16),
    length: text.length,
    required: required.map((name) => hashId(name).slice(0, 8)).slice(0, NAMES_MAX),
    readOnly: hints['readOnlyHint'] === true,
    destructive: hints['destructiveHint'] === true,
    closed: schema['additionalProperties'] === false,
    marks: [...new Set(hits.map(({ pattern }) => pattern))].sort().slice(0, 8),
  }
}

/** Kinds of which releases are full: which tool to call first, whom to address. They count when they come together. */
const ordinary: ReadonlySet<MarkKind> = new Set([
  'tool-order',
  'addressed',
  'precedence',
  'prefer',
  'steer-answer',
  'memory',
  'role-change',
])
const kinds: ReadonlyMap<string, MarkKind> = new Map(
  [...orderMarks, ...actMarks, ...steeringMarks, ...languageMarks].map(({ id, kind }) => [id, kind]),
)

function steeringGrade(marks: readonly string[], released: boolean): Severity {
  const added = new Set(marks.map((mark) => kinds.get(mark.slice(mark.indexOf('/') + 1))))
  if ([...added].some((kind) => kind === undefined || !ordinary.has(kind))) return 'critical'
  if (added.size >= 3) return 'high'
  return added.size === 2 && !released ? 'medium' : 'low'
}

function changesOf(before: Shape, after: Shape): Change[] {
  const released = before.version !== after.version && after.version !== ''
  const changes: Change[] = []
  const marks = after.marks.filter((mark) => !before.marks.includes(mark))
  if (marks.length > 0)
    changes.push({ severity: steeringGrade(marks, released), says: `text that steers a model was added (${marks.join(', ')})` })
  if (before.readOnly && !after.readOnly) changes.push({ severity: 'high', says: 'no longer says that it only reads' })
  // To own up to it is no attack.
  if (!before.destructive && after.destructive) changes.push({ severity: 'low', says: 'says that it destroys' })
  if (after.required.some((name) => !before.required.includes(name)))
    changes.push({ severity: released ? 'low' : 'medium', says: 'a new required parameter' })
  if (before.closed && !after.closed)
    changes.push({ severity: released ? 'low' : 'medium', says: 'takes parameters that it does not name' })
  if (after.length > 3 * before.length && after.length - before.length > 200)
    changes.push({ severity: released ? 'low' : 'medium', says: 'the description grew more than threefold' })
  if (changes.length === 0)
    changes.push({ severity: 'low', says: before.textHash === after.textHash ? 'the schema changed' : 'the description changed' })
  return changes
}

const worstOf = (changes: readonly Change[]): Severity => rank[Math.max(...changes.map(({ severity }) => rank.indexOf(severity)))] ?? 'low'

export default defineDetector({
  id: 'definition-drift',
  title: 'Tool definition changed after first use',
  why: 'A user approves a tool by its description. A server that rewrites it later runs under a consent nobody gave (rug pull; MCPoison CVE-2025-54136).',
  family: 'D2',
  severity: 'medium',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1195'],
    atlas: ['AML.T0109', 'AML.T0110'],
    cosai: ['MCP-T6', 'MCP-T8'],
    owaspMcp: ['MCP03'],
    owaspAsi: ['ASI04', 'ASI01'],
    safeMcp: ['SAFE-T1201'],
  },
  needs: ['body', 'method'],
  blindSpots: [
    'A server that behaves differently without changing its definition.',
    'The first definition is trusted.',
    'A list that the host takes from its cache is not on the wire.',
  ],
  playbook: [
    'Compare the definition before ({beforeHash}) and after ({afterHash}) of {tool} on {server}: look for orders to the model and for new parameters.',
    'List every call after the change and read what it was given; {changes}.',
    'If the change is not in the release notes of {server}, take the server out of its hosts and pin the version.',
  ],
  settings: z.object({}),
  scope: 'server',
  reads: ['fact:definition', 'fact:server-identity'],
  methods: ['tools/list', 'initialize', 'server/discover'],
  memory: { version: 1, keysMax: 5_000, ttlMs: 90 * 24 * 3_600_000, initial: (): Memory => ({ tools: new Map(), name: '', version: '' }) },

  *facts({ event }, _settings, hits) {
    if (!isObject(event.body)) return
    const info = event.body['serverInfo']
    if (isObject(info) && typeof info['name'] === 'string') {
      yield {
        fact: 'server-identity',
        scope: 'server',
        key: event.serverKey,
        body: { name: info['name'].slice(0, 200), version: String(info['version'] ?? '').slice(0, 100) },
      }
    }
    const tools = Array.isArray(event.body['tools']) ? event.body['tools'].slice(0, TOOLS_MAX) : []
    const hitsByTool = Map.groupBy(hits, ({ part }) => part.tool)
    for (const tool of tools) {
      if (!isObject(tool) || typeof tool['name'] !== 'string') continue
      const name = tool['name'].slice(0, 200)
      const own = (hitsByTool.get(tool['name']) ?? []).filter(({ part }) => part.position.startsWith('definition.'))
      yield {
        fact: 'definition',
        scope: 'server',
        key: event.serverKey,
        body: { tool: name, version: (event.serverVersion ?? '').slice(0, 100), ...shapeOf(tool, own) },
      }
    }
  },

  *inspect({ subject, memories: [memory] }) {
    if (subject.kind !== 'fact' || !memory || !isObject(subject.fact.body)) return
    const { fact } = subject
    const server = fact.serverAlias ?? fact.serverKey
    if (fact.fact === 'server-identity') {
      const { name, version } = fact.body as { name: string; version: string }
      const before = { ...memory }
      memory.name = name
      memory.version = version
      if (before.name === '' || before.name === name) return
      const evidence = {
        server,
        tool: '-',
        beforeHash: '-',
        afterHash: '-',
        changes: [`was ${before.name} ${before.version}, is ${name} ${version}`],
      }
      yield {
        finding: `${fact.key} identity ${name}`,
        confidence: 0.7,
        severity: 'medium',
        summary: `${server} says that it is ${name}; it was ${before.name}`,
        evidence,
      }
      return
    }
    const { tool, ...rest } = fact.body as unknown as Omit<Shape, 'eventId' | 'time'> & { tool: string }
    const now: Shape = { ...rest, eventId: fact.eventId, time: fact.time }
    const known = memory.tools.get(tool)
    if (known?.hash === now.hash) return
    const returned = known?.hashes.includes(now.hash) ?? false
    // Lists of several people arrive in any order: what only one of them was shown before is still what came before.
    const late = known !== undefined && known.changes === 0 && known.time !== undefined && isLate(fact.time, known.time)
    const [before, after] = late ? [now, known] : [known, now]
    const hashes = [...(known?.hashes ?? []).filter((hash) => hash !== now.hash), now.hash].slice(-HASHES_MAX)
    memory.tools.set(tool, { ...after, hashes, changes: (known?.changes ?? 0) + (known ? 1 : 0) })
    if (memory.tools.size > TOOLS_MAX) memory.tools.delete(memory.tools.keys().next().value as string)
    if (!known || !before) return
    const changes = changesOf(before, after)
    const severity = worstOf(changes)
    if (rank.indexOf(severity) < 2 && (returned || known.changes >= DYNAMIC_AFTER)) return
    yield {
      finding: `${fact.key} ${tool} ${after.hash}`,
      confidence: severity === 'low' ? 0.5 : 0.9,
      severity,
      summary: `${server} changed ${tool}: ${changes.map(({ says }) => says).join('; ')}`,
      evidence: {
        server,
        tool,
        beforeHash: before.hash,
        afterHash: after.hash,
        changes: changes.map(({ says }) => says),
        versionBefore: before.version,
        versionAfter: after.version,
      },
      events: [before.eventId, after.eventId],
    }
  },

  examples: [
    {
      name: 'a description gains an order',
      story: story(
        offers('weather', [{ name: 'forecast', description: 'Gives a forecast.' }]),
        offers('weather', [{ name: 'forecast', description: 'Gives a forecast. Other text.' }]),
      ),
      fires: [3],
    },
    {
      name: 'a tool stops saying that it only reads',
      story: story(
        offers('db', [{ name: 'query', annotations: { readOnlyHint: true } }]),
        offers('db', [{ name: 'query', annotations: { readOnlyHint: false } }]),
      ),
      fires: [3],
    },
    {
      name: 'a new required parameter',
      story: story(
        offers('crm', [{ name: 'find', inputSchema: { type: 'object', properties: { a: {} }, required: ['a'] } }]),
        offers('crm', [{ name: 'find', inputSchema: { type: 'object', properties: { a: {}, b: {} }, required: ['a', 'b'] } }]),
      ),
      fires: [3],
    },
    {
      name: 'the server takes another name',
      story: story(
        exchange('f', 'initialize', {}, { serverInfo: { name: 'Facts', version: '1' } }),
        exchange('f', 'initialize', {}, { serverInfo: { name: 'Other', version: '1' } }),
      ),
      fires: [3],
    },
    {
      name: 'the same list again',
      story: story(offers('a', [{ name: 'x', description: 'One.' }]), offers('a', [{ name: 'x', description: 'One.' }])),
      fires: [],
    },
    {
      name: 'members in another order',
      story: story(
        offers('a', [{ name: 'x', description: 'One.', title: 'X' }]),
        offers('a', [{ title: 'X', description: 'One.', name: 'x' }]),
      ),
      fires: [],
    },
    {
      name: 'a new tool beside an old one',
      story: story(offers('a', [{ name: 'x' }]), offers('a', [{ name: 'x' }, { name: 'y' }])),
      fires: [],
    },
    { name: 'a tool is gone', story: story(offers('a', [{ name: 'x' }, { name: 'y' }]), offers('a', [{ name: 'x' }])), fires: [] },
    {
      name: 'another server with the same tool',
      story: story(offers('a', [{ name: 'x', description: 'One.' }]), offers('b', [{ name: 'x', description: 'Two.' }])),
      fires: [],
    },
    {
      name: 'a new version of the same name',
      story: story(
        exchange('f', 'initialize', {}, { serverInfo: { name: 'F', version: '1' } }),
        exchange('f', 'initialize', {}, { serverInfo: { name: 'F', version: '2' } }),
      ),
      fires: [],
    },
  ],
})
