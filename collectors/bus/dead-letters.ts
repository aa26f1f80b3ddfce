/** What a dead letter holds once it is opened, and the way back: the record as it was, on the topic that it came from. */
import { type Bus, type Rec, type Topic, topics } from '../../schemas/bus.ts'
import { Fault } from '../../schemas/errors.ts'
import { unframe } from './frame.ts'

/** Names the letter that a record was put back from. */
export const replayHeader = 'lapwing.replay'

/** The record with its key and headers; undefined where it was damaged in the log, so that there are bytes but no record. */
export const originalOf = (opened: Uint8Array): Rec | undefined => unframe(opened, 1).records[0]

export type SealedLetter = Readonly<{ id: string; topic: string; sealed: string }>
export type ReplayOptions = Readonly<{
  publish: Bus['publish']
  /** Opens what `seal` of the same keys has sealed. */
  open: (sealed: string) => Uint8Array
  /** Publishes to a topic that is not ours, such as a Collector's; without it such letters are refused with the reason. */
  publishForeign?: ((topic: string, record: Rec) => Promise<unknown>) | undefined
}>
export type Replay = (letter: SealedLetter, dryRun: boolean) => Promise<Readonly<{ bytes: number }>>

const isOurs = (topic: string): topic is Topic => topics.some((own) => own === topic)

/**
 * Resolves when the record is durable on its topic. Its bytes are the same, so are its ids: what was stored already is not
 * stored twice. Throws a Fault that says why a letter cannot go back.
 */
export function createReplay({ publish, open, publishForeign }: ReplayOptions): Replay {
  return async ({ id, topic, sealed }, dryRun) => {
    const original = originalOf(open(sealed))
    if (!original) throw new Fault('RECORD_INVALID', 'it was damaged in the log: there is no whole record to put back')
    const record = { key: original.key, bytes: original.bytes, headers: { ...original.headers, [replayHeader]: id } }
    if (!isOurs(topic) && !publishForeign)
      throw new Fault('RECORD_INVALID', `${topic} is not a topic of Lapwing: write the bytes of “dead show --raw” to it yourself`)
    if (!dryRun) await (isOurs(topic) ? publish(topic, [record]) : publishForeign?.(topic, record))
    return { bytes: original.bytes.byteLength }
  }
}
