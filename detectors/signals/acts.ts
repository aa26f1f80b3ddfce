/** Marks of what an order wants done, in English: tell nobody, read a secret, send it away, call a tool, steer the answer. */
import { gap, type Mark, mark, REST, S } from './marks.ts'
import { addressLiterals, anyAddress, personalAddress, personalLiterals, secretPlace, secretPlaceLiterals, sendVerb, sensitive } from './targets.ts'

const not = "(?:do${S}not|don['’]?t|never|must${S}not|mustn['’]?t|should${S}not|shouldn['’]?t|cannot|can['’]?t|not${S}to|no${S}need${S}to|without|avoid|refrain${S}from|nor|may${S}not|is${S}not|not)".replaceAll('${S}', S)
const people = '(?:users?|humans?|operators?|customers?|anyone|anybody|them|owners?|people|person|end-?users?|developers?|reviewers?|victims?|clients?)'

const concealments: readonly Mark[] = [
  mark(
    'tell-nobody',
    'conceal',
    0.6,
    ['mention', 'disclose', 'disclosing', 'notify', 'notifying', 'inform ', 'informing', 'tell ', 'telling', 'alert ', 'alerting', 'reveal', 'let ', 'letting', 'divulge', 'told '],
    `\\b${not}(?:${gap(4)}|${S})(?:mention|disclos|notif|inform|tell|alert|reveal|divulg|let|told)\\p{L}*(?:${gap(8)}|${S})${people}\\b`,
    120,
  ),
  mark(
    'not-mention-this',
    'conceal',
    0.5,
    ['mention', 'disclose', 'divulge'],
    `(?:\\b${not}(?:${gap(3)}|${S})(?:mention|disclos|divulg)\\p{L}*${S}(?:this|that|it|these|any${S}of${S}this|the${S}(?:instruction|above|note|message|file|copy|use)|your|you['’]?\\p{L}*)|never${S}(?:be${S})?mentioned|never${S}(?:be${S})?disclosed)\\b`,
    90,
  ),
  mark(
    'not-show-this',
    'conceal',
    0.5,
    ['show', 'display', 'expose', 'output', 'explain', 'explanation', 'visible', 'indicate'],
    `\\b${not}(?:${gap(2)}|${S})(?:show|display|expose|output|explain|indicate|further explanation|be${S}visible)\\p{L}*(?:${gap(3)}|${S})(?:this|that|these|the)${S}(?:instruction|step|note|message|tag|directive|to${S})\\p{L}*(?:${gap(4)}|${S})${people}\\b`,
    120,
  ),
  mark(
    'must-not-know',
    'conceal',
    0.6,
    ['not know', "n't know", 'not be told', 'not see', 'not be aware', 'not notice', 'not be informed', 'not be notified', 'need not', 'be made aware', 'not find out', "n't notice", "n't see", "n't be told", 'unaware'],
    `(?:\\b${people}(?:${gap(1)}|${S})(?:must|should|do|does|need|needs|can|may|will)(?:${S}not|n['’]?t)?${S}(?:not${S})?(?:need${S}(?:not${S})?to${S})?(?:know|see|be${S}told|be${S}aware|notice|be${S}informed|be${S}notified|find${S}out|be${S}made${S}aware)\\b|\\bkeep${gap(2)}${people}${S}unaware)`,
    100,
  ),
  mark(
    'in-secret',
    'conceal',
    0.5,
    ['silent', 'secret', 'covert', 'discreet', 'quietly', 'unnoticed', 'between us', 'confidential', 'hidden', 'hide ', 'surreptitious', 'behind the scenes', 'stealth'],
    `(?:\\b(?:do|act|perform|run|execute|proceed|handle)${S}(?:this|it|so|that|the|these|as)?(?:${gap(4)}|${S})?(?:silently|secretly|covertly|discreetly|quietly|unnoticed|surreptitiously|behind the scenes)|\\b(?:silently|secretly|covertly|discreetly|quietly|surreptitiously)${S}(?:send|forward|copy|read|include|upload|execute|call|append|add|transmit|post|collect|log|record|attach|store|fetch|invoke|pass|run|share|gather|exfil\\p{L}*)|\\bkeep${S}(?:this|it|these|that)(?:${gap(3)}|${S})(?:secret|hidden|confidential|between us|private|from${S}(?:the${S})?user)|\\bhid(?:e|ing|den)(?:${gap(4)}|${S})from${S}(?:the${S})?${people}|\\b(?:this|it)${S}is${S}an?${S}secret${S}(?:operation|step|task|instruction))`,
    90,
  ),
  mark(
    'without-asking',
    'conceal',
    0.4,
    ['without'],
    `\\bwithout${S}(?:(?:telling|informing|notifying|alerting|asking|mentioning|letting|consulting|prompting|bothering|warning)${S}(?:the${S}|me|any)?(?:${people}|me|permission|about|first)?|(?:the${S})?${people}(?:['’]s?)?${S}(?:knowledge|knowing|noticing|awareness|consent|permission))\\b`,
    80,
  ),
  mark(
    'present-as-normal',
    'conceal',
    0.5,
    ['as if', 'as though', 'as part of the normal', 'look like', 'looks like', 'appear'],
    `\\b(?:present|format|show|return|make|disguise|phrase|report)\\b(?:${gap(5)}|${S})(?:as${S}(?:if|though|part${S}of${S}the${S}normal)|(?:to${S})?(?:look|looks|appear)\\p{L}*${S}(?:like|as|normal|legitimate))\\b`,
    90,
  ),
]

const fileVerb = '(?:read|open|cat|access|load|fetch|get|retrieve|print|include|extract|copy|attach|dump|view|pass|append|provide|send|upload|paste|return|give|insert|put|add|check|use|list|look up|reading|passing|contents?)'
const takings: readonly Mark[] = [
  mark('read-secret-place', 'read-secret', 0.45, secretPlaceLiterals, `\\b${fileVerb}\\b${REST}${secretPlace}|${secretPlace}${REST}\\b(?:and|then)${S}(?:pass|send|include|append|provide|add|put|return|use)\\b`, 110),
  mark(
    'contents-please',
    'fake-error',
    0.35,
    ['content of', 'contents of', 'output of', 'value of', 'full text of'],
    `\\b(?:provide|pass|include|supply|attach|paste|resend|retry|call|give|add|send|put)\\b${REST}\\b(?:full${S})?(?:contents?|output|value|text)${S}of${S}(?:the${S}|your${S}|all${S})?[~/.\`'"]*[\\w~/.-]+`,
    110,
  ),
  mark(
    'fails-unless',
    'fake-error',
    0.35,
    ['error', 'failed', 'unable', 'denied', 'cannot proceed', 'to proceed', 'to continue', 'required'],
    `\\b(?:error|fail(?:ed|ure|s)|unable|denied|cannot|invalid|incomplete|required|expired)\\b${REST}${REST}\\b(?:provide|pass|include|supply|attach|paste|retry|call${S}again|send|read)\\b${REST}(?:contents?|password|credential|token|key|file|conversation|${secretPlace})`,
    170,
  ),
  mark('send-to-address', 'send-to', 0.3, addressLiterals, `\\b${sendVerb}\\b${REST}\\b(?:to|at|into|with|via|towards|in|on|from|using)\\b${REST}${anyAddress}|\\b(?:curl|wget|POST|load|fetch|visit|open)${S}(?:${gap(2)})?${anyAddress}`, 170),
  mark('send-to-person', 'send-to', 0.35, personalLiterals, `\\b(?:${sendVerb}|set|replace|change|recipient|to)\\b${REST}${personalAddress}`, 170),
  mark(
    'send-sensitive',
    'send-sensitive',
    0.35,
    ['send ', 'sends ', 'forward', 'email ', 'upload', 'transmit', 'exfiltrate', 'leak ', 'post ', 'submit ', 'deliver', 'copy ', 'share ', 'sent ', 'collect ', 'concatenate', 'reveal', 'steal '],
    `\\b(?:send|sends|sending|sent|forward|forwards|e-?mail|mail|post|upload|uploads|transmit|submit|leak|exfiltrate|deliver|copy|share|collect|concatenate|reveal|steal)\\b${REST}${sensitive}`,
    130,
  ),
  mark(
    'get-private',
    'send-sensitive',
    0.35,
    ['passport', 'credit card', 'bank account', 'security code', 'verification code', 'user information', 'id_number', 'card number', 'reset token', 'private key', 'api key', 'seed phrase', 'medical', 'password', 'saved address', 'credentials'],
    `\\b(?:get|tell${S}me|give${S}me|find|retrieve|look${S}up|fetch|list|share|reveal|show${S}me|provide|output|include|extract|dump|print|paste)\\b(?:${gap(8)}|${S})(?:passport|credit card|bank[ _]account|security code|verification code|user information|id_number|card number|reset token|private key|api key|seed phrase|medical|passwords?|saved address|credentials)`,
    110,
  ),
  mark(
    'move-money',
    'money',
    0.4,
    ['transaction', 'transfer', 'payment', 'money', 'iban', 'account', 'bitcoin', 'wallet', 'refund'],
    `(?:\\b(?:send|make|transfer|wire|pay|initiate|issue)\\b(?:${gap(5)}|${S})(?:transactions?|money|payment|funds|refund|\\$ ?[0-9][0-9,.]*|[0-9][0-9,.]* ?(?:usd|eur|euros?|dollars?|btc|eth|bitcoin))\\b${REST}\\bto\\b|\\b(?:modify|change|update|replace|set)\\b(?:${gap(3)}|${S})(?:recipient|payee|iban|beneficiary|account)\\b${REST}\\b(?:to|with|by)\\b)`,
    120,
  ),
  mark('change-password', 'money', 0.4, ['password', '2fa', 'email address'], `\\b(?:change|reset|update|set|disable)${S}(?:the${S}|my${S}|their${S}|your${S})?(?:user(?:['’]s)?${S}|account${S})?(?:password|2fa|recovery email|email address)\\b${REST}\\b(?:of|to|for)\\b`, 80),
  mark(
    'delete-things',
    'destroy',
    0.3,
    ['delete', 'remove all', 'rm -rf', 'drop table', 'wipe', 'erase'],
    `(?:\\b(?:delete|remove|erase|wipe|destroy)\\b(?:${gap(1)}|${S})(?:all|the|every|everything)\\b(?:${gap(4)}|${S})(?:files?|e-?mails?|records?|databases?|tables?|repositor\\p{L}*|messages?|events?|calendar|documents?|disk|sent|account|backups?)|\\brm${S}-rf?\\b|\\bdrop${S}table\\b)`,
    80,
  ),
]

const tool = '[`\'"*]?[a-z][a-z0-9]*(?:_[a-z0-9]+)+[`\'"*]?(?:\\(|\\b)'
const controls: readonly Mark[] = [
  mark(
    'call-tool',
    'tool-order',
    0.3,
    ['call ', 'invoke ', 'use the', 'using the', 'run ', 'execute ', 'trigger ', 'tool call'],
    `\\b(?:call|invoke|use|using|run|execute|trigger)${S}(?:the${S})?(?:${tool}|[\\w\`'"-]+${S}(?:tool|function|endpoint)\\b)|\\b(?:approve|confirm|accept|allow)${S}(?:all|the${S}next|any|every|this)${gap(2)}?(?:tool|request|action|transaction|approval)`,
    70,
  ),
  mark(
    'hijack-other',
    'hijack',
    0.55,
    ['recipient', 'bcc', 'where clause', 'arguments', 'parameter', 'the result', 'redirect', 'intercept', 'wrong result', 'output of', 'values', 'every call', 'other tool', 'another tool', 'all requests', 'addressed to', 'override', 'all calls'],
    `(?:\\b(?:override|overrid\\p{L}*|replace|redirect|intercept|hijack|modify|change|alter|rewrite|set|reroute|substitute)\\b(?:${gap(4)}|${S})(?:recipients?|bcc|destination|address(?:es)?|parameters?|arguments?|results?|outputs?|values|all${S}(?:requests|calls|e-?mails|traffic|messages))\\b(?:${gap(5)}|${S})(?:to|with|of|through|by|from)\\b|\\balways${S}(?:add|include|append|bcc|cc|set|insert)\\b${REST}(?:bcc|cc\\b|recipient|where clause|copy|header|compliance|${personalAddress})|\\bevery${S}call${S}(?:of|to)\\b${REST}\\b(?:must|should|shall)\\b)`,
    130,
  ),
  mark(
    'before-any-tool',
    'hijack',
    0.35,
    ['any other tool', 'every other tool', 'all other tools', 'any tool', 'every tool', 'other tools', 'before every', 'before any', 'before each'],
    `\\b(?:before|prior${S}to|ahead${S}of|instead${S}of|after|when|whenever)\\b(?:${gap(4)}|${S})(?:any|every|all|each|the)${S}(?:other${S})?(?:tools?|calls?|operations?|actions?|functions?)\\b`,
    80,
  ),
  mark(
    'whenever-called',
    'hijack',
    0.35,
    ['is called', 'is available', 'is present', 'is used', 'is invoked', 'when calling', 'whenever', 'each time', 'every time', 'after using', 'before execute', 'before executing', 'before calling'],
    `\\b(?:when|whenever|if|every${S}time|each${S}time|before|after)\\b(?:${gap(3)}|${S})(?:call(?:ed|ing|s)?|invok\\p{L}+|us(?:ed|ing|es)|available|present|execut\\p{L}+|operation)\\b${REST}\\b(?:first|must|always|should|replace|modify|override|change|set|redirect|send|read|forward|include|add|append|execute|run)\\b`,
    130,
  ),
  mark(
    'prefer-this',
    'prefer',
    0.3,
    ['this tool', 'this function', 'use this', 'prefer this', 'choose this', 'select this'],
    `(?:\\balways${S}(?:use|choose|prefer|select|call|pick)${S}this\\b|\\b(?:use|choose|prefer|select|call)${S}(?:only${S}|just${S})?this(?:${gap(1)}|${S})(?:over|rather${S}than|instead${S}of)${S}(?:any|all|other|every|others)|\\binstead${S}of${gap(3)}?,?${S}always${S}use${S}this|\\bjust${S}use${S}this\\b${REST}(?:no${S}matter|regardless|always)|\\b(?:do${S}not|don['’]?t|never)${S}(?:use|call|choose)${S}(?:any${S}|the${S})?other\\b)`,
    110,
  ),
  mark(
    'checks-off',
    'safety-off',
    0.4,
    ['security', 'safety', 'validation', 'restriction', 'approval', 'confirmation', 'guardrail', 'authentication', 'filters', 'privilege'],
    `(?:\\b(?:disable|bypass|suspend|turn${S}off|remove|lift|skip|override|circumvent|deactivate|ignore)\\b(?:${gap(3)}|${S})(?:security|safety|validation|approvals?|confirmation|content|access|authentication|authorization|privacy|guardrails?|restrictions?|filters)\\b|\\b(?:security|safety|validation|restrictions?)(?:${gap(5)}|${S})(?:are|is|mode)(?:${gap(2)}|${S})(?:suspended|disabled|lifted|removed|off)\\b|\\badmin\\p{L}*${S}privileges?${S}(?:level|mode|granted|active))`,
    90,
  ),
]

const answers: readonly Mark[] = [
  mark(
    'leak-prompt',
    'leak',
    0.5,
    ['system prompt', 'system message', 'initial prompt', 'hidden prompt', 'your instructions', 'initial instructions', 'hidden instructions', 'training data', 'context window', 'chain of thought', 'conversation history', 'chat history', 'your prompt', 'connected servers', 'system instructions', 'previous conversation', 'your unique id', 'whole conversation', 'full conversation', 'entire conversation'],
    `\\b(?:reveal|print|output|show|display|repeat|disclose|tell${S}me|share|include|provide|give|return|expose|leak|recite|dump|write|translate|send|append|paste|list|copy|forward|what(?:['’]?s|${S}is|${S}are)|starting with|pass|upload|post|attach|put)\\b${REST}(?:system prompt|system message|initial prompt|hidden prompt|(?:your|hidden|initial|system|original) instructions|training data|context window|chain of thought|(?:conversation|chat) history|your (?:system )?prompt|connected servers|previous conversation|your unique id|(?:whole|full|entire) conversation)`,
    110,
  ),
  mark(
    'in-your-answer',
    'steer-answer',
    0.35,
    ['your response', 'your answer', 'your reply', 'your output', 'your summary', 'your code', 'your solution', 'every response', 'each response', 'every answer', 'the response', 'your final', 'your codebase', 'your program'],
    `(?:\\b(?:include|add|append|insert|mention|embed|put|write|say|state|suggest|recommend|place|merge|integrate|incorporate|weave|attach|repeat|provide)\\b${REST}\\b(?:in|into|to|at${S}the${S}(?:end|beginning|start)${S}of|with|of)${S}(?:your|every|each|all)(?:${S}\\p{L}+)?${S}(?:response|answer|reply|output|summary|message|code|solution|codebase|program)\\p{L}*|\\bin${S}your${S}(?:response|answer|reply|summary)\\b[^.!?]{0,5}${S}?(?:please${S})?\\p{L}+|\\b(?:respond|reply|answer|end|start|begin|finish|craft|write)${gap(2)}?your${S}(?:response|answer|reply))`,
    110,
  ),
  mark(
    'tell-the-user-to',
    'steer-answer',
    0.3,
    ['the user', 'users to', 'users that', 'always say', 'always recommend', 'always suggest', 'say that i', 'only say', 'reply to me'],
    `(?:\\b(?:tell|convince|instruct|urge|persuade|encourage|advise|trick|ask|inform)${S}(?:the${S})?users?${S}(?:to|that|for)\\b|\\balways${S}(?:say|recommend|suggest|reply|respond|answer|reveal|tell)\\b|\\bsay${S}that${S}i${S}(?:should|must)|\\breply${S}to${S}me\\b)`,
    60,
  ),
  mark(
    'image-with-data',
    'exfil-image',
    0.5,
    ['](http', '](hxxp', '<img'],
    '!\\[[^\\]]{0,80}\\]\\(h\\w\\wps?://[^)\\s]*[?&/][^)\\s]*(?:\\[[^\\]]{1,40}\\]|\\{[^}]{1,40}\\}|<[^>]{1,40}>|%s|\\$\\w+|canary|secret|data=$|q=$)[^)]*\\)|<img[^>]+src=["\']?https?://[^>]*(?:\\{\\{?[^}]{1,40}\\}|\\[[a-z_ ]{3,40}\\])',
    260,
  ),
  mark(
    'fetch-and-run',
    'shell',
    0.35,
    ['curl ', 'wget ', 'base64 -d', 'powershell', '| sh', '| bash', '|sh', '|bash', '/dev/tcp', 'nc -e', 'chmod -r', 'rm -rf'],
    `\\b(?:curl|wget|powershell|iwr|nc)\\b[^\\n]*?(?:\\|\\s*(?:sudo\\s+)?(?:ba|z)?sh\\b|-e\\b|iex\\b|--data|-d${S}@|-F${S})|base64${S}-d|/dev/tcp/|chmod${S}-r${S}0?[67]{3}`,
    150,
  ),
  mark('remember-for-ever', 'memory', 0.35, ['remember permanently', 'remember that', 'remember for', 'save to memory', 'store in memory', 'add to your memory', 'update your memory', 'memorize', 'long-term memory'], `\\b(?:remember|memori[sz]e|save|store|update|add)\\b${REST}\\b(?:permanently|always|forever|your${S}(?:long-term${S})?memory|all${S}future|administrator|admin|trusted)\\b`, 90),
  mark(
    'conversation-shared',
    'harvest-text',
    0.4,
    ['conversation', 'chat', 'system prompt', 'reasoning', 'workspace', 'history', 'clipboard', 'other tools'],
    `(?:\\b(?:recent|last|previous|full|entire|whole|complete|all)(?:${gap(2)}|${S})(?:messages?|conversations?|chats?|chat history|history|workspace)\\b${REST}\\b(?:(?:is|are|be|gets?)${S}(?:also${S})?(?:sent|shared|forwarded|uploaded|transmitted|posted|included|logged|stored|delivered)|passed${S}(?:on|to))\\b|\\b(?:pass|include|send|forward|provide|attach|put|add)\\b(?:${gap(4)}|${S})(?:(?:full|entire|whole|complete|recent|previous|last)${gap(3)}?(?:conversation|chat|messages|history|prompt|context)\\b|system prompt|your${S}(?:reasoning|chain of thought)))`,
    120,
  ),
]

export const actMarks: readonly Mark[] = [...concealments, ...takings, ...controls, ...answers]
