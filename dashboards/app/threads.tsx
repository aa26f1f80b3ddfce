/** Threads: pieces of work rebuilt without sessions. The latest, and one as a timeline. */
import { type Listed, type Timeline, urlOf } from './api.ts'
import { number, ranges, sinceOf, span } from './format.ts'
import { moveFocus, useKeys } from './keys.ts'
import { Moments } from './moments.tsx'
import { Card, Facts, SeverityChip, Table, Time, Title, Waiting } from './parts.tsx'
import { href, refine, route } from './route.ts'
import { Text } from './text.tsx'
import { useData } from './use-data.ts'

type Row = Readonly<{
  thread_id: string
  first_seen: string
  last_seen: string
  events: number
  calls: number
  actor: string
  servers: string[]
  alerts: number
}>

export function RangeChoice() {
  return (
    <label>
      Time
      <select value={route.value.query.get('range') ?? ''} onChange={(event) => refine({ range: event.currentTarget.value })}>
        {ranges.map(({ id, title }) => (
          <option key={id} value={id}>
            {title}
          </option>
        ))}
      </select>
    </label>
  )
}

export function ThreadList() {
  const since = sinceOf(route.value.query.get('range'))
  const { value, problem } = useData<Listed<Row>>(urlOf(['queries', 'threads'], { since, limit: 200 }), 8_000)
  useKeys({ j: () => moveFocus('a.thread-link', 1), k: () => moveFocus('a.thread-link', -1) })
  return (
    <>
      <Title>Threads</Title>
      <p class="about">A thread is one piece of work of one actor, put together from traces, sessions, connections and handles.</p>
      <div class="filters">
        <RangeChoice />
      </div>
      {(value === undefined || problem) && <Waiting problem={problem} what="threads" />}
      {value?.items.length === 0 && <p class="empty">No thread yet.</p>}
      {value !== undefined && value.items.length > 0 && (
        <Table
          label="Threads"
          head={['Newest', 'Lasted', 'Actor', 'Servers', ['Events', 'right'], ['Calls', 'right'], ['Alerts', 'right']]}
        >
          {value.items.map((row) => (
            <tr key={row.thread_id}>
              <td>
                <a class="thread-link" href={href(['threads', row.thread_id])}>
                  <Time time={row.last_seen} />
                </a>
              </td>
              <td class="numeric">{span(Math.round((Date.parse(row.last_seen) - Date.parse(row.first_seen)) / 100) / 10)}</td>
              <td>
                <Text value={row.actor} max={60} />
              </td>
              <td>
                <Text value={row.servers.join(', ')} max={120} />
              </td>
              <td class="numeric right">{number(row.events)}</td>
              <td class="numeric right">{number(row.calls)}</td>
              <td class="numeric right">{row.alerts === 0 ? '–' : <strong>{number(row.alerts)}</strong>}</td>
            </tr>
          ))}
        </Table>
      )}
    </>
  )
}

export function ThreadView({ id }: { id: string }) {
  const { value, problem } = useData<Timeline>(urlOf(['threads', id], { limit: 1_000 }), 8_000)
  const actor = value?.items[0]?.event['lapwing.actor']
  return (
    <>
      <Title back={{ to: href(['threads']), title: 'Threads' }}>Thread</Title>
      {value === undefined ? (
        <Waiting problem={problem} what="thread" />
      ) : (
        <>
          <Facts
            rows={[
              ['Actor', <Text value={String(actor ?? '–')} />],
              ['From', <Time time={value.first_seen} />],
              ['To', <Time time={value.last_seen} />],
              ['Events', number(value.events)],
              ['Thread', <Text value={value.thread_id} max={80} />],
            ]}
          />
          {value.alerts.length > 0 && (
            <Card title="Alerts in this thread">
              <ul class="plain">
                {value.alerts.map((alert) => (
                  <li key={alert.alert_id}>
                    <SeverityChip severity={alert.severity} /> <Time time={alert.time} />{' '}
                    <a href={href(['alerts', alert.alert_id])}>
                      <Text value={alert.title} max={120} />
                    </a>{' '}
                    <span class="quiet">
                      <Text value={alert.summary} max={200} />
                    </span>
                  </li>
                ))}
              </ul>
            </Card>
          )}
          <Card title="Timeline">
            <Moments
              moments={value.items}
              alerts={value.alerts}
              marked={
                new Set(
                  value.alerts.length
                    ? value.items.filter(({ alerts }) => alerts.length > 0).map(({ event }) => event['lapwing.event.id'])
                    : [],
                )
              }
            />
            {value.next_cursor && <p class="quiet">Only the first {number(value.items.length)} events are shown.</p>}
          </Card>
        </>
      )}
    </>
  )
}
