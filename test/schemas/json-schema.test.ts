/** The checked-in JSON Schemas are what the zod schemas say. `UPDATE=schemas node --test test/schemas/json-schema.test.ts` refreshes them. */
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { it } from 'node:test'
import { z } from 'zod'
import { Alert } from '../../schemas/alert.ts'
import { Config } from '../../schemas/config.ts'
import { McpEvent } from '../../schemas/event.ts'
import { fields, semconv } from '../../schemas/semconv.ts'

const folder = join(import.meta.dirname, '../../schemas/json')
/** Times are decimal strings on the bus. */
const options = {
  unrepresentable: 'any' as const,
  override: ({ zodSchema, jsonSchema }: { zodSchema: unknown; jsonSchema: Record<string, unknown> }) => {
    if ((zodSchema as z.ZodType).def.type === 'bigint') Object.assign(jsonSchema, { type: 'string', pattern: '^[0-9]{1,19}$' })
  },
}

for (const [name, schema] of Object.entries({ 'mcp-event': McpEvent, alert: Alert, config: Config })) {
  it(`${name}.schema.json is current`, () => {
    const file = join(folder, `${name}.schema.json`)
    const text = `${JSON.stringify({ title: name, version: 1, ...z.toJSONSchema(schema, options) }, null, 2)}\n`
    if (process.env.UPDATE === 'schemas') {
      mkdirSync(folder, { recursive: true })
      writeFileSync(file, text)
    }
    assert.equal(readFileSync(file, 'utf8'), text)
  })
}

it('every field has one external name, and none is under two', () => {
  assert.equal(new Set(fields.map((field) => semconv[field][0])).size, fields.length)
})
