/**
 * The relay's side of observation: hands copies to the observer and never waits for it.
 * What does not fit is dropped and counted exactly; the count reaches the observer with the next note that fits.
 */
import { createLink, type LinkOptions } from './link.ts'
import { endsMidLine, type Fact, type Gap, linesIn } from './notes.ts'

export type Feed = Readonly<{
  chunk(stream: string, bytes: Uint8Array): void
  /** Bytes not offered on purpose (over a limit): counted like dropped ones. */
  skip(stream: string, bytes: Uint8Array): void
  end(stream: string, aborted: boolean): void
  /** A small statement without bytes; lost, and not counted, when the observer is far behind. */
  fact(fact: Fact): void
  totals(): FeedTotals
  /** Lets the observer send what it holds, for at most this long; then it is ended. */
  close(deadlineMs: number): Promise<FeedTotals>
}>
export type FeedTotals = Readonly<{ offeredBytes: number; offeredLines: number; lostBytes: number; lostLines: number; deaths: number }>
export type FeedOptions = LinkOptions & Readonly<{ streamsMax?: number }>

type Track = { gap: Gap | undefined; midLine: boolean }
type Sum = { bytes: number; lines: number }
const add = (sum: Sum, more: Readonly<Sum>) => {
  sum.bytes += more.bytes
  sum.lines += more.lines
}

export function createFeed(options: FeedOptions): Feed {
  const { streamsMax = 10_000 } = options
  const tracks = new Map<string, Track>()
  const offered: Sum = { bytes: 0, lines: 0 }
  const lost: Sum = { bytes: 0, lines: 0 }
  /** Lost, belonging to no stream that is still open, and not told yet. */
  let untold: Sum = { bytes: 0, lines: 0 }

  const link = createLink(options, (untaken, news) => {
    add(lost, untaken)
    add(untold, untaken)
    add(untold, news)
    // A new observer has no half lines: each stream starts again behind its next newline.
    for (const track of tracks.values()) track.gap = { bytes: track.gap?.bytes ?? 0, lines: track.gap?.lines ?? 0, midLine: track.midLine }
  })

  const tell = () => {
    if (untold.bytes + untold.lines === 0) return
    if (link.post({ type: 'lost', at: now(), ...untold })) untold = { bytes: 0, lines: 0 }
  }

  const trackOf = (stream: string): Track | undefined => {
    const known = tracks.get(stream)
    if (known || tracks.size >= streamsMax) return known
    const track: Track = { gap: undefined, midLine: false }
    tracks.set(stream, track)
    return track
  }

  const offer = (stream: string, bytes: Uint8Array, wanted: boolean) => {
    if (bytes.length === 0) return
    const weight = { bytes: bytes.length, lines: linesIn(bytes) }
    const midLine = endsMidLine(bytes)
    add(offered, weight)
    const track = trackOf(stream)
    const gap = track?.gap ? { gap: track.gap } : {}
    if (wanted && track && link.post({ type: 'chunk', stream, at: now(), bytes, lines: weight.lines, ...gap })) {
      track.gap = undefined
      track.midLine = midLine
      return tell()
    }
    add(lost, weight)
    if (!track) return add(untold, weight)
    track.gap = { bytes: (track.gap?.bytes ?? 0) + weight.bytes, lines: (track.gap?.lines ?? 0) + weight.lines, midLine }
    track.midLine = midLine
  }

  const totals = (): FeedTotals => ({
    offeredBytes: offered.bytes,
    offeredLines: offered.lines,
    lostBytes: lost.bytes,
    lostLines: lost.lines,
    deaths: link.deaths(),
  })
  return {
    chunk: (stream, bytes) => offer(stream, bytes, true),
    skip: (stream, bytes) => offer(stream, bytes, false),
    end(stream, aborted) {
      const gap = tracks.get(stream)?.gap
      tracks.delete(stream)
      if (!link.post({ type: 'end', stream, at: now(), aborted, ...(gap ? { gap } : {}) }) && gap) add(untold, gap)
      tell()
    },
    fact: (fact) => void link.post({ ...fact, at: now() }),
    totals,
    async close(deadlineMs) {
      tell()
      await link.close(deadlineMs)
      return totals()
    },
  }
}

/** Wall clock in ms with fractions, so that messages within one millisecond keep their order. */
function now(): number {
  const precise = performance.timeOrigin + performance.now()
  // The monotonic clock stands still while a machine sleeps; then the wall clock is the truth.
  return Math.abs(precise - Date.now()) < 1_000 ? precise : Date.now()
}
