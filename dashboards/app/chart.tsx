/** A chart over time, with the same numbers as a table for who cannot see it. Colours come from the style sheet. */
import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import { instant, number } from './format.ts'
import { Table } from './parts.tsx'
import { repaint } from './settings.ts'

export type Line = Readonly<{ name: string; colour: string; values: readonly number[] }>
export type ChartData = Readonly<{
  title: string
  unit: string
  seconds: readonly number[]
  lines: readonly Line[]
  stacked: boolean
  step: number
}>

const height = 190

/** A canvas takes colours as they are, not as variables: the style sheet is asked through an element. */
function colourOf(host: Element, name: string): string {
  const probe = document.createElement('span')
  probe.className = `colour-${name}`
  host.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}

/** Each line on the shoulders of those before it; drawn from the tallest, so that all are seen. */
function heights(lines: readonly Line[], stacked: boolean): number[][] {
  const sums: number[] = []
  return lines.map(({ values }) =>
    values.map((value, index) => {
      if (!stacked) return value
      sums[index] = (sums[index] ?? 0) + value
      return sums[index] ?? 0
    }),
  )
}

/** 24 hours, UTC; the date where a day begins and at the first mark. */
function timesOf(splits: readonly number[], step: number): string[] {
  return splits.map((second, index) => {
    const text = new Date(second * 1_000).toISOString()
    const date = text.slice(5, 10)
    if (step >= 86_400) return date
    const clock = text.slice(11, step < 60 ? 19 : 16)
    return index === 0 || text.slice(11, 19) === '00:00:00' ? `${clock}\n${date}` : clock
  })
}

function optionsOf(host: HTMLElement, data: ChartData, lines: readonly Line[]): uPlot.Options {
  const ink = colourOf(host, 'ink-2')
  const grid = colourOf(host, 'line')
  const axis = { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: '12px system-ui, sans-serif' }
  const bars = uPlot.paths.bars?.({ size: [0.8, 40], align: 1 })
  return {
    width: Math.max(host.clientWidth, 200),
    height,
    legend: { show: false },
    cursor: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1_000), 'UTC'),
    scales: {
      x: { time: true, range: (_chart, from, to) => [from, to + data.step] },
      y: { range: (_chart, _from, to) => [0, Math.max(1, to * 1.08)] },
    },
    axes: [
      { ...axis, values: (_chart, splits, _axis, _space, step) => timesOf(splits, step) },
      { ...axis, size: 52, values: (_chart, splits) => splits.map((split) => (Number.isInteger(split) ? number(split) : '')) },
    ],
    series: [
      {},
      ...lines.map((line): uPlot.Series => {
        const stroke = colourOf(host, line.colour)
        const common = { label: line.name, stroke, width: 1.5, points: { show: false } }
        return data.stacked && bars
          ? { ...common, fill: stroke, paths: bars }
          : { ...common, fill: stroke.replace('rgb(', 'rgba(').replace(')', ', 0.12)') }
      }),
    ],
  }
}

export function Chart({ data }: { data: ChartData }) {
  const host = useRef<HTMLDivElement>(null)
  const colours = repaint.value
  const key = JSON.stringify([data.seconds, data.lines])
  useEffect(() => {
    const box = host.current
    if (box === null) return undefined
    const tallest = heights(data.lines, data.stacked)
      .map((values, index) => ({ values, line: data.lines[index] as Line }))
      .reverse()
    const chart = new uPlot(
      optionsOf(
        box,
        data,
        tallest.map(({ line }) => line),
      ),
      [[...data.seconds], ...tallest.map(({ values }) => values)],
      box,
    )
    const fit = new ResizeObserver(() => chart.setSize({ width: Math.max(box.clientWidth, 200), height }))
    fit.observe(box)
    return () => {
      fit.disconnect()
      chart.destroy()
    }
  }, [key, colours])
  const total = (line: Line) => line.values.reduce((sum, value) => sum + value, 0)
  const said = data.lines.map((line) => `${line.name} ${number(total(line))}`).join(', ')
  return (
    <figure class="chart">
      <div ref={host} class="plot" role="img" aria-label={`${data.title}: ${said}`} />
      <figcaption>
        <ul class="legend">
          {data.lines.map((line) => (
            <li key={line.name}>
              <span class={`swatch colour-${line.colour}`} aria-hidden="true" /> {line.name}{' '}
              <span class="numeric quiet">{number(total(line))}</span>
            </li>
          ))}
        </ul>
        <details>
          <summary>As a table</summary>
          <Table label={`${data.title} as a table`} head={['From (UTC)', ...data.lines.map(({ name }) => [name, 'right'] as const)]}>
            {data.seconds.map((second, index) => (
              <tr key={second}>
                <td class="numeric">{instant(new Date(second * 1_000).toISOString())}</td>
                {data.lines.map((line) => (
                  <td key={line.name} class="numeric right">
                    {number(line.values[index] ?? 0)}
                  </td>
                ))}
              </tr>
            ))}
          </Table>
        </details>
      </figcaption>
    </figure>
  )
}
