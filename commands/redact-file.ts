/** Redaction for files, by the same code as the collectors'. */
import { createRedactor } from '../collectors/redact/redactor.ts'
import { Config } from '../schemas/config.ts'
import type { McpEvent } from '../schemas/event.ts'

export const fileRedactor = (keyedHash: (text: string) => string): ((event: McpEvent) => McpEvent) =>
  createRedactor({ keyedHash, tiers: Config.parse({}).capture })
