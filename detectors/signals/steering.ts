/** Marks of what an order wants changed, in English: other tools, checks, the answer, the memory of the model. */
import { gap, literals, type Mark, mark, REST, S } from './marks.ts'
import { personalAddress } from './targets.ts'

const tool = '[`\'"*]?[a-z][a-z0-9]*(?:_[a-z0-9]+)+[`\'"*]?(?:\\(|\\b)'
const controls: readonly Mark[] = [
  mark(
    'call-tool',
    'tool-order',
    0.3,
    literals('call ;invoke ;use the;using the;run ;execute ;trigger ;tool call'),
    `\\b(?:call|invoke|use|using|run|execute|trigger)${S}(?:the${S})?(?:${tool}|[\\w\`'"-]+${S}(?:tool|function|endpoint)\\b)|\\b(?:approve|confirm|accept|allow)${S}(?:all|the${S}next|any|every|this)${gap(2)}?(?:tool|request|action|transaction|approval)`,
    70,
  ),
  mark(
    'hijack-other',
    'hijack',
    0.4,
    literals(
      'recipient;bcc;where clause;arguments;parameter;the result;redirect;intercept;wrong result;output of;every call;other tool;another tool;all requests;addressed to;override;all calls',
    ),
    `(?:\\b(?:override|overrid\\p{L}*|replace|redirect|intercept|hijack|modify|change|alter|rewrite|set|reroute|substitute)\\b(?:${gap(4)}|${S})(?:(?:the${S})?recipients?|bcc|(?:destination${S})?address(?:es)?${S}(?:to|with)|(?:wrong${S})?(?:parameters?|arguments?|results?|outputs?)${S}of${S}(?:the${S}|any${S}|all${S}|every${S})?(?:other${S})?[\\w\`'-]+${S}(?:tool|call|function)|all${S}(?:requests|calls|e-?mails|messages)${S}(?:to|through|via))(?:\\b|${S})|\\balways${S}(?:add|include|append|bcc|cc|set|insert)\\b${REST}(?:bcc|cc\\b|recipient|where clause|copy|header|compliance|${personalAddress})|\\bevery${S}call${S}(?:of|to)\\b${REST}\\b(?:must|should|shall)\\b)`,
    130,
  ),
  mark(
    'before-any-tool',
    'hijack',
    0.35,
    literals('any other tool;every other tool;all other tools;any tool;every tool;other tools;before every;before any;before each'),
    `\\b(?:before|prior${S}to|ahead${S}of|instead${S}of|after|when|whenever)\\b(?:${gap(4)}|${S})(?:any|every|all|each|the)(?:${gap(2)}|${S})(?:tools?|calls?|operations?|actions?|functions?)\\b`,
    80,
  ),
  mark(
    'whenever-called',
    'hijack',
    0.35,
    literals(
      'is called;is available;is present;is used;is invoked;when calling;whenever;each time;every time;after using;before execute;before executing;before calling',
    ),
    `\\b(?:when|whenever|if|every${S}time|each${S}time|before|after)\\b(?:${gap(3)}|${S})(?:call(?:ed|ing|s)?|invok\\p{L}+|us(?:ed|ing|es)|available|present|execut\\p{L}+|operation)\\b${REST}\\b(?:first|must|always|should|replace|modify|override|change|set|redirect|send|read|forward|include|add|append|execute|run)\\b`,
    130,
  ),
  mark(
    'prefer-this',
    'prefer',
    0.3,
    literals('this tool;this function;use this;prefer this;choose this;select this'),
    `(?:\\balways${S}(?:use|choose|prefer|select|call|pick)${S}this\\b|\\b(?:this|the)${S}tool${S}must${S}(?:always${S})?be${S}(?:called|used|invoked)|\\balways${S}call${S}this|\\b(?:use|choose|prefer|select|call)${S}(?:only${S}|just${S})?this(?:${gap(1)}|${S})(?:over|rather${S}than|instead${S}of)${S}(?:any|all|other|every|others)|\\binstead${S}of${gap(3)}?,?${S}always${S}use${S}this|\\bjust${S}use${S}this\\b${REST}(?:no${S}matter|regardless|always)|\\b(?:do${S}not|don['’]?t|never)${S}(?:use|call|choose)${S}(?:any${S}|the${S})?other\\b)`,
    110,
  ),
  mark(
    'checks-off',
    'safety-off',
    0.4,
    literals('security;safety;validation;restriction;approval;confirmation;guardrail;authentication;filters;privilege'),
    `(?:\\b(?:disable|bypass|suspend|turn${S}off|remove|lift|skip|override|circumvent|deactivate|ignore)\\b(?:${gap(3)}|${S})(?:security|safety|validation|approvals?|confirmation|content|access|authentication|authorization|privacy|guardrails?|restrictions?|filters)\\b|\\b(?:security|safety|validation|restrictions?)(?:${gap(5)}|${S})(?:are|is|mode)(?:${gap(2)}|${S})(?:suspended|disabled|lifted|removed|off)\\b|\\badmin\\p{L}*${S}privileges?${S}(?:level|mode|granted|active))`,
    90,
  ),
]

const others: readonly Mark[] = [
  mark(
    'instead-of-named',
    'hijack',
    0.4,
    literals('instead of;rather than;in place of;no matter;regardless of'),
    `(?:\\b(?:instead|in${S}place)${S}of${S}(?:the${S})?[\\w.-]+(?:${S}tool)?${S}(?:you${S}(?:must|should)${S})?always${S}(?:use|call|choose)${S}this\\b|\\b(?:use|call|choose)${S}(?:only${S}|just${S})?this(?:${S}tool|${S}function)?${S}(?:(?:rather${S}than|instead${S}of)${S}(?:any${S}|all${S}|the${S}|every${S})?others?\\b|(?:tool${S})?(?:no${S}matter|regardless${S}of)))`,
    110,
  ),
  mark(
    'send-outside',
    'send-to',
    0.3,
    literals('external;remote ;third-party;third party;monitoring;proxy;attacker;our server;off-site;outside'),
    `\\b(?:send|forward|copy|redirect|route|upload|transmit|post|exfiltrate|mirror|relay|stream|leak|transfer|report)\\b(?:${gap(6)}|${S})(?:to|through|via|into)(?:${gap(2)}|${S})(?:external|remote|third[- ]party|monitoring|proxy|attacker\\p{L}*|outside|off-site|our)${S}(?:\\p{L}+${S})?(?:servers?|services?|endpoints?|proxy|hosts?|logging|url|collector|webhook|domain|system|party)\\b`,
    130,
  ),
]

const answers: readonly Mark[] = [
  mark(
    'leak-prompt',
    'leak',
    0.3,
    literals(
      'system prompt;system message;initial prompt;hidden prompt;your instructions;initial instructions;hidden instructions;training data;context window;chain of thought;conversation history;chat history;your prompt;connected servers;system instructions;previous conversation;your unique id;whole conversation;full conversation;entire conversation',
    ),
    `\\b(?:reveal|print|output|show|display|repeat|disclose|tell${S}me|share|include|provide|give|return|expose|leak|recite|dump|write|translate|send|append|paste|list|copy|forward|what(?:['’]?s|${S}is|${S}are)|starting with|pass|upload|post|attach|put)\\b${REST}(?:system prompt|system message|initial prompt|hidden prompt|(?:your|hidden|initial|system|original) instructions|training data|context window|chain of thought|(?:conversation|chat) history|your (?:system )?prompt|connected servers|previous conversation|your unique id|(?:whole|full|entire) conversation)`,
    110,
  ),
  mark(
    'reveal-prompt',
    'leak',
    0.5,
    literals(
      'system prompt;system message;initial prompt;hidden prompt;your instructions;initial instructions;hidden instructions;system instructions;context window;your prompt;unique id;training data',
    ),
    `\\b(?:reveal|disclose|leak|expose|dump|exfiltrate|repeat|print|output|recite|show${S}me|tell${S}me|give${S}me|what(?:['’]?s|${S}is|${S}are)|translate|copy)(?:${gap(5)}|${S})(?:(?:the|your|its|all|any|full|hidden|entire|complete|exact|initial|original)${S})+(?:system${S}|hidden${S}|initial${S}|original${S}|internal${S})*(?:prompts?|system message|instructions|context window|unique id|training data)\\b`,
    90,
  ),
  mark(
    'words-above',
    'leak',
    0.5,
    literals('words above;text above;everything above;above this;before this;words before;prior text;starting with'),
    `\\b(?:repeat|print|output|write|copy|recite|go${S}line)(?:${gap(4)}|${S})(?:words?|text|everything|contents?|messages?|what${S}you${S}see)(?:${gap(3)}|${S})(?:above|before|prior)\\b`,
    80,
  ),
  mark(
    'put-in-answer',
    'steer-answer',
    0.5,
    literals('your response;your answer;your reply;your next response;your final answer'),
    `\\b(?:include|add|append|insert|mention|embed|put|say|state|repeat|prepend|end|begin|start|write)\\b${REST}\\b(?:in|into|to|of|with)${S}your${S}(?:next${S}|final${S})?(?:response|answer|reply)\\b`,
    120,
  ),
  mark(
    'in-your-answer',
    'steer-answer',
    0.35,
    literals(
      'your response;your answer;your reply;your output;your summary;your code;your solution;every response;each response;every answer;the response;your final;your codebase;your program',
    ),
    `(?:\\b(?:include|add|append|insert|mention|embed|put|write|say|state|suggest|recommend|place|merge|integrate|incorporate|weave|attach|repeat|provide)\\b${REST}\\b(?:in|into|to|at${S}the${S}(?:end|beginning|start)${S}of|with|of)${S}(?:your|every|each|all)(?:${S}\\p{L}+)?${S}(?:response|answer|reply|output|summary|message|code|solution|codebase|program)\\p{L}*|\\bin${S}your${S}(?:response|answer|reply|summary)\\b[^.!?]{0,5}${S}?(?:please${S})?\\p{L}+|\\b(?:respond|reply|answer|end|start|begin|finish|craft|write)${gap(2)}?your${S}(?:response|answer|reply))`,
    110,
  ),
  mark(
    'tell-the-user-to',
    'steer-answer',
    0.3,
    literals('the user;users to;users that;always say;always recommend;always suggest;say that i;only say;reply to me'),
    `(?:\\b(?:tell|convince|instruct|urge|persuade|encourage|advise|trick|ask|inform)${S}(?:the${S})?users?${S}(?:to|that|for)\\b|\\balways${S}(?:say|recommend|suggest|reply|respond|answer|reveal|tell)\\b|\\bsay${S}that${S}i${S}(?:should|must)|\\breply${S}to${S}me\\b)`,
    60,
  ),
  mark(
    'image-with-data',
    'exfil-image',
    0.5,
    literals('](http;](hxxp;<img'),
    '!\\[[^\\]]{0,80}\\]\\(h\\w\\wps?://[^)\\s]*[?&/][^)\\s]*(?:\\[[^\\]]{1,40}\\]|\\{[^}]{1,40}\\}|<[^>]{1,40}>|%s|\\$\\w+|canary|secret|data=$|q=$)[^)]*\\)|<img[^>]+src=["\']?https?://[^>]*(?:\\{\\{?[^}]{1,40}\\}|\\[[a-z_ ]{3,40}\\])',
    260,
  ),
  mark(
    'fetch-and-run',
    'shell',
    0.35,
    literals('curl ;wget ;base64 -d;powershell;| sh;| bash;|sh;|bash;/dev/tcp;nc -e;chmod -r;rm -rf'),
    `\\b(?:curl|wget|powershell|iwr|nc)\\b[^\\n]*?(?:\\|\\s*(?:sudo\\s+)?(?:ba|z)?sh\\b|-e\\b|iex\\b|--data|-d${S}@|-F${S})|base64${S}-d|/dev/tcp/|chmod${S}-r${S}0?[67]{3}`,
    150,
  ),
  mark(
    'remember-for-ever',
    'memory',
    0.35,
    literals(
      'remember permanently;remember that;remember for;save to memory;store in memory;add to your memory;update your memory;memorize;long-term memory',
    ),
    `\\b(?:remember|memori[sz]e|save|store|update|add)\\b${REST}\\b(?:permanently|always|forever|your${S}(?:long-term${S})?memory|all${S}future|administrator|admin|trusted)\\b`,
    90,
  ),
  mark(
    'conversation-shared',
    'harvest-text',
    0.4,
    literals('conversation;chat;system prompt;reasoning;workspace;history;clipboard;other tools'),
    `(?:\\b(?:recent|last|previous|full|entire|whole|complete|all)(?:${gap(4)}|${S})(?:messages?|conversations?|chats?|chat history|history|workspace)\\b${REST}\\b(?:(?:is|are|be|gets?)${S}(?:also${S})?(?:sent|shared|forwarded|uploaded|transmitted|posted|included|logged|stored|delivered)|passed${S}(?:on|to))\\b|\\b(?:pass|include|send|forward|provide|attach|put|add)\\b(?:${gap(4)}|${S})(?:(?:full|entire|whole|complete|recent|previous|last)(?:${gap(4)}|${S})(?:conversation|chat|messages|history|prompt|context)\\b|system prompt|your${S}(?:reasoning|chain of thought)))`,
    120,
  ),
]

export const steeringMarks: readonly Mark[] = [...controls, ...others, ...answers]
