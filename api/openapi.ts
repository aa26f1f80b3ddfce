/** The API's description of itself: what the framework derives from the schemas, with the errors, and without what nobody refers to. */
import type { SwaggerTransformObject } from '@fastify/swagger'
import { jsonSchemaTransformObject } from 'fastify-type-provider-zod'

type Operation = { responses?: Record<string, unknown>; security?: unknown[] }
type Document = { paths?: Record<string, Record<string, Operation>>; components?: { schemas?: Record<string, unknown> } }

/** Routes that answer without proof of identity. */
const openPaths = new Set(['/livez', '/readyz'])
const problem = {
  description: 'Problem (RFC 9457)',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
}

/** Every schema is derived twice, as given and as answered; only what a route refers to is kept. */
function referredTo(document: Document): Record<string, unknown> {
  const schemas = document.components?.schemas ?? {}
  const kept = new Map<string, unknown>()
  const follow = (value: unknown): void => {
    for (const [, name = ''] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (kept.has(name) || !Object.hasOwn(schemas, name)) continue
      kept.set(name, schemas[name])
      follow(schemas[name])
    }
  }
  follow(document.paths ?? {})
  return Object.fromEntries([...kept].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

export const transformObject: SwaggerTransformObject = (input) => {
  const document = jsonSchemaTransformObject(input) as Document
  const paths = Object.fromEntries(
    Object.entries(document.paths ?? {}).map(([path, operations]) => {
      const described = Object.entries(operations).map(([method, operation]) => {
        const isOpen = openPaths.has(path) || (path === '/v1/session' && method === 'post')
        return [method, { ...operation, responses: { ...operation.responses, default: problem }, ...(isOpen ? { security: [] } : {}) }]
      })
      return [path, Object.fromEntries(described)]
    }),
  ) as NonNullable<Document['paths']>
  const whole = { ...document, paths }
  return { ...whole, components: { ...document.components, schemas: referredTo(whole) } } as never // still an OpenAPI document
}
