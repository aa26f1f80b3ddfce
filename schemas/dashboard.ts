/** What a dashboard is: a screen as data. A panel names a query of api/queries/ and says which of its columns it draws. */
import type { Severity } from './alert.ts'

export const panelKinds = ['stat', 'series', 'bars', 'table'] as const
export type PanelKind = (typeof panelKinds)[number]

/** Where a click leads: a list of the page, narrowed by values of the row (`from`: parameter → column) and by fixed ones. */
export type PanelLink = Readonly<{
  to: 'alerts' | 'servers' | 'threads' | 'detectors' | 'health'
  from?: Readonly<Record<string, string>>
  fixed?: Readonly<Record<string, string>>
}>

type Common = Readonly<{
  id: string
  title: string
  /** One sentence: what it tells, and what to make of it. */
  about: string
  /** Name of a query. */
  query: string
  /** Fixed parameters of the query. */
  params?: Readonly<Record<string, string>>
  /** The query takes `since` and `until`: the time range of the screen is filled in. */
  ranged: boolean
  /** What is counted, in the plural: `alerts`, `events`. */
  unit: string
  /** Rows of which this column has one of these values; the others are left out. */
  only?: Readonly<{ column: string; values: readonly string[] }>
  link?: PanelLink
}>

export type StatPanel = Common &
  Readonly<{
    kind: 'stat'
    /** The column that is added up; without it the rows are counted. */
    value?: string
    /** From this number on it is shown as this bad. */
    warns?: Readonly<{ from: number; as: Severity }>
  }>
export type SeriesPanel = Common &
  Readonly<{
    kind: 'series'
    /** The column of time; the query takes `step` too. */
    at: string
    values: readonly string[]
    /** One line per value of this column. */
    by?: string
  }>
export type BarsPanel = Common & Readonly<{ kind: 'bars'; label: string; value: string; severity?: string }>
export type ColumnForm = 'text' | 'number' | 'time' | 'severity'
export type TablePanel = Common &
  Readonly<{ kind: 'table'; columns: readonly Readonly<{ column: string; title: string; form?: ColumnForm }>[] }>

export type Panel = StatPanel | SeriesPanel | BarsPanel | TablePanel
export type Dashboard = Readonly<{ id: string; title: string; about: string; panels: readonly Panel[] }>

/** Checks the shape at compile time. */
export const defineDashboard = (dashboard: Dashboard): Dashboard => dashboard

/** Every column of the query that the panel reads. */
export function columnsOf(panel: Panel): string[] {
  const own =
    panel.kind === 'stat'
      ? [panel.value]
      : panel.kind === 'series'
        ? [panel.at, panel.by, ...panel.values]
        : panel.kind === 'bars'
          ? [panel.label, panel.value, panel.severity]
          : panel.columns.map(({ column }) => column)
  const all = [...own, panel.only?.column, ...Object.values(panel.link?.from ?? {})]
  return [...new Set(all.filter((column) => column !== undefined))]
}
