/** What the page asks of the API, and the shapes it gets. Text in them is hostile: it is shown by text.tsx only. */
import { signal } from '@preact/signals'
import type { Evidence, Mapping, Severity } from '../../schemas/alert.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
export type Listed<T> = Readonly<{ items: T[]; next_cursor?: string }>
export type McpEvent = Readonly<{ 'lapwing.event.id': string; time: string }> & Readonly<Record<string, Json | undefined>>
export type Alert = Readonly<{
  alert_id: string
  time: string
  detector: string
  detector_version: number
  severity: Severity
  confidence: number
  title: string
  summary: string
  about: string
  evidence: Evidence
  maps: Mapping
  actor: string
  server_key: string
  server_alias: string
  tool_name: string
  thread_id: string
  event_id: string
  events: string[]
  hits: number
  last_hit: string
  status: 'new' | 'acknowledged'
  acknowledged_at: string | null
  acknowledged_by: string | null
}>
export type Definition = Readonly<{
  definition_hash: string
  first_seen: string
  definition: Json
  tool_name?: string
  server_key?: string
}>
export type WholeAlert = Alert &
  Readonly<{
    event_list: McpEvent[]
    history: { time: string; who: string; what: string; comment?: string }[]
    playbook: string[]
    definition_diff?: { before: Definition | null; after: Definition | null }
    taint_path?: (McpEvent & { role: 'source' | 'sink' })[]
  }>
export type Moment = Readonly<{
  event: McpEvent
  link: { reason: string; confidence: number }
  alerts: string[]
  signals: { detector: string; signal: string; family: string; weight: number; summary: string }[]
}>
export type ThreadAlert = Pick<Alert, 'alert_id' | 'time' | 'detector' | 'severity' | 'confidence' | 'title' | 'summary'>
export type Timeline = Listed<Moment> &
  Readonly<{ thread_id: string; events: number; first_seen: string; last_seen: string; alerts: ThreadAlert[] }>
export type Server = Readonly<{
  server_id: string
  alias: string
  name: string
  version: string
  transport: string
  grade: string
  actors: number
  events: number
  calls: number
  first_seen: string
  last_seen: string
  tools: number
  alerts: number
}>
export type ToolVersion = Definition & Readonly<{ last_seen: string; server_version: string; event_id: string }>
export type Tool = Readonly<{
  tool: string
  versions: number
  first_seen: string
  last_seen: string
  current: ToolVersion
  history: ToolVersion[]
}>
export type Detector = Readonly<{
  id: string
  title: string
  why: string
  family: string
  severity: Severity
  state: 'shadow' | 'stable'
  version: number
  maps: Mapping
  needs: string[]
  blind_spots: string[]
  playbook: string[]
  scope: string
  reads: string[]
  examples: { fire: number; quiet: number }
}>
export type Source = Readonly<{
  source: string
  dialect: string
  vantage: string
  content_level: string
  first_seen: string
  last_seen: string
  events: number
}>

export type Problem = Readonly<{ status: number; detail: string }>
/** Whether the browser holds a session; unknown until the first answer. */
export const session = signal<'unknown' | 'in' | 'out'>('unknown')

async function problemOf(answer: Response): Promise<Problem> {
  const body = (await answer.json().catch(() => ({}))) as { detail?: string; title?: string }
  return { status: answer.status, detail: body.detail ?? body.title ?? answer.statusText }
}

async function send(url: string, init: RequestInit): Promise<Response> {
  const answer = await fetch(url, { credentials: 'same-origin', redirect: 'error', ...init }).catch((cause: unknown) => {
    if (init.signal?.aborted) throw cause
    throw { status: 0, detail: 'Lapwing does not answer; trying again.' } satisfies Problem
  })
  if (answer.status === 401) session.value = 'out'
  if (!answer.ok) throw await problemOf(answer)
  if (session.value === 'unknown') session.value = 'in'
  return answer
}

export type Params = Readonly<Record<string, string | number | undefined>>
export function urlOf(path: readonly string[], params: Params = {}): string {
  const given = Object.entries(params).flatMap(([key, value]) => (value === undefined || value === '' ? [] : [[key, String(value)]]))
  const query = new URLSearchParams(given as [string, string][]).toString()
  return `/v1/${path.map(encodeURIComponent).join('/')}${query ? `?${query}` : ''}`
}

export const get = async <T>(url: string, signal?: AbortSignal): Promise<T> =>
  (await (await send(url, signal ? { signal } : {})).json()) as T
export const post = async <T>(path: readonly string[], body: unknown = {}): Promise<T> => {
  const headers = { 'content-type': 'application/json' }
  const answer = await send(urlOf(path), { method: 'POST', headers, body: JSON.stringify(body) })
  return (answer.status === 204 ? undefined : await answer.json()) as T
}

/** The token is shown once; what stays is a cookie no script can read. */
export async function signIn(token: string): Promise<void> {
  await post(['session'], { token })
  session.value = 'in'
}
export async function signOut(): Promise<void> {
  await send(urlOf(['session']), { method: 'DELETE' }).catch(() => undefined)
  session.value = 'out'
}
