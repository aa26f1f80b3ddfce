/** Finds every detector in rules/: the file name is the id. One file that does not load is reported, the others go on. */
import { readdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { AnyDetector } from '../schemas/detector.ts'

export type Catalog = Readonly<{ detectors: readonly AnyDetector[]; failed: readonly { id: string; reason: string }[] }>

export async function loadCatalog(folder = new URL('./rules/', import.meta.url)): Promise<Catalog> {
  const detectors: AnyDetector[] = []
  const failed: { id: string; reason: string }[] = []
  const extension = import.meta.url.endsWith('.ts') ? '.ts' : '.js'
  const names = (await readdir(fileURLToPath(folder))).filter((name) => name.endsWith(extension)).sort()
  for (const name of names) {
    const id = name.slice(0, -extension.length)
    try {
      const detector = ((await import(new URL(name, folder).href)) as { default?: AnyDetector }).default
      if (detector?.id !== id) throw new Error(`its id is ${String(detector?.id)}`)
      detectors.push(detector)
    } catch (error) {
      failed.push({ id, reason: error instanceof Error ? error.message : String(error) })
    }
  }
  return { detectors, failed }
}
