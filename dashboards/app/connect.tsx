/** First run: one snippet per kind of source; each turns green when its first event arrives. */
import { useState } from 'preact/hooks'
import { type Json, type Listed, urlOf } from './api.ts'
import { number } from './format.ts'
import { Time, Title } from './parts.tsx'
import { href } from './route.ts'
import { type Connection, type Snippet, snippetsOf, unknownWays, type Ways } from './snippets.ts'
import { Text } from './text.tsx'
import { useData } from './use-data.ts'

/** `/v1/health` may say how this Lapwing was started: absolute paths can then be pasted as they are. */
function waysOf(health: { [key: string]: Json } | undefined): Ways | undefined {
  const said = health?.connect
  if (typeof said !== 'object' || said === null || Array.isArray(said)) return undefined
  const { command, otlp_http: otlpHttp } = said
  const parts = Array.isArray(command) ? command.filter((part) => typeof part === 'string') : []
  return {
    command: parts.length > 0 ? parts : unknownWays.command,
    otlpHttp: typeof otlpHttp === 'string' ? otlpHttp : unknownWays.otlpHttp,
  }
}

function Copy({ text, title }: { text: string; title: string }) {
  const [said, say] = useState('')
  const copy = () => {
    navigator.clipboard.writeText(text).then(
      () => say('Copied'),
      () => say('Select it and copy by hand'),
    )
  }
  return (
    <div class="row">
      <button type="button" onClick={copy} aria-label={`Copy: ${title}`}>
        Copy
      </button>
      <span role="status" class="quiet">
        {said}
      </span>
    </div>
  )
}

function One({ snippet, connections }: { snippet: Snippet; connections: readonly Connection[] }) {
  const ours = connections.filter(snippet.came)
  const [newest] = ours
  const events = ours.reduce((sum, { events }) => sum + events, 0)
  return (
    <section class={`card snippet ${newest ? 'arrived' : ''}`} aria-labelledby={`connect-${snippet.id}`}>
      <header>
        <h2 id={`connect-${snippet.id}`}>{snippet.title}</h2>
        <span class={newest ? 'ability able' : 'ability never-seen'} role="status">
          {newest ? 'Connected' : 'Waiting for the first event'}
        </span>
      </header>
      <p class="about">{snippet.about}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
      <section class="json" tabIndex={0} aria-label={`To paste: ${snippet.title}`}>
        {snippet.text}
      </section>
      <Copy text={snippet.text} title={snippet.title} />
      <p class="quiet">{snippet.after}</p>
      {newest && (
        <p>
          {number(events)} events, the newest at <Time time={newest.newest} /> from <Text value={newest.source} max={80} />.{' '}
          <a href={href(['alerts'])}>To the alerts</a>
        </p>
      )}
    </section>
  )
}

export function Connect() {
  const health = useData<{ [key: string]: Json }>(urlOf(['health']))
  const { value } = useData<Listed<Connection>>(urlOf(['queries', 'connections']), 2_000)
  const ways = waysOf(health.value)
  const connections = value?.items ?? []
  return (
    <>
      <Title>Connect a source</Title>
      <p class="about">
        {connections.length === 0
          ? 'Nothing has arrived yet. Take the way that fits what you have; each turns green with its first event.'
          : 'Each way turns green with its first event.'}
      </p>
      {ways === undefined && health.value !== undefined && (
        <p class="quiet">Replace /path/to/… by the paths of the Node binary and of Lapwing’s main.ts.</p>
      )}
      <div class="snippets">
        {snippetsOf(ways ?? unknownWays).map((snippet) => (
          <One key={snippet.id} snippet={snippet} connections={connections} />
        ))}
      </div>
    </>
  )
}
