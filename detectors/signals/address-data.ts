/** Readable text that is written, encoded, into a web address: path, query, fragment or the labels of its name. */
import { type Argument, sign } from './arguments.ts'
import { hostOf } from './destinations.ts'

export type Carried = Readonly<{
  host: string
  text: string
  encoding: 'base64' | 'hex' | 'percent'
  image: boolean
  inName: boolean
  written: string
}>

const TEXT_MAX = 64 * 1024
const ADDRESSES_MAX = 50
const PARTS_MAX = 40
const PART_MAX = 8_192
const NAME_MAX = 253
const READABLE_MIN = 24

const addressShape =
  /(!\[[^\]\n]{0,200}\]\(\s{0,4}|<img\b[^>]{0,200}?src\s{0,4}=\s{0,4}["']?)?((?:https?:\/\/|www\.)[^\s"'<>`)\]}\\]{8,8192})/gi

/** Mostly printable; a cut in the middle of a character at the end is forgiven. */
function readable(bytes: Buffer): string | undefined {
  if (bytes.length < READABLE_MIN) return undefined
  let odd = 0
  for (const byte of bytes) if (byte === 127 || (byte < 32 && byte !== 9 && byte !== 10 && byte !== 13)) odd += 1
  if (odd > 0) return undefined
  const text = bytes.toString('utf8').replace(/\ufffd{1,3}$/, '')
  return text.includes('\ufffd') ? undefined : text
}

/** Language, a record or a list of values; not an address, a cursor, a token or a hash. */
export function isContent(text: string): boolean {
  if (/^\s*(?:https?:\/\/|data:|www\.)\S*\s*$/i.test(text)) return false
  // The settings of an install link.
  if (/^\s*\{\s*"(?:command|args|mcpServers)"\s*:/.test(text)) return false
  if (/[\w.+-]{1,64}@[a-z0-9-]{1,63}\.[a-z]{2,}/i.test(text) || text.includes('⟦secret:')) return true
  const words = text.match(/(?<![\p{L}\p{N}])\p{L}{2,20}(?![\p{L}\p{N}])/gu) ?? []
  const spaces = text.match(/\s/g)?.length ?? 0
  // Scripts without spaces: letters beyond Latin are enough.
  const wide = text.match(/[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/gu)?.length ?? 0
  // The settings of an install link hold a command line.
  const wordsMin = /^\s*[{[]/.test(text) ? 8 : 4
  return (words.length >= wordsMin && spaces >= 3) || wide >= 12
}

function decode(whole: string): { text: string; encoding: Carried['encoding'] } | undefined {
  // An ending makes it look like a file.
  const part = whole.replace(/\.[a-z0-9]{2,5}$/i, '')
  if (part.length < READABLE_MIN || part.length > PART_MAX) return undefined
  if (/^(?:[0-9a-f]{2}){12,}[0-9a-f]?$/i.test(part)) {
    const text = readable(Buffer.from(part.slice(0, part.length & ~1), 'hex'))
    return text === undefined ? undefined : { text, encoding: 'hex' }
  }
  const bare = part.replace(/={1,2}$/, '')
  if (/^[A-Za-z0-9+/_-]{24,}$/.test(bare) && !/^[a-z]+(?:[-_/][a-z]+){2,}$/i.test(bare)) {
    const text = readable(Buffer.from(bare, 'base64'))
    return text === undefined ? undefined : { text, encoding: 'base64' }
  }
  return undefined
}

const unescaped = (part: string): string => {
  try {
    return decodeURIComponent(part)
  } catch {
    return part
  }
}

const labelsOf = (authority: string): string =>
  authority
    .split('.')
    .filter((label) => label.length >= 12)
    .join('')
const namePart = (written: string): string => labelsOf(/^(?:https?:\/\/)?([^/?#]{0,1000})/i.exec(written)?.[1] ?? '')

/** Path segments, query values, the fragment, and the long labels of the name put together. */
function partsOf(written: string): string[] {
  const match = /^(?:https?:\/\/)?([^/?#]{0,1000})([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/i.exec(written)
  if (!match) return []
  const [, authority = '', path = '', query = '', fragment = ''] = match
  const values = query.split(/[&;]/).map((pair) => pair.slice(pair.indexOf('=') + 1))
  const segments = path.split('/')
  return [labelsOf(authority), ...segments, segments.join(''), ...values, fragment]
    .filter((part) => part.length >= READABLE_MIN)
    .slice(0, PARTS_MAX)
}

/** An address begins with its scheme or with `www.`; a name of a machine is short and has dots. */
export const mayCarry = ({ signs, text }: Argument): boolean =>
  (signs & (sign.slashes | sign.wDot)) !== 0 || ((signs & sign.dot) !== 0 && text.length <= NAME_MAX)
const mayHoldAddress = /:\/\/|www\./i

/** What the addresses in a text carry. `image`: the reader’s client fetches it without a click. */
export function carriedIn(text: string): Carried[] {
  const found: Carried[] = []
  const part = text.slice(0, TEXT_MAX)
  // A name alone is looked up, and its labels are read by whoever answers for it.
  if (part.length <= NAME_MAX && /^\s*(?:[a-z0-9_-]{1,63}\.){2,}[a-z]{2,20}\.?\s*$/i.test(part)) return carriedIn(`https://${part.trim()}/`)
  if (!mayHoldAddress.test(part)) return found
  let addresses = 0
  for (const [, opening, written = ''] of part.matchAll(addressShape)) {
    addresses += 1
    if (addresses > ADDRESSES_MAX) break
    for (const piece of partsOf(written)) {
      const plain = unescaped(piece)
      const inner = decode(plain) ?? decode(piece)
      const content = inner && isContent(inner.text) ? inner : undefined
      const words = plain.replaceAll('+', ' ')
      const spelled = !content && opening !== undefined && words.length >= 48 && isContent(words) ? words : undefined
      if (!content && spelled === undefined) continue
      found.push({
        host: hostOf(written) ?? hostOf(written.slice(0, 400)) ?? '',
        text: content?.text ?? spelled ?? '',
        encoding: content?.encoding ?? 'percent',
        image: opening !== undefined,
        inName: piece === namePart(written),
        written: written.slice(0, 200),
      })
      break
    }
  }
  return found
}
