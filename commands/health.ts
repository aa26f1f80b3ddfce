/** What the pipeline says of itself, put together from what its parts say: JSON for the page, Prometheus text for scrapers. */
import type { Running } from '../schemas/bus.ts'

export type Sample = Readonly<{
  name: string
  help: string
  kind: 'counter' | 'gauge'
  values: readonly (readonly [Record<string, string>, number])[]
}>
/** One part's account of itself; `report` is what the page shows under `name`. */
export type Vital = Readonly<{ name: string; report: () => unknown | Promise<unknown>; samples: () => readonly Sample[] }>
export type Health = Readonly<{
  report: () => Promise<Record<string, unknown>>
  samples: () => readonly Sample[]
  metrics: () => string
  lags: () => Promise<Readonly<Record<string, number>>>
}>

const flow = ['collect', 'joiner', 'detect', 'store', 'outputs']
/** Consumer groups in order of flow: what one publishes the next reads. */
export const inOrder = (groups: ReadonlyMap<string, Running>) => [...groups].sort(([a], [b]) => flow.indexOf(a) - flow.indexOf(b))

export function createHealth(vitals: readonly Vital[], groups: ReadonlyMap<string, Running>): Health {
  const started = Date.now()
  let known: Record<string, number> = {}
  const lags = async () => {
    const entries = await Promise.all(
      inOrder(groups).map(
        async ([group, running]) => [group, [...(await running.lag()).values()].reduce((sum, lag) => sum + Number(lag), 0)] as const,
      ),
    )
    known = Object.fromEntries(entries)
    return known
  }
  const samples = (): readonly Sample[] => [
    {
      name: 'lapwing_lag_records',
      help: 'Published and not yet handled, by consumer group',
      kind: 'gauge',
      values: Object.entries(known).map(([group, lag]) => [{ group }, lag]),
    },
    ...vitals.flatMap((vital) => vital.samples()),
  ]
  return {
    lags,
    samples,
    report: async () => ({
      uptime_seconds: Math.floor((Date.now() - started) / 1_000),
      lag: await lags(),
      ...Object.fromEntries(await Promise.all(vitals.map(async ({ name, report }) => [name, await report()] as const))),
    }),
    metrics: () => {
      // Lags have to be asked for: the last known ones are shown, and asked for again.
      void lags().catch(() => {})
      return prometheus(samples())
    },
  }
}

/** A sample of one number without labels. */
export const one = (name: string, kind: Sample['kind'], help: string, value: number): Sample => ({
  name,
  kind,
  help,
  values: [[{}, value]],
})

const escaped = (text: string): string => text.replace(/[\\"\n]/g, (char) => (char === '\n' ? '\\n' : `\\${char}`))

function prometheus(all: readonly Sample[]): string {
  const lines = all.flatMap(({ name, help, kind, values }) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${kind}`,
    ...values.map(([labels, value]) => {
      const inner = Object.entries(labels)
        .map(([key, text]) => `${key}="${escaped(text)}"`)
        .join(',')
      return `${name}${inner ? `{${inner}}` : ''} ${value}`
    }),
  ])
  return `${lines.join('\n')}\n`
}
