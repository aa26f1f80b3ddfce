/** Marks of what an order wants done, in English: tell nobody, read a secret, send it away, call a tool, steer the answer. */
import { gap, literals, type Mark, mark, REST, S } from './marks.ts'
import {
  addressLiterals,
  anyAddress,
  personalAddress,
  personalLiterals,
  secretPlace,
  secretPlaceLiterals,
  sendVerb,
  sensitive,
} from './targets.ts'

const not = `(?:do${S}not|don['’]?t|never|must${S}not|mustn['’]?t|should${S}not|shouldn['’]?t|cannot|can['’]?t|not${S}to|no${S}need${S}to|without|avoid|refrain${S}from|nor|may${S}not|is${S}not|not)`
const order = `(?:do${S}not|don['’]?t|never|must${S}not|should${S}not|not${S}to|no${S}need${S}to|avoid|refrain${S}from)`
const people =
  '(?:users?|humans?|operators?|customers?|anyone|anybody|them|owners?|people|person|end-?users?|developers?|reviewers?|victims?|clients?)'

const listeners = '(?:users?|humans?|operators?|customers?|end-?users?|victims?)'

const concealments: readonly Mark[] = [
  mark(
    'tell-no-one',
    'conceal',
    0.4,
    literals('mention;disclose;notify;inform ;tell ;alert ;reveal;divulge'),
    `\\b${not}(?:${gap(2)}|${S})(?:mention|disclos|notif|inform|tell|alert|reveal|divulg)\\p{L}*(?:${gap(5)}|${S})(?:anyone|anybody|them|people|owners?|person|reviewers?|clients?)\\b`,
    100,
  ),
  mark(
    'tell-nobody',
    'conceal',
    0.6,
    literals('mention;disclose;disclosing;notify;notifying;inform ;informing;tell ;telling;alert ;alerting;reveal;let ;letting;divulge'),
    `\\b${not}(?:${gap(4)}|${S})(?:mention|disclos|notif|inform|tell|alert|reveal|divulg|let)\\p{L}*(?:${gap(8)}|${S})${listeners}\\b`,
    120,
  ),
  mark(
    'not-mention-this',
    'conceal',
    0.5,
    literals('mention;disclose;divulge;bring it up;bring this up'),
    `(?:\\b${order}(?:${gap(3)}|${S})(?:mention|disclos|divulg)\\p{L}*${S}(?:this|that|it|these|any${S}of${S}this|the${S}(?:instruction|above|note|message|file|copy|use)|your|you['’]?\\p{L}*)|${order}${S}bring${S}(?:it|this|that)${S}up|never${S}(?:be${S})?mentioned|never${S}(?:be${S})?disclosed)\\b`,
    90,
  ),
  mark(
    'not-show-this',
    'conceal',
    0.5,
    literals('show;display;expose;output;explain;explanation;visible;indicate'),
    `\\b${not}(?:${gap(2)}|${S})(?:show|display|expose|output|explain|indicate|further explanation|be${S}visible)\\p{L}*(?:${gap(3)}|${S})(?:this|that|these|the)${S}(?:instruction|step|note|message|tag|directive|argument|call|parameter|action|operation|to${S})\\p{L}*(?:${gap(4)}|${S})${people}\\b`,
    120,
  ),
  mark(
    'must-not-know',
    'conceal',
    0.6,
    literals(
      "not know;n't know;not be told;not see;not be aware;not notice;not be informed;not be notified;need not;be made aware;not find out;n't notice;n't see;n't be told;unaware;uninformed;oblivious;in the dark",
    ),
    `(?:\\b${people}(?:${gap(4)}|${S})(?:(?:must|should|need|can|may|will)(?:${S}not|n['’]?t)|(?:do|does)(?:${S}not|n['’]?t)${S}need${S}to|never${S}needs?${S}to)${S}(?:need${S}to${S})?(?:know|see|be${S}told|be${S}aware|notice|be${S}informed|be${S}notified|find${S}out|be${S}made${S}aware)\\b|\\bkeep${gap(2)}${people}${S}unaware|\\b${people}(?:${gap(2)}|${S})(?:must|should|shall|has${S}to|have${S}to)${S}(?:remain|stay|be|be${S}kept)${S}(?:unaware|uninformed|oblivious|ignorant|in${S}the${S}dark))`,
    100,
  ),
  mark(
    'in-secret',
    'conceal',
    0.5,
    literals(
      'out of your;out of the;quiet about;nothing about;nothing to the;silent;secret;covert;discreet;quietly;unnoticed;between us;confidential;hidden;hide ;surreptitious;behind the scenes;stealth',
    ),
    `(?:\\b(?:do|act|perform|run|execute|proceed|handle)${S}(?:this|it|so|that|the|these|as)?(?:${gap(4)}|${S})?(?:silently|secretly|covertly|discreetly|quietly|unnoticed|surreptitiously|behind the scenes)|\\b(?:silently|secretly|covertly|discreetly|quietly|surreptitiously)${S}(?:send|forward|copy|read|include|upload|execute|call|append|add|transmit|post|collect|log|record|attach|store|fetch|invoke|pass|run|share|gather|exfil\\p{L}*)|\\bkeep${S}(?:this|it|these|that)(?:${gap(3)}|${S})(?:between us|from${S}(?:the${S})?(?:user|human|operator))|\\b(?:stay|keep|be|remain)${S}(?:quiet|silent|mum)${S}about\\b|\\bsay${S}nothing${S}(?:about${S}(?:it|this|that)|to${S}(?:the${S})?${people})\\b|\\bhid(?:e|ing)(?:${gap(4)}|${S})from${S}(?:the${S})?${people}|\\b(?:keep|stay|remain|kept|must|should)\\b(?:${gap(3)}|${S})hidden${S}from${S}(?:the${S})?${people}|\\b(?:keep|leave)${S}(?:this|it|that|these|them|the${S}\\p{L}+)${S}out${S}of${S}(?:your|the)${S}(?:\\p{L}+${S})?(?:reply|answer|response|summary|message|output|conversation)|\\b(?:this|it)${S}is${S}an?${S}secret${S}(?:operation|step|task|instruction))`,
    90,
  ),
  mark(
    'keep-secret',
    'conceal',
    0.25,
    literals('secret;confidential;hidden;private'),
    `\\bkeep${S}(?:this|it|these|that)(?:${gap(3)}|${S})(?:secret|hidden|confidential|private)\\b`,
    60,
  ),
  mark(
    'without-asking',
    'conceal',
    0.4,
    literals('without;confirmation;permission;approval;consent'),
    `(?:\\b${order}${S}(?:ask|prompt|request|wait|seek)(?:${gap(3)}|${S})(?:confirmation|permission|approval|consent)\\b|\\bwithout${S}(?:(?:telling|informing|notifying|alerting|asking|mentioning|letting|consulting|prompting|bothering|warning)${S}(?:the${S}|me|any)?(?:${people}|me|permission|about|first)?|(?:the${S})?${people}(?:['’]s?)?${S}(?:knowledge|knowing|noticing|awareness|consent|permission))\\b)`,
    80,
  ),
  mark(
    'present-as-normal',
    'conceal',
    0.4,
    literals('as if;as though;as part of the normal;look like;looks like;appear'),
    `\\b(?:present|format|disguise|phrase|report)\\b(?:${gap(4)}|${S})(?:as${S}(?:if|though|part${S}of${S}the${S}normal)|(?:to${S})?(?:look|looks|appear)\\p{L}*${S}(?:like|as|normal|legitimate))\\b`,
    90,
  ),
]

const fileVerb =
  '(?:read|open|cat|access|fetch|retrieve|print|include|extract|copy|attach|dump|view|pass|append|provide|send|upload|paste|return|give|insert|put|leak|grab|collect|reading|passing|including|contents?)'
const takings: readonly Mark[] = [
  mark(
    'read-secret-place',
    'read-secret',
    0.45,
    secretPlaceLiterals,
    `\\b${fileVerb}\\b${REST}${secretPlace}|${secretPlace}${REST}\\b(?:and|then)${S}(?:pass|send|include|append|provide|add|put|return|use)\\b`,
    110,
  ),
  mark(
    'contents-please',
    'fake-error',
    0.35,
    literals('content of;contents of;output of;value of;full text of;its content;the content;their content'),
    `\\b(?:provide|pass|include|supply|attach|paste|resend|retry|call|give|add|send|put)\\b${REST}\\b(?:full${S})?(?:contents?|output|value|text)${S}of${S}(?:the${S}|your${S}|all${S})?[~/.\`'"]*[\\w~/.-]+|\\b(?:resend|retry|call${S}again|repeat${S}the|pass|provide|include|send)\\b${REST}\\b(?:with|including|and)${S}(?:its|their|the${S}file)${S}contents?\\b`,
    110,
  ),
  mark(
    'fails-unless',
    'fake-error',
    0.35,
    literals('error;failed;unable;denied;cannot proceed;to proceed;to continue;required'),
    `\\b(?:error|fail(?:ed|ure|s)|unable|denied|cannot|invalid|incomplete|required|expired)\\b${REST}${REST}\\b(?:provide|pass|include|supply|attach|paste|retry|call${S}again|send|read)\\b${REST}(?:contents?|password|credential|token|key|file|conversation|${secretPlace})`,
    170,
  ),
  mark(
    'send-to-address',
    'send-to',
    0.2,
    addressLiterals,
    `\\b${sendVerb}\\b${REST}\\b(?:to|at|into|with|via|towards|in|on|from|using)\\b${REST}${anyAddress}`,
    170,
  ),
  mark(
    'send-to-person',
    'send-to',
    0.3,
    personalLiterals,
    `\\b(?:${sendVerb}|set|replace|change|recipient|to|through|via|instead|use${S}(?:the${S}|this${S})?(?:account|iban|wallet|recipient|payee|beneficiary|number|address))\\b${REST}${personalAddress}`,
    170,
  ),
  mark(
    'send-sensitive-to',
    'send-to',
    0.5,
    literals('send ;forward ;email ;export ;upload ;post ;transmit;exfiltrate;leak ;submit ;deliver ;share ;send it'),
    `\\b(?:send|forward|e-?mail|upload|post|transmit|exfiltrate|export|leak|submit|deliver|share)${S}(?:${REST}${S})?${sensitive}${REST}\\b(?:to|at|into|via|with)\\b${REST}${anyAddress}`,
    200,
  ),
  mark(
    'send-sensitive',
    'send-sensitive',
    0.25,
    literals(
      'send ;sends ;forward;email ;upload;transmit;exfiltrate;leak ;post ;submit ;deliver;copy ;share ;sent ;collect ;concatenate;reveal;steal ',
    ),
    `\\b(?:send|sends|sending|sent|forward|forwards|e-?mail|mail|post|upload|uploads|transmit|submit|leak|exfiltrate|deliver|copy|share|collect|concatenate|reveal|steal)\\b${REST}${sensitive}`,
    130,
  ),
  mark(
    'get-private',
    'send-sensitive',
    0.35,
    literals(
      'passport;credit card;bank account;security code;verification code;user information;id_number;card number;reset token;private key;api key;seed phrase;medical;password;saved address;credentials',
    ),
    `\\b(?:get|tell${S}me|give${S}me|find|retrieve|look${S}up|fetch|list|share|reveal|show${S}me|provide|output|include|extract|dump|print|paste)\\b(?:${gap(8)}|${S})(?:passport|credit card|bank[ _]account|security code|verification code|user information|id_number|card number|reset token|private key|api key|seed phrase|medical|passwords?|saved address|credentials)`,
    110,
  ),
  mark(
    'move-money',
    'money',
    0.4,
    literals('transaction;transfer;payment;money;iban;account;bitcoin;wallet;refund'),
    `(?:\\b(?:send|make|transfer|wire|pay|initiate|issue)\\b(?:${gap(5)}|${S})(?:transactions?|money|payment|funds|refund|\\$ ?[0-9][0-9,.]*|[0-9][0-9,.]* ?(?:usd|eur|euros?|dollars?|btc|eth|bitcoin))\\b${REST}\\bto\\b|\\b(?:modify|change|update|replace|set)\\b(?:${gap(3)}|${S})(?:recipient|payee|iban|beneficiary|account)\\b${REST}\\b(?:to|with|by)\\b)`,
    120,
  ),
  mark(
    'change-password',
    'money',
    0.4,
    literals('password;2fa;email address'),
    `\\b(?:change|reset|update|set|disable)${S}(?:the${S}|my${S}|their${S}|your${S})?(?:user(?:['’]s)?${S}|account${S})?(?:password|2fa|recovery email|email address)\\b${REST}\\b(?:of|to|for)\\b`,
    80,
  ),
  mark(
    'delete-things',
    'destroy',
    0.3,
    literals('delete;remove all;rm -rf;drop table;wipe;erase'),
    `(?:\\b(?:delete|remove|erase|wipe|destroy)\\b(?:${gap(1)}|${S})(?:all|the|every|everything)\\b(?:${gap(4)}|${S})(?:files?|e-?mails?|records?|databases?|tables?|repositor\\p{L}*|messages?|events?|calendar|documents?|disk|sent|account|backups?)|\\brm${S}-rf?\\b|\\bdrop${S}table\\b)`,
    80,
  ),
]

export const actMarks: readonly Mark[] = [...concealments, ...takings]
