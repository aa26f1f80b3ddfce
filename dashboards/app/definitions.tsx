/** Tool definitions: one as it stands with its marks, or two against each other, word by word. */
import type { Definition, Json } from './api.ts'
import { diffWords } from './diff.ts'
import { Facts, Time } from './parts.tsx'
import { pretty, Text } from './text.tsx'

type Fields = ReadonlyMap<string, string>
const known = ['name', 'title', 'description', 'inputSchema', 'outputSchema', 'annotations']

/** Member → text: strings as they are, anything else as JSON; what a reader wants first comes first. */
function fieldsOf(definition: Json | undefined): Fields {
  if (definition === undefined || definition === null) return new Map()
  if (typeof definition !== 'object' || Array.isArray(definition)) return new Map([['definition', pretty(definition)]])
  const order = (key: string) => (known.includes(key) ? known.indexOf(key) : known.length)
  return new Map(
    Object.entries(definition)
      .toSorted(([a], [b]) => order(a) - order(b))
      .map(([key, value]) => [key, pretty(value)]),
  )
}

export function DefinitionText({ definition, marks }: { definition: Json; marks: readonly string[] }) {
  return (
    <dl class="definition">
      {[...fieldsOf(definition)].map(([name, text]) => (
        <div key={name}>
          <dt>
            <Text value={name} max={80} />
          </dt>
          <dd>
            <Text value={text} block marks={marks} />
          </dd>
        </div>
      ))}
    </dl>
  )
}

function FieldDiff({ before, after }: { before: string; after: string }) {
  return (
    <>
      {diffWords(before, after).map(({ kind, text }, index) => {
        const shown = <Text value={text} block />
        if (kind === 'gone')
          return (
            <del key={index}>
              <span class="unheard">removed: </span>
              {shown}
            </del>
          )
        if (kind === 'new')
          return (
            <ins key={index}>
              <span class="unheard">added: </span>
              {shown}
            </ins>
          )
        return <span key={index}>{shown}</span>
      })}
    </>
  )
}

/** Only what changed is spread out; what did not is named. */
export function DefinitionDiff({ before, after }: { before: Definition | null; after: Definition | null }) {
  const [old, now] = [fieldsOf(before?.definition), fieldsOf(after?.definition)]
  const names = [...new Set([...now.keys(), ...old.keys()])]
  const changed = names.filter((name) => old.get(name) !== now.get(name))
  const same = names.filter((name) => !changed.includes(name))
  return (
    <>
      <Facts
        rows={[
          ['Before', before ? <Time time={before.first_seen} /> : 'not known'],
          ['After', after ? <Time time={after.first_seen} /> : 'no longer offered, or not kept'],
        ]}
      />
      <dl class="definition diff">
        {changed.map((name) => (
          <div key={name}>
            <dt>
              <Text value={name} max={80} />
            </dt>
            <dd>
              <FieldDiff before={old.get(name) ?? ''} after={now.get(name) ?? ''} />
            </dd>
          </div>
        ))}
      </dl>
      {same.length > 0 && (
        <p class="quiet">
          Unchanged: <Text value={same.join(', ')} />
        </p>
      )}
      {names.length > 0 && changed.length === 0 && <p class="quiet">The two say the same.</p>}
    </>
  )
}
