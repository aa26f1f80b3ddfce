/** The inventory: servers, the tools they offer, and every definition each tool ever had. */
import { type Listed, type Server, type Tool, urlOf } from './api.ts'
import { DefinitionDiff, DefinitionText } from './definitions.tsx'
import { number } from './format.ts'
import { moveFocus, useKeys } from './keys.ts'
import { Card, Facts, Table, Time, Title, Waiting } from './parts.tsx'
import { href, route } from './route.ts'
import { Text } from './text.tsx'
import { useData } from './use-data.ts'

const serversMax = 500

/** A name the server gives itself proves nothing: its grade stands beside it. */
const Declared = ({ server }: { server: Server }) =>
  server.name === '' ? (
    <>–</>
  ) : (
    <>
      <Text value={`${server.name} ${server.version}`.trim()} max={80} /> <span class="quiet">({server.grade || 'declared'})</span>
    </>
  )

export function Servers() {
  const { value, problem } = useData<Listed<Server>>(urlOf(['servers'], { limit: serversMax }), 8_000)
  useKeys({ j: () => moveFocus('a.server-link', 1), k: () => moveFocus('a.server-link', -1) })
  const items = value?.items.toSorted((a, b) => b.alerts - a.alerts || b.events - a.events)
  return (
    <>
      <Title>Servers and tools</Title>
      {(items === undefined || problem) && <Waiting problem={problem} what="servers" />}
      {items?.length === 0 && <p class="empty">No server has been seen yet.</p>}
      {items !== undefined && items.length > 0 && (
        <Table
          label="Servers"
          head={[
            'Server',
            'Says that it is',
            'Transport',
            ['Actors', 'right'],
            ['Tools', 'right'],
            ['Calls', 'right'],
            ['Alerts', 'right'],
            'First seen',
            'Last seen',
          ]}
        >
          {items.map((server) => (
            <tr key={server.server_id}>
              <td>
                <a class="server-link" href={href(['servers', server.server_id])}>
                  <Text value={server.alias || server.server_id} max={80} />
                </a>
              </td>
              <td>
                <Declared server={server} />
              </td>
              <td>{server.transport || '–'}</td>
              <td class="numeric right">{number(server.actors)}</td>
              <td class="numeric right">{number(server.tools)}</td>
              <td class="numeric right">{number(server.calls)}</td>
              <td class="numeric right">{server.alerts === 0 ? '–' : <strong>{number(server.alerts)}</strong>}</td>
              <td class="numeric">
                <Time time={server.first_seen} />
              </td>
              <td class="numeric">
                <Time time={server.last_seen} />
              </td>
            </tr>
          ))}
        </Table>
      )}
      {value?.next_cursor && <p class="quiet">The first {number(serversMax)} servers are shown.</p>}
    </>
  )
}

function History({ tool }: { tool: Tool }) {
  const newestFirst = tool.history.toReversed()
  return (
    <>
      {newestFirst.map((version, index) => {
        const before = newestFirst[index + 1]
        return (
          <section class="version" key={version.definition_hash} aria-label={`Version ${tool.history.length - index}`}>
            <h3>
              Version {tool.history.length - index} <span class="quiet">from</span> <Time time={version.first_seen} />{' '}
              <span class="quiet">to</span> <Time time={version.last_seen} />
            </h3>
            {before === undefined ? (
              <DefinitionText definition={version.definition} marks={[]} />
            ) : (
              <DefinitionDiff before={before} after={version} />
            )}
          </section>
        )
      })}
    </>
  )
}

function ToolTable({ id, tools, chosen }: { id: string; tools: readonly Tool[]; chosen: string | undefined }) {
  return (
    <Table label="Tools" head={['Tool', ['Versions', 'right'], 'First seen', 'Last seen']}>
      {tools.map((tool) => (
        <tr key={tool.tool} class={tool.tool === chosen ? 'chosen' : ''}>
          <td>
            <a class="tool-link" href={href(['servers', id], { tool: tool.tool })} aria-current={tool.tool === chosen ? 'true' : undefined}>
              <Text value={tool.tool || '(no name)'} max={80} />
            </a>
          </td>
          <td class="numeric right">{tool.versions > 1 ? <strong class="changed">{tool.versions} – changed</strong> : tool.versions}</td>
          <td class="numeric">
            <Time time={tool.first_seen} />
          </td>
          <td class="numeric">
            <Time time={tool.last_seen} />
          </td>
        </tr>
      ))}
    </Table>
  )
}

export function ServerView({ id }: { id: string }) {
  const servers = useData<Listed<Server>>(urlOf(['queries', 'servers'], { server: id, limit: 1 }))
  const { value, problem } = useData<Listed<Tool>>(urlOf(['servers', id, 'tools']), 10_000)
  useKeys({ j: () => moveFocus('a.tool-link', 1), k: () => moveFocus('a.tool-link', -1) })
  const server = servers.value?.items[0]
  const tools = value?.items.toSorted((a, b) => b.versions - a.versions || (a.tool < b.tool ? -1 : 1))
  const wanted = route.value.query.get('tool')
  const chosen = tools?.find(({ tool }) => tool === wanted) ?? (wanted === undefined ? tools?.[0] : undefined)
  return (
    <>
      <Title back={{ to: href(['servers']), title: 'Servers and tools' }}>
        <Text value={server?.alias || id} max={100} />
      </Title>
      {server && (
        <Facts
          rows={[
            ['Says that it is', <Declared server={server} />],
            ['Transport', server.transport || '–'],
            ['Actors', number(server.actors)],
            ['Calls', number(server.calls)],
            ['Alerts', <a href={href(['alerts'], { server: server.server_id })}>{number(server.alerts)}</a>],
            ['Last seen', <Time time={server.last_seen} />],
            ['Key', <Text value={id} max={80} />],
          ]}
        />
      )}
      {tools === undefined ? (
        <Waiting problem={problem} what="server" />
      ) : (
        <div class="columns wide-side">
          <div class="main-column">
            <Card title="Definition history" id="definition-history" about={chosen ? undefined : 'Choose a tool.'}>
              {chosen && (
                <>
                  <p class="sentence">
                    <Text value={chosen.tool} max={120} />
                  </p>
                  <History tool={chosen} />
                </>
              )}
              {tools.length === 0 && <p class="empty">It has not listed any tool while we watched.</p>}
            </Card>
          </div>
          <div class="side">
            <Card title="Tools">{tools.length > 0 && <ToolTable id={id} tools={tools} chosen={chosen?.tool} />}</Card>
          </div>
        </div>
      )}
    </>
  )
}
