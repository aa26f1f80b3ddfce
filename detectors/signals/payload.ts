/** What a call carries that could be content of another place: its arguments without addresses and references, and their prints. */

import type { McpEvent } from '../../schemas/event.ts'
import { ascending, plainContent, plainText } from '../../schemas/fingerprint.ts'
import { once } from '../../schemas/remembered.ts'
import { walkStrings } from '../texts.ts'
import { fieldKindOf, wordsOf } from './arguments.ts'
import { isAddressField } from './destinations.ts'

export const TEXT_MAX = 64 * 1024
const FIELDS_MAX = 200
const PRINTS_PER_CALL_MAX = 5_000

/** One string of the arguments that could carry content out. */
export type Field = Readonly<{ name: string; pointer: string; text: string; isUrl: boolean; isProse: boolean; isImage?: boolean }>

const referenceName =
  /(?:^|_)(?:id|ids|sha|ref|cursor|token|page|key|uuid|etag|path|file|filename|folder|branch|head|base|version|date|time|start|end|timezone|language|format|type|status|state)$/i

/** Words joined by plus signs, as forms write blanks; a plus inside base64 stays. */
const spaced = (behind: string): string => {
  const pieces = behind.split('+')
  return pieces.length > 3 && pieces.every((piece) => piece.length <= 60) ? pieces.join(' ') : behind
}

const IMAGES_MAX = 10
const imageShape =
  /(?:!\[[^\]\n]{0,200}\]\(\s{0,4}|<img\b[^>]{0,200}?src\s{0,4}=\s{0,4}["']?)https?:\/\/[^\s/?#"'<>)]{1,255}([/?#][^\s"'<>)]{8,4096})/gi

/** What stands behind the host in the addresses of images. */
function imagesOf(text: string): string[] {
  if (!/!\[|<img/i.test(text)) return []
  return [...text.matchAll(imageShape)].slice(0, IMAGES_MAX).map(([, behind = '']) => behind)
}

/** Fields that carry content: no bare addresses, ids, paths; of a web address only what stands behind the host. */
export const payloadOf = once((event: McpEvent): readonly Field[] => {
  const fields: Field[] = []
  walkStrings(event.arguments, '/arguments', (pointer, whole, name) => {
    if (fields.length >= FIELDS_MAX || whole.length < 6) return
    const text = whole.slice(0, TEXT_MAX)
    const kind = fieldKindOf(name, event.toolName ?? '')
    const isUrl = kind === 'url' || /^(?:https?:\/\/|www\.)\S+$/i.test(text)
    if (isUrl) {
      const behind = /^(?:https?:\/\/)?([^/?#]*)([/?#].*)?$/is.exec(text)
      // Labels of a name can carry data too, as in `6b65793d.collector.example`.
      const labels = (behind?.[1] ?? '').split('.').filter((label) => label.length >= 20)
      fields.push({ name, pointer, text: [...labels, spaced(behind?.[2] ?? '')].join(' '), isUrl, isProse: false })
      return
    }
    for (const written of imagesOf(text)) fields.push({ name, pointer, text: written, isUrl: true, isProse: false, isImage: true })
    const short = text.length < 100 && !/\s/.test(text)
    if (isAddressField({ name, kind }) && text.length <= 200) return
    if (short && (kind === 'path' || referenceName.test(wordsOf(name).join('_')))) return
    if (short && kind === 'plain' && text.length < 24) return
    fields.push({ name, pointer, text, isUrl, isProse: kind === 'prose' })
  })
  return fields
})

/** Its prints, without repeats: of its arguments, and those that came with the event where its text was not kept. */
export type Carried = Readonly<{ plain: readonly number[]; keyed: readonly number[] }>

export function carriedBy(event: McpEvent): Carried {
  const texts = payloadOf(event).map(({ text }) => text)
  return {
    plain: texts.length === 0 ? [] : ascending(plainContent(texts, PRINTS_PER_CALL_MAX), PRINTS_PER_CALL_MAX),
    keyed: event.argsFingerprints ? ascending(event.argsFingerprints, event.argsFingerprints.length) : [],
  }
}

export const printsOf = (text: string): number[] => ascending(plainText(text, PRINTS_PER_CALL_MAX), PRINTS_PER_CALL_MAX)
