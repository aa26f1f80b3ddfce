/** The detector's playbook with this alert's values in it: what to do, on what. */
import type { Evidence } from '../../schemas/alert.ts'

const valueMax = 200
/** Control, direction and zero-width characters would let a value pass for another line of the playbook. */
const unseen = /[\p{Cc}\p{Cf}\u2028\u2029]/gu

function shown(value: Evidence[string]): string {
  const text = (Array.isArray(value) ? value.join(', ') : String(value)).replace(unseen, '\ufffd')
  return text.length > valueMax ? `${text.slice(0, valueMax)}…` : text
}

/** `{name}` becomes the evidence of that name, else the alert's own; a name nobody knows stays as it is. */
export function fillPlaybook(steps: readonly string[], evidence: Evidence, alert: Readonly<Record<string, string>>): string[] {
  // Own properties alone: a step may not read {constructor}.
  const values = new Map<string, Evidence[string]>([...Object.entries(alert), ...Object.entries(evidence)])
  return steps.map((step) =>
    step.replace(/\{([A-Za-z_][\w.]{0,60})\}/g, (whole, key: string) => {
      const value = values.get(key)
      return value === undefined || value === '' ? whole : shown(value)
    }),
  )
}
