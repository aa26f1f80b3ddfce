/** What proves an alert: the facts of its rule, the text they stand in, and the definitions that play a part. */
import type { Evidence } from '../../schemas/alert.ts'
import { type Definition, type Json, type Listed, type ThreadAlert, urlOf, type WholeAlert } from './api.ts'
import { DefinitionDiff, DefinitionText } from './definitions.tsx'
import { textAt } from './event-text.ts'
import { words } from './format.ts'
import { Card, Facts, SeverityChip } from './parts.tsx'
import { href } from './route.ts'
import { Text } from './text.tsx'
import { useData } from './use-data.ts'

/** Shown where the way from source to sink is drawn. */
const inTaint = new Set(['sourceServer', 'sourceTool', 'sinkServer', 'sinkTool', 'destination', 'transform', 'content', 'reason'])
/** Shown elsewhere on the page, or of no use to a reader. */
const elsewhere = new Set(['beforeHash', 'afterHash', 'definition', 'sourceEvent', 'sinkEvent', 'pointer', 'server', 'tool'])
const listed = (value: Evidence[string] | undefined): string[] => (Array.isArray(value) ? value : typeof value === 'string' ? [value] : [])

/** Texts the rule quotes: they are marked wherever they occur. `kind: text` quotes the text. */
export function marksOf(evidence: Evidence): string[] {
  const quoted = [...listed(evidence.excerpt), ...listed(evidence.excerpts).map((text) => text.replace(/^[\w-]{1,40}: /, ''))]
  const values = ['path', 'url', 'match', 'matched', 'destination'].flatMap((name) => listed(evidence[name]))
  return [...new Set([...quoted, ...values])].filter((text) => text.trim().length > 2)
}

/** The text at the evidence’s pointer, in the newest event of the alert that has it. */
function Quoted({ alert, marks }: { alert: WholeAlert; marks: readonly string[] }) {
  const pointer = alert.evidence.pointer
  if (typeof pointer !== 'string') return null
  const text = alert.event_list
    .toReversed()
    .map((event) => textAt(event, pointer))
    .find((found) => found !== undefined)
  if (text === undefined) return null
  return (
    <figure class="quoted">
      <figcaption>
        Text at{' '}
        <code>
          <Text value={pointer} max={160} />
        </code>
      </figcaption>
      <blockquote>
        <Text value={text} block marks={marks} max={6_000} />
      </blockquote>
    </figure>
  )
}

export function EvidenceCard({ alert }: { alert: WholeAlert }) {
  const marks = marksOf(alert.evidence)
  const rows = Object.entries(alert.evidence).filter(([name]) => !elsewhere.has(name) && !(alert.taint_path && inTaint.has(name)))
  return (
    <Card title="Evidence">
      <Facts
        rows={rows.map(([name, value]) => [
          words(name),
          Array.isArray(value) ? (
            <ul class="plain">
              {value.slice(0, 50).map((one, index) => (
                <li key={index}>
                  <Text value={one} />
                </li>
              ))}
            </ul>
          ) : (
            <Text value={String(value)} max={1_000} />
          ),
        ])}
      />
      <Quoted alert={alert} marks={marks} />
    </Card>
  )
}

type Row = Readonly<{ server_key: string; tool_name: string; definition_hash: string; definition: string; first_seen: string }>
const isHash = (value: unknown): value is string => typeof value === 'string' && /^[0-9a-f]{16,64}$/.test(value)

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch {
    return text
  }
}

/** The definition an alert speaks of by its hash. */
function OneDefinition({ hash, marks, tool }: { hash: string; marks: readonly string[]; tool?: string }) {
  const { value, problem } = useData<Listed<Row>>(urlOf(['queries', 'definitions-by-hash'], { hashes: hash }))
  const row = value?.items[0]
  if (value !== undefined && row === undefined) return <p class="quiet">The definition is not kept.</p>
  if (row === undefined) return problem ? <p class="problem">{problem.detail}</p> : null
  return (
    <>
      <p>
        <a href={href(['servers', row.server_key], { tool: row.tool_name })}>
          All versions of <Text value={tool || row.tool_name} max={80} />
        </a>
      </p>
      <DefinitionText definition={parsed(row.definition)} marks={marks} />
    </>
  )
}

/** A related alert that is about a definition, with that definition: what made the agent do it. */
function RelatedDefinition({ id }: { id: string }) {
  const { value: alert } = useData<WholeAlert>(urlOf(['alerts', id]))
  if (alert === undefined) return null
  const { definition } = alert.evidence
  const diff: { before: Definition | null; after: Definition | null } | undefined = alert.definition_diff
  return (
    <div class="related-definition">
      <p>
        <SeverityChip severity={alert.severity} />{' '}
        <a href={href(['alerts', id])}>
          <Text value={alert.summary} max={200} />
        </a>
      </p>
      {diff && (diff.before || diff.after) ? (
        <DefinitionDiff {...diff} />
      ) : isHash(definition) ? (
        <OneDefinition hash={definition} marks={marksOf(alert.evidence)} />
      ) : (
        <Quoted alert={alert} marks={marksOf(alert.evidence)} />
      )}
    </div>
  )
}

const aboutDefinitions = /^(definition|cross-server|tool)-/
const relatedMax = 4
/** First those that show a definition whole. */
const foremost = (alerts: readonly ThreadAlert[]): ThreadAlert[] =>
  alerts
    .filter(({ detector }) => aboutDefinitions.test(detector))
    .toSorted((a, b) => Number(b.detector.startsWith('definition-')) - Number(a.detector.startsWith('definition-')))

export function Poisoned({ alert, related }: { alert: WholeAlert; related: readonly ThreadAlert[] }) {
  const { definition } = alert.evidence
  const own = isHash(definition) && alert.definition_diff === undefined ? definition : undefined
  const others = aboutDefinitions.test(alert.detector) ? [] : foremost(related).slice(0, relatedMax)
  if (own === undefined && others.length === 0) return null
  return (
    <>
      {own !== undefined && (
        <Card title="The definition" about="As the server offered it. What gives orders is marked; what cannot be seen is spelled out.">
          <OneDefinition hash={own} marks={marksOf(alert.evidence)} tool={alert.tool_name} />
        </Card>
      )}
      {others.length > 0 && (
        <Card title="Definitions in play" about="What other alerts of this thread say of the tools that were offered before.">
          {others.map(({ alert_id }) => (
            <RelatedDefinition key={alert_id} id={alert_id} />
          ))}
        </Card>
      )}
    </>
  )
}
