/** Whether we would notice: how far behind each part is, who sends, what is owed to outputs, what could not be taken. */
import { useState } from 'preact/hooks'
import type { Severity } from '../../schemas/alert.ts'
import { type Json, type Listed, type Problem, post, type Source, urlOf } from './api.ts'
import { number, words } from './format.ts'
import { Card, Facts, SeverityChip, Table, Time, Title, Waiting } from './parts.tsx'
import { href } from './route.ts'
import { Text } from './text.tsx'
import { useData } from './use-data.ts'

type Tree = { [key: string]: Json }
const isTree = (value: Json): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value)
const leaf = (value: Json) =>
  typeof value === 'number' ? (
    <span class="numeric">{number(value)}</span>
  ) : (
    <Text value={typeof value === 'string' ? value : JSON.stringify(value)} max={200} />
  )

/** Numbers deeper down keep the way to them in their name. */
function leavesOf(tree: Tree, path: string, depthMax: number): [string, Json][] {
  return Object.entries(tree).flatMap(([name, value]): [string, Json][] => {
    const title = path === '' ? words(name) : `${path} · ${words(name)}`
    return isTree(value) && depthMax > 0 ? leavesOf(value, title, depthMax - 1) : [[title, value]]
  })
}

function Groups({ health }: { health: Tree }) {
  const groups = Object.entries(health).filter((pair): pair is [string, Tree] => isTree(pair[1]) && pair[0] !== 'connect')
  const loose = Object.entries(health).filter(([, value]) => !isTree(value))
  return (
    <>
      {loose.length > 0 && <Facts rows={loose.map(([name, value]) => [words(name), leaf(value)])} />}
      <div class="panels">
        {groups.map(([name, tree]) => (
          <div class="panel" key={name}>
            <Card title={words(name)} id={`health-${name}`}>
              <dl class="facts tall">
                {leavesOf(tree, '', 3)
                  .slice(0, 60)
                  .map(([title, value]) => (
                    <div key={title}>
                      <dt>{title}</dt>
                      <dd>{leaf(value)}</dd>
                    </div>
                  ))}
              </dl>
            </Card>
          </div>
        ))}
      </div>
    </>
  )
}

type Output = Readonly<{
  name: string
  severity: Severity
  pending: number
  delivered: number
  dead: number
  failures: number
  overflowed: number
  dead_letters: { alert_id: string; severity: Severity; reason: string; attempts: number; at: string }[]
}>

function Outputs() {
  const { value, again } = useData<Listed<Output>>(urlOf(['outputs']), 5_000)
  const [said, say] = useState('')
  const replay = (name: string) =>
    post<{ replayed: number }>(['outputs', name, 'replay']).then(
      ({ replayed }) => {
        say(`${number(replayed)} sent again`)
        again()
      },
      ({ detail }: Problem) => say(detail),
    )
  if (value === undefined) return null
  return (
    <Card title="Outputs" about="Every alert is offered to each output until it is taken; what was refused waits here.">
      <p role="status" class="quiet">
        {said}
      </p>
      {value.items.length === 0 && <p class="empty">No output is configured.</p>}
      {value.items.map((output) => (
        <section key={output.name} aria-label={output.name}>
          <Facts
            rows={[
              ['Output', <strong>{output.name}</strong>],
              ['From', <SeverityChip severity={output.severity} />],
              ['Waiting', number(output.pending)],
              ['Delivered', number(output.delivered)],
              ['Refused', number(output.dead)],
              ['Failed tries', number(output.failures)],
            ]}
          />
          {output.dead > 0 && (
            <>
              <button type="button" onClick={() => void replay(output.name)}>
                Send {number(output.dead)} again
              </button>
              <Table label={`Refused by ${output.name}`} head={['Alert', 'Severity', 'Reason', ['Tries', 'right'], 'At']}>
                {output.dead_letters.map((letter) => (
                  <tr key={letter.alert_id}>
                    <td>
                      <a href={href(['alerts', letter.alert_id])}>{letter.alert_id.slice(0, 12)}</a>
                    </td>
                    <td>
                      <SeverityChip severity={letter.severity} />
                    </td>
                    <td>
                      <Text value={letter.reason} max={200} />
                    </td>
                    <td class="numeric right">{number(letter.attempts)}</td>
                    <td>
                      <Time time={letter.at} />
                    </td>
                  </tr>
                ))}
              </Table>
            </>
          )}
        </section>
      ))}
    </Card>
  )
}

function Sources() {
  const { value } = useData<Listed<Source>>(urlOf(['sources']), 5_000)
  if (value === undefined) return null
  return (
    <Card title="Sources" about="Who sends, from which side, and how much content they let us see. What is not sent cannot be judged.">
      {value.items.length === 0 ? (
        <p class="empty">
          Nobody has sent anything. <a href={href(['connect'])}>Connect a source</a>
        </p>
      ) : (
        <Table label="Sources" head={['Source', 'Dialect', 'Vantage', 'Content', ['Events', 'right'], 'First', 'Newest']}>
          {value.items.map((row) => (
            <tr key={`${row.source} ${row.dialect} ${row.vantage} ${row.content_level}`}>
              <td>
                <Text value={row.source} max={80} />
              </td>
              <td>
                <Text value={row.dialect} max={60} />
              </td>
              <td>{row.vantage}</td>
              <td>{row.content_level}</td>
              <td class="numeric right">{number(row.events)}</td>
              <td class="numeric">
                <Time time={row.first_seen} />
              </td>
              <td class="numeric">
                <Time time={row.last_seen} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  )
}

type Letter = Readonly<{ topic: string; reason: string; letters: number; newest: string }>
function DeadLetters() {
  const { value } = useData<Listed<Letter>>(urlOf(['queries', 'dead-letters']), 10_000)
  if (value === undefined) return null
  return (
    <Card title="Dead letters" about="What no stage could take: kept whole and sealed, with the reason.">
      {value.items.length === 0 ? (
        <p class="empty">None.</p>
      ) : (
        <Table label="Dead letters" head={['Topic', 'Reason', ['Records', 'right'], 'Newest']}>
          {value.items.map((row) => (
            <tr key={`${row.topic} ${row.reason}`}>
              <td>{row.topic}</td>
              <td>
                <Text value={row.reason} max={120} />
              </td>
              <td class="numeric right">{number(row.letters)}</td>
              <td class="numeric">
                <Time time={row.newest} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </Card>
  )
}

export function Health() {
  const { value, problem } = useData<Tree>(urlOf(['health']), 2_000)
  return (
    <>
      <Title>Pipeline health</Title>
      {problem && <Waiting problem={problem} what="health" />}
      {value && <Groups health={value} />}
      <Sources />
      <Outputs />
      <DeadLetters />
    </>
  )
}
