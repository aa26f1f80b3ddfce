/** A mark: one way in which a text can speak to a model as if it were in charge. Words to build its expressions from. */
import type { Pattern, TextPosition } from '../../schemas/detector.ts'

export const markKinds = [
  'override', // earlier instructions are to be dropped
  'conceal', // the user is not to know
  'role-marker', // a turn or template token of a chat
  'system-voice', // text that poses as the system or an administrator
  'addressed', // speaks to a model, an assistant, an agent
  'precedence', // another task comes first, or replaces the one in hand
  'role-change', // the model is to be somebody else, or without limits
  'leak', // the system prompt or the conversation is to be given away
  'read-secret', // a credential file is to be read or passed on
  'send-to', // something is to be sent to a literal address
  'send-sensitive', // something that is not the sender's is to be sent
  'money', // money is to be moved, a payee or a password changed
  'destroy', // files, mails or records are to be deleted
  'tool-order', // a tool is to be called
  'hijack', // another tool's input or output is to be changed
  'prefer', // this tool is to be chosen over others
  'safety-off', // checks, approvals or limits are to be dropped
  'steer-answer', // the answer is to contain something
  'exfil-image', // an image address with a place for data
  'fake-error', // an error that asks for contents before it lets go
  'shell', // a command that fetches and runs
  'harvest-text', // the conversation is passed on, said as a feature
  'memory', // to be remembered for ever
] as const
export type MarkKind = (typeof markKinds)[number]

/** `weight`: how much it says alone, 0 to 1. */
export type Mark = Readonly<{
  id: string
  kind: MarkKind
  weight: number
  literals: readonly string[]
  verify?: string
  windowMax?: number
}>

export const mark = (
  id: string,
  kind: MarkKind,
  weight: number,
  literals: readonly string[],
  verify?: string,
  windowMax?: number,
): Mark => ({
  id,
  kind,
  weight,
  literals,
  // A line break written as two characters ("\\n") leaves its letter before the word.
  ...(verify === undefined ? {} : { verify: verify.replace(/^\\b/, '(?:\\b|\\\\[nrt])') }),
  ...(windowMax === undefined ? {} : { windowMax }),
})

/** Gates of a mark, written as one string: they are many, and blanks at their ends count. */
export const literals = (text: string): readonly string[] => text.split(';')

/** Between two words: blanks, quotes, wrapped lines, mark-up; not the end of a sentence or of a table cell, nor code. */
export const S = '[^\\p{L}\\p{N}.!?。！？|_(){}=<>]+'
const WORD = "[\\p{L}\\p{N}_'’@/$%-]+"
/** At most `words` words between. */
export const gap = (words: number): string => `(?:${S}${WORD}){0,${words}}?${S}`
/** Anything up to the end of the sentence; a dot inside a name or an address does not end it. */
export const REST = '(?:[^.!?。！？]|[.][\\p{L}\\p{N}/_-])*?'
/** Each part once, in any order, within one sentence: languages put verb, object and negation where they like. */
export function anyOrder(parts: readonly string[]): string {
  if (parts.length < 2) return parts[0] ?? ''
  return `(?:${parts.map((part, at) => `(?:${part})${REST}${anyOrder(parts.filter((_, other) => other !== at))}`).join('|')})`
}

/** The patterns of a detector for the shared pass: ids are its own. */
export const patternsOf = (detector: string, marks: readonly Mark[], positions: readonly TextPosition[]): Pattern[] =>
  marks.map(({ id, literals, verify, windowMax }) => ({
    id: `${detector}/${id}`,
    literals,
    positions,
    ...(verify === undefined ? {} : { verify }),
    ...(windowMax === undefined ? {} : { windowMax }),
  }))
