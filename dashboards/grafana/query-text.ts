/** A named query as Grafana's ClickHouse data source takes it: parameters become macros, the tenant of the user that asks, or literals. */
import type { AnyQuery } from '../../schemas/query.ts'

/**
 * Where a parameter of the SQL gets its value. Nothing that a person can type into Grafana stands in the text:
 * the plugin makes the macros from the time range, and ClickHouse binds the tenant to the user of the data source.
 * A variable of Grafana would not do: its quoting leaves the backslash, which ends a ClickHouse string early.
 */
const bound: ReadonlyMap<string, string> = new Map([
  ['tenant', "getSetting('SQL_lapwing_tenant')"],
  ['since', 'toInt64(toUnixTimestamp($__fromTime)) * 1000000000'],
  ['until', '(toInt64(toUnixTimestamp($__toTime)) + 1) * 1000000000'],
  ['step', 'toUInt32($__interval_s)'],
])

export const textLiteral = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

function literal(name: string, type: string, value: unknown): string {
  if (/^U?Int\d+$/.test(type) && /^-?\d+$/.test(String(value))) return String(value)
  if (type === 'String' && typeof value === 'string') return textLiteral(value)
  if (type === 'Array(String)' && Array.isArray(value))
    return `CAST([${value.map((one) => textLiteral(String(one))).join(', ')}], '${type}')`
  throw new Error(`{${name}:${type}} has no value`)
}

/** The SQL of the query with every parameter filled. `params` are the panel's fixed ones; the query knows the defaults of the others. */
export function queryText(query: AnyQuery, params: Readonly<Record<string, string>> = {}): string {
  const values = new Map<string, unknown>(Object.entries(query.params.parse(params)))
  const text = query.sql.replace(
    /\{(\w+):([^{}]+)\}/g,
    (_, name: string, type: string) => bound.get(name) ?? literal(name, type, values.get(name)),
  )
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const indent = Math.min(...lines.map((line) => line.length - line.trimStart().length))
  return lines.map((line) => line.slice(indent)).join('\n')
}
