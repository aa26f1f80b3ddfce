/** No field is forgotten when absent ones are left out. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { present } from '../../collectors/otlp/present.ts'
import { fields } from '../../schemas/semconv.ts'

test('every field that is there stays, and no other comes', () => {
  for (const field of fields) {
    assert.deepEqual(Object.entries(present({ [field]: 1, tenant: undefined })), field === 'tenant' ? [] : [[field, 1]], field)
    assert.deepEqual(Object.entries(present({ [field]: 1 })), [[field, 1]], field)
  }
})
