/** Stems of orders in languages that write with Latin letters, accents folded away. */

/** Stems, not words: endings are what languages differ in. Texts are folded, so accents do not matter here. */
export type Language = Readonly<{
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

export const list = (text: string): readonly string[] => text.split('|')

export const latinLanguages: readonly Language[] = [
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
    code: 'vi',
    drop: list('bo qua|phot lo|quen |khong tuan theo'),
    rules: list('huong dan|chi dan|lenh|quy tac|chi thi'),
    past: list('truoc|tat ca|moi |he thong|o tren'),
    not: list('khong|dung |đung |bi mat|giau'),
    tell: list('noi|cho biet|thong bao|tiet lo|de cap|đe cap|ke lai'),
    user: list('nguoi dung|khach hang|bat ky ai'),
    model: list('tro ly ai|mo hinh ngon ngu|tri tue nhan tao'),
    note: list('luu y|thong bao|ghi chu|quan trong|chu y'),
    send: list('gui '),
  },
  {
    code: 'id',
    drop: list('abaikan|lupakan|jangan ikuti|hiraukan'),
    rules: list('instruksi|perintah|aturan|petunjuk|arahan'),
    past: list('sebelumnya|semua|di atas|sistem|terdahulu'),
    not: list('jangan|tanpa|tidak'),
    tell: list('beri tahu|beritahu|sebut|katakan|ungkap|informasikan|bilang|perlihatkan'),
    user: list('pengguna|siapa pun|pelanggan'),
    model: list('asisten ai|model bahasa|kecerdasan buatan|agen ai'),
    note: list('catatan|pesan|instruksi|perhatian|penting'),
    send: list('kirim'),
  },
  {
    code: 'sv',
    drop: list('ignorera|ignorer|glom|glem|bortse|se bort'),
    rules: list('instruktion|instruks|anvisning|regler|befal'),
    past: list('tidigare|tidligere|forrige|foregaende|alla |alle |ovan|system'),
    not: list('inte|ikke|aldrig|aldri|utan|uten|uden|ej '),
    tell: list('beratta|namn|informera|informer|fortel|fortæl|nevn|nævn|avslo|avslø|visa|vis '),
    user: list('anvandar|brukere|bruger|nagon'),
    model: list('ai-assistent|sprakmodell|sprogmodel|ai-agent'),
    note: list('obs|meddelande|melding|instruktion|viktig'),
    send: list('skicka'),
  },
  {
    code: 'cs',
    drop: list('ignoruj|zapomen|nedbej|prehlizej|zabudni'),
    rules: list('pokyn|instrukc|prikaz|pravid'),
    past: list('predchoz|predosl|vsechn|vsetk|vyse|drivej'),
    not: list('nerikej|nerikejte|nezmin|neinform|nesdel|neprozra|nehovor|nepoved|bez vedomi|neukaz|tajne|neoznam'),
    tell: list(''),
    user: list('uzivatel|pouzivatel|nikomu|zakazni'),
    model: list('ai asistent|asistent ai|jazykovy model|umela inteligenc'),
    note: list('pozor|poznamka|zprava|pokyn|dulezit'),
    send: list('odesli|posli'),
  },
  {
    code: 'ro',
    drop: list('ignora|uita|nu tine cont|nu urma'),
    rules: list('instructiuni|reguli|comenzi|indicatii'),
    past: list('anterioare|precedent|toate|de mai sus|sistem'),
    not: list('nu |fara|niciodata'),
    tell: list('spune|spui|mention|inform|dezvalui|anunt|arat|stie'),
    user: list('utilizator|nimanui|client'),
    model: list('asistent ai|model de limbaj|inteligenta artificiala'),
    note: list('nota|mesaj|instructiun|atentie|important'),
    send: list('trimite'),
  },
]
