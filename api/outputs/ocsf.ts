/** An alert as an OCSF Detection Finding (class 2004, version 1.8.0): the form SIEMs read. Ours under `unmapped.lapwing`. */
import { z } from 'zod'
import { type Alert, Severity } from '../../schemas/alert.ts'
import { rfc3339 } from '../../schemas/semconv.ts'

const technique = z.object({ uid: z.string() })

export const DetectionFinding = z.object({
  activity_id: z.literal(1),
  activity_name: z.literal('Create'),
  category_uid: z.literal(2),
  category_name: z.literal('Findings'),
  class_uid: z.literal(2004),
  class_name: z.literal('Detection Finding'),
  type_uid: z.literal(200401),
  time: z.number().int().describe('ms since the epoch'),
  severity_id: z.number().int().min(1).max(5),
  severity: z.string(),
  status_id: z.literal(1),
  status: z.literal('New'),
  is_alert: z.literal(true),
  confidence_id: z.number().int().min(1).max(3),
  confidence_score: z.number().int().min(0).max(100),
  message: z.string(),
  metadata: z.object({
    version: z.literal('1.8.0'),
    product: z.object({ name: z.literal('Lapwing'), vendor_name: z.literal('Lapwing') }),
    tenant_uid: z.string(),
  }),
  finding_info: z.object({
    uid: z.string().describe('the alert id: the same for every delivery of this alert'),
    title: z.string(),
    desc: z.string(),
    created_time: z.number().int(),
    analytic: z.object({ uid: z.string(), name: z.string(), type_id: z.literal(1), type: z.literal('Rule'), version: z.string() }),
    attacks: z.array(z.object({ technique, sub_technique: technique.optional() })),
    related_events: z.array(z.object({ uid: z.string() })),
  }),
  evidences: z.array(z.object({ data: z.record(z.string(), z.unknown()) })),
  resources: z.array(z.object({ uid: z.string(), name: z.string(), type: z.string() })),
  unmapped: z.object({
    lapwing: z.object({
      alert_id: z.string(),
      detector: z.string(),
      detector_version: z.number(),
      severity: Severity,
      confidence: z.number(),
      time: z.string().describe('RFC 3339, with nanoseconds'),
      actor: z.string(),
      about: z.string(),
      server_id: z.string().optional(),
      server_alias: z.string().optional(),
      tool: z.string().optional(),
      thread_id: z.string().optional(),
      maps: z.record(z.string(), z.array(z.string())),
    }),
  }),
})
export type DetectionFinding = z.infer<typeof DetectionFinding>

const severityIds: Record<Severity, number> = { informational: 1, low: 2, medium: 3, high: 4, critical: 5 }
const titleCase = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)
const confidenceId = (confidence: number): number => (confidence < 0.4 ? 1 : confidence < 0.75 ? 2 : 3)

/** T1059.001 is technique T1059 with sub-technique T1059.001; ATLAS ids (AML.T0051.000) likewise. */
function attackOf(id: string) {
  const parent = /^((?:AML\.)?T\d{4})\.\d{3}$/.exec(id)?.[1]
  return parent === undefined ? { technique: { uid: id } } : { technique: { uid: parent }, sub_technique: { uid: id } }
}

const ours = (alert: Alert): DetectionFinding['unmapped']['lapwing'] => ({
  alert_id: alert.alertId,
  detector: alert.detector,
  detector_version: alert.detectorVersion,
  severity: alert.severity,
  confidence: alert.confidence,
  time: rfc3339(alert.time),
  actor: alert.actor,
  about: alert.about,
  ...(alert.serverKey === undefined ? {} : { server_id: alert.serverKey }),
  ...(alert.serverAlias === undefined ? {} : { server_alias: alert.serverAlias }),
  ...(alert.toolName === undefined ? {} : { tool: alert.toolName }),
  ...(alert.threadId === undefined ? {} : { thread_id: alert.threadId }),
  maps: { ...alert.maps },
})

export function detectionFinding(alert: Alert): DetectionFinding {
  const time = Number(alert.time / 1_000_000n)
  return {
    activity_id: 1,
    activity_name: 'Create',
    category_uid: 2,
    category_name: 'Findings',
    class_uid: 2004,
    class_name: 'Detection Finding',
    type_uid: 200401,
    time,
    severity_id: severityIds[alert.severity],
    severity: titleCase(alert.severity),
    status_id: 1,
    status: 'New',
    is_alert: true,
    confidence_id: confidenceId(alert.confidence),
    confidence_score: Math.round(alert.confidence * 100),
    message: alert.summary,
    metadata: { version: '1.8.0', product: { name: 'Lapwing', vendor_name: 'Lapwing' }, tenant_uid: alert.tenant },
    finding_info: {
      uid: alert.alertId,
      title: alert.title,
      desc: alert.summary,
      created_time: time,
      analytic: { uid: alert.detector, name: alert.title, type_id: 1, type: 'Rule', version: String(alert.detectorVersion) },
      attacks: [...alert.maps.attack, ...alert.maps.atlas].map(attackOf),
      related_events: alert.events.map((uid) => ({ uid })),
    },
    evidences: [{ data: { ...alert.evidence } }],
    resources:
      alert.serverKey === undefined ? [] : [{ uid: alert.serverKey, name: alert.serverAlias ?? alert.serverKey, type: 'MCP server' }],
    unmapped: { lapwing: ours(alert) },
  }
}
