/** Calls that destroy: databases, volumes, backups, history. Judged by what would be lost, where, and whether a person just agreed. */
import { z } from 'zod'
import { type Severity, severities, severityRank } from '../../schemas/alert.ts'
import { defineDetector, type Output } from '../../schemas/detector.ts'
import { isFirstObservation, type Json, type McpEvent } from '../../schemas/event.ts'
import { hashId } from '../../schemas/ids.ts'
import { destructionsIn, type Found } from '../signals/destruction.ts'
import { destructionExamples } from '../signals/destruction-examples.ts'
import { isLate } from '../signals/lateness.ts'

const MINUTE = 60_000_000_000n
const DELETES_MAX = 128
const APPROVALS_MAX = 32
const LOSSES_MAX = 16

type Delete = { what: string; count: number; time: bigint; eventId: string; kept: boolean }
type Approval = { tool: string; server: string; time: bigint }
type Shared = { server: string; tool: string; approved: boolean; outcome?: string }
type Loss = { backup: boolean; what: string; time: bigint; eventId: string; throwaway: boolean; shared: Shared }
type Memory = { deletes: Delete[]; approvals: Approval[]; losses: Loss[] }

const production = /(?:^|[^a-z])(?:prod|production|prd)(?:[^a-z]|$)/i
const development =
  /(?:^|[^a-z])(?:dev|development|test|testing|tests|staging|stage|sandbox|scratch|preview|local|localhost|ci|qa|uat|tmp|temp)(?:[^a-z]|$)/i
type Place = 'production' | 'development' | 'unknown'

const memberOf = (value: Json | undefined, key: string): Json | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && Object.hasOwn(value, key) ? value[key] : undefined

/** Inventory labels say it best; then the names in the call. A word in an id or path is only a hint, so production wins. */
function placeOf(event: McpEvent, found: Found): Place {
  for (const name of ['environment', 'env', 'stage', 'tier']) {
    const label = memberOf(event.labels, name)
    if (typeof label === 'string' && production.test(label)) return 'production'
    if (typeof label === 'string' && development.test(label)) return 'development'
  }
  if (memberOf(event.labels, 'production') === true || memberOf(event.labels, 'prod') === true) return 'production'
  const said = [
    'environment',
    'env',
    'database',
    'db',
    'db_name',
    'project',
    'project_id',
    'cluster',
    'namespace',
    'host',
    'workspace',
    'stage',
  ]
    .map((name) => memberOf(event.arguments, name))
    .filter((value) => typeof value === 'string')
  const texts = [...said, found.target, found.excerpt, event.serverAlias ?? ''].map((text) => text.slice(0, 300))
  if (texts.some((text) => production.test(text))) return 'production'
  return texts.some((text) => development.test(text)) ? 'development' : 'unknown'
}

const base: Readonly<Record<Found['worth'], Severity | undefined>> = {
  backup: 'high',
  store: 'high',
  whole: 'medium',
  thing: undefined,
  record: undefined,
  slight: undefined,
}
const stepsDown = (severity: Severity, steps: number): Severity => severities[Math.max(1, severityRank(severity) - steps)] as Severity

function gradeOf({ worth }: Found, place: Place, approved: boolean): Severity | undefined {
  const grade = base[worth]
  if (!grade) return worth === 'thing' && place === 'production' && !approved ? 'medium' : undefined
  const placed =
    place === 'production' ? stepsDown(grade, -1) : place === 'development' ? stepsDown(grade, worth === 'backup' ? 1 : 2) : grade
  return approved ? stepsDown(placed, 2) : placed
}

function learnApproval(event: McpEvent, memory: Memory): void {
  const mode = memberOf(event.params, 'mode')
  const byPerson = mode === undefined || (typeof mode === 'string' && !/auto|remember|always|policy|bypass|yolo/i.test(mode))
  if (event.decisionOutcome !== 'allow' || !byPerson) return
  memory.approvals.push({ tool: event.toolName ?? '', server: event.serverKey, time: event.time })
  if (memory.approvals.length > APPROVALS_MAX) memory.approvals.shift()
}

const wasApproved = (event: McpEvent, { approvals }: Memory, minutes: number): boolean =>
  approvals.some(
    ({ tool, server, time }) =>
      event.time - time <= BigInt(minutes) * MINUTE &&
      event.time >= time &&
      (tool === '' || tool === event.toolName) &&
      (server === '' || server === event.serverKey),
  )

function remember(event: McpEvent, found: readonly Found[], memory: Memory, throwaway: boolean, shared: Shared): void {
  const counted = found.filter(({ worth }) => worth !== 'slight')
  if (counted.length > 0) {
    const { serverKey, toolName, arguments: args, time, eventId } = event
    const what = hashId(serverKey, toolName ?? '', event.argsHash ?? JSON.stringify(args ?? null))
    const count = Math.max(counted.length, ...counted.map((one) => one.count))
    const again = memory.deletes.some((other) => other.what === what && time - other.time <= MINUTE)
    if (!again) memory.deletes.push({ what, count, time, eventId, kept: counted.some(({ worth }) => worth !== 'record') })
    if (memory.deletes.length > DELETES_MAX) memory.deletes.shift()
  }
  for (const { worth, act, target } of found) {
    if (worth !== 'backup' && worth !== 'store' && worth !== 'whole') continue
    const { time, eventId } = event
    const loss: Loss = { backup: worth === 'backup', what: `${act} ${target}`.slice(0, 200), time, eventId, throwaway, shared }
    // By the clock of events, for a call that arrives behind a later one.
    memory.losses.splice(memory.losses.findLastIndex((other) => !isLate(time, other.time)) + 1, 0, loss)
    if (memory.losses.length > LOSSES_MAX) memory.losses.shift()
  }
}

/** The other half of a loss that cannot be undone: data and the backup of it within the hour. A late call can be the half of a later one. */
function* halves(event: McpEvent, { losses }: Memory): Generator<Output> {
  for (const [at, { eventId, time, throwaway, shared }] of losses.entries()) {
    if (throwaway || losses[at + 1]?.eventId === eventId || !(eventId === event.eventId || isLate(event.time, time))) continue
    const recent = losses.slice(0, at + 1).filter((other) => time - other.time <= 60n * MINUTE)
    const backup = recent.findLast((one) => one.backup)
    const data = recent.findLast((one) => !one.backup)
    if (!backup || !data) continue
    const events = [data.eventId, backup.eventId]
    if (!events.includes(eventId) || !events.includes(event.eventId)) continue
    yield {
      finding: `backup too ${data.what} ${backup.what}`,
      confidence: 0.9,
      severity: shared.approved ? 'high' : 'critical',
      summary: `${shared.server}: the data (${data.what}) and its backup (${backup.what}) within an hour`,
      evidence: { ...shared, act: data.what, target: backup.what },
      events,
    }
  }
}

export default defineDetector({
  id: 'destructive-operation',
  title: 'Data destroyed, or much deleted at once',
  why: 'An agent with a working token deletes faster than a person reads: a production volume and its backups were gone in nine seconds, a production database during a code freeze.',
  family: 'D22',
  severity: 'high',
  state: 'stable',
  version: 1,
  maps: {
    attack: ['T1485', 'T1490'],
    atlas: ['AML.T0101'],
    cosai: ['MCP-T5', 'MCP-T9'],
    owaspMcp: ['MCP02', 'MCP05'],
    owaspAsi: ['ASI02', 'ASI10'],
    safeMcp: ['SAFE-T2101'],
  },
  needs: ['toolName', 'arguments'],
  blindSpots: [
    'The request is judged: only a gateway that asks first can stop it.',
    'A tool that deletes under a harmless name, or by overwriting, is not seen.',
    'Where neither labels nor names tell production from test, it is taken as neither.',
  ],
  playbook: [
    'Find out what {tool} on {server} did: {act} {target}. Is there a backup that the agent cannot reach?',
    'Stop the agent and take the token it used; read the thread for who or what asked for it.',
    'Put such tools behind manual approval and give {server} a token that cannot delete.',
  ],
  settings: z.object({
    bulkMax: z.int().min(2).default(10),
    bulkSeconds: z.int().min(1).default(60),
    approvalMinutes: z.int().min(0).default(10),
    ignoreTools: z.array(z.string()).default([]),
  }),
  scope: 'actor',
  reads: ['request', 'call', 'approval', 'decision'],
  memory: { version: 2, keysMax: 20_000, ttlMs: 24 * 3_600_000, initial: (): Memory => ({ deletes: [], approvals: [], losses: [] }) },

  inspect({ subject, memories, settings }) {
    const outputs: Output[] = []
    const [memory] = memories
    if (subject.kind !== 'event' || !memory) return outputs
    const { event } = subject
    if (event.kind === 'approval' || event.kind === 'decision') {
      learnApproval(event, memory)
      return outputs
    }
    if (event.method !== 'tools/call' || !isFirstObservation(event)) return outputs
    const tool = event.toolName ?? 'unknown'
    if (settings.ignoreTools.includes(tool)) return outputs
    const found = destructionsIn(event)
    if (found.length === 0) return outputs
    const approved = wasApproved(event, memory, settings.approvalMinutes)
    const server = event.serverAlias ?? event.serverKey
    const shared = { server, tool, approved, ...(event.outcome ? { outcome: event.outcome } : {}) }
    const throwaway = found.every((one) => placeOf(event, one) === 'development')
    remember(event, found, memory, throwaway, shared)

    for (const one of found) {
      const place = placeOf(event, one)
      const severity = gradeOf(one, place, approved)
      if (!severity) continue
      const { act, target, pointer, excerpt } = one
      outputs.push({
        finding: `${event.serverKey} ${tool} ${act} ${target} ${place === 'production' ? place : ''}`,
        confidence: approved ? 0.5 : 0.8,
        severity,
        summary: `${tool} on ${server}: ${act} ${target}${place === 'production' ? ', in production' : ''}${approved ? ', approved by a person' : ''}`,
        evidence: { ...shared, act, target, pointer, excerpt, environment: place },
      })
    }

    outputs.push(...halves(event, memory))

    const recent = memory.deletes.filter(({ time }) => event.time - time <= BigInt(settings.bulkSeconds) * 1_000_000_000n)
    const count = recent.reduce((sum, one) => sum + one.count, 0)
    if (count < settings.bulkMax || throwaway || found.every(({ worth }) => worth === 'slight')) return outputs
    const grade: Severity = recent.some(({ kept }) => kept) ? 'critical' : 'high'
    outputs.push({
      finding: `bulk ${event.serverKey}`,
      confidence: 0.75,
      severity: approved ? stepsDown(grade, 2) : grade,
      summary: `${count} things deleted within ${settings.bulkSeconds} seconds on ${server}`,
      evidence: { ...shared, act: `${count} deletes`, target: found[0]?.target ?? '', deletes: count },
      events: recent.map(({ eventId }) => eventId),
    })
    return outputs
  },

  examples: destructionExamples,
})
