/** One alert: what happened, what proves it, what to do. */
import { useState } from 'preact/hooks'
import { toolNamed } from './alerts.tsx'
import { type Alert, type Problem, post, type ThreadAlert, type Timeline, urlOf, type WholeAlert } from './api.ts'
import { DefinitionDiff } from './definitions.tsx'
import { EvidenceCard, marksOf, Poisoned } from './evidence.tsx'
import { number } from './format.ts'
import { addressOf, frameworks, nameOf } from './frameworks.ts'
import { useKeys } from './keys.ts'
import { Moments } from './moments.tsx'
import { Card, Facts, ServerName, SeverityChip, Time, Title, Waiting } from './parts.tsx'
import { href } from './route.ts'
import { type End, TaintPath } from './taint.tsx'
import { JsonText, Text } from './text.tsx'
import { type Data, useData } from './use-data.ts'

function Acknowledge({ alert, again }: { alert: Alert; again: () => void }) {
  const [problem, say] = useState('')
  const act = () => {
    if (alert.status !== 'new') return
    post(['alerts', alert.alert_id, 'acknowledge']).then(again, ({ detail }: Problem) => say(detail))
  }
  useKeys({ a: act })
  if (alert.status === 'acknowledged') {
    return (
      <p class="done">
        Acknowledged by <Text value={alert.acknowledged_by ?? 'somebody'} max={60} />
        {alert.acknowledged_at && (
          <>
            {' '}
            at <Time time={alert.acknowledged_at} />
          </>
        )}
      </p>
    )
  }
  return (
    <div>
      <button type="button" class="primary" onClick={act}>
        Acknowledge
      </button>
      {problem && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
    </div>
  )
}

function Playbook({ steps }: { steps: readonly string[] }) {
  return (
    <Card title="What to do">
      <ol class="steps">
        {steps.map((step) => (
          <li key={step}>
            <Text value={step} max={2_000} />
          </li>
        ))}
      </ol>
      {steps.length === 0 && <p class="empty">This detector has no playbook here.</p>}
    </Card>
  )
}

export function Mappings({ maps }: { maps: Alert['maps'] }) {
  return (
    <dl class="maps">
      {(Object.keys(frameworks) as (keyof typeof frameworks)[]).map(
        (framework) =>
          maps[framework].length > 0 && (
            <div key={framework}>
              <dt>{frameworks[framework]}</dt>
              <dd>
                <ul class="chips">
                  {maps[framework].map((id) => (
                    <li key={id} title={addressOf(framework, id)}>
                      <code>{id}</code> {nameOf(id)}
                    </li>
                  ))}
                </ul>
              </dd>
            </div>
          ),
      )}
    </dl>
  )
}

function Related({ alerts }: { alerts: readonly ThreadAlert[] }) {
  if (alerts.length === 0) return null
  return (
    <Card title="In the same thread">
      <ul class="plain">
        {alerts.map((alert) => (
          <li key={alert.alert_id}>
            <SeverityChip severity={alert.severity} />{' '}
            <a href={href(['alerts', alert.alert_id])}>
              <Text value={alert.title} max={100} />
            </a>
            <div class="quiet">
              <Text value={alert.summary} max={160} />
            </div>
          </li>
        ))}
      </ul>
    </Card>
  )
}

function Head({ alert }: { alert: WholeAlert }) {
  return (
    <>
      <p class="sentence">
        <Text value={alert.summary} max={600} />
      </p>
      <Facts
        rows={[
          ['Severity', <SeverityChip severity={alert.severity} />],
          ['When', <Time time={alert.time} />],
          [
            'Actor',
            <a href={href(['alerts'], { actor: alert.actor })}>
              <Text value={alert.actor} max={80} />
            </a>,
          ],
          ['Server', <ServerName id={alert.server_key} alias={alert.server_alias} />],
          toolNamed(alert) === ''
            ? undefined
            : [
                'Tool',
                <a href={href(['servers', alert.server_key], { tool: toolNamed(alert) })}>
                  <Text value={toolNamed(alert)} max={80} />
                </a>,
              ],
          ['Detector', <a href={href(['detectors', alert.detector])}>{alert.detector}</a>],
          ['Confidence', `${Math.round(alert.confidence * 100)} %`],
          [
            'Count',
            <span>
              {number(alert.hits)}
              {alert.hits > 1 && (
                <>
                  , last <Time time={alert.last_hit} />
                </>
              )}
            </span>,
          ],
        ]}
      />
    </>
  )
}

function Side({ alert, related }: { alert: WholeAlert; related: readonly ThreadAlert[] }) {
  return (
    <div class="side">
      <Playbook steps={alert.playbook} />
      <Related alerts={related} />
      <Card title="Maps to">
        <Mappings maps={alert.maps} />
      </Card>
      {alert.history.length > 0 && (
        <Card title="History">
          <ul class="plain">
            {alert.history.map(({ time, who, what, comment }) => (
              <li key={`${time} ${who}`}>
                <Time time={time} /> <Text value={what} /> by <Text value={who} max={80} />
                {comment && (
                  <p>
                    <Text value={comment} block max={2_000} />
                  </p>
                )}
              </li>
            ))}
          </ul>
        </Card>
      )}
    </div>
  )
}

function TimelineCard({ alert, thread }: { alert: WholeAlert; thread: Data<Timeline> }) {
  const { value: timeline, problem } = thread
  const marked = new Set([...alert.events, alert.event_id])
  const alone = alert.event_list.map((event) => ({ event, link: { reason: 'this alert', confidence: 1 }, alerts: [], signals: [] }))
  const waiting = alert.thread_id !== '' && timeline === undefined && problem === undefined
  return (
    <Card
      title="Thread timeline"
      about="The events of the alert are marked."
      aside={alert.thread_id !== '' && timeline && <a href={href(['threads', alert.thread_id])}>Whole thread</a>}
    >
      {waiting ? (
        <Waiting what="thread" />
      ) : (
        <Moments
          moments={timeline?.items ?? alone}
          alerts={timeline?.alerts ?? []}
          marked={marked}
          marks={marksOf(alert.evidence)}
          here={alert.alert_id}
        />
      )}
    </Card>
  )
}

/** A finding that names only its source was completed at its sink. */
function endsOf(alert: WholeAlert, path: readonly End[]): readonly End[] {
  if (path.some(({ role }) => role === 'sink')) return path
  const last = alert.event_list.find((event) => event['lapwing.event.id'] === alert.event_id)
  return last === undefined ? path : [...path, { ...last, role: 'sink' }]
}

export function AlertView({ id }: { id: string }) {
  const { value: alert, problem, again } = useData<WholeAlert>(urlOf(['alerts', id]), 10_000)
  const thread = useData<Timeline>(alert?.thread_id ? urlOf(['threads', alert.thread_id], { limit: 1_000 }) : undefined)
  const back = { to: href(['alerts']), title: 'Alerts' }
  if (alert === undefined) {
    return (
      <>
        <Title back={back}>Alert</Title>
        <Waiting problem={problem} what="alert" />
      </>
    )
  }
  const related = (thread.value?.alerts ?? []).filter(({ alert_id }) => alert_id !== id)
  const marks = marksOf(alert.evidence)
  return (
    <>
      <Title back={back} aside={<Acknowledge alert={alert} again={again} />}>
        <Text value={alert.title} max={200} />
      </Title>
      <Head alert={alert} />
      <div class="columns">
        <div class="main-column">
          {alert.taint_path && (
            <Card title="From source to sink">
              <TaintPath ends={endsOf(alert, alert.taint_path)} evidence={alert.evidence} marks={marks} />
            </Card>
          )}
          {alert.definition_diff && (
            <Card title="What changed in the definition">
              <DefinitionDiff {...alert.definition_diff} />
            </Card>
          )}
          <Poisoned alert={alert} related={related} />
          <EvidenceCard alert={alert} />
          <TimelineCard alert={alert} thread={thread} />
          <Card title="Raw">
            <details>
              <summary>The alert as JSON</summary>
              <JsonText value={alert} label="The alert as JSON" />
            </details>
          </Card>
        </div>
        <Side alert={alert} related={related} />
      </div>
    </>
  )
}
