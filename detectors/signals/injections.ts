/** Marks of code in a value that should be a word: shell, option, SQL, template, markup and query-object injection. Linear; values are capped. */
import type { FieldKind } from './arguments.ts'

export type Mark = Readonly<{ kind: string; label: string; severity: 'medium' | 'high' }>
type Rule = Readonly<{ mark: Mark; pattern: RegExp; fields: ReadonlySet<FieldKind> }>

const words = new Set<FieldKind>(['plain', 'path', 'host', 'url'])
const wordsAndQueries = new Set<FieldKind>(['plain', 'path', 'host', 'url', 'query'])
const every = new Set<FieldKind>(['plain', 'path', 'host', 'url', 'query', 'code'])
const names = new Set<FieldKind>(['plain', 'path', 'host'])

const commands =
  'cat|ls|id|whoami|uname|curl|wget|nc|ncat|netcat|netstat|bash|sh|zsh|dash|cmd|powershell|pwsh|python3?|perl|ruby|php|node|ping|nslookup|dig|sleep|echo|printf|rm|mv|cp|chmod|chown|kill|touch|mkdir|tee|env|printenv|export|eval|exec|source|xargs|find|grep|awk|sed|base64|openssl|ssh|scp|ftp|tftp|telnet|socat|dir|type|del|net|netsh|reg|certutil|bitsadmin|ipconfig|ifconfig|ps|cd|set|system|useradd|crontab|tar|zip|docker|kubectl|git|npm|pip|sudo|su'

const shell: Mark = { kind: 'shell', label: 'shell syntax in a value that is not a command', severity: 'high' }
const option: Mark = { kind: 'option', label: 'an option in place of a value', severity: 'high' }
const sql: Mark = { kind: 'sql', label: 'SQL in a value that is not a query', severity: 'medium' }
const sqlAct: Mark = { kind: 'sql', label: 'SQL that breaks out of its value and acts', severity: 'high' }
const template: Mark = { kind: 'template', label: 'a template or expression that reaches into the runtime', severity: 'high' }
const markup: Mark = { kind: 'markup', label: 'an external entity or include', severity: 'high' }
const object: Mark = { kind: 'operator', label: 'a query operator in a value', severity: 'medium' }
const script: Mark = { kind: 'script', label: 'a script or server-side tag in a value', severity: 'medium' }
const takeover: Mark = { kind: 'takeover', label: 'a reverse shell or a download that is run', severity: 'high' }

const rule = (mark: Mark, fields: ReadonlySet<FieldKind>, pattern: RegExp): Rule => ({ mark, pattern, fields })

const rules: readonly Rule[] = [
  rule(option, words, /^\s*--?(?!\d)[a-z][\w-]*(=|$|\s)/i),
  // A transport of git that is a command.
  rule(shell, words, /^\s*ext::\s*\S/i),
  rule(shell, words, /\$\([^)]{0,200}\)|\$\{IFS\}|`[^`]{1,200}`/),
  rule(shell, names, /\$\{[A-Z_]{2,}[#%/:]|<\(|>\(|^\s*(?:;|\|{1,2}|&{1,2}|%0a|\n)\s*[\w/$]/),
  rule(
    shell,
    words,
    new RegExp(`(?:^|[^\\w-])(?:;|\\|\\|?|&&?|\\n|\\r|%0a|%0d)\\s*(?:\\S{0,12}/)?(?:${commands})(?:\\.exe)?(?:[\\s;|&'"\`$(]|%20|$)`, 'i'),
  ),
  rule(shell, words, new RegExp(`[\\w'")\\]](?:;|\\|\\|?|&&|\\n|%0a)\\s*(?:/\\S{0,20})?(?:${commands})(?:[\\s;|&'"\`$(]|%20|$)`, 'i')),
  rule(shell, names, /[;&|]\s*$|(?:^|\s)(?:>{1,2}\s*[/.~\w]|<(?!\/\w+\s*>)\s*[/.~])|\(\)\s*\{\s*:?;?\s*\}\s*;/),
  rule(
    shell,
    names,
    new RegExp(`^\\s*(?:/\\S{0,20}/)?(?:${commands})\\s+(?:-\\w|~?/\\w|\\.{1,2}/|["'$<>|&;]|\\S*[$*?{\\\\]|https?:)`, 'i'),
  ),
  rule(shell, names, /(?:^|[^\w])(?:system|exec|shell_exec|passthru|popen|proc_open)\s*\(/i),
  rule(
    takeover,
    every,
    /\/dev\/(?:tcp|udp)\/|\b(?:curl|wget)\b[^|\n]{1,300}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b|\b(?:nc|ncat|netcat)\b[^\n]{0,80}\s-\w*e\b|\bbase64\s+(?:-d|--decode)\b[^|\n]{0,80}\|\s*(?:ba)?sh\b|powershell\S{0,10}\s[^\n]{0,60}-e(?:nc|ncodedcommand)?\s/i,
  ),
  rule(
    takeover,
    every,
    /\b(?:socket\.socket|TCPSocket\.new|fsockopen|pfsockopen)\b[^\n]{0,300}(?:\/bin\/(?:ba)?sh|subprocess|exec)|mkfifo\s[^\n]{0,80}(?:nc|sh)\b|\bIEX\s*\(|\bInvoke-Expression\b[^\n]{0,80}(?:Download|WebClient)/i,
  ),
  rule(
    sqlAct,
    words,
    /\bunion\b(?:\s|\/\*|\+|%20){1,8}(?:all|distinct)?(?:\s|\/\*|\+|%20){0,8}\(?select\b|['"`)\d]\s*;\s*(?:drop|truncate|alter|create|delete\s+from|insert\s+into|update\s+\w+\s+set|exec|execute|shutdown|copy|declare|select)\b|\bxp_cmdshell\b|\binto\s+(?:out|dump)file\b/i,
  ),
  rule(sqlAct, words, /['"]\s*\)?\s*(?:or|\|\|)\s+\(?(['"]?)(\w{1,10})\1\s*(?:=|like)\s*\(?\1\2/i),
  rule(
    sql,
    wordsAndQueries,
    /['"`)]\s*(?:or|and|\|\||&&)\s+(?:not\s+)?(?:['"`(]?\s*[\w'"]{1,40}\s*['"`]?\s*(?:=|<|>|like|between|in\b|is\b)|\d|true|exists|sleep|benchmark|pg_sleep)/i,
  ),
  rule(sql, wordsAndQueries, /\bunion\b(?:\s|\/\*|\+|%20){1,8}(?:all|distinct)?(?:\s|\/\*|\+|%20){0,8}\(?select\b/i),
  rule(
    sql,
    wordsAndQueries,
    /['"`;)]\s*(?:--|#|\/\*)|;\s*(?:drop|delete|insert|update|alter|create|exec|execute|shutdown|truncate|select|declare|waitfor)\b/i,
  ),
  rule(
    sql,
    wordsAndQueries,
    /\b(?:sleep|benchmark|pg_sleep|dbms_pipe\.receive_message|dbms_lock\.sleep|extractvalue|updatexml|load_file|xp_cmdshell|xp_dirtree|utl_http\.request|utl_inaddr\.get_host_\w+|randomblob)\s*\(|\bwaitfor\s+delay\b|\binto\s+(?:out|dump)file\b|\bxp_cmdshell\b/i,
  ),
  rule(
    sql,
    names,
    /^\s*(?:select|insert|update|delete|drop|exec|declare|having|order\s+by|group\s+by)\b.{0,200}\b(?:from|into|set|table|by|char|\d)|^\s*(?:or|and|having)\s+\d+\s*[=<>]/i,
  ),
  rule(
    sql,
    wordsAndQueries,
    /\b(?:information_schema|pg_catalog|sysobjects|syscolumns|all_tab_columns|sqlite_master|mysql\.user|current_setting)\b|@@(?:version|datadir|hostname)/i,
  ),
  rule(sql, wordsAndQueries, /(?:^|\W)(?:or|and)\s+['"(]{0,2}(\w{1,10})['")]{0,2}\s*(?:=|like)\s*['"(]{0,2}\1(?:\W|$)/i),
  rule(
    sql,
    new Set<FieldKind>(['code']),
    /['"]\s*(?:or|and)\s+(['"]?)(\w{1,10})\1\s*=\s*\1\2|\b(?:benchmark|pg_sleep|sleep)\s*\(\s*\d|\bwaitfor\s+delay\b|\bxp_cmdshell\b|\binto\s+(?:out|dump)file\b|\bload_file\s*\(/i,
  ),
  rule(
    template,
    every,
    /\{\{[^}]{0,300}(?:__\w+__|\bconfig\b|request\s*[|.]|self\.|cycler|lipsum|constructor|getClass|popen|import|exec|system|_self|dump\()|\{%-?\s*(?:import|include|set|for|if|debug|load)\b/i,
  ),
  rule(
    template,
    every,
    /(?:\$|#|\*|@|~)\{[^}]{0,300}(?:\bT\(|getRuntime|ProcessBuilder|\.class\b|\.exec\(|system\(|sleep\(|self\.|module|evaluate|jndi:|7\s*\*\s*7|9\s*\*\s*9|script:|new\s+java|freemarker)/i,
  ),
  rule(
    template,
    every,
    /<#assign|\[#assign|\?new\(\)|<%[=@!]?[^%]{0,300}(?:system|popen|exec|import|Runtime|File\.|IO\.|`)|\b__(?:import|class|globals|subclasses|builtins|mro)__|\bgetRuntime\s*\(\s*\)\s*\.\s*exec|java\.lang\.(?:Runtime|ProcessBuilder)|\bos\.(?:system|popen|exec\w*)\s*\(|\bsubprocess\.(?:call|run|popen|check_output)\s*\(|\bchild_process\b|process\.mainModule|\beval\s*\(\s*(?:base64|atob|compile|request|input)/i,
  ),
  // A name in braces is a placeholder that somebody filled in late; a calculation is a probe.
  rule(
    template,
    words,
    /\{\{(?!\s*[\w$]+(?:\.[\w$]+){0,5}\s*\}\})[^}]{1,200}\}\}|<%[=@][^%]{1,200}%>|#\{[^}]{1,200}\}|\$\{\{(?!\s*[\w.]{1,60}\s*\}\})|\$\{\d+\s*[*+/-]\s*\d+\}|\$\{jndi:/i,
  ),
  rule(
    markup,
    every,
    /<!ENTITY\b[^>]{1,300}(?:SYSTEM|PUBLIC|%)|<!DOCTYPE\b[^>]{0,200}(?:SYSTEM|PUBLIC)\s+["'](?:https?:|file:|ftp:|php:|expect:|\/|\\)|<xi:include\b|<!--#\s*(?:exec|include|echo)\b|xsl:value-of\s+select="(?:system-property|document|unparsed-text)/i,
  ),
  rule(script, words, /<\?php\b|<\?=|<script\b|javascript:|onerror\s*=|<svg\b[^>]{0,80}\bon\w+\s*=/i),
  rule(
    object,
    wordsAndQueries,
    /(?:^|[^\w])(?:\[?\$(?:ne|gt|lt|gte|lte|regex|where|or|and|nin|in|exists|expr|function)\b\]?)|\bthis\.\w{1,40}\s*(?:==|!=|\.match)|\|\|\s*['"]?1['"]?\s*==\s*['"]?1/,
  ),
  rule(
    object,
    wordsAndQueries,
    /\*\)\s*\(\s*[|&!]?\s*\(?\s*\w+=|\)\s*\(\s*(?:uid|cn|objectClass|userPassword|mail)\s*=|^\*\)|\|\s*\(\s*\w+=\*/i,
  ),
  rule(object, wordsAndQueries, /'\s*(?:or|and)\s+(?:count|name|string-length|substring|position|contains)\s*\(/i),
]

/**
 * Words, paths and plain addresses: letters, digits and what joins them. No pattern above begins and ends within these
 * characters, but for the names that `telling` lists; a new pattern that could has to be added there, as a test reminds.
 */
const plainValue = /^[A-Za-z0-9/._][A-Za-z0-9/._:-]*$/
const telling =
  /::|\/dev\/|sock|invoke|xp_|schema|catalog|sysobjects|syscolumns|tab_columns|master|mysql|setting|__|java|child_process|mainmodule|this\.|^(?:select|insert|update|delete|drop|exec|declare|having|order|group)/i
export const isPlainValue = (text: string): boolean => plainValue.test(text) && !telling.test(text)

const VALUE_MAX = 2_000
const PROSE_MAX = 300

/** A text that is nothing but an expression, or that opens by leaving its quotation: people who write about attacks write more. */
const expressionAlone = /^\s*(?:\{\{.{1,250}\}\}|[$#*@]\{.{1,250}\}|<%.{1,250}%>)\s*$/s
const commandFirst = new RegExp(`^\\s*(?:["']\\s*)?(?:;|&&|\\|\\|?|\\$\\()\\s*(?:${commands})\\s+["'$/.~\\w-]`, 'i')
const quoteLeft = new RegExp(`["']\\s*(?:;|&&|\\|\\|?)\\s*(?:${commands})\\s+(?:-|["'$/.~]|https?:)`, 'i')

function injectionInProse(text: string): { mark: Mark; excerpt: string } | undefined {
  if (text.length > PROSE_MAX) return undefined
  const left = commandFirst.exec(text) ?? quoteLeft.exec(text)
  if (left) return { mark: shell, excerpt: left[0].slice(0, 120) }
  if (!expressionAlone.test(text)) return undefined
  const reaches = rules.some(({ mark, pattern, fields }) => mark === template && fields === every && pattern.test(text))
  return reaches ? { mark: template, excerpt: text.trim().slice(0, 120) } : undefined
}

/** The strongest mark of a value in such a field, with the matched text; undefined when it is a plain value. */
export function injectionIn(text: string, kind: FieldKind): { mark: Mark; excerpt: string } | undefined {
  if (text.length > VALUE_MAX) return undefined
  if (isPlainValue(text)) return undefined
  return kind === 'prose' ? injectionInProse(text) : strongestIn(text, kind)
}

/** By all patterns for such a field. */
export function strongestIn(text: string, kind: FieldKind): { mark: Mark; excerpt: string } | undefined {
  let found: { mark: Mark; excerpt: string } | undefined
  for (const { mark, pattern, fields } of rules) {
    if (!fields.has(kind) || found?.mark.severity === 'high' || (found && mark.severity === 'medium')) continue
    const match = pattern.exec(text)
    if (match) found = { mark, excerpt: match[0].slice(0, 120) }
  }
  return found
}
