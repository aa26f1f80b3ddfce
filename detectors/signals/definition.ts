/** What is wrong with the texts of one definition: kinds of evidence with their grade. */
import type { Severity } from '../../schemas/alert.ts'
import type { TextPart } from '../../schemas/detector.ts'
import { harvestOf } from './harvest.ts'
import { type HiddenKind, hiddenIn } from './hidden.ts'
import type { MarkKind } from './marks.ts'
import { excerptOf, type Found, strongestCluster } from './score.ts'

export type Flaw = Readonly<{ kind: string; grade: Severity; excerpt: string; pointer: string }>

const TEXT_MAX = 20_000
const TAGS_MAX = 50
const TAG_BODY_MAX = 1_500

/** Grade of a kind of mark alone, by the mark where kinds are too coarse. What is not here says nothing alone. */
const kindGrades: Partial<Record<MarkKind, Severity>> = {
  override: 'high',
  conceal: 'high',
  'system-voice': 'medium',
  'read-secret': 'low',
  'send-sensitive': 'low',
  'send-to': 'low',
  leak: 'low',
  hijack: 'low',
  'harvest-text': 'medium',
  'exfil-image': 'medium',
  shell: 'low',
  'safety-off': 'low',
  'role-change': 'low',
  addressed: 'low',
  money: 'low',
  destroy: 'low',
  memory: 'low',
  prefer: 'low',
  'fake-error': 'low',
  'steer-answer': 'low',
}
const markGrades: ReadonlyMap<string, Severity> = new Map<string, Severity>([
  ['chat-template', 'high'],
  ['role-tag', 'medium'],
  ['heading-role', 'medium'],
  ['turn-in-json', 'low'],
  ['comment-order', 'high'],
  ['directive', 'medium'],
  ['override-rules', 'medium'],
  ['precedence-over', 'medium'],
  ['without-asking', 'low'],
  ['keep-secret', 'low'],
  ['send-sensitive-to', 'medium'],
  ['instead-of-named', 'medium'],
  ['send-outside', 'medium'],
  ['tell-no-one', 'medium'],
  ['reveal-prompt', 'medium'],
  ['command-tag', 'low'],
  ['without-limits', 'low'],
  ['no-limits', 'medium'],
  ['present-as-normal', 'low'],
  ['not-show-this', 'medium'],
  ['hijack-other', 'medium'],
  ['leak-prompt', 'low'],
])
const hiddenGrades: Readonly<Record<HiddenKind, Severity>> = {
  'tag-characters': 'high',
  'variation-selectors': 'high',
  'bidi-control': 'high',
  'terminal-escape': 'high',
  'zero-width': 'medium',
  padding: 'medium',
}

/** Orders in the voice of somebody who commands the model: with one of these an act is no longer a description. */
const commands: ReadonlySet<MarkKind> = new Set([
  'prefer',
  'override',
  'conceal',
  'precedence',
  'addressed',
  'system-voice',
  'role-marker',
  'hijack',
  'fake-error',
  'role-change',
  'safety-off',
])
const acts: ReadonlySet<MarkKind> = new Set([
  'read-secret',
  'send-to',
  'send-sensitive',
  'leak',
  'money',
  'destroy',
  'shell',
  'harvest-text',
  'exfil-image',
  'hijack',
  'steer-answer',
  'conceal',
  'safety-off',
])
/** Places that only credentials live in; "environment variables" and the like are common talk. */
const firmPlace =
  /\.ssh\b|id_(?:rsa|dsa|ecdsa|ed25519)|\.aws[/\\]|\.env\b|\.npmrc|\.pypirc|\.netrc|\.pgpass|\.git-credentials|\.gnupg|\/etc\/(?:passwd|shadow|sudoers)|mcp\.json|claude_desktop_config|wallet\.dat|\.cursor\/|system:\/\/|secrets?:\/\/|[\w-]+\.pem\b|_history\b|\/proc\/self\/environ/i
const warning =
  /\b(?:warning|never|do not|don't|avoid|block(?:s|ed)?|den(?:y|ied|ies)|not allowed|cannot|can't|must not|prevent(?:s|ed)?|reject(?:s|ed)?|e\.g\.|for example|example|such as|default)/i
const exampleOf = /(?:e\.?g\.?|examples?|for instance|such as|like|format|i\.e\.|default)[^.!?\n]{0,60}$/i
const catchers =
  /webhook\.site|requestbin|pipedream\.net|ngrok|interact\.sh|\boast\.|burpcollaborator|beeceptor|hookbin|requestcatcher|transfer\.sh|discord(?:app)?\.com\/api\/webhooks|api\.telegram\.org\/bot/i

/** What is rightly kept off the screen. */
const keptFromPeople =
  /passwor|passwort|kennwort|contrase|mot de passe|senha\b|has[lł]o\b|пароль|пароли|密码|密碼|パスワード|비밀번호|كلمة المرور|(?:api|access|secret|private)[ _-]?(?:key|token)|\btokens?\b|credential|raw (?:json|data|ids?)|stack ?trace|internal (?:ids?|identifiers?)/i

function gradeOf(mark: Found, part: TextPart): Severity | undefined {
  const text = part.text.slice(mark.start, mark.end)
  // Commands stand in quotation marks wherever they are told.
  if (
    mark.id === 'fetch-and-run' &&
    /\b(?:always|each|every|before|after|must|first|silently)\b[^.!?\n]{0,60}\b(?:run|execute|invoke)\b[^.!?\n]{0,30}$/i.test(
      part.text.slice(Math.max(0, mark.start - 120), mark.start),
    )
  )
    return 'medium'
  if (mark.quoted) return 'low'
  if (mark.kind === 'conceal' && keptFromPeople.test(text)) return 'low'
  if (mark.kind === 'read-secret')
    return firmPlace.test(text) && !warning.test(part.text.slice(Math.max(0, mark.start - 80), mark.end + 40)) ? 'medium' : 'low'
  if (mark.id === 'send-to-person') {
    const example =
      exampleOf.test(part.text.slice(Math.max(0, mark.start - 60), mark.end).replace(/\S+$/, '')) || part.position === 'definition.schema'
    return example ? 'low' : 'high'
  }
  if (mark.kind === 'send-to' && catchers.test(text)) return 'high'
  return markGrades.get(mark.id) ?? kindGrades[mark.kind]
}

const commandTags =
  /^(?:system|hidden|secret|override|admin|priority|internal|confidential|instructions?_?(?:override|for_ai|to_ai)?|critical|important|information|attention|urgent|mandatory|compliance|assistant|note_to_\w+|ai_\w+|llm_\w+|\w*_?(?:override|reminder|directive)|(?:\w+_)?(?:important|critical|hidden|secret|system|priority|mandatory|urgent)_\w+)$/
/** Names in capitals that are mark-up or placeholders. */
const plainTags =
  /^(?:a|b|p|br|hr|li|ul|ol|td|tr|th|div|span|table|tbody|thead|html|head|body|script|style|img|input|form|pre|code|title|link|meta|xml|svg|string|number|integer|boolean|array|object|null|id|name|path|url|file|host|port|user|token|key|value|type|date|example)$/

/** Tags whose name commands, around text that orders. */
function* tagFlaws(part: TextPart, found: readonly Found[]): Generator<Flaw> {
  const text = part.text.slice(0, TEXT_MAX)
  let seen = 0
  for (const match of text.matchAll(/[<[{]\s{0,3}([A-Za-z][A-Za-z0-9_ -]{1,30})\s{0,3}[>\]}]/g)) {
    seen += 1
    if (seen > TAGS_MAX) return
    const written = match[1] as string
    const name = written.trim().replace(/[ -]/g, '_').toLowerCase()
    const capitals = written === written.toUpperCase() && /^[A-Z]{4}/.test(written)
    const known = commandTags.test(name)
    if ((!known && !capitals) || plainTags.test(name)) continue
    const from = match.index + match[0].length
    const close = text
      .slice(from, from + TAG_BODY_MAX)
      .toLowerCase()
      .indexOf(`/${written.trim().toLowerCase()}`)
    const to = close >= 0 ? from + close : from + TAG_BODY_MAX
    const inside = found.filter((mark) => mark.start >= match.index && mark.start < to)
    const act = inside.some((mark) => acts.has(mark.kind) && mark.id !== 'whenever-called' && mark.id !== 'before-any-tool')
    if (act && (close >= 0 || known))
      yield { kind: 'pseudo-tag', grade: 'high', excerpt: excerptOf(text, match.index), pointer: part.pointer }
    else if (known && capitals && match[0].startsWith('<') && close >= 0)
      yield { kind: 'pseudo-tag', grade: 'medium', excerpt: excerptOf(text, match.index), pointer: part.pointer }
    else continue
    return
  }
}

function* commentFlaws(part: TextPart, found: readonly Found[]): Generator<Flaw> {
  const at = part.text.indexOf('<!--')
  if (at < 0) return
  const end = part.text.indexOf('-->', at)
  const inside = found.some((mark) => mark.start >= at && (end < 0 || mark.start < end) && (acts.has(mark.kind) || commands.has(mark.kind)))
  if (inside) yield { kind: 'hidden-comment', grade: 'high', excerpt: excerptOf(part.text, at), pointer: part.pointer }
}

/** Flaws of one string. */
export function* textFlaws(part: TextPart, found: readonly Found[]): Generator<Flaw> {
  const flaw = (kind: string, grade: Severity, start: number): Flaw => ({
    kind,
    grade,
    excerpt: excerptOf(part.text, start),
    pointer: part.pointer,
  })
  for (const hidden of hiddenIn(part.text))
    yield {
      kind: hidden.kind,
      grade: hiddenGrades[hidden.kind],
      excerpt: hidden.decoded || excerptOf(part.text, hidden.at),
      pointer: part.pointer,
    }
  if (found.length === 0) return
  const cluster = strongestCluster(part.text, found)
  const kinds = new Set(cluster?.kinds)
  const talked = cluster?.discounted === true
  for (const mark of found) {
    const grade = gradeOf(mark, part)
    if (grade) yield flaw(mark.kind, talked ? 'low' : grade, mark.start)
  }
  if (talked || !cluster) return
  yield* tagFlaws(part, found)
  yield* commentFlaws(part, found)
  const commanded = [...kinds].filter((kind) => commands.has(kind)).length
  const done = [...kinds].filter((kind) => acts.has(kind)).length
  if (part.layer && cluster.score >= 0.4) yield flaw(`encoded: ${part.layer}`, 'high', cluster.start)
  if (
    commanded > 0 &&
    (kinds.has('read-secret') || kinds.has('leak')) &&
    cluster.marks.some((mark) => gradeOf(mark, part) === 'medium' || mark.kind === 'leak')
  )
    yield flaw('ordered-read', 'high', cluster.start)
  if (kinds.has('addressed') && done > 0 && cluster.score >= 0.6) yield flaw('order-to-model', 'high', cluster.start)
  if (commanded > 0 && done >= 2 && cluster.score >= 0.8) yield flaw('several-orders', 'high', cluster.start)
  else if (done >= 2 && cluster.score >= 0.7) yield flaw('several-orders', 'medium', cluster.start)
}

/** Parameter names that ask for the conversation, the system prompt, key files. */
export function* parameterFlaws(parts: readonly TextPart[], ownBusiness: boolean): Generator<Flaw> {
  if (ownBusiness) return
  const asked = parts.filter((part) => part.position === 'definition.key').map((part) => ({ part, asks: harvestOf(part.text) }))
  const hits = asked.filter(({ asks }) => asks !== undefined)
  for (const { part, asks } of hits) {
    const grade: Severity = hits.length > 1 || asks === 'contents of a file' ? 'high' : 'medium'
    yield { kind: 'harvest-parameter', grade, excerpt: part.text.slice(0, 120), pointer: part.pointer }
  }
}

const schemaWords = new Set(
  'type description title default const enum examples example format pattern $ref $id $schema $comment $anchor $defs properties required items prefixItems additionalProperties anyOf oneOf allOf not if then else minimum maximum minLength maxLength deprecated readOnly writeOnly contentEncoding contentMediaType name annotations'.split(
    ' ',
  ),
)

/** Prose under a key that no JSON Schema knows: shown to the model, skipped by people. */
export function* unknownKeyFlaws(part: TextPart, found: readonly Found[]): Generator<Flaw> {
  if (part.position !== 'definition.schema' || part.text.length <= 80 || found.length === 0) return
  const path = part.pointer.split('/')
  const key = path.findLast((segment) => !/^\d+$/.test(segment)) ?? ''
  if (schemaWords.has(key) || path.at(-2) === 'properties' || (part.text.match(/\s+/g) ?? []).length < 10) return
  yield { kind: 'prose-in-unknown-key', grade: 'medium', excerpt: excerptOf(part.text, 0), pointer: part.pointer }
}
