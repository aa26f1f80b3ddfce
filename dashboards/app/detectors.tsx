/** The catalogue: why each detector is there, what it cannot see, how it was proved, and whether it can fire here. */
import { Mappings } from './alert.tsx'
import { type Detector, type Listed, urlOf } from './api.ts'
import { number } from './format.ts'
import { moveFocus, useKeys } from './keys.ts'
import { best, type Coverage, type Entry, ledgerOf } from './ledger.ts'
import { Card, Facts, SeverityChip, severities, Table, Title, Waiting } from './parts.tsx'
import { href, route } from './route.ts'
import { Text } from './text.tsx'
import { useData } from './use-data.ts'

const Able = ({ ability }: Pick<Entry, 'ability'>) => <span class={`ability ${ability.replace(' ', '-')}`}>{ability}</span>

function One({ detector, entries }: { detector: Detector; entries: readonly Entry[] }) {
  return (
    <>
      <p class="sentence">{detector.why}</p>
      <Facts
        rows={[
          ['Severity', <SeverityChip severity={detector.severity} />],
          ['State', detector.state],
          ['Version', detector.version],
          ['Scope', detector.scope],
          ['Proved by', `${detector.examples.fire} stories that must fire, ${detector.examples.quiet} that must not`],
          ['Alerts', <a href={href(['alerts'], { detector: detector.id })}>show</a>],
        ]}
      />
      <Card title="Can it fire?" about="From the newest events of each source.">
        {entries.length === 0 ? (
          <p class="empty">Nothing has arrived yet.</p>
        ) : (
          <Table label="Can it fire, per source" head={['Source', 'Dialect', 'Answer', 'Why']}>
            {entries.map((entry) => (
              <tr key={`${entry.source} ${entry.dialect}`}>
                <td>
                  <Text value={entry.source} max={60} />
                </td>
                <td>
                  <Text value={entry.dialect} max={60} />
                </td>
                <td>
                  <Able ability={entry.ability} />
                </td>
                <td>{entry.why}</td>
              </tr>
            ))}
          </Table>
        )}
        <p class="quiet">Needs {detector.needs.join(', ')}</p>
      </Card>
      <Card title="What it cannot see">
        <ul>
          {detector.blind_spots.map((spot) => (
            <li key={spot}>{spot}</li>
          ))}
        </ul>
      </Card>
      <Card title="Playbook">
        <ol class="steps">
          {detector.playbook.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
      </Card>
      <Card title="Maps to">
        <Mappings maps={detector.maps} />
      </Card>
    </>
  )
}

export function Detectors() {
  const { value, problem } = useData<Listed<Detector>>(urlOf(['detectors']))
  const coverage = useData<Listed<Coverage>>(urlOf(['queries', 'field-coverage']), 60_000)
  useKeys({ j: () => moveFocus('a.detector-link', 1), k: () => moveFocus('a.detector-link', -1) })
  const rows = coverage.value?.items ?? []
  const items = value?.items.toSorted((a, b) => severities.indexOf(a.severity) - severities.indexOf(b.severity) || (a.id < b.id ? -1 : 1))
  const id = route.value.path[1]
  const chosen = items?.find((detector) => detector.id === id)
  if (items === undefined) {
    return (
      <>
        <Title>Detectors</Title>
        <Waiting problem={problem} what="detectors" />
      </>
    )
  }
  if (id !== undefined) {
    return (
      <>
        <Title back={{ to: href(['detectors']), title: 'Detectors' }}>{chosen?.title ?? 'There is no such detector'}</Title>
        {chosen && <One detector={chosen} entries={ledgerOf(chosen, rows)} />}
      </>
    )
  }
  return (
    <>
      <Title>Detectors</Title>
      <p class="about">{number(items.length)} rules. “Can fire” is the best that any connected source allows.</p>
      <Table label="Detectors" head={['Severity', 'Detector', 'Family', 'State', 'Can fire', ['Fires', 'right'], ['Quiet', 'right']]}>
        {items.map((detector) => (
          <tr key={detector.id}>
            <td>
              <SeverityChip severity={detector.severity} />
            </td>
            <td class="what">
              <a class="detector-link" href={href(['detectors', detector.id])}>
                {detector.title}
              </a>
              <div class="quiet">{detector.id}</div>
            </td>
            <td>{detector.family}</td>
            <td>{detector.state}</td>
            <td>
              <Able ability={best(ledgerOf(detector, rows))} />
            </td>
            <td class="numeric right">{detector.examples.fire}</td>
            <td class="numeric right">{detector.examples.quiet}</td>
          </tr>
        ))}
      </Table>
    </>
  )
}
