/** Small pieces every view is made of. */
import type { ComponentChildren } from 'preact'
import type { Severity } from '../../schemas/alert.ts'
import type { Problem } from './api.ts'
import { ago, instant } from './format.ts'
import { href } from './route.ts'
import { Text } from './text.tsx'

export const severities: readonly Severity[] = ['critical', 'high', 'medium', 'low', 'informational']

export const SeverityChip = ({ severity }: { severity: Severity }) => <span class={`severity ${severity}`}>{severity}</span>

export const Time = ({ time, relative = false }: { time: string; relative?: boolean }) => (
  <time dateTime={time} title={`${instant(time)} UTC, ${ago(time)}`} class="numeric">
    {relative ? ago(time) : instant(time)}
  </time>
)

/** What stands where data will be, where it could not be had, or where there is none. */
export function Waiting({ problem, what }: { problem?: Problem | undefined; what: string }) {
  if (problem === undefined) return <p class="quiet">Loading {what} …</p>
  return (
    <p class="problem" role="alert">
      {problem.status === 404 ? `There is no such ${what}.` : `Could not load ${what}: ${problem.detail}`}
    </p>
  )
}

export function Card({ title, about, children, aside, id }: CardProps) {
  const heading = id ?? title.toLowerCase().replace(/\W+/g, '-')
  return (
    <section class="card" aria-labelledby={heading}>
      <header>
        <h2 id={heading}>{title}</h2>
        {aside}
      </header>
      {about !== undefined && <p class="about">{about}</p>}
      {children}
    </section>
  )
}
type CardProps = { title: string; about?: string | undefined; id?: string; aside?: ComponentChildren; children: ComponentChildren }

/** A server by its name in the host’s configuration, else by its id. */
export const ServerName = ({ id, alias }: { id: string; alias: string }) =>
  id === '' && alias === '' ? (
    <>–</>
  ) : (
    <a href={href(['servers', id])}>
      <Text value={alias || id} max={60} />
    </a>
  )

export function Facts({ rows }: { rows: readonly (readonly [string, ComponentChildren] | undefined)[] }) {
  return (
    <dl class="facts">
      {rows.map(
        (row) =>
          row && (
            <div key={row[0]}>
              <dt>{row[0]}</dt>
              <dd>{row[1]}</dd>
            </div>
          ),
      )}
    </dl>
  )
}

/** A table that scrolls by itself where the window is narrow; reachable by keyboard. */
export function Table({
  label,
  head,
  children,
}: {
  label: string
  head: readonly (string | readonly [string, string])[]
  children: ComponentChildren
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="scroll" aria-label={`Table: ${label}`} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((title) =>
              typeof title === 'string' ? (
                <th key={title} scope="col">
                  {title}
                </th>
              ) : (
                <th key={title[0]} scope="col" class={title[1]}>
                  {title[0]}
                </th>
              ),
            )}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </section>
  )
}

export const Title = ({
  children,
  aside,
  back,
}: {
  children: ComponentChildren
  aside?: ComponentChildren
  back?: { to: string; title: string }
}) => (
  <div class="title">
    {back && (
      <a class="back" href={back.to}>
        ← {back.title}
      </a>
    )}
    <div class="row">
      <h1 tabIndex={-1}>{children}</h1>
      {aside}
    </div>
  </div>
)
