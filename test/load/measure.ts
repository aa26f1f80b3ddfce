/** How a figure is taken: CPU time, alternating rounds, medians, and always as a ratio to something measured in the same run. */
import { readdirSync, readFileSync } from 'node:fs'

export type Aim = Readonly<{ atMost: number } | { atLeast: number }>
/** `value` undefined: it could not be measured here, and `note` says why. */
export type Figure = Readonly<{ name: string; value: number | undefined; unit: string; aim?: Aim; note?: string }>
export type Run = Readonly<{ quick: boolean; say: (text: string) => void }>
export type Part = Readonly<{ name: string; about: string; run: (run: Run) => Promise<readonly Figure[]> }>

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] as number) : ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2
}
export const percentile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** µs of CPU of the whole process, all its threads. */
export function cpuNow(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

export type Work = () => unknown
/** Runs each work in turn, round by round, and answers the median CPU µs of one go of each. The first round warms up. */
export async function alternate(works: readonly Work[], rounds: number): Promise<number[]> {
  const taken = works.map((): number[] => [])
  for (let round = 0; round <= rounds; round += 1) {
    for (const [at, work] of works.entries()) {
      const from = cpuNow()
      await work()
      if (round > 0) taken[at]?.push(cpuNow() - from)
    }
  }
  return taken.map(median)
}

const ticksPerSecond = 100
/** µs of CPU of another process, from Linux' /proc; undefined elsewhere. */
export function cpuOf(pid: number | undefined): number | undefined {
  if (pid === undefined) return undefined
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / ticksPerSecond
  } catch {
    return undefined
  }
}
/** The first child of a process: of the product, its database engine. */
export function childOf(parent: number): number | undefined {
  try {
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      if (Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === parent) return Number(pid)
    }
  } catch {} // another system, or a process that has just gone
  return undefined
}
/** MiB at the peak, of another process. */
export function peakOf(pid: number | undefined): number | undefined {
  try {
    const found = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return found === undefined ? undefined : Number(found) / 1024
  } catch {
    return undefined
  }
}

export const met = (value: number, aim: Aim): boolean => ('atMost' in aim ? value <= aim.atMost : value >= aim.atLeast)
