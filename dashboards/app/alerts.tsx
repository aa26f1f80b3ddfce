/** The list of alerts: newest first, filtered by the address, live. */
import { useEffect, useRef, useState } from 'preact/hooks'
import { type Alert, type Detector, type Listed, urlOf } from './api.ts'
import { number, ranges, sinceOf } from './format.ts'
import { moveFocus, useKeys } from './keys.ts'
import { ServerName, SeverityChip, severities, Table, Time, Title, Waiting } from './parts.tsx'
import { href, refine, route } from './route.ts'
import { Text } from './text.tsx'
import { useData } from './use-data.ts'

const refreshMs = 4_000
const shownFirst = 50
const shownMax = 1_000

function Filters({ query }: { query: ReadonlyMap<string, string> }) {
  const detectors = useData<Listed<Detector>>(urlOf(['detectors']))
  const chosen = new Set((query.get('severity') ?? '').split(',').filter(Boolean))
  const toggle = (severity: string) => {
    const next = severities.filter((one) => (one === severity ? !chosen.has(one) : chosen.has(one)))
    refine({ severity: next.join(',') })
  }
  const text = (name: 'server' | 'actor', title: string) => (
    <label>
      {title}
      <input
        type="search"
        value={query.get(name) ?? ''}
        maxLength={300}
        onChange={(event) => refine({ [name]: event.currentTarget.value.trim() })}
      />
    </label>
  )
  const choice = (name: string, title: string, options: readonly (readonly [string, string])[]) => (
    <label>
      {title}
      <select value={query.get(name) ?? ''} onChange={(event) => refine({ [name]: event.currentTarget.value })}>
        {options.map(([value, shown]) => (
          <option key={value} value={value}>
            {shown}
          </option>
        ))}
      </select>
    </label>
  )
  return (
    <search class="filters">
      <fieldset>
        <legend>Severity</legend>
        {severities.map((severity) => (
          <button
            key={severity}
            type="button"
            class={`toggle ${severity}`}
            aria-pressed={chosen.has(severity)}
            onClick={() => toggle(severity)}
          >
            {severity}
          </button>
        ))}
      </fieldset>
      {choice('status', 'Status', [
        ['', 'Any'],
        ['new', 'New'],
        ['acknowledged', 'Acknowledged'],
      ])}
      {choice('detector', 'Detector', [['', 'Any'], ...(detectors.value?.items ?? []).map(({ id }) => [id, id] as const)])}
      {text('server', 'Server')}
      {text('actor', 'Actor')}
      {choice(
        'range',
        'Time',
        ranges.map(({ id, title }) => [id, title] as const),
      )}
      {query.size > 0 && (
        <a class="button" href={href(['alerts'])}>
          Clear
        </a>
      )}
    </search>
  )
}

/** A finding about a list of tools has no tool of its own; its evidence may name one. */
export function toolNamed({ tool_name, evidence }: Alert): string {
  const named = evidence.tool
  return tool_name || (typeof named === 'string' && named !== '-' ? named : '')
}

function Row({ alert, fresh }: { alert: Alert; fresh: boolean }) {
  return (
    <tr class={fresh ? 'fresh' : alert.status === 'acknowledged' ? 'done' : ''}>
      <td>
        <SeverityChip severity={alert.severity} />
      </td>
      <td class="what">
        <a class="alert-link" href={href(['alerts', alert.alert_id])}>
          <Text value={alert.title} max={120} />
        </a>
        <div class="quiet">
          <Text value={alert.summary} max={200} />
        </div>
      </td>
      <td class="name">
        <ServerName id={alert.server_key} alias={alert.server_alias} />
      </td>
      <td class="name">
        <Text value={toolNamed(alert) || '–'} max={60} />
      </td>
      <td class="name">
        <Text value={alert.actor} max={60} />
      </td>
      <td class="numeric">
        <Time time={alert.last_hit} />
      </td>
      <td class="numeric right">{number(alert.hits)}</td>
      <td>{alert.status === 'new' ? <strong>New</strong> : 'Acknowledged'}</td>
    </tr>
  )
}

/** Ids that were not there when the list was first shown, and how many came with the last answer. */
function useFresh(alerts: readonly Alert[] | undefined, about: string) {
  const known = useRef<{ about: string; ids: Set<string> }>({ about: '', ids: new Set() })
  const [fresh, setFresh] = useState<ReadonlySet<string>>(new Set())
  useEffect(() => {
    if (alerts === undefined) return
    const first = known.current.about !== about
    if (first) known.current = { about, ids: new Set() }
    const added = alerts.filter(({ alert_id }) => !known.current.ids.has(alert_id)).map(({ alert_id }) => alert_id)
    for (const id of added) known.current.ids.add(id)
    if (first) setFresh(new Set())
    else if (added.length > 0) setFresh(new Set(added))
  }, [alerts, about])
  return fresh
}

export function AlertList() {
  const { query } = route.value
  const [shown, show] = useState(shownFirst)
  const { severity, status, detector, server, actor, range } = Object.fromEntries(query)
  const filters = { severity, status, detector, server, actor, since: sinceOf(range) }
  const { value, problem } = useData<Listed<Alert>>(urlOf(['alerts'], { ...filters, limit: shown }), refreshMs)
  const fresh = useFresh(value?.items, `${JSON.stringify([severity, status, detector, server, actor, range])} ${shown}`)
  useKeys({ j: () => moveFocus('a.alert-link', 1), k: () => moveFocus('a.alert-link', -1) })
  const items = value?.items
  return (
    <>
      <Title>Alerts</Title>
      <Filters query={query} />
      <p class="quiet" role="status">
        {items && `${number(items.length)}${value?.next_cursor ? ' newest' : ''} ${items.length === 1 ? 'alert' : 'alerts'}`}
        {fresh.size > 0 && `, ${fresh.size} just came`}
      </p>
      {items === undefined || problem ? <Waiting problem={problem} what="alerts" /> : null}
      {items !== undefined && items.length === 0 && (
        <p class="empty">No alert {query.size > 0 ? 'matches these filters' : 'yet: what arrives is watched'}.</p>
      )}
      {items !== undefined && items.length > 0 && (
        <Table label="Alerts" head={['Severity', 'Alert', 'Server', 'Tool', 'Actor', 'Last seen', ['Count', 'right'], 'Status']}>
          {items.map((alert) => (
            <Row key={alert.alert_id} alert={alert} fresh={fresh.has(alert.alert_id)} />
          ))}
        </Table>
      )}
      {value?.next_cursor && shown < shownMax && (
        <button type="button" onClick={() => show(Math.min(shown * 2, shownMax))}>
          Show more
        </button>
      )}
    </>
  )
}
