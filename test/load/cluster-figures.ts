/** What the rounds of the cluster’s measurement come to: events a second, and CPU as ratios to what the same events cost in the same round. */
import { availableParallelism } from 'node:os'
import type { Rec } from '../../schemas/bus.ts'
import { type Figure, median } from './measure.ts'

/** CPU in µs; undefined where there is no /proc. */
export type Taken = Readonly<{ ms: number; cpu: number | undefined; engineCpu?: number | undefined }>
export type StageRound = Readonly<{ collect: Taken; detect: Taken; store: Taken; plain: number; floor: number; backlog: readonly Rec[] }>
/** So many partitions and workers; `fullest` is the share of the events that its fullest partition holds. */
export type Grown = Readonly<{ members: number; fullest: number; taken: readonly Taken[] }>

/** Undefined where one of them could not be measured. */
const medianOf = (values: readonly (number | undefined)[]): number | undefined => {
  const known = values.filter((value) => value !== undefined)
  return known.length === values.length && known.length > 0 ? median(known) : undefined
}
const linux = 'needs Linux’ /proc'
const bytesOf = (records: readonly Rec[]): number =>
  Math.round(records.reduce((sum, { bytes }) => sum + bytes.byteLength, 0) / records.length)

/** CPU of one stage, plain and as ratios to what the same events cost in the same round. */
function costOf(name: string, rounds: readonly StageRound[], cpu: (round: StageRound) => number | undefined): readonly Figure[] {
  const by = (unit: (round: StageRound) => number): number | undefined =>
    medianOf(
      rounds.map((round) => {
        const own = cpu(round)
        return own === undefined ? undefined : own / unit(round)
      }),
    )
  return [
    { name: `${name}, CPU`, value: by(({ backlog }) => backlog.length), unit: 'µs/event', note: linux },
    { name: `${name}, CPU ÷ plain kafkajs`, value: by(({ plain }) => plain), unit: '×', note: linux },
    { name: `${name}, CPU ÷ JSON.parse`, value: by(({ floor }) => floor), unit: '×', note: linux },
  ]
}

export function stageFigures(rounds: readonly StageRound[]): readonly Figure[] {
  const first = rounds[0]?.backlog ?? []
  const paceOf = (name: string, of: (round: StageRound) => Taken, note: string): Figure => ({
    name: `${name}, events a second`,
    value: medianOf(rounds.map((round) => (round.backlog.length * 1_000) / of(round).ms)),
    unit: '/s',
    note,
  })
  const whole = ({ store }: StageRound): number | undefined => sum(store.cpu, store.engineCpu)
  const shared = `broker on the same ${availableParallelism()} cores`
  return [
    {
      name: 'plain kafkajs, there and back, CPU',
      value: medianOf(rounds.map(({ plain, backlog }) => plain / backlog.length)),
      unit: 'µs/event',
      note: `the ${bytesOf(first)} bytes of each event as collect writes it; ${first.length} events a round`,
    },
    { name: 'JSON.parse of the span, CPU', value: medianOf(rounds.map(({ floor, backlog }) => floor / backlog.length)), unit: 'µs/event' },
    paceOf('collect', ({ collect }) => collect, `sender and ${shared}`),
    ...costOf('collect', rounds, ({ collect }) => collect.cpu),
    paceOf('detect', ({ detect }) => detect, `one process, 4 partitions, joining included; ${shared}`),
    ...costOf('detect', rounds, ({ detect }) => detect.cpu),
    paceOf('store', ({ store }) => store, `into the embedded engine over HTTP; engine and ${shared}; merges that come later are not in it`),
    ...costOf('store', rounds, ({ store }) => store.cpu),
    ...costOf('store and engine', rounds, whole),
    ...costOf('all stages', rounds, (round) => sum(round.collect.cpu, round.detect.cpu, whole(round))),
  ]
}
const sum = (...values: readonly (number | undefined)[]): number | undefined =>
  values.reduce((total, value) => (total === undefined || value === undefined ? undefined : total + value), 0)

const leastOf = (values: readonly (number | undefined)[]): number | undefined => {
  const known = values.filter((value) => value !== undefined)
  return known.length === values.length && known.length > 0 ? Math.min(...known) : undefined
}
const ratio = (above: number | undefined, below: number | undefined): number | undefined =>
  above === undefined || below === undefined ? undefined : above / below

/** The best round of each: with all cores busy, whatever else a machine does can only make a round slower. */
export function growthFigures(sets: readonly Grown[], count: number): readonly Figure[] {
  const [alone, ...others] = sets
  const ms = (set: Grown | undefined): number | undefined => leastOf((set?.taken ?? []).map((one) => one.ms))
  const cpu = (set: Grown | undefined): number | undefined => leastOf((set?.taken ?? []).map((one) => one.cpu))
  const cores = availableParallelism()
  return [
    {
      name: 'detect: 1 partition, 1 worker',
      value: ratio(count * 1_000, ms(alone)),
      unit: 'events/s',
      note: `best of ${alone?.taken.length ?? 0} rounds, as are the next`,
    },
    ...others.flatMap((other): readonly Figure[] => [
      {
        name: `detect: ${other.members} partitions, ${other.members} workers ÷ 1`,
        value: ratio(ms(alone), ms(other)),
        unit: '× events/s',
        note: `${cores} cores for workers and broker; the fullest partition holds ${Math.round(other.fullest * 100)} % of the events`,
      },
      {
        name: `… CPU per event, ${other.members} workers ÷ 1`,
        value: ratio(cpu(other), cpu(alone)),
        unit: '×',
        note: `1 is flat: more cores would bring as many events more${other.members > cores ? '; more workers than cores cost each other caches and switches' : ''}`,
      },
    ]),
  ]
}
