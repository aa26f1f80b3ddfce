/** An alert: what is stored, shown and sent when a detector has a finding. A repeat is a hit of the same alert. */
import { z } from 'zod'

export const severities = ['informational', 'low', 'medium', 'high', 'critical'] as const
export const Severity = z.enum(severities)
export type Severity = z.infer<typeof Severity>
export const severityRank = (severity: Severity): number => severities.indexOf(severity)

/** Flat, so that every output and the playbook can use it. Text is hostile: it may come from a server. */
export const Evidence = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.array(z.string())]))
export type Evidence = z.infer<typeof Evidence>

/** Framework ids; `family` is D1–D26 of the detector catalogue. */
export const Mapping = z.object({
  family: z.array(z.string()),
  attack: z.array(z.string()),
  atlas: z.array(z.string()),
  cosai: z.array(z.string()),
  owaspMcp: z.array(z.string()),
  owaspAsi: z.array(z.string()),
  safeMcp: z.array(z.string()),
})
export type Mapping = z.infer<typeof Mapping>

export const Alert = z.readonly(
  z.object({
    alertId: z.string(),
    tenant: z.string(),
    time: z.bigint().describe('event time, ns, of the event that completed the finding'),
    detector: z.string(),
    detectorVersion: z.number().int(),
    severity: Severity,
    confidence: z.number().min(0).max(1),
    title: z.string(),
    summary: z.string(),
    about: z.string().describe('what the finding is about: repeats of it are the same alert'),
    evidence: Evidence,
    maps: Mapping,
    actor: z.string(),
    serverKey: z.string().optional(),
    serverAlias: z.string().optional(),
    toolName: z.string().optional(),
    threadId: z.string().optional(),
    eventId: z.string().describe('the event that completed the finding'),
    events: z.array(z.string()).describe('all events of the finding, in order'),
  }),
)
export type Alert = z.infer<typeof Alert>
