/** What changed between two texts, word by word: longest common subsequence of words, bounded. */

export type Change = Readonly<{ kind: 'same' | 'gone' | 'new'; text: string }>

/** Beyond this many words on a side (after what is equal at both ends) the middle is shown as replaced: the table would grow too large. */
const wordsMax = 1_500

const wordsOf = (text: string): string[] => text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? []

/** lengths[i][j] = the longest common subsequence of a from i and b from j. */
function table(a: readonly string[], b: readonly string[]): (i: number, j: number) => number {
  const width = b.length + 1
  const lengths = new Uint16Array((a.length + 1) * width)
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      lengths[i * width + j] =
        a[i] === b[j]
          ? (lengths[(i + 1) * width + j + 1] ?? 0) + 1
          : Math.max(lengths[(i + 1) * width + j] ?? 0, lengths[i * width + j + 1] ?? 0)
    }
  }
  return (i, j) => lengths[i * width + j] ?? 0
}

function middle(a: readonly string[], b: readonly string[]): Change[] {
  if (a.length > wordsMax || b.length > wordsMax) {
    return [
      { kind: 'gone', text: a.join('') },
      { kind: 'new', text: b.join('') },
    ]
  }
  const common = table(a, b)
  const changes: Change[] = []
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    const [word, other] = [a[i], b[j]]
    if (word !== undefined && word === other) {
      changes.push({ kind: 'same', text: word })
      i += 1
      j += 1
    } else if (word !== undefined && (other === undefined || common(i + 1, j) >= common(i, j + 1))) {
      changes.push({ kind: 'gone', text: word })
      i += 1
    } else if (other !== undefined) {
      changes.push({ kind: 'new', text: other })
      j += 1
    }
  }
  return changes
}

/** Neighbours of a kind become one; between two shared words, what is gone comes before what is new. */
function joined(changes: readonly Change[]): Change[] {
  const out: Change[] = []
  let pending = { gone: '', new: '' }
  const flush = () => {
    if (pending.gone) out.push({ kind: 'gone', text: pending.gone })
    if (pending.new) out.push({ kind: 'new', text: pending.new })
    pending = { gone: '', new: '' }
  }
  for (const { kind, text } of changes) {
    if (kind !== 'same') {
      pending[kind] += text
      continue
    }
    flush()
    const last = out.at(-1)
    if (last?.kind === 'same') out[out.length - 1] = { kind, text: last.text + text }
    else out.push({ kind, text })
  }
  flush()
  return out
}

/** A few shared words between two larger changes are chance: a reader is told of one change. Both texts stay whole. */
function settled(changes: readonly Change[]): Change[] {
  const sizeAt = (at: number, by: number): number => {
    let size = 0
    for (let index = at + by; changes[index] !== undefined && changes[index]?.kind !== 'same'; index += by)
      size += changes[index]?.text.length ?? 0
    return size
  }
  const next = changes.flatMap((change, at): Change[] => {
    const { kind, text } = change
    if (kind !== 'same' || text.length > Math.min(sizeAt(at, -1), sizeAt(at, 1))) return [change]
    return [
      { kind: 'gone', text },
      { kind: 'new', text },
    ]
  })
  const shorter = joined(next)
  return shorter.length < changes.length ? settled(shorter) : shorter
}

export function diffWords(before: string, after: string): Change[] {
  const [a, b] = [wordsOf(before), wordsOf(after)]
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1
  const same = (words: readonly string[]): Change[] => (words.length === 0 ? [] : [{ kind: 'same', text: words.join('') }])
  const changes = joined([
    ...same(a.slice(0, head)),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...same(a.slice(a.length - tail)),
  ])
  return settled(changes)
}
