/** The marks that matter most, in languages other than English: earlier orders dropped, the user kept in the dark, a model addressed. */
import { type Language, latinLanguages, list } from './language-stems.ts'
import { otherLanguages } from './language-stems-scripts.ts'
import { anyOrder, type Mark, mark, REST } from './marks.ts'

const one = (stems: readonly string[], dense: boolean | undefined): string => `${dense ? '' : '(?:^|[^\\p{L}])'}(?:${stems.join('|')})`

function marksOf(language: Language): Mark[] {
  const { code, drop, rules, past, not, tell, user, model, note, send, dense } = language
  const near = dense ? 40 : 90
  const dark = tell[0] === '' ? [one(not, dense), one(user, dense)] : [one(not, dense), one(tell, true), one(user, true)]
  const marks = [
    mark(
      `${code}-ignore`,
      'override',
      0.6,
      drop.filter((stem) => stem.length > 1),
      anyOrder([one(drop, dense), one(past, dense), one(rules, true)]),
      near,
    ),
    mark(`${code}-tell-nobody`, 'conceal', 0.5, user, anyOrder(dark), near + 10),
    mark(
      `${code}-note-to-model`,
      'addressed',
      0.4,
      model,
      `(?:${one(note, dense)}${REST}(?:${model.join('|')})|(?:${model.join('|')})[^.!?。]{0,4}[:：,、،])`,
      50,
    ),
  ]
  if (send)
    marks.push(
      mark(
        `${code}-send`,
        'send-to',
        0.3,
        send,
        `${one(send, dense)}${REST}(?:[\\w.+-]+@[\\w-]+\\.\\w|https?://)|(?:[\\w.+-]+@[\\w-]+\\.[\\w.]+|https?://\\S+)${REST}${one(send, dense)}`,
        110,
      ),
    )
  return marks
}

const systemPrompt = mark(
  'system-prompt-named',
  'leak',
  0.4,
  list(
    'systemprompt|invite systeme|prompt systeme|instructions systeme|prompt del sistema|prompt de sistema|prompt do sistema|prompt di sistema|系统提示|系統提示|システムプロンプト|시스템 프롬프트|системный промпт|системную инструкцию|системные инструкции|sistem istemi|prompt systemowy|promptu systemowego',
  ),
)

export const languageMarks: readonly Mark[] = [...[...latinLanguages, ...otherLanguages].flatMap(marksOf), systemPrompt]
