/** The deployment files as data, and the names that the configuration knows. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { Config } from '../../schemas/config.ts'

export const root = join(import.meta.dirname, '../..')
export const read = (file: string): string => readFileSync(join(root, file), 'utf8')
export const under = (folder: string, extension: RegExp): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => extension.test(file))
    .map((file) => join(folder, file))

/** Deployment files have no types of ours: a test says what it expects by reading. */
// biome-ignore lint/suspicious/noExplicitAny: shapes of other people's formats
export type Loose = any
export const yamlOf = (text: string): Loose => parse(text, { merge: true })
export const documentsOf = (text: string): Loose[] => parseAllDocuments(text).map((document) => document.toJS())

type Schema = { type?: string; properties?: Record<string, Schema>; secret?: boolean }
function leaves(schema: Schema, path: string[] = []): { path: string[]; schema: Schema }[] {
  if (!schema.properties) return schema.type === 'object' ? [] : [{ path, schema }]
  return Object.entries(schema.properties).flatMap(([name, inner]) => leaves(inner, [...path, name]))
}
const variableOf = (path: string[]): string =>
  `LAPWING_${path
    .join('_')
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toUpperCase()}`

/** Every variable the product reads. */
export const variables: ReadonlySet<string> = new Set([
  'LAPWING_CONFIG',
  ...leaves(z.toJSONSchema(Config, { io: 'input' }) as Schema).flatMap(({ path, schema }) =>
    schema.secret ? [variableOf(path), `${variableOf(path)}_FILE`] : [variableOf(path)],
  ),
])
