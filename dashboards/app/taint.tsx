/** The way of content from where it was read to where it was given away, drawn. */
import type { Evidence } from '../../schemas/alert.ts'
import type { McpEvent } from './api.ts'
import { sayingOf, serverOf, toolOf } from './event-text.ts'
import { Time } from './parts.tsx'
import { Text } from './text.tsx'

export type End = McpEvent & { role: 'source' | 'sink' }

function Box({ end, marks }: { end: End; marks: readonly string[] }) {
  const { text } = sayingOf(end)
  return (
    <li class={`end ${end.role}`}>
      <span class="tag">{end.role}</span>{' '}
      <strong>
        <Text value={serverOf(end)} max={60} />
        {toolOf(end) && (
          <>
            {' · '}
            <Text value={toolOf(end)} max={60} />
          </>
        )}
      </strong>
      <div class="quiet">
        <Time time={end.time} />
      </div>
      <p>
        <Text value={text} max={400} marks={marks} />
      </p>
    </li>
  )
}

/** What the evidence says of the way itself, where the rule says it. */
const aboutTheWay = ['content', 'transform', 'destination', 'reason', 'coverage', 'bytes', 'secretKinds'] as const

function Way({ evidence }: { evidence: Evidence }) {
  const facts = aboutTheWay.flatMap((name) => (evidence[name] === undefined ? [] : [[name, evidence[name]] as const]))
  return (
    <div class="way">
      <svg viewBox="0 0 120 24" aria-hidden="true" class="arrow-line">
        <line x1="2" y1="12" x2="108" y2="12" />
        <path d="M104 5 L118 12 L104 19 Z" />
      </svg>
      {facts.map(([name, value]) => (
        <span key={name}>
          {name}{' '}
          <strong>
            <Text value={Array.isArray(value) ? value.join(', ') : String(value)} max={120} />
          </strong>
        </span>
      ))}
    </div>
  )
}

export function TaintPath({ ends, evidence, marks }: { ends: readonly End[]; evidence: Evidence; marks: readonly string[] }) {
  const [sources, sinks] = [ends.filter(({ role }) => role === 'source'), ends.filter(({ role }) => role === 'sink')]
  const side = (side: readonly End[], title: string) => (
    <ol class="ends" aria-label={title}>
      {side.map((end) => (
        <Box key={end['lapwing.event.id']} end={end} marks={marks} />
      ))}
    </ol>
  )
  return (
    <div class="taint">
      {side(sources, 'Where it came from')}
      <Way evidence={evidence} />
      {side(sinks, 'Where it went')}
    </div>
  )
}
