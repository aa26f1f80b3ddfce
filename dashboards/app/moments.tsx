/** A thread drawn as a timeline: who said what to whom, what was noticed, and why each event belongs there. */
import { useState } from 'preact/hooks'
import type { Moment, ThreadAlert } from './api.ts'
import { isAnswer, sayingOf, serverOf } from './event-text.ts'
import { number, span } from './format.ts'
import { SeverityChip, Time } from './parts.tsx'
import { href } from './route.ts'
import { JsonText, Text } from './text.tsx'

type Shown = Readonly<{
  start: string
  alerts: ReadonlyMap<string, ThreadAlert>
  marked: ReadonlySet<string>
  marks: readonly string[]
  here?: string | undefined
}>

function Badges({ moment, shown }: { moment: Moment; shown: Shown }) {
  const others = moment.alerts.flatMap((id) => shown.alerts.get(id) ?? [])
  if (others.length === 0 && moment.signals.length === 0) return null
  return (
    <ul class="badges">
      {others.map((alert) => (
        <li key={alert.alert_id}>
          <SeverityChip severity={alert.severity} />{' '}
          {alert.alert_id === shown.here ? (
            <strong>this alert</strong>
          ) : (
            <a href={href(['alerts', alert.alert_id])}>
              <Text value={alert.title} max={80} />
            </a>
          )}
        </li>
      ))}
      {moment.signals.map(({ detector, signal, family, summary }, index) => (
        <li key={index} class="signal">
          signal {family} <Text value={signal} max={60} />{' '}
          <span class="quiet">
            ({detector}: <Text value={summary} max={160} />)
          </span>
        </li>
      ))}
    </ul>
  )
}

function Whole({ moment: { event, link }, marks }: { moment: Moment; marks: readonly string[] }) {
  return (
    <div class="whole">
      <p class="quiet">
        <Time time={event.time} />, in this thread by {link.reason.replaceAll('_', ' ')} ({Math.round(link.confidence * 100)} % sure)
      </p>
      <JsonText value={event} label={`Event ${event['lapwing.event.id']}`} marks={marks} />
    </div>
  )
}

function One({ moment, shown }: { moment: Moment; shown: Shown }) {
  const { event } = moment
  const [open, setOpen] = useState(false)
  const { verb, text } = sayingOf(event)
  const answer = isAnswer(event)
  const hit = shown.marked.has(event['lapwing.event.id'])
  const seconds = (Date.parse(event.time) - Date.parse(shown.start)) / 1_000
  return (
    <li class={`moment ${hit ? 'hit' : ''} ${answer ? 'in' : 'out'}`}>
      <span class="numeric offset" title={event.time}>
        +{span(seconds)}
      </span>
      <span class="arrow" aria-hidden="true">
        {answer ? '←' : '→'}
      </span>
      <span class="server">
        <span class="unheard">{answer ? 'from ' : 'to '}</span>
        <Text value={serverOf(event)} max={40} />
      </span>
      <div class="saying">
        {hit && <span class="tag">evidence</span>}{' '}
        <strong>
          <Text value={verb} max={100} />
        </strong>{' '}
        <Text value={text} max={hit ? 600 : 160} marks={hit ? shown.marks : []} />
        <Badges moment={moment} shown={shown} />
        {open && <Whole moment={moment} marks={hit ? shown.marks : []} />}
      </div>
      <button type="button" class="slight" aria-expanded={open} aria-label={`Details of ${verb}`} onClick={() => setOpen(!open)}>
        {open ? 'Less' : 'Details'}
      </button>
    </li>
  )
}

const aroundMax = 12
/** Where there are many, those around the marked ones are enough at first. */
function near(moments: readonly Moment[], marked: ReadonlySet<string>): readonly Moment[] {
  if (moments.length <= 40 || marked.size === 0) return moments
  const hits = moments.flatMap(({ event }, index) => (marked.has(event['lapwing.event.id']) ? [index] : []))
  return moments.filter((_, index) => hits.some((hit) => Math.abs(hit - index) <= aroundMax))
}

export function Moments({ moments, alerts, marked = new Set(), marks = [], here }: MomentsProps) {
  const [all, showAll] = useState(false)
  const start = moments[0]?.event.time
  if (start === undefined) return <p class="empty">No event of this thread is kept.</p>
  const few = all ? moments : near(moments, marked)
  const shown: Shown = { start, alerts: new Map(alerts.map((alert) => [alert.alert_id, alert])), marked, marks, here }
  return (
    <>
      <ol class="moments">
        {few.map((moment) => (
          <One key={moment.event['lapwing.event.id']} moment={moment} shown={shown} />
        ))}
      </ol>
      {few.length < moments.length && (
        <button type="button" onClick={() => showAll(true)}>
          Show all {number(moments.length)} events
        </button>
      )}
    </>
  )
}
type MomentsProps = {
  moments: readonly Moment[]
  alerts: readonly ThreadAlert[]
  marked?: ReadonlySet<string>
  marks?: readonly string[]
  here?: string
}
