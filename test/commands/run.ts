/** Runs one command of the product over small files of its own and reads what it printed. */
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../../main.ts', import.meta.url))

export type Ran = Readonly<{ code: number; stdout: string; stderr: string }>
export type Line = Record<string, unknown>
export const linesOf = ({ stdout }: Ran): Line[] =>
  stdout
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line)
export const jsonl = (...lines: readonly unknown[]): string => `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`

export function commands() {
  const dir = mkdtempSync(join(tmpdir(), 'lapwing-commands-'))
  after(() => rmSync(dir, { recursive: true, force: true }))
  return {
    file(name: string, content: string | Uint8Array): string {
      const path = join(dir, name)
      writeFileSync(path, content)
      return path
    },
    run: (...args: readonly string[]): Promise<Ran> =>
      new Promise((resolve) => {
        execFile(process.execPath, [program, ...args], { cwd: dir, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
          resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
        )
      }),
  }
}
