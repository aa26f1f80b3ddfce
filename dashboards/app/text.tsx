/** The only way outside text reaches the page: text nodes, isolated from the direction around them, with nothing invisible left in them. */
import type { ComponentChildren } from 'preact'
import type { Json } from './api.ts'
import { type Piece, piecesOf } from './pieces.ts'

const inlineMax = 400
const blockMax = 20_000

function Shown({ piece }: { piece: Piece }) {
  if (piece.unseen === undefined) return <>{piece.text}</>
  return (
    <span class={piece.unseen.startsWith('hidden:') ? 'unseen spelled' : 'unseen'} title="characters that cannot be seen">
      {piece.unseen}
    </span>
  )
}

function runsOf(pieces: readonly Piece[]): ComponentChildren {
  const runs: { marked: boolean; pieces: Piece[] }[] = []
  for (const piece of pieces) {
    const last = runs.at(-1)
    if (last?.marked === piece.marked) last.pieces.push(piece)
    else runs.push({ marked: piece.marked, pieces: [piece] })
  }
  return runs.map(({ marked, pieces: run }, index) => {
    const shown = run.map((piece, at) => <Shown key={at} piece={piece} />)
    return marked ? <mark key={index}>{shown}</mark> : <span key={index}>{shown}</span>
  })
}

/** `block`: line ends and tabs keep their meaning. Too long is cut, and says so. */
export function Text({ value, marks, block = false, max }: { value: string; marks?: readonly string[]; block?: boolean; max?: number }) {
  const most = max ?? (block ? blockMax : inlineMax)
  const kept = value.length > most ? value.slice(0, most).replace(/[\ud800-\udbff]$/, '') : value
  return (
    <bdi class={block ? 'text block' : 'text'}>
      {runsOf(piecesOf(kept, marks, block))}
      {value.length > most && (
        <span class="cut" title={`${(value.length - most).toLocaleString('en')} more characters`}>
          …{block && ` ${(value.length - most).toLocaleString('en')} more characters`}
        </span>
      )}
    </bdi>
  )
}

export const pretty = (value: unknown): string => (typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? ''))

/** JSON as text; it can be scrolled by keyboard. */
export function JsonText({ value, label, marks }: { value: Json | object | undefined; label: string; marks?: readonly string[] }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class="json" tabIndex={0} aria-label={label}>
      <Text value={pretty(value)} block {...(marks ? { marks } : {})} />
    </section>
  )
}
