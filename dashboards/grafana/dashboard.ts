/** A dashboard as Grafana's JSON, from the same data as the page: panels, their queries and their columns. */
import type { BarsPanel, ColumnForm, Dashboard, Panel, SeriesPanel, StatPanel, TablePanel } from '../../schemas/dashboard.ts'
import type { AnyQuery } from '../../schemas/query.ts'
import { queryText, textLiteral } from './query-text.ts'

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }
type Shown = Readonly<{
  type: string
  sql: string
  format: 0 | 1
  options: Json
  overrides: readonly Json[]
  defaults?: Readonly<Record<string, Json>>
}>
type Size = Readonly<{ w: number; h: number }>

const datasource = { type: 'grafana-clickhouse-datasource', uid: 'lapwing-clickhouse' }
/** The plugin's numbers for what comes back. */
const timeSeries = 0
const table = 1
const columnsMax = 24

const colours: ReadonlyMap<string, string> = new Map([
  ['critical', 'dark-red'],
  ['high', 'red'],
  ['medium', 'orange'],
  ['low', 'yellow'],
  ['informational', 'blue'],
])
const sizes: Readonly<Record<Panel['kind'], Size>> = {
  stat: { w: 6, h: 4 },
  series: { w: 12, h: 8 },
  bars: { w: 12, h: 8 },
  table: { w: 24, h: 9 },
}

const name = (column: string): string => `\`${column.replaceAll('\\', '\\\\').replaceAll('`', '\\`')}\``
const indented = (sql: string): string => sql.replaceAll(/^/gm, '  ')

/** The query's rows without those the panel leaves out. */
function rowsOf({ only }: Panel, sql: string): string {
  const kept = only ? `\nWHERE ${name(only.column)} IN (${only.values.map(textLiteral).join(', ')})` : ''
  return `FROM (\n${indented(sql)}\n)${kept}`
}

const byName = (column: string, ...properties: readonly Readonly<{ id: string; value: Json }>[]): Json => ({
  matcher: { id: 'byName', options: column },
  properties,
})
const severityLooks: Json = [...colours].map(([value, color], index) => ({ type: 'value', options: { [value]: { color, index } } }))

function stat(panel: StatPanel, sql: string): Shown {
  const warns = panel.warns ? [{ color: colours.get(panel.warns.as) ?? 'red', value: panel.warns.from }] : []
  return {
    type: 'stat',
    sql: `SELECT ${panel.value === undefined ? 'count()' : `sum(${name(panel.value)})`} AS ${name(panel.unit)}\n${rowsOf(panel, sql)}`,
    format: table,
    options: {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      colorMode: 'value',
      graphMode: 'none',
      textMode: 'value',
    },
    defaults: { noValue: '0', thresholds: { mode: 'absolute', steps: [{ color: 'text', value: null }, ...warns] } },
    overrides: [],
  }
}

function series(panel: SeriesPanel, sql: string): Shown {
  const columns = [panel.at, ...(panel.by === undefined ? [] : [panel.by]), ...panel.values].map(name)
  return {
    type: 'timeseries',
    sql: `SELECT ${columns.join(', ')}\n${rowsOf(panel, sql)}\nORDER BY ${name(panel.at)}`,
    format: timeSeries,
    options: { legend: { displayMode: 'list', placement: 'bottom', showLegend: true }, tooltip: { mode: 'multi', sort: 'desc' } },
    defaults: {
      min: 0,
      decimals: 0,
      custom: { drawStyle: 'bars', fillOpacity: 60, lineWidth: 1, stacking: { group: 'A', mode: panel.by ? 'normal' : 'none' } },
    },
    // A series of one value per label is named by its label.
    overrides: panel.by === 'severity' ? [...colours].map(([value, fixedColor]) => colourOf(value, fixedColor)) : [],
  }
}

const colourOf = (value: string, fixedColor: string): Json => ({
  matcher: { id: 'byRegexp', options: `/\\b${value}\\b/` },
  properties: [{ id: 'color', value: { mode: 'fixed', fixedColor } }],
})

function bars(panel: BarsPanel, sql: string): Shown {
  return {
    type: 'barchart',
    sql: `SELECT ${name(panel.label)}, ${name(panel.value)}\n${rowsOf(panel, sql)}\nORDER BY ${name(panel.value)} DESC, ${name(panel.label)}\nLIMIT 20`,
    format: table,
    options: { orientation: 'horizontal', xField: panel.label, legend: { showLegend: false, displayMode: 'list', placement: 'bottom' } },
    defaults: { min: 0, decimals: 0 },
    overrides: [],
  }
}

const looks: Readonly<Record<ColumnForm, readonly Readonly<{ id: string; value: Json }>[]>> = {
  text: [],
  number: [{ id: 'decimals', value: 0 }],
  time: [{ id: 'unit', value: 'dateTimeAsIso' }],
  severity: [
    { id: 'mappings', value: severityLooks },
    { id: 'custom.cellOptions', value: { type: 'color-text' } },
  ],
}

function rows(panel: TablePanel, sql: string): Shown {
  return {
    type: 'table',
    sql: `SELECT ${panel.columns.map(({ column }) => name(column)).join(', ')}\n${rowsOf(panel, sql)}`,
    format: table,
    options: { showHeader: true, cellHeight: 'sm' },
    overrides: panel.columns.map(({ column, title, form = 'text' }) => byName(column, { id: 'displayName', value: title }, ...looks[form])),
  }
}

function shownOf(panel: Panel, sql: string): Shown {
  if (panel.kind === 'stat') return stat(panel, sql)
  if (panel.kind === 'series') return series(panel, sql)
  return panel.kind === 'bars' ? bars(panel, sql) : rows(panel, sql)
}

function panelOf(panel: Panel, query: AnyQuery, id: number, gridPos: Json): Json {
  const { type, sql, format, options, overrides, defaults } = shownOf(panel, queryText(query, panel.params))
  return {
    id,
    type,
    title: panel.title,
    description: panel.about,
    datasource,
    gridPos,
    targets: [
      { refId: 'A', datasource, editorType: 'sql', queryType: format === timeSeries ? 'timeseries' : 'table', format, rawSql: sql },
    ],
    fieldConfig: { defaults: { ...defaults }, overrides },
    options,
  }
}

/** Left to right; what does not fit begins a new row below the tallest before it. */
function placed(panels: readonly Panel[]): readonly Json[] {
  let [x, y, tallest] = [0, 0, 0]
  return panels.map(({ kind }) => {
    const { w, h } = sizes[kind]
    if (x + w > columnsMax) [x, y, tallest] = [0, y + tallest, 0]
    const place = { x, y, w, h }
    x += w
    tallest = Math.max(tallest, h)
    return place
  })
}

/** Grafana's JSON of one dashboard; throws where a panel names a query that is not there. */
export function grafanaDashboard(dashboard: Dashboard, queries: ReadonlyMap<string, AnyQuery>): Json {
  const places = placed(dashboard.panels)
  return {
    uid: `lapwing-${dashboard.id}`,
    title: `Lapwing: ${dashboard.title}`,
    description: dashboard.about,
    tags: ['lapwing'],
    schemaVersion: 42,
    version: 1,
    editable: false,
    graphTooltip: 1,
    refresh: '1m',
    time: { from: 'now-24h', to: 'now' },
    timezone: 'browser',
    templating: { list: [] },
    annotations: { list: [] },
    links: [{ title: 'Lapwing', type: 'dashboards', tags: ['lapwing'], asDropdown: true, includeVars: false, keepTime: true }],
    panels: dashboard.panels.map((panel, index) => {
      const query = queries.get(panel.query)
      if (query === undefined) throw new Error(`${dashboard.id}/${panel.id}: no query ${panel.query}`)
      return panelOf(panel, query, index + 1, places[index] as Json)
    }),
  }
}
