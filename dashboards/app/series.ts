/** Rows of a series query → lines over an even grid of time, zero where nothing happened. */
import type { SeriesPanel } from '../../schemas/dashboard.ts'
import type { ChartData, Line } from './chart.tsx'

export type Row = Readonly<Record<string, unknown>>
/** A grid wider than this is cut at its old end. */
const intervalsMax = 500

const bySeverity = ['informational', 'low', 'medium', 'high', 'critical']
const colours = ['series-1', 'series-2', 'series-3', 'series-4']
const numberOf = (value: unknown): number => (typeof value === 'number' ? value : 0)

export function chartOf(panel: SeriesPanel, rows: readonly Row[], step: number): ChartData {
  const secondOf = (row: Row) => Math.floor(Date.parse(String(row[panel.at])) / 1_000)
  const seen = rows.map(secondOf)
  const [first, last] = [Math.min(...seen), Math.max(...seen)]
  const count = Math.min(Math.floor((last - first) / step) + 1, intervalsMax)
  const seconds = Array.from({ length: count }, (_, index) => last - (count - 1 - index) * step)
  const place = (second: number) => Math.round((second - (seconds[0] ?? second)) / step)
  const lines = new Map<string, number[]>()
  const add = (name: string, row: Row, value: number) => {
    const values = lines.get(name) ?? seconds.map(() => 0)
    lines.set(name, values)
    const at = place(secondOf(row))
    if (at >= 0) values[at] = (values[at] ?? 0) + value
  }
  for (const row of rows) {
    for (const name of panel.values) add(panel.by === undefined ? name : String(row[panel.by]), row, numberOf(row[name]))
  }
  const graded = panel.by === 'severity'
  const names = graded ? bySeverity.filter((name) => lines.has(name)) : [...lines.keys()]
  const drawn = names.map(
    (name, index): Line => ({
      name,
      colour: graded ? name : (colours[index % colours.length] ?? 'series-1'),
      values: lines.get(name) ?? [],
    }),
  )
  return { title: panel.title, unit: panel.unit, seconds, lines: drawn, stacked: panel.by !== undefined, step }
}
