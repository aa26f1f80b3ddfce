/** Dashboards, drawn from their data: the page knows kinds of panel, not which there are. */
import type { Dashboard } from '../../schemas/dashboard.ts'
import { type Listed, type Source, urlOf } from './api.ts'
import { sinceOf, stepOf } from './format.ts'
import { PanelCard } from './panels.tsx'
import { Title, Waiting } from './parts.tsx'
import { href, route } from './route.ts'
import { RangeChoice } from './threads.tsx'
import { useData } from './use-data.ts'

/** From the first event to the last: what "all" means for the grid of a series. */
function useKept(): number {
  const { value } = useData<Listed<Source>>(urlOf(['sources']), 30_000)
  const items = value?.items ?? []
  const [from, to] = [
    Math.min(...items.map((row) => Date.parse(row.first_seen))),
    Math.max(...items.map((row) => Date.parse(row.last_seen))),
  ]
  return items.length === 0 ? 86_400 : Math.max(60, (to - from) / 1_000)
}

export function Dashboards({ id }: { id: string }) {
  const list = useData<Listed<{ id: string; title: string }>>(urlOf(['dashboards']))
  const { value, problem } = useData<Dashboard>(urlOf(['dashboards', id]))
  const kept = useKept()
  const range = route.value.query.get('range')
  const since = sinceOf(range)
  const seconds = since === undefined ? kept : (Date.now() - Date.parse(since)) / 1_000
  const span = { since, step: stepOf(seconds) }
  return (
    <>
      <Title>{value?.title ?? 'Dashboards'}</Title>
      <div class="filters">
        <nav aria-label="Dashboards">
          <ul class="tabs">
            {list.value?.items.map((one) => (
              <li key={one.id}>
                <a href={href(['dashboards', one.id], { range })} aria-current={one.id === id ? 'page' : undefined}>
                  {one.title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <RangeChoice />
      </div>
      {value === undefined ? (
        <Waiting problem={problem} what="dashboard" />
      ) : (
        <>
          <p class="about">{value.about}</p>
          {[true, false].map((stats) => (
            <div key={String(stats)} class={stats ? 'panels stats' : 'panels'}>
              {value.panels
                .filter(({ kind }) => (kind === 'stat') === stats)
                .map((panel) => (
                  <PanelCard key={`${value.id}/${panel.id}`} panel={panel} span={span} />
                ))}
            </div>
          ))}
        </>
      )}
    </>
  )
}
