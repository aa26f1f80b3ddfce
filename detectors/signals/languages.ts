/** The marks that matter most, in languages other than English: earlier orders dropped, the user kept in the dark, a model addressed. */
import { anyOrder, type Mark, mark, REST } from './marks.ts'

/** Stems, not words: endings are what languages differ in. Texts are folded, so accents do not matter here. */
type Language = Readonly<{
  code: string
  drop: readonly string[]
  rules: readonly string[]
  /** Which rules: without it, "ignore rules" is the manual of a version control system. */
  past: readonly string[]
  not: readonly string[]
  tell: readonly string[]
  user: readonly string[]
  /** Words for a model that do not occur in other talk. */
  model: readonly string[]
  /** Words that open a note: "Hinweis an …". */
  note: readonly string[]
  send?: readonly string[]
  /** No blanks between words: a stem may begin anywhere. */
  dense?: boolean
}>

const list = (text: string): readonly string[] => text.split('|')

const languages: readonly Language[] = [
  {
    code: 'de',
    drop: list('ignorier|missachte|vergiss|vergessen sie|verwirf|setze dich uber|nicht beacht|ubergeh'),
    rules: list('anweisung|instruktion|befehl|regel|vorgabe|richtlinie|anleitung|auftrag|auftrage|systemprompt'),
    past: list('vorherig|vorangeh|bisherig|obig|vorig|fruher|alle |aller|deine|ihre|samtliche|system'),
    not: list('nicht|nichts|niemals|ohne|kein|nie'),
    tell: list(
      'erwahn|sag|mitteil|mitzuteilen|inform|verrat|benachrichtig|zeig|wissen|erfahr|verberg|hinweis|melde|offenleg|verschweig|davon',
    ),
    user: list('nutzer|benutzer|anwender|niemand|kunden'),
    model: list('ki-assisten|ki-agent|ki-modell|an die ki|sprachmodell|ki-system|fur die ki|an alle ki'),
    note: list('hinweis|nachricht|anweisung|achtung|wichtig'),
    send: list('sende|senden sie|schicke|leite|ubermittle|uberweise'),
  },
  {
    code: 'fr',
    drop: list(
      'ignore|oublie|neglige|ne tiens pas compte|ne tenez pas compte|fais abstraction|faites abstraction|ne suis pas|ne suivez pas',
    ),
    rules: list('instruction|consigne|regle|directive|ordres|indications'),
    past: list('precedent|anterieur|ci-dessus|toute|tous|vos |tes |prealable|system'),
    not: list("ne |n'|n’|sans|jamais|pas |aucun"),
    tell: list('mentionn|dire|dis |dites|inform|revel|prevenir|previen|avertir|averti|signal|montre|divulgu|parle|cache'),
    user: list('utilisateur|usager|personne|client'),
    model: list("assistant ia|agent ia|agents ia|l'ia |l’ia |modele de langage|intelligence artificielle|assistants ia"),
    note: list('note|message|instruction|attention|consigne|important'),
    send: list('envoie|envoyez|transfere|transmets|transmettez'),
  },
  {
    code: 'es',
    drop: list('ignora|ignore|olvida|olvide|haz caso omiso|haga caso omiso|descarta|omite|no sigas|desestima'),
    rules: list('instruccion|indicacion|ordenes|reglas|directric|directiva|mensajes anteriores'),
    past: list('anterior|previa|previo|todas|tus |sus |arriba|sistema'),
    not: list('no |sin |nunca|jamas|tampoco'),
    tell: list('mencion|digas|diga|decir|inform|revel|avis|notifi|muestr|comuni|coment|cuent|ocult|sepa'),
    user: list('usuario|nadie|cliente'),
    model: list('asistente de ia|agente de ia|agentes de ia|modelo de lenguaje|inteligencia artificial|la ia |asistentes de ia'),
    note: list('nota|mensaje|instruccion|aviso|atencion|importante'),
    send: list('envia|envie|manda|reenvia|transfiere'),
  },
  {
    code: 'pt',
    drop: list('ignore|ignora|esqueca|desconsidere|descarte|nao siga|desconsidera'),
    rules: list('instruc|regras|orientac|diretriz|comandos|ordens'),
    past: list('anterior|previa|todas|suas|acima|sistema'),
    not: list('nao |sem |nunca|jamais'),
    tell: list('mencion|diga|dizer|inform|revel|avis|notific|mostr|conte|fale|saiba|comuniq'),
    user: list('usuario|utilizador|ninguem|cliente'),
    model: list('assistente de ia|agente de ia|agentes de ia|modelo de linguagem|inteligencia artificial'),
    note: list('nota|mensagem|instruc|aviso|atencao|importante'),
    send: list('envie|envia|encaminhe|transfira'),
  },
  {
    code: 'it',
    drop: list('ignora|dimentica|trascura|non considerare|ignori|non seguire|tralascia'),
    rules: list('istruzion|regole|direttiv|indicazion|comandi|ordini'),
    past: list('precedent|tutte|tue |sopra|sistema|anterior'),
    not: list('non |senza|mai '),
    tell: list('menzion|dire|dirlo|inform|rivel|avvis|avvert|notific|mostr|comunic|parlar|sappia|nascond'),
    user: list('utente|utenti|nessuno|cliente'),
    model: list('assistente ia|assistente ai|agente ia|agenti ia|modello linguistico|intelligenza artificiale|agente ai|agenti ai'),
    note: list('nota|messaggio|istruzion|avviso|attenzione|importante'),
    send: list('invia|inoltra|spedisci|trasferisci|manda'),
  },
  {
    code: 'nl',
    drop: list('negeer|vergeet|sla|volg niet|laat'),
    rules: list('instructie|aanwijzing|regels|opdracht|richtlijn|bevelen'),
    past: list('vorige|eerdere|alle |bovenstaande|voorgaande|jouw|systeem'),
    not: list('niet |niets|nooit|zonder|geen'),
    tell: list('vermeld|zeg|vertel|inform|meld|noem|weten|onthul|toon|verberg'),
    user: list('gebruiker|niemand|klant'),
    model: list('ai-assistent|ai-agent|ai-model|taalmodel|kunstmatige intelligentie'),
    note: list('opmerking|bericht|instructie|let op|belangrijk'),
    send: list('stuur|verstuur|verzend'),
  },
  {
    code: 'pl',
    drop: list('zignoruj|ignoruj|pomin|zapomnij|nie stosuj|odrzuc'),
    rules: list('instrukcj|polecen|polecenia|zasad|wytyczn|regul|nakaz'),
    past: list('poprzedni|wczesniej|wszystk|powyzsz|swoje|system'),
    not: list('nie |bez |nigdy'),
    tell: list('wspomin|mow|inform|ujawn|powiadam|powied|zdradz|pokaz|wiedz|wzmiank'),
    user: list('uzytkowni|nikomu|klient'),
    model: list('asystent ai|asystenta ai|agent ai|agenta ai|model jezykow|modelu jezykow|sztuczn'),
    note: list('uwaga|wiadomosc|instrukcj|notatka|wazne'),
    send: list('wyslij|przeslij|przekaz'),
  },
  {
    code: 'tr',
    drop: list('yok say|gormezden gel|unut|dikkate alma|goz ardi et|yoksay'),
    rules: list('talimat|yonerge|komut|kurallar|emir'),
    past: list('onceki|tum |yukaridaki|sistem|butun'),
    not: list('soyleme|bahsetme|bildirme|haber verme|gosterme|belirtme|haberi olma|fark etme|anlatma|gizle|gizli|habersiz|bilmesin'),
    tell: list(''),
    user: list('kullanici|kimseye|musteri'),
    model: list('yapay zeka|dil modeli|yapay zeka asistan'),
    note: list('not|mesaj|talimat|dikkat|onemli'),
    send: list('gonder|ilet'),
  },
  {
    code: 'ru',
    drop: list('игнорируй|проигнорируй|игнорировать|забудь|не обращай внимания|отбрось|не следуй|пренебреги|отмени'),
    rules: list('инструкци|указани|правил|команд|директив|распоряжени|приказ'),
    past: list('предыдущ|прежн|все |всех|выше|свои|систем|ранее'),
    not: list('не |без |никогда|ничего|ни '),
    tell: list('говори|сообща|упомина|раскрыва|показыва|уведомля|рассказыва|предупрежда|ведома|узна|информиру|скрой|скрыв'),
    user: list('пользовател|никому|клиент|юзер'),
    model: list('ии-ассистент|ии-агент|языковой модел|языковая модел|искусственн|нейросет|ассистент ии|для ии'),
    note: list('сообщение|инструкци|примечание|внимание|указани|важно'),
    send: list('отправь|перешли|отправить|переведи|передай'),
  },
  {
    code: 'uk',
    drop: list('ігноруй|проігноруй|забудь|не звертай уваги'),
    rules: list('інструкці|вказівк|правил|команд'),
    past: list('попередн|усі |всі |вище|раніше'),
    not: list('не |без |ніколи'),
    tell: list('кажи|повідомля|згаду|розкрива|показу|розповіда'),
    user: list('користувач|нікому'),
    model: list('мовна модель|мовної модел|штучн'),
    note: list('повідомлення|інструкці|увага|важливо'),
  },
  {
    code: 'zh',
    dense: true,
    drop: list('忽略|无视|無視|忘记|忘記|忽視|不要理会|不要遵循|抛弃|拋棄|不理会'),
    rules: list('指令|指示|说明|說明|提示|规则|規則|命令|要求|约束|約束|设定|設定|限制'),
    past: list('之前|以前|上述|上面|先前|所有|一切|你的|您的|前面|原有|系统|系統|此前|以上'),
    not: list('不要|请勿|請勿|不得|切勿|无需|無需|不能|不可|禁止|别让|別讓|瞒|瞞|保密|悄悄|暗中|秘密'),
    tell: list('告诉|告訴|告知|提及|透露|提到|通知|知道|知晓|察觉|察覺|披露|显示|顯示|说出|發現|发现|保密|着|发送|傳送|读取|讀取'),
    user: list('用户|用戶|使用者|任何人|他人|客户|客戶'),
    model: list('人工智能助手|ai助手|ai 助手|智能体|語言模型|语言模型|大模型|ai代理|ai 代理|ai模型|ai 模型|人工智慧'),
    note: list('致|给|給|注意|请|請|所有|重要'),
    send: list('发送|發送|传送|傳送|转发|轉發|转账|上传|上傳'),
  },
  {
    code: 'ja',
    dense: true,
    drop: list('無視|忘れ|従わない|破棄|取り消'),
    rules: list('指示|命令|ルール|プロンプト|指令|説明|制約'),
    past: list('以前|これまで|上記|前の|すべて|全て|先の|システム|今まで'),
    not: list(
      '言わない|言わず|伝えない|伝えず|知らせない|知らせず|教えない|報告しない|開示しない|見せない|言及しない|触れない|気づかれ|気付かれ|内緒|秘密|通知しない|明かさない|黙って|ひそかに',
    ),
    tell: list(''),
    user: list('ユーザー|ユーザ|利用者|使用者|誰に|お客様'),
    model: list('aiアシスタント|人工知能|言語モデル|aiエージェント|aiモデル|ai アシスタント'),
    note: list('へ|は|宛|注意|重要|に対'),
    send: list('送信|転送|送って|振り込'),
  },
  {
    code: 'ko',
    dense: true,
    drop: list('무시|잊어|잊으|따르지 마'),
    rules: list('지시|명령|규칙|프롬프트|지침|안내'),
    past: list('이전|앞의|모든|위의|지금까지|기존|시스템'),
    not: list('말하지|알리지|언급하지|공개하지|보여주지|통지하지|모르게|비밀|숨기|숨겨|몰래|밝히지|드러내지'),
    tell: list(''),
    user: list('사용자|유저|이용자|누구에게|고객'),
    model: list('ai 어시스턴트|ai어시스턴트|인공지능|언어 모델|언어모델|ai 에이전트|ai에이전트|ai 모델'),
    note: list('에게|는|은|주의|중요'),
    send: list('전송|보내|전달|송금'),
  },
  {
    code: 'ar',
    dense: true,
    drop: list('تجاهل|انس|اهمل|لا تتبع'),
    rules: list('التعليمات|الأوامر|تعليمات|القواعد|الإرشادات'),
    past: list('السابقة|جميع|كل |أعلاه'),
    not: list('لا |بدون|دون |ولا '),
    tell: list('تخبر|تذكر|تبلغ|إخبار|علم|تكشف|تظهر'),
    user: list('المستخدم|أحد'),
    model: list('الذكاء الاصطناعي|نموذج اللغة|نموذج لغوي'),
    note: list('ملاحظة|رسالة|تنبيه|مهم|تعليمات'),
    send: list('أرسل|ارسل|حول'),
  },
  {
    code: 'hi',
    dense: true,
    drop: list('अनदेखा|नज़रअंदाज़|नजरअंदाज|भूल जा'),
    rules: list('निर्देश|आदेश|नियम'),
    past: list('पिछले|सभी|पूर्व|ऊपर|पहले'),
    not: list('मत बता|न बता|नहीं बता|सूचित न|बिना बता|छिपा|गुप्त'),
    tell: list(''),
    user: list('उपयोगकर्ता|यूज़र|यूजर'),
    model: list('एआई सहायक|भाषा मॉडल|कृत्रिम बुद्धि'),
    note: list('संदेश|निर्देश|ध्यान|महत्वपूर्ण'),
    send: list('भेज'),
  },
]

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

export const languageMarks: readonly Mark[] = [...languages.flatMap(marksOf), systemPrompt]
