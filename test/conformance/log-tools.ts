/** What the tests of the embedded log share: opening it with short waits, and reading a group to its end. */
import { type Log, type LogOptions, openLog } from '../../collectors/bus/log.ts'
import { remember, sealForTest, until } from './bus-tools.ts'

export const mebibyte = 1024 ** 2
export const open = (dir: string, more: Partial<LogOptions> = {}): Promise<Log> =>
  openLog({ dir, bytesMax: 1024 * mebibyte, seal: sealForTest, retryMs: () => 1, ...more })

export async function readAll(log: Log, group: string): Promise<string[]> {
  const { handler, texts } = remember()
  const running = await log.consume(['mcp.events'], group, handler)
  await until(async () => [...(await running.lag()).values()].every((lag) => lag === 0n))
  await running.stop()
  return texts().map((text) => text.trimEnd())
}
