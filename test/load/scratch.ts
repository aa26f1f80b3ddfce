/** A folder that is gone when the measurement is over. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function scratch(): Disposable & Readonly<{ path: string }> {
  const path = mkdtempSync(join(tmpdir(), 'lapwing-bench-'))
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}
