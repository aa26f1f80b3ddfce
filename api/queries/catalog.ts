/** Finds the named queries: every other file of this folder is one. */
import { readdir } from 'node:fs/promises'
import { extname } from 'node:path'
import { Fault } from '../../schemas/errors.ts'
import type { AnyQuery } from '../../schemas/query.ts'

export async function loadQueries(): Promise<ReadonlyMap<string, AnyQuery>> {
  const extension = extname(import.meta.filename) // .ts here, .js where compiled
  const files = (await readdir(import.meta.dirname)).filter((file) => file.endsWith(extension) && file !== `catalog${extension}`).sort()
  const queries = new Map<string, AnyQuery>()
  for (const file of files) {
    const { default: query } = (await import(`./${file}`)) as { default?: AnyQuery }
    if (query?.name !== file.slice(0, -extension.length)) throw new Fault('START_REFUSED', `${file} holds no query of its name`)
    queries.set(query.name, query)
  }
  return queries
}
