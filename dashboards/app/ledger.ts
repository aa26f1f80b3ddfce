/** Can it fire? Per detector and source, from what the newest events of that source carry. Silence proves nothing where the answer is no. */
import type { Detector } from './api.ts'

export type Coverage = Readonly<{
  source: string
  dialect: string
  kind: string
  events: number
  sampling: number
  cut: number
  present: Readonly<Record<string, number>>
}>
export type Ability = 'able' | 'degraded' | 'blind' | 'never seen'
export type Entry = Readonly<{ source: string; dialect: string; ability: Ability; why: string }>

/** Detectors that read facts or signals live on what others see: any kind of event may lead to one. */
const kindsOf = ({ reads }: Detector): ReadonlySet<string> => new Set(reads.filter((read) => !read.includes(':')))

function judge(detector: Detector, rows: readonly Coverage[]): Pick<Entry, 'ability' | 'why'> {
  const kinds = kindsOf(detector)
  const ours = kinds.size === 0 ? rows : rows.filter(({ kind }) => kinds.has(kind))
  if (ours.length === 0) return { ability: 'never seen', why: `no event of kind ${[...kinds].join(', ')}` }
  const unknown = detector.needs.filter((need) => ours.every(({ present }) => present[need] === undefined) && need !== 'time')
  const missing = detector.needs.filter((need) => !unknown.includes(need) && ours.every(({ present }) => (present[need] ?? 0) === 0))
  if (missing.length > 0) return { ability: 'blind', why: `never carries ${missing.join(', ')}` }
  const sampled = ours.some(({ sampling }) => sampling < 1)
  const cut = ours.reduce((sum, row) => sum + row.cut, 0)
  const reasons = [
    sampled ? 'the source samples' : '',
    cut > 0 ? 'content is cut or left out' : '',
    unknown.length > 0 ? `not measured: ${unknown.join(', ')}` : '',
  ]
  const why = reasons.filter(Boolean).join('; ')
  return why === '' ? { ability: 'able', why: 'every field it needs is there' } : { ability: 'degraded', why }
}

export function ledgerOf(detector: Detector, rows: readonly Coverage[]): Entry[] {
  const bySource = Map.groupBy(rows, ({ source, dialect }) => JSON.stringify([source, dialect]))
  return [...bySource.values()].map((own) => ({ source: own[0]?.source ?? '', dialect: own[0]?.dialect ?? '', ...judge(detector, own) }))
}

const order: readonly Ability[] = ['able', 'degraded', 'blind', 'never seen']
/** The best any source allows. */
export const best = (entries: readonly Entry[]): Ability =>
  order.find((ability) => entries.some((entry) => entry.ability === ability)) ?? 'never seen'
