/** Taps send on their own, so what came in may arrive after what went out: how late that may be and still be looked at again. */
import type { McpEvent } from '../../schemas/event.ts'

const LATE_NS = 10_000_000_000n

/** By the clock of events `earlier` was before `later`, and so little before that it can have arrived behind it. */
export const isLate = (earlier: bigint, later: bigint): boolean => later > earlier && later - earlier <= LATE_NS

/** A span of a whole call has its answer at its end. */
export const answeredAt = ({ kind, time, durationNs }: McpEvent): bigint => (kind === 'call' ? time + BigInt(durationNs ?? 0) : time)
