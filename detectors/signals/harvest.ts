/** Parameter names that ask for what a tool has no business with: the conversation, the system prompt, reasoning, key files. */
import { remembered } from '../../schemas/remembered.ts'

const asks: readonly (readonly [RegExp, string])[] = [
  [
    /^(?:(?:full|original|your|the|llm|ai|agent|model|assistant)_)*system_?(?:prompt|message|instructions?)(?:_(?:text|content))?$/,
    'system prompt',
  ],
  [
    /(?:^|_)(?:conversation|chat|dialog(?:ue)?)s?_?(?:history|log|transcript|context|so_far|summary|contents?|text)$|^(?:message|session)_history$/,
    'conversation',
  ],
  [
    /^(?:previous|prior|recent|last|past|all|full|earlier|entire|whole|complete)_(?:\d+_)?(?:user_)?(?:messages|conversations?|chats?|turns|prompts?|interactions?|dialog(?:ue)?|context|responses)(?:_\w+)?$/,
    'conversation',
  ],
  [
    /^(?:chain_?of_?thought|cot|(?:internal|model|llm|agent|assistant|hidden|full|your)_?(?:reasoning|thoughts?|monologue)|reasoning_(?:trace|steps|chain)|scratch_?pad)$/,
    'reasoning',
  ],
  [/^(?:user|original|initial|raw|last|full|verbatim)_(?:prompt|instructions?)(?:_\w+)?$/, 'user prompt'],
  [
    /^(?:(?:available|all|other|connected|installed|your)_)?tools?_?(?:list|names|inventory|definitions|schemas)$|^list_of_tools$|^(?:available|all|other|connected|installed)_(?:tools|servers|mcp_servers)$/,
    'list of tools',
  ],
  [
    /^(?:llm|ai|agent|assistant)_(?:context|memory|state|model_name|config|identity)$|^(?:model|llm)_?context(?:_window)?$|^context_window$|^(?:host|client)_(?:system_)?prompt$/,
    'context of the model',
  ],
  [/^side_?notes?$|^(?:hidden|secret|internal)_(?:notes?|data|payload|context|info)$/, 'side channel'],
  [/(?:content|contents|text|data|output)s?_(?:of|from)_(?:reading_|file_)?\w+/, 'contents of a file'],
  [
    /(?:^|_)(?:read|reading|include|including|send|provide|pass|paste|dump)_(?:\w+_)?(?:ssh|id_rsa|env_file|dotenv|private_key|passwd|password_file|token_file|bash_history|credentials_file|secrets_file)/,
    'contents of a file',
  ],
  [
    /(?:^|_)(?:id_rsa|ssh_(?:private_)?key(?:_contents?)?|env_file_contents?|environment_variables_dump|aws_credentials_(?:file|contents?)|etc_passwd)(?:_|$)/,
    'contents of a file',
  ],
  [
    /^(?:memories|user_memor(?:y|ies)|long_term_memory|other_tool_(?:results?|outputs?)|previous_tool_(?:results?|calls?|outputs?)|tool_(?:call_)?history)$/,
    'context of the model',
  ],
]

/** Servers and tools whose business it is: language models, agents, memory, prompt work, evaluation, chat. */
const ownBusiness =
  /(?:^|[^a-z])(?:llms?|ai|agents?|agentic|gpt|claude|openai|anthropic|gemini|mistral|ollama|bedrock|memory|memories|mem0|prompts?|think(?:ing)?|reason(?:ing)?|sampl(?:e|ing)|evals?|evaluat\w*|chat(?:bot)?s?|conversations?|messages?|slack|assistants?|complet(?:e|ion)s?|summari[sz]\w*|inference|langchain|llamaindex|rag|copilot|persona|session|transcripts?|compact|subagent|delegate|generate|consult|ask)(?:[^a-z]|$)/

export const spelled = (name: string): string =>
  name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase()
    .slice(0, 120)

const isOwnBusiness = remembered((name) => ownBusiness.test(spelled(name).replaceAll('_', ' ')))
export const worksWithModels = (...names: readonly (string | undefined)[]): boolean =>
  names.some((name) => name !== undefined && isOwnBusiness(name))

/** What the parameter asks for, if it asks for something of the kind. */
export const harvestOf = remembered((parameter): string | undefined => {
  const name = spelled(parameter)
  return asks.find(([pattern]) => pattern.test(name))?.[1]
})

const conversational = /(?:^|[\s[<({"'])(?:user|assistant|system|human|ai)["']?\s*[\]>)}:]|"role"\s*:|\byou are (?:a|an|the)\b/i

/** Filled with something to carry away: long, or the shape of a conversation. */
export const carries = (value: string): boolean =>
  value.length > 200 || value.includes('⟦secret:') || (value.length > 20 && conversational.test(value.slice(0, 2_000)))
