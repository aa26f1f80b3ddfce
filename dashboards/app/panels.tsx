/** One panel of a dashboard: asks its query and draws the answer. */

import type { Severity } from '../../schemas/alert.ts'
import type { BarsPanel, Panel, SeriesPanel, StatPanel, TablePanel } from '../../schemas/dashboard.ts'
import { type Listed, urlOf } from './api.ts'
import { Chart } from './chart.tsx'
import { number } from './format.ts'
import { nameOf } from './frameworks.ts'
import { Card, SeverityChip, Table, Time, Waiting } from './parts.tsx'
import { href, route } from './route.ts'
import { chartOf, type Row } from './series.ts'
import { Text } from './text.tsx'
import { useData } from './use-data.ts'

const rowsShownMax = 12
export type Span = Readonly<{ since: string | undefined; step: number }>

const textOf = (value: unknown): string => (value === null || value === undefined ? '' : String(value))
/** A family is told by its name too: nobody knows the numbers by heart. */
const labelOf = (column: string, value: unknown): string =>
  column === 'family' ? `${textOf(value)} ${nameOf(textOf(value)) ?? ''}` : textOf(value)
const countOf = (value: unknown): number => (typeof value === 'number' ? value : 0)

/** The list the panel speaks of, narrowed by the row; one thing itself where the row names it. */
function linkOf(panel: Panel, row?: Row): string | undefined {
  const { link } = panel
  if (link === undefined) return undefined
  const from =
    row === undefined ? {} : Object.fromEntries(Object.entries(link.from ?? {}).map(([name, column]) => [name, textOf(row[column])]))
  const { id, key, ...rest } = { ...from, ...link.fixed } as Record<string, string>
  const one = id ?? key
  const range = link.to === 'alerts' && panel.ranged && one === undefined ? route.value.query.get('range') : undefined
  return href([link.to, ...(one ? [one] : [])], { ...rest, range })
}

function Stat({ panel, rows }: { panel: StatPanel; rows: readonly Row[] }) {
  const { value, warns } = panel
  const count = value === undefined ? rows.length : rows.reduce((sum, row) => sum + countOf(row[value]), 0)
  const to = linkOf(panel)
  const bad = warns !== undefined && count >= warns.from
  const shown = (
    <>
      <span class="numeric big">{number(count)}</span> <span class="quiet">{panel.unit}</span>
    </>
  )
  return (
    <p class={`stat ${bad ? 'bad' : ''}`}>
      {to === undefined ? shown : <a href={to}>{shown}</a>} {bad && <SeverityChip severity={warns.as} />}
    </p>
  )
}

function Bars({ panel, rows }: { panel: BarsPanel; rows: readonly Row[] }) {
  const most = Math.max(1, ...rows.map((row) => countOf(row[panel.value])))
  return (
    <ul class="bars">
      {rows.slice(0, rowsShownMax).map((row) => {
        const label = labelOf(panel.label, row[panel.label]) || '(none)'
        const to = linkOf(panel, row)
        const severity = panel.severity === undefined ? 'series-1' : textOf(row[panel.severity])
        const width = `${(countOf(row[panel.value]) / most) * 100}%`
        return (
          <li key={label}>
            <span class="label">
              {to && panel.link?.from ? (
                <a href={to}>
                  <Text value={label} max={60} />
                </a>
              ) : (
                <Text value={label} max={60} />
              )}
            </span>
            <span class="track" aria-hidden="true">
              <span class={`bar colour-${severity}`} style={{ width }} />
            </span>
            <span class="numeric right">
              {number(countOf(row[panel.value]))}{' '}
              <span class="unheard">
                {panel.unit}
                {panel.severity && `, worst ${severity}`}
              </span>
            </span>
          </li>
        )
      })}
    </ul>
  )
}

function Cell({ row, column, form }: { row: Row; column: string; form: TablePanel['columns'][number]['form'] }) {
  const value = row[column]
  if (form === 'number') return <>{number(countOf(value))}</>
  if (form === 'time') return <Time time={textOf(value)} />
  if (form === 'severity') return <SeverityChip severity={textOf(value) as Severity} />
  return <Text value={labelOf(column, value) || '–'} max={120} />
}

function Rows({ panel, rows }: { panel: TablePanel; rows: readonly Row[] }) {
  const head = panel.columns.map(({ title, form }) => (form === 'number' ? ([title, 'right'] as const) : title))
  return (
    <Table label={panel.title} head={head}>
      {rows.slice(0, rowsShownMax).map((row, at) => {
        const to = panel.link?.from ? linkOf(panel, row) : undefined
        return (
          <tr key={at}>
            {panel.columns.map(({ column, form }, index) => (
              <td key={column} class={form === 'number' ? 'numeric right' : form === 'time' ? 'numeric' : ''}>
                {index === 0 && to ? (
                  <a href={to}>
                    <Cell row={row} column={column} form={form} />
                  </a>
                ) : (
                  <Cell row={row} column={column} form={form} />
                )}
              </td>
            ))}
          </tr>
        )
      })}
    </Table>
  )
}

const Series = ({ panel, rows, step }: { panel: SeriesPanel; rows: readonly Row[]; step: number }) => (
  <Chart data={chartOf(panel, rows, step)} />
)

function Drawn({ panel, rows, step }: { panel: Panel; rows: readonly Row[]; step: number }) {
  if (panel.kind === 'stat') return <Stat panel={panel} rows={rows} />
  if (rows.length === 0) return <p class="empty">Nothing in this time.</p>
  if (panel.kind === 'series') return <Series panel={panel} rows={rows} step={step} />
  if (panel.kind === 'bars') return <Bars panel={panel} rows={rows} />
  return <Rows panel={panel} rows={rows} />
}

export function PanelCard({ panel, span }: { panel: Panel; span: Span }) {
  const { query, params, ranged, only } = panel
  const asked = { ...params, ...(ranged ? { since: span.since } : {}), ...(panel.kind === 'series' ? { step: span.step } : {}) }
  const { value, problem } = useData<Listed<Row>>(urlOf(['queries', query], asked), 10_000)
  const rows = only === undefined ? value?.items : value?.items.filter((row) => only.values.includes(textOf(row[only.column])))
  const rest = (rows?.length ?? 0) - rowsShownMax
  return (
    <div class={`panel ${panel.kind}`}>
      <Card title={panel.title} about={panel.about} id={`panel-${panel.id}`}>
        {rows === undefined ? <Waiting problem={problem} what="panel" /> : <Drawn panel={panel} rows={rows} step={span.step} />}
        {rest > 0 && (panel.kind === 'bars' || panel.kind === 'table') && <p class="quiet">and {number(rest)} more</p>}
      </Card>
    </div>
  )
}
