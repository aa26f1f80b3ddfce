/** Times and numbers as they are shown: UTC, tabular, short. */

export const number = (value: number): string => value.toLocaleString('en')

/** `waitingMax` → waiting max. */
export const words = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replace(/[_.]/g, ' ')
    .toLowerCase()

/** 2026-01-01 12:01:04: to the second, UTC. */
export const instant = (time: string): string => time.slice(0, 19).replace('T', ' ')

const units: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3_600],
  ['min', 60],
]
/** 90 → 1.5 min. */
export function span(seconds: number): string {
  for (const [name, size] of units) if (Math.abs(seconds) >= size) return `${(seconds / size).toFixed(1).replace(/\.0$/, '')} ${name}`
  return Math.abs(seconds) >= 10 || Number.isInteger(seconds) ? `${Math.round(seconds)} s` : `${seconds.toFixed(1)} s`
}
export function ago(time: string, now = Date.now()): string {
  const seconds = (now - Date.parse(time)) / 1_000
  return seconds < 0 ? 'in the future' : seconds < 5 ? 'now' : `${span(seconds)} ago`
}

export type Range = Readonly<{ id: string; title: string; seconds: number | undefined }>
export const ranges: readonly Range[] = [
  { id: '', title: 'All kept', seconds: undefined },
  { id: '1h', title: 'Last hour', seconds: 3_600 },
  { id: '24h', title: 'Last 24 hours', seconds: 86_400 },
  { id: '7d', title: 'Last 7 days', seconds: 604_800 },
]
/** RFC 3339, on a whole minute so that the same question is the same address for a while. */
export function sinceOf(id: string | undefined, now = Date.now()): string | undefined {
  const seconds = ranges.find((range) => range.id === (id ?? ''))?.seconds
  return seconds === undefined ? undefined : new Date(Math.floor(now / 60_000) * 60_000 - seconds * 1_000).toISOString()
}

const steps = [1, 5, 15, 60, 300, 900, 3_600, 10_800, 21_600, 86_400, 604_800]
/** Seconds per interval, for about sixty intervals. */
export const stepOf = (seconds: number): number => steps.find((step) => seconds / step <= 60) ?? 2_592_000
