/** OTLP requests of one file → events, by the same decoder and joiner as the receivers'. */
import { createJoiner } from '../collectors/joiner.ts'
import { createOtlpFileReader } from '../collectors/otlp/file.ts'
import { Config } from '../schemas/config.ts'
import { Fault } from '../schemas/errors.ts'
import type { McpEvent } from '../schemas/event.ts'

export type OtlpFileOptions = Readonly<{
  keyedHash: (text: string) => string
  /** Records that can never be events; their neighbours are. */
  onRejected: (count: number, reason: string) => void
}>

/** A record without any time is put at the start of files that carry offsets: the same file gives the same events. */
const epochNs = 1_767_225_600_000_000_000n

/** For one file: its spans find their calls across its lines, and those of another file do not. */
export function createOtlpFile({ keyedHash, onRejected }: OtlpFileOptions): (request: Uint8Array) => readonly McpEvent[] {
  const read = createOtlpFileReader({ elementsMax: Config.parse({}).otlp.elementsMax })
  const joiner = createJoiner()
  const context = { tenant: 'default', source: 'file', now: epochNs, keyedHash }
  return (request) => {
    const { events, rejected, reason } = requestOf(() => read(request, context))
    if (rejected > 0) onRejected(rejected, reason)
    const joined = joiner.joinAll(events.filter(({ signal }) => signal === 'span')).values()
    // Nothing received these: when they were read is nobody's business.
    return events.map((event) => {
      const { ingestedTime: _, ...own } = event.signal === 'span' ? (joined.next().value ?? event) : event
      return own
    })
  }
}

function requestOf<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof Fault) throw new Fault('INPUT_UNREADABLE', `not an OTLP request: ${error.message}`, error)
    throw error
  }
}
