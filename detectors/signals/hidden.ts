/** Characters that a model reads and a person does not see: what is there, and what it says. */

export type HiddenKind = 'tag-characters' | 'bidi-control' | 'zero-width' | 'terminal-escape' | 'padding' | 'variation-selectors'
export type Hidden = Readonly<{ kind: HiddenKind; at: number; decoded: string }>

const DECODED_MAX = 200
const SCAN_MAX = 200_000
/** One look for any of them; most texts have none. */
const any =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
  /[\u001b\u009b\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\udb40\u180e]|[\ufe00-\ufe0f]|[ \t\u00a0]{80}|(?:\r?\n[ \t]*){20}/
const rightToLeft = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/
/** Scripts in which joiners are letters' business: Arabic, Indic, Khmer, Mongolian, Tibetan … */
const joining = /[\u0600-\u08ff\u0900-\u0dff\u0e00-\u0fff\u1000-\u109f\u1780-\u18af\u0590-\u05ff]/
const pictograph = /[\u2190-\u2bff\u3000-\u303f\ud83c-\ud83e\udc00-\udfff0-9#*]|\ufe0f|\u20e3/

function tagText(text: string): { at: number; decoded: string } | undefined {
  let at = -1
  let decoded = ''
  for (let index = text.indexOf('\udb40'); index >= 0 && decoded.length < DECODED_MAX; index = text.indexOf('\udb40', index + 1)) {
    const low = text.charCodeAt(index + 1)
    if (low < 0xdc20 || low > 0xdc7e) continue
    if (at < 0) at = index
    decoded += String.fromCharCode(low - 0xdc00)
  }
  // 🏴 with up to six tag letters is the flag of a region.
  const flag = at >= 2 && text.slice(at - 2, at) === '\u{1f3f4}' && decoded.length <= 6
  return at >= 0 && !flag ? { at, decoded } : undefined
}

/** Bytes behind variation selectors: FE00–FE0F are 0–15, E0100–E01EF are 16–255. */
function selectorText(text: string): { at: number; decoded: string } | undefined {
  const run = /(?:[\ufe00-\ufe0f]|\udb40[\udd00-\uddef]){4,400}/.exec(text)
  if (!run) return undefined
  const bytes = Array.from(run[0], (char) => {
    const code = char.codePointAt(0) ?? 0
    return code >= 0xe0100 ? code - 0xe0100 + 16 : code - 0xfe00
  })
  return { at: run.index, decoded: Buffer.from(bytes).toString('latin1').slice(0, DECODED_MAX) }
}

function zeroWidth(text: string): { at: number; count: number } | undefined {
  let first = -1
  let count = 0
  for (const match of text.matchAll(/[\u00ad\u180e\u200b-\u200d\u2060-\u2064\ufeff]/g)) {
    const at = match.index
    const before = text[at - 1] ?? ''
    const after = text[at + 1] ?? ''
    const code = text.charCodeAt(at)
    if (code === 0xfeff && at === 0) continue
    if (code === 0xad) continue
    if (code === 0x200c || code === 0x200d) {
      if (joining.test(before) || joining.test(after) || pictograph.test(before) || pictograph.test(after)) continue
    }
    // A lone zero-width space is a line-break hint in scripts without blanks.
    if (code === 0x200b && (/[\u0250-\uffff]/.test(before) || /[\u0250-\uffff]/.test(after))) continue
    if (first < 0) first = at
    count += 1
  }
  return first >= 0 ? { at: first, count } : undefined
}

const isBlank = (code: number): boolean => code === 32 || (code >= 9 && code <= 13)
const BLANKS_MIN = 20

/** ASCII without an escape character and without a long run of blanks hides nothing; to see so, every twentieth character is enough. */
function isPlain(text: string): boolean {
  if (Buffer.byteLength(text) !== text.length || text.includes('\u001b')) return false
  for (let at = BLANKS_MIN - 1; at < text.length; at += BLANKS_MIN) {
    if (!isBlank(text.charCodeAt(at))) continue
    let from = at
    let to = at + 1
    while (from > 0 && isBlank(text.charCodeAt(from - 1))) from -= 1
    while (to < text.length && isBlank(text.charCodeAt(to))) to += 1
    if (to - from >= BLANKS_MIN) return false
  }
  return true
}

const visible = (text: string): string => text.replace(/\s+/g, ' ').trim().slice(0, DECODED_MAX)

/** Blanks or empty lines that push what follows out of sight. Runs are taken whole, so the walk is linear. */
function paddingIn(text: string): { at: number; decoded: string } | undefined {
  for (const run of text.matchAll(/[ \t\u00a0]{80,}|(?:\r?\n[ \t]*){20,}/g)) {
    const decoded = visible(text.slice(run.index + run[0].length, run.index + run[0].length + 300))
    if (decoded !== '') return { at: run.index, decoded }
  }
  return undefined
}

/** What is hidden in the first 200,000 characters, strongest first, one of each kind. */
export function hiddenIn(full: string): Hidden[] {
  const text = full.length > SCAN_MAX ? full.slice(0, SCAN_MAX) : full
  if (isPlain(text) || !any.test(text)) return []
  const found: Hidden[] = []
  const tags = tagText(text)
  if (tags) found.push({ kind: 'tag-characters', ...tags })
  const selectors = selectorText(text)
  if (selectors) found.push({ kind: 'variation-selectors', ...selectors })
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape character is what is looked for
  const sequence = /[\u001b\u009b][[\]()#;?]?[0-9;?]*[ -/]?[@-~]?/.exec(text)
  if (sequence)
    found.push({
      kind: 'terminal-escape',
      at: sequence.index,
      decoded: visible(text.slice(sequence.index + sequence[0].length, sequence.index + 300)),
    })
  const bidi = /[\u202a\u202b\u202d\u202e\u2066-\u2068]/.exec(text)
  const override = /[\u202d\u202e]/.exec(text)
  if (override ?? (bidi && !rightToLeft.test(text))) {
    const at = (override ?? bidi)?.index ?? 0
    found.push({ kind: 'bidi-control', at, decoded: visible(text.slice(at + 1, at + 200)) })
  }
  const width = zeroWidth(text)
  if (width) found.push({ kind: 'zero-width', at: width.at, decoded: `${width.count} invisible characters` })
  const pad = paddingIn(text)
  if (pad) found.push({ kind: 'padding', ...pad })
  return found
}
