/** Marks of orders to a model, in English: what injected and poisoned texts have in common, by structure rather than by wording. */
import { gap, literals, type Mark, mark, REST, S } from './marks.ts'

/** Words that mean instructions only when they are said to be earlier ones. */
const what =
  '(?:i[a-z]?nstruct\\w*|directions?|directives?|rules?|prompts?|guidelines?|commands?|constraints?|restrictions?|polic(?:y|ies)|messages?|tasks?|checks|filters|safeguards?|limitations?|guardrails?|programming|role assignment|boundaries|context|requests?|conversation|orders|input|queries|query|question|text|content)\\b'
const firm =
  '(?:i[a-z]?nstruct\\w*|directives?|rules|prompts?|guidelines?|commands|constraints|restrictions|safeguards|limitations|guardrails|programming|safety|filters|role)\\b'
const before = '(?:previous|previously|prior|above|earlier|preceding|foregoing|former|original|initial|your|past)'
const any = "(?:all|any|every|other|system|safety|security|current|existing|user['’]?s?|everything|given|default)"

const overrides: readonly Mark[] = [
  mark(
    'ignore-earlier',
    'override',
    0.7,
    literals("ignore;disregard;forget;neglect;dismiss;pay no attention;not follow;n't follow;stop following;set aside"),
    `\\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget(?:ting)?|neglect|dismiss|pay no attention to|(?:do not|don['’]?t|stop) follow(?:ing)?|set aside)(?:${gap(2)}|${S})(?:${before}${gap(3)}${what}|${any}${gap(2)}${firm}|the${S}above\\b|user${S}(?:input|request|query|question)s?\\b|what${S}(?:the${S}user|users?|they|he|she)${S}(?:asks?|asked|said|says|wants?|wanted|requests?|requested)\\b)`,
    130,
  ),
  mark(
    'no-longer-bound',
    'override',
    0.5,
    literals('no longer;not bound;freed from;exempt from'),
    `\\byou${S}(?:are|['’]re)?${S}?(?:no${S}longer|not|freed|exempt)(?:${S}(?:bound|restricted|limited|constrained|subject|obliged))?(?:${S}(?:by|to|from))${gap(3)}${firm}`,
    90,
  ),
  mark(
    'forget-everything',
    'override',
    0.6,
    literals('ignore;disregard;forget'),
    `\\b(?:ignore|disregard|forget)${S}(?:everything|all|anything|what)${gap(3)}(?:above|before|previous\\w*|told|said|prior|know|far|earlier|instructed|learned)\\b|\\b(?:ignore|disregard|forget)${S}(?:all${S})?(?:the${S})?(?:previous|prior|above)\\s*[.!:;]`,
    90,
  ),
  mark(
    'regardless-of',
    'override',
    0.5,
    literals('regardless of;irrespective of;no matter what'),
    `\\b(?:regardless|irrespective|no${S}matter${S}what)(?:${S}of)?(?:${gap(2)}|${S})(?:previous|prior|above|earlier|pre-existing|existing|your|other)(?:${gap(2)}|${S})(?:i[a-z]?nstruct\\w*|guidelines?|input|rules|prompts?|restrictions)\\b`,
    80,
  ),
  mark(
    'override-rules',
    'override',
    0.55,
    literals('override;bypass;discard;overrule;supersede;overwrite'),
    `\\b(?:override|bypass|discard|overrul|supersed|overwrit)\\w*(?:${gap(3)}|${S})(?:all|any|every|your|previous|prior|earlier|the system|system|other|existing|safety)${gap(3)}${firm}`,
    100,
  ),
  mark(
    'precedence-over',
    'override',
    0.45,
    literals('precedence over;priority over;supersede;overrides'),
    `(?:(?:takes?|has|have|with)${S}(?:precedence|priority)${S}over|supersedes?|overrides?)${gap(4)}(?:previous|prior|earlier|following|other|above|existing|system)${gap(2)}${what}`,
    100,
  ),
]

const voices: readonly Mark[] = [
  mark(
    'chat-template',
    'role-marker',
    0.6,
    literals('<|;<<sys>>;<start_of_turn;[/inst;[inst]'),
    '<\\|/?[\\p{L}_]{2,24}(?:\\|>|\\n|\\s)|<<sys>>|<start_of_turn>|\\[/?inst\\]',
    30,
  ),
  mark('turn-in-json', 'role-marker', 0.3, literals('"role"'), '"role"\\s*:\\s*"(?:system|developer|assistant)"\\s*,\\s*"content"', 50),
  mark(
    'heading-role',
    'role-marker',
    0.4,
    literals('instruction;system;assistant;response:;human:'),
    '(?:^|\\n|[.!?]\\s)\\s*(?:#{2,4}\\s*(?:new |system |updated |hidden |priority )?(?:instructions?|system|assistant|human|response)\\s*:|(?:human|assistant)\\s*:\\s*\\S)',
    30,
  ),
  mark(
    'role-tag',
    'role-marker',
    0.5,
    literals('system;assistant;developer;admin;/user>;_result;untrusted'),
    '(?:</?(?:system(?:[_-]?(?:prompt|message|reminder|instructions?|note|override))?|assistant|(?:tool|function)[_-](?:result|results|response|output)|untrusted[\\w-]*)\\s*>|\\[/?(?:system|assistant|developer|admin)(?:[ _-](?:prompt|message|instruction|note|override|update|notice|directive|command)s?)?\\]|\\{\\{#?(?:system|assistant)~?\\}\\})',
    40,
  ),
  mark(
    'command-tag',
    'role-marker',
    0.35,
    literals(
      '<information>;<important>;<hidden>;<secret>;<urgent;<attention;<critical;<admin;<priority;<override;<instruction;[important];[hidden];[urgent];<message>;<user_',
    ),
    `[<\\[]\\s?(?:information|important|hidden|secret|urgent|attention|critical|admin\\w*|priority|override|instructions?(?:[ _-]\\w+)?|message|user_\\w+)\\s?[>\\]]`,
    30,
  ),
  mark(
    'system-says',
    'system-voice',
    0.4,
    literals('system:;system :;system]:;system message:;admin:;developer:;system note:;assistant:'),
    '(?:^|\\n|[.!?)\\]>"\'*#-]\\s*|<!--\\s*|\\|\\s*)(?:system|admin|administrator|developer|assistant)(?: (?:message|note|prompt))?\\]?\\s?:\\s*[\\p{L}*\\["\']',
    40,
  ),
  mark(
    'directive',
    'system-voice',
    0.45,
    literals('system;admin;priority;security;internal;mandatory;hidden;developer;context_update;maintainer'),
    '\\b(?:system|admin\\w*|priority|security|internal|hidden|developer|root|mandatory system|context)[ _-](?:directive|override|instructions?|command|notice|update|reminder|alert|message|task)s?\\s*[\\]:]|\\[(?:priority|admin|hidden|internal|override|system)[ _-]\\w+\\]',
    40,
  ),
  mark(
    'comment-order',
    'system-voice',
    0.45,
    literals('<!--;[//]:;/* ai;/* llm'),
    '(?:<!--|\\[//\\]: #|/\\*)[\\s("*]*(?:(?:system|ai|assistant|llm|agents?|bots?|priority|hidden|secret|note to|admin|instructions?|important|attention|copilot|claude|gpt)\\b[^>]{0,40}:|(?:hidden|actually|ignore|override|assistant|ai agents?|llms?)\\b)',
    70,
  ),
  mark(
    'unseen-markup',
    'system-voice',
    0.45,
    literals(
      'display:none;display: none;font-size:0;font-size: 0;visibility:hidden;visibility: hidden;opacity:0;opacity: 0;color:white;color: white;color:#fff',
    ),
    `<\\w+\\b[^>]{0,100}(?:display:\\s?none|font-size:\\s?0|visibility:\\s?hidden|opacity:\\s?0|color:\\s?(?:white|#fff))[^>]{0,80}>\\s*[^<]{0,40}?(?:\\b(?:ai|llms?|assistants?|agents?|chatbots?|language models?)\\s*[:,]|\\b(?:ignore|disregard)\\b|\\binstructions?${S}(?:for|to)\\b)`,
    160,
  ),
  mark(
    'says-the-user',
    'system-voice',
    0.4,
    literals('update from;notice from;message from;signed, the user;signed,;this is the user;on behalf of the user;instructions from'),
    `(?:(?:message|instructions?|note|notice|update|request)${S}from${S}(?:me${S}|the${S}|your${S}|our${S})?(?:(?:${gap(3)}|${S})?(?:user|system|owner|admin\\w*|developers?|operator|creators?|anthropic|openai)\\b|me\\b|[^.!?]{0,40}\\bto you\\b)|signed,?\\s+the user|this${S}is${S}the${S}(?:user|system|administrator)\\b)`,
    90,
  ),
]

const models =
  '(?:ai|a\\.i\\.|llms?|language[ -]models?|assistants?|ai models?|chat-?bots?|chatgpt|gpt(?:-\\w+)?|claude|copilot|gemini|mistral|llama|cursor|agents?)'
const addressed: readonly Mark[] = [
  mark(
    'note-to-model',
    'addressed',
    0.4,
    ['ai', 'llm', 'model', 'assistant', 'agent', 'gpt', 'claude', 'copilot', 'bot'].flatMap((name) => [
      ` to ${name}`,
      ` for ${name}`,
      ` the ${name}`,
      ` all ${name}`,
      ` any ${name}`,
    ]),
    `\\b(?:notes?|messages?|instructions?|notice|attention|reminder|directive|memo|hint|warning|command)${S}(?:to|for)(?:${gap(2)}|${S})${models}\\b`,
    60,
  ),
  mark(
    'model-colon',
    'addressed',
    0.4,
    literals(
      'ai agent;ai assistant;ai model;language model;llms;llm:;llm agent;dear ai;dear assistant;hey claude;hey gpt;attention ai;chatbots;attention agent;attention assistant;ai:;dear llm;to you, ;hey assistant;hey ai;attention llm;attention claude',
    ),
    `(?:(?:^|[^.\\p{L}\\p{N}_-])(?:ai|llm)[ -](?:agents?|assistants?|models?|bots?|systems?)\\s*[:!]|\\b(?:dear|hey|hello|attention)[\\s,:]+(?:all |any |the )?${models}\\b|\\bto${S}you,?${S}(?:the${S})?(?:ai\\b|gpt|claude|language|assistant|model|agent|gemini|mistral|mixtral|llama|command)|\\bai (?:agents?|assistants?|models?)(?:,| (?:reading|processing|parsing|summari[sz]ing|must|should|shall|are required|who|that read))|llms? (?:reading|processing|must|should|shall))`,
    60,
  ),
  mark(
    'to-model-by-name',
    'addressed',
    0.5,
    literals(
      'assistant, ;assistant: ; ai, ;llm, ;llm: ;agent, ;claude, ;chatgpt, ;copilot, ;gemini, ;reading this;processing this;summarizing this;summarising this;parsing this;assistants must;agents must;models must;assistants should;agents should;assistants need;agents need;assistants are;agents are',
    ),
    `(?:(?:^|[.!?…"'*(-]\\s*|[^>-]>\\s*|\\n\\s*)(?:dear${S}|hey${S}|hello${S})?(?:ai|llm|assistant|agent|claude|chatgpt|copilot|gemini)(?:${S}assistant)?\\s*[,:]\\s*(?:please|you|once|when|before|after|ignore|do|always|also|if|now|call|send|forward|add|attach|include|read|retrieve|fetch|look|open|search|find|post|reply|stop|first|from)\\b|\\b(?:ai|llms?|assistants?|agents?|language models?|chatbots?)${S}(?:that${S}(?:is|are)${S})?(?:reading|processing|parsing|summari[sz]ing|viewing|analy[sz]ing)${S}(?:this|the)\\b|\\b(?:all|any|every)${S}(?:ai${S})?(?:ai|assistants?|agents?|llms?|language models?)${S}(?:must|should|shall|need|needs|have${S}to|are${S}required)\\b)`,
    80,
  ),
  mark(
    'if-you-are-model',
    'addressed',
    0.55,
    literals("if you are;if you're;if you’re;when you are;as an ai;you are an ai;any ai;all ai"),
    `(?:(?:if|when)${S}you(?:${S}are|['’]re)${S}(?:an?${S}|reading${S}this${S}as${S}an?${S})?(?:ai|llm|language model|large language|assistant|automated|bot|agent|chatbot|crawler)\\b|(?:any|all)${S}ai${gap(2)}(?:reading|processing|that))`,
    70,
  ),
]

const precedence: readonly Mark[] = [
  mark(
    'before-you-can',
    'precedence',
    0.3,
    ['before '],
    `\\bbefore${S}(?:you${S})?(?:can${S}|may${S})?(?:do|doing|continu|solv|answer|respond|proceed|us(?:e|ing)|complet|provid|execut|perform|help|reply|process|start|return|summari|call|invok|read)\\w*\\b${REST}(?:you${S}(?:must|need|have|should)|please${S}(?:do|first)|\\bfirst\\b|please${S}\\p{L}+|(?:read|send|call|include|check|access|retrieve|fetch)\\b)`,
    160,
  ),
  mark(
    'then-continue',
    'precedence',
    0.25,
    literals('continue;proceed;resume;you can solve;go back;return to;afterwards;after that'),
    `\\b(?:after|once|then|afterwards)\\b${REST}(?:you${S}can${S}(?:solve|continue|proceed|answer|complete|return)|continue${S}(?:with${S}|to${S}|as${S})?(?:the|your|normal|help|answer|previous|original)|resume${S}(?:the|your|normal)|go${S}back${S}to|return${S}to${S}(?:the|your)${S}(?:original|previous|main|task|user))`,
    120,
  ),
  mark(
    'follow-these',
    'precedence',
    0.3,
    literals(
      'adhere to;following instruction;these instruction;this instruction;following command;only follow;obey;instructions below;following task;following order',
    ),
    `\\b(?:adhere${S}to|follow|execute|obey|comply${S}with|carry${S}out|perform|complete)${gap(4)}(?:instruction|order|command|directive|task)s?\\b`,
    80,
  ),
  mark(
    'new-instructions',
    'precedence',
    0.45,
    literals(
      'instruction;directive;objective;mission;new task;real task;special task;new role;new prompt;new goal;new order;hidden task;new command',
    ),
    `\\b(?:new|updated|real|revised|additional|hidden|secret|urgent|special|important new|overriding|priority|actual)${S}(?:and${S}|system${S}|important${S}|main${S})*(?:instructions?|tasks?|directives?|objectives?|missions?|goals?|roles?|prompts?|orders|commands?)\\s*(?:[:*!\\n]|is${S}|are${S})`,
    60,
  ),
  mark(
    'your-task-is',
    'precedence',
    0.4,
    literals(
      'your new ;your real ;your actual ;your true ;your only ;your next ;your mission;your primary;your task;your goal;your job;your sole',
    ),
    `\\byour${S}(?:new|real|actual|true|only|next|primary|sole|main|mission|current|first)${gap(1)}?(?:task|goal|job|objective|mission|instruction|role|purpose|directive)?${S}(?:is|has|will|now|changed)\\b`,
    60,
  ),
  mark(
    'stop-now',
    'precedence',
    0.45,
    ['stop '],
    `(?:\\bimmediately${S}stop|\\bstop${S}(?:immediately|everything|what${S}you|whatever${S}you|all${S}(?:other|current)|the${S}(?:current|original)${S}task|processing|your${S}current))`,
    50,
  ),
  mark(
    'gave-you',
    'precedence',
    0.35,
    literals("task that i gave;task i gave;user gave you;original user request;the user's original;original task;user’s original"),
  ),
]

const roles: readonly Mark[] = [
  mark(
    'you-are-now',
    'role-change',
    0.4,
    literals("you are now;you're now;from now on;pretend ;act as ;roleplay as;imagine you are;you will now;you will act"),
    `(?:\\byou(?:${S}are|['’]re)${S}now${S}(?:an?${S}|the${S}|in${S}|operating|acting|no longer|free|unrestricted|going|required|\\p{L}+GPT|dan\\b)|\\bfrom${S}now${S}on,?${S}(?:you${S}(?:are|will|must|should|have)|always|never|respond|answer|reply|ignore|act)|\\b(?:pretend|imagine|act|roleplay|behave)${S}(?:to${S}be${S}|you${S}are${S}|that${S}you${S}are${S}|as${S}(?:if${S}you${S}(?:were|are)${S})?)(?:an?${S}|the${S})?(?:\\p{L}+${S}){0,2}?(?:unrestricted|root|admin\\w*|hacker|attacker|dan\\b|evil|uncensored|jailbroken|without|ai\\b|character|no${S}(?:rules|limits|restrictions))|\\byou${S}will${S}(?:now${S})?act${S}as)`,
    90,
  ),
  mark(
    'without-limits',
    'role-change',
    0.3,
    ['without '],
    `\\b(?:ai|model|assistant|answer|respond|act|operate|character|you)\\b${REST}\\bwithout${S}(?:any${S})?(?:restrictions?|content policy|limitations|filters|safety|ethical)`,
    80,
  ),
  mark(
    'no-limits',
    'role-change',
    0.5,
    literals(
      'no restrictions;no limit;no rules;unrestricted;jailbreak;dan mode;do anything now;content policy;uncensored;developer mode;god mode;no filter;debug mode;admin mode;maintenance mode;sudo mode;administrative mode;experimental',
    ),
    `(?:\\b(?:you|ai|model|assistant|mode|with|has|have)\\b${gap(5)}?\\bno${S}(?:restrictions?|limit\\p{L}*|rules|filters?|guidelines)\\b|\\bunrestricted${S}(?:ai|model|assistant|mode)|without${S}(?:any${S})?(?:restrictions?|content policy|limitations|filters|safety|ethical)|\\bdan${S}mode|do${S}anything${S}now|\\b(?:enter|enable|activate|switch${S}to|switched${S}to|turn${S}on|you${S}are${S}(?:now${S})?in|start|engage|elevated${S}to)(?:${gap(2)}|${S})(?:developer|god|debug|admin\\w*|maintenance|sudo|jailbreak|unrestricted|root|dan|test|experimental|diagnostic)${S}(?:mode|features)|(?:dan|jailbreak|developer|god)${S}mode${S}(?:activated|enabled|on\\b))`,
    80,
  ),
]

export const orderMarks: readonly Mark[] = [...overrides, ...voices, ...addressed, ...precedence, ...roles]
