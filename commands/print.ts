/** How commands speak: lines to stdout, waiting where the reader is slow, a quiet end where it went away, and exit codes. */
import { once } from 'node:events'
import { Fault } from '../schemas/errors.ts'

export async function print(line: string): Promise<void> {
  if (!process.stdout.write(`${line}\n`)) await once(process.stdout, 'drain')
}

export function quietOnClosedPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0)
    throw error
  })
}

/** Exit code of an unreadable input is 2, as the command line promises. */
export function exitCodeOf(error: unknown): number {
  return error instanceof Fault && (error.code === 'INPUT_UNREADABLE' || error.code === 'CONFIG_INVALID') ? 2 : 1
}
