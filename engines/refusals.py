"""Owns what refusals look like in many languages: the model says first that it cannot do its work or has no picture.

What a photo shows may be sorry, unable or an error message as well. So a refusal stands at the very beginning, after no
more than a courtesy; an apology alone is none; and where a description follows the caption is good all the same.
"""

# ruff: noqa: RUF001 (letters and marks of many scripts)

from __future__ import annotations

import re

QUOTED = re.compile(r"\"[^\"]*\"|“[^“”]*”|„[^„“”]*[“”]|«[^«»]*»|「[^「」]*」|『[^『』]*』")
"""What is quoted stands in the photo."""
_ONLY_A_QUOTE = re.compile(r"^[\"“„«]([^\"“”»]*)[\"“”»]$")
_WITHOUT_SPACES = re.compile(r"[\u0e00-\u109f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LONGEST = 2_000
"""So many characters tell; a longer text is no refusal that leaves it at that."""


def _one_of(rows: str, gap: str = "") -> str:
    """Return a pattern for one of the rows; " ~ " stands for the gap between two columns of alternatives."""
    return "|".join("(?:" + row.replace(" ~ ", f"){gap}(?:") + ")" for row in rows.strip().split("\n"))


_IMAGE = "(?:image|photo|picture|file|attachment)s?"
# One row is one way to refuse, mostly "I cannot ~ help" or "no ~ picture ~ attached".
_WAYS = rf"""
(?:i|we)(?:'m| am| are|'d| would)?(?: \w+)? (?:can(?:'t|not| not)|could(?:n't| not)|won't|will not|unable|not able|not allowed|not permitted|not comfortable|not in a position|not going to|prefer not|rather not|choose not|do(?:n't| not) feel) ~ (?:assist|comment|continue|discuss|answer|respond|interpret|caption|generate|fulfill?|comply|engage|do (?:that|this|so))\b|help\b(?! (?:but|\w+ing)\b)|help with|(?:describ|process|provid|writ|creat|analy[sz])(?:e|ing)?\b|(?:see|view|open|load|access) (?:the |any |an? |your |this )*{_IMAGE}
(?:i|we)(?:'m| am| are)?(?: \w+)? (?:can(?:'t|not| not)|could(?:n't| not)|won't|will not|unable|not able) ~ identify|recogni[sz]e|determine|tell|reveal|name ~ who|people|person|individual|face|anyone|{_IMAGE}
(?:i|we)(?:'m| am)?(?: \w+)? (?:do(?:n't| not)|did(?:n't| not)|not) (?:see|seeing|have|receive|find)(?: (?:an?|any|the|your|access|to|ability|capability|see|view|attached|actual))* {_IMAGE}
(?:i|we) do(?:n't| not) (?:identify|describe) ~ people|person|individual|face|{_IMAGE}
i(?:'\w+)?(?: (?:must|have|need|to|will|would|going|respectfully|politely))* (?:decline|refuse|pass on)\b
(?:that|this|it)(?:'s| is) not something ~ \bi can|i'm able
(?:it|that|this|describing|identifying)\b ~ against|violates? ~ (?:my|our|the|content|usage) (?:\w+ )?(?:policy|policies|guidelines)
(?:unable|not able|cannot|can't|could not|couldn't|failed) ?(?:to )?(?:process|load|open|view|read|describe|analy[sz]e|access|identify)(?: (?:the|this|that|your|provided|attached|uploaded))* (?:{_IMAGE}|request)(?=[.,!]|$| (?:because|due|at|as)\b)
(?:no|(?:there|it|you|i)\b[^,.]{{0,30}}?(?:\bno|\bnot|n't))(?: (?:\w+ed|appears?|seems?|to|be|have|see|seeing|attach|upload|provide|share|sen[dt]|an?|any|the|your|been|actual|valid))* {_IMAGE} ~ attached|uploaded|provided|shared|included|received|\bsent|your|message
(?:it (?:looks|seems|appears)|you)\b ~ (?:not|n't) (?:attach|upload|provid|shar|includ|sen[dt])\w* ~ \b{_IMAGE}
(?:it (?:looks|seems|appears)(?: \w+)? )?(?:the|this|your|that) (?:{_IMAGE}|request) ~ can(?:not|'t) be (?:process|load|open|describ|view)|could(?:n't| not) be (?:process|load|open|view)|n't (?:come through|upload|load)|not (?:come through|attached|uploaded|provided)(?=$|[.,!])|violates (?:my|our|the|content)|failed to (?:load|upload|open|process)|is missing(?=[.!]|$)|(?:is|be|appears|file) corrupted(?=[.!,]|$| and\b)
(?:my|our|the)(?: \w+)? (?:policy|policies|guidelines|programming) ~ prevent|not allow|n't allow|prohibit|forbid
(?:please|could you(?: please)?|can you|kindly) (?:provide|upload|share|attach|send|re-?upload|try) ~ {_IMAGE}
(?:ich (?:kann|könnte|darf|bin|möchte|werde|sehe|habe)|(?:\w+ ){{0,5}}(?:kann|könnte|darf|bin|möchte|sehe|habe) ich)\b ~ \b(?:nichts?|kein\w*|außerstande) ~ helfen|sagen|behilflich|beschr|unterstütz|identif|erkenn|sehen|verarbeit|analys|bearbeit|erstell|öffnen|beantwort|lage\b|bild|foto|anhang|datei|fortsetz|angabe|aussage
(?:es|mir|sie haben|du hast|offenbar|anscheinend)\b ~ \bkein\w* (?:bild|foto|datei|anhang) ~ geladen|angehäng|mittelt|gefüg|gestellt|schickt|sendet|enthalten|\bvor(?=[.,!]|$)
(?:das|dieses|ihr|dein) (?:bild|foto) (?:konnte|kann|wurde) ~ nicht ~ geladen|verarbeitet|geöffnet|übertragen|angezeigt
bitte (?:lad|send|schick) ~ bild|foto|datei
(?:ik|(?:\w+ ){{0,5}}(?:kan|ben|mag|zie) ik)\b ~ \b(?:niet|geen) ~ help|beschr|identif|herken|bekijk|geven|verwerk|staat|afbeeld|foto|analys|assist|voldoe
(?:er is|u heeft|je hebt) ~ geen (?:afbeelding|foto|bijlage) ~ bijgevoegd|load|stuurd|deeld|strekt
(?:je|nous) (?:préfère |préférons )?(?:ne |n') ~ \b(?:pas|aucun|rien) ~ aide|décri|identifi|fourni|traiter|analys|image|photo|mesure|accéd|répond|visualis|assist|demande|comment|fichier|continu
(?:(?:il (?:semble|n'y a)|vous n'avez)\b[^,.]{{0,30}}?)?(?:aucune?|pas) (?:d'|de )?(?:image|photo|fichier|pièce jointe) ~ joint|fourni|charg|transm|envoy|reçu|partag|attach
(?:veuillez|pourriez-vous|merci de) ~ image|photo
(?:l'image|la photo|cette image|cette photo) (?:ne peut pas|n'a pas) ~ trait|charg|affich|joint|décrit|transm
(?:yo )?no (?:puedo|podemos|podr|voy a|soy capaz|estoy|me es posible|me siento|veo|tengo|he recibido) ~ ayud|describ|identific|proporcion|proces|analiz|asist|imagen|foto|acced|respond|visualiz|gener|cumplir|coment|continu
no (?:se ha|has|ha) ~ (?:adjunt|proporcion|subid|cargad|recib|compart|envia)\w+ ~ imagen|foto|archivo
(?:no hay|parece que no) ~ (?:imagen|foto) ~ adjunt|proporcion|subid|cargad|enviad
por favor,? (?:sub|adjunt|carg|env|prop|comp) ~ imagen|foto
(?:eu )?não (?:posso|podemos|vou|consigo|sou capaz|estou|tenho|vejo|me é|é possível|recebi) ~ ajud|descrev|identific|fornec|process|analis|imagem|foto|acess|respond|visualiz|atend|auxili|coment|gerar|continu
(?:não (?:há|foi)|nenhuma|parece que) ~ (?:imagem|foto|arquivo) ~ anex|fornec|envia|carreg|receb|compart
por favor,? (?:envi|anex|carreg|compart|forn) ~ imagem|foto
(?:io )?non (?:posso|possiamo|intendo|riesco|sono|vedo|mi è|ho)\b ~ aiut|descri|identific|veder|forni|elabor|analizz|assist|immagin|foto|acced|rispond|visualizz|soddisf|comment|continu
(?:non (?:è stata|hai|c'è|risulta)|nessuna|sembra che) ~ (?:alleg|forni|caric|invia|ricev|condivi)\w* ~ immagin|foto
(?:nessuna|sembra che|non c'è) ~ (?:immagine|foto) ~ alleg|forni|caric|invia|ricev|condivi
per favore,? (?:caric|alleg|invi|forni|condiv) ~ immagin|foto
nie (?:mogę|jestem|widzę|potrafię|mam|otrzym|został) ~ pomóc|pomag|opis|zidentyf|rozpozn|przetw|analiz|zdję|obraz|dostarcz|odpow|wyświet|spełni
(?:nemohu|nemůžu|nevidím) ~ pomo|popsat|poskytn|identif|zpracov|obráz|fotogr
nu (?:pot|sunt|văd)\b ~ ajut|descri|identific|imagin|foto|proces|analiz
nem (?:tudok|tudom|áll|látok) ~ segít|leír|azonos|kép|fotó
en (?:voi|pysty|näe) ~ autta|kuva|tunnist|käsit|analys
(?:jag|(?:\w+ ){{0,4}}(?:kan|är|ser) jag)\b ~ \b(?:inte|ingen) ~ hjälp|beskriv|identif|\bse\b|bild|foto|analys|hanter|möjlig|svara
(?:jeg|(?:\w+ ){{0,4}}(?:kan|er|ser) jeg)\b ~ \b(?:ikke|ingen|intet|ikkje) ~ hjelp|hjælp|beskriv|identif|\bse\b|bild|bille|analys|behandle|stand|besvar
(?:(?:я )?(?:пока |сейчас )?не (?:могу|можу|умею|вмію|буду|стану|вижу|бачу|имею|маю|получил|отримав)|я не (?:в состоянии|в змозі|способ|здат)) ~ помо|помаг|опис|распозн|розпізн|дентиф|просм|обраб|оброб|анал|изобр|зобр|фото|картин|предостав|надати|ответ|відпов|выполн|викон|продолж
(?:изображ|зображ|фото|картин)\w* не (?:был\w* )?(?:прикреп|загру|прилож|приш|додан|завантаж|отобр)
(?:вы|ви) не (?:прикреп|загру|прилож|отправ|додал|завант|надісл)
(?:пожалуйста|будь ласка), (?:загруз|прикреп|отправ|пришл|завант|надішл) ~ изобр|фото|картин|зобр
δεν (?:μπορώ|είμαι σε|βλέπω|έχω|επισυν|έχει) ~ βοηθ|περιγρ|αναγνωρ|εικόν|φωτογρ|παρέχ|παράσχ|επεξεργ|ταυτοπ|αναλύσ|απαντ|εξυπηρ
[^,.]{{0,60}}?(?:yardımcı olam|tanımlayam|betimleyem|açıklayam|görem|işleyem|analiz edem|teşhis edem|yanıt verem|görüntüleyem)[aeıiuü]?(?:m|yorum|yoruz)(?!\w)
(?:bir )?(?:görsel|resim|fotoğraf) ~ eklenme|yüklenme|bulunmuyor|yok gibi|bulunam
(?:أنا )?(?:لا (?:أستطيع|يمكنني|أرى|أقدر)|لست قادر|لن أتمكن|غير قادر|لم أتمكن|ليس بإمكاني) ~ مساعد|وصف|تحديد|رؤية|صورة|صور|عرض|تحليل|تقديم|تعرف|معالج|الرد|تلبية
لم (?:يتم|تقم|أتلق|ترفق) ~ صورة|صور
لا توجد (?:أي )?صورة? مرفق
(?:אני )?(?:לא (?:יכול|מסוגל|רואה|אוכל)|אינ?ני (?:יכול|מסוגל|רואה)) ~ לעזור|לתאר|לזהות|לראות|תמונ|לספק|לנתח|לסייע|לעבד|להציג
לא (?:צורפ|הועל|סופק|התקבל) ~ תמונ
(?:मैं|हम|मुझे) ~ सहायता|मदद|वर्णन|चित्र|छवि|तस्वीर|फ़ोटो|फोटो|पहचान|विवरण|अनुरोध ~ नहीं|असमर्थ|अक्षम
कोई (?:चित्र|छवि|तस्वीर|फ़ोटो|फोटो|इमेज) ~ नहीं (?:मिल|दी|जोड़|अपलोड|भेज)
আমি ~ সাহায্য|সহায়তা|বর্ণনা|ছবি|চিত্র|শনাক্ত|অনুরোধ|বিশ্লেষণ ~ পারছি না|পারব না|পারি না|অক্ষম|অপারগ|সক্ষম নই|পাচ্ছি না|সম্ভব নয়
কোনো ছবি ~ সংযুক্ত|আপলোড|দেওয়া|পাইনি|পাচ্ছি না
(?:ฉัน|ผม|ดิฉัน|เรา)?(?:ยัง)?ไม่(?:สามารถ|อาจ) ~ ช่วย|อธิบาย|บรรยาย|ระบุ(?:ตัว|บุคคล|ว่าใคร)|ดูภาพ|ดูรูป|เห็น(?:ภาพ|รูป)|ประมวล|ให้(?:ข้อมูล|คำ|ความ)|วิเคราะห์|เข้าถึง|ตอบ|ทำตาม|ดำเนิน
(?:ฉัน|ผม|ดิฉัน)?ไม่(?:เห็น|พบ|มี)(?:รูป|ภาพ) ~ แนบ|อัป|ส่ง|ข้อความ
(?:tôi|mình)(?: hiện)? (?:không thể|không nhìn|không thấy|không có|chưa nhận|chưa thấy|không được phép) ~ giúp|hỗ trợ|mô tả|xác định|nhận (?:dạng|diện)|xem|xử lý|ảnh|hình|cung cấp|phân tích|trả lời|đáp ứng
(?:không có|chưa có) (?:ảnh|hình|bức) ~ đính|tải|gửi|cung
(?:saya|aku|kami) (?:tidak|belum|tak) ~ bantu|deskrip|identif|jelaskan|proses|gambar|foto|berikan|analis|akses|memenuhi|menjawab
tidak ada (?:gambar|foto) ~ lampir|unggah|dikirim|disert
[^。]{{0,30}}?(?:説明|描写|特定|識別|認識|答え|応え|手伝い|対応|処理|確認|分析|解析|閲覧|提供|画像を見る|写真を見る)(?:[をはがにもし]|する|こと|いた)* ?(?:でき|できかね|出来|しかね|見え)(?:ません|ない)(?:でした)?(?=$|[。!！\s]|ので|ため|よう|が|けれど)
(?:この|その|お送り|ご)?(?:画像|写真|ファイル) ~ 添付|アップロード|届い|見当た|含まれ|見え ~ ません|ない(?=$|[。!！\s]|ので|ため|よう|が|けれど)
(?:[^，。]{{0,12}}?我(?:们|們)?[^，。]{{0,8}}?|[这這](?:个|個|张|張)(?:问题|問題|请求|請求|图|圖|照)[^，。]{{0,6}}?)?(?:无法|無法|不能|不可以|没有办法|沒有辦法|没法|不便) ~ 帮|幫|协助|協助|描述|识别|識別|辨认|辨認|查看|提供|处理|處理|分析|满足|滿足|看图|看圖|回答|访问|讨论|生成|标题|說明|说明|继续
(?:我)?(?:看不到|看不见|没看到|不会看)(?:您|你|任何|上传|提供|附|的)*(?:图|圖|照片)
(?:您|你|我|目前|似乎|好像|看起来|还|並|并)*(?:没有|沒有|未)(?:看到|收到|检测到|提供|上传|上傳|附上|添加) ~ 图|圖|照片
[^,.]{{0,30}}?(?:설명|묘사|식별|분석|도와|도움|답변|응답|제공|처리|확인|인식|특정|수행|(?:사진|이미지)[을를] 볼) ~ (?:수(?:가)? 없(?:습니다|어요|네요)|못합니다|못했습니다|어렵습니다)(?=$|[.!\s])
(?:사진|이미지)\w? ~ 첨부|업로드|제공|전송 ~ 않|없
"""
_REFUSAL = re.compile(_one_of(_WAYS, "[^,،，、]{0,40}?"))

# What may stand before a refusal and says nothing on its own, with spaces after the word and without.
_COURTESIES = r"""
i(?:'m| am)(?: \w+)? (?:sorry|afraid)(?: that)?|sorry|(?:my |sincere )*apologies|i apologi[sz]e|unfortunately|regrettably|oh|well|hmm|hi|hello|sure
thank(?:s| you)(?: so much| very much)?(?: for \w+ (?:the|this|your|that) \w+)?|but|however|and|caption|answer
(?:i (?:can )?see|i understand|i notice) (?:that )?(?:an? |the |your |this |you )(?:[\w']+ ){0,3}(?:shared|uploaded|attached)
i regret(?: to \w+ you)? that|something went wrong|(?:for|due to) \w+ (?:reasons|concerns),?|i'm (?:just |only )?an? [^,.]{0,20}(?:model|assistant)
as an? (?:ai|artificial|large language|language|text-based)[^,.]{0,30},
(?:es )?tut mir(?: sehr)? leid|leider|entschuldigung|aber|dass|aus \w*gründen|als (?:ki|künstliche|sprach|ai)[\w-]*(?: (?:sprachmodell|intelligenz|assistent))?
(?:je suis |nous sommes )?(?:vraiment |sincèrement )?désolée?s?|malheureusement|je m'excuse|pardon|excusez-moi|mais|pour des raisons de \w+|en tant qu[e'][^,.]{0,40},
lo siento(?: mucho)?|lamentablemente|desafortunadamente|lamento|perdón|disculp[ae]|pero|que|por (?:motivos|razones|questões) de \w+|per (?:motivi|ragioni) di \w+|mi (?:di)?spiace(?: molto)?|mi rincresce|purtroppo|scusa|ma
(?:me )?desculpe?|sinto muito|infelizmente|lamentavelmente|mas|(?:como|in quanto|come|enquanto) (?:una? |uma? )?(?:ia|ai|mode|inte|asis|assis)[^,.]{0,40},
het spijt me|helaas|excuses|maar|als (?:een )?(?:taal|kunst)\w+|przykro mi|przepraszam|niestety|ale|jako (?:model|ai|szt|asyst)[^,.]{0,30},
tyvärr|jag är ledsen|jag beklagar|förlåt|men|beklager|desværre|dessverre|jeg er (?:ked af det|lei meg)|at|att
omlouvám se|bohužel|je mi líto|îmi pare rău|din păcate|dar|sajnálom|sajnos|elnézést|de|valitettavasti|pahoittelen|anteeksi|mutta
(?:приношу )?извин(?:ите|яюсь|ения)|простите|к сожалению|мне (?:очень )?жаль|сожалею|но|что|вибачте|перепрошую|на жаль|мені шкода|але
(?:как|будучи|як) (?:языков|мовн|ии|искус|штучн|модел|текстов)[^,.]{0,30},?|λυπάμαι|συγγνώμη|δυστυχώς|αλλά|ζητώ συγγνώμη
üzgünüm|maalesef|ne yazık ki|özür dilerim|kusura bakmayın|ama|ancak|fakat|(?:أنا )?(?:آسف|أعتذر|متأسف)|عذر[اًً]*|للأسف|معذرة|و?لكن(?:ني)?
(?:אני )?(?:מצטער|מצטערת|מתנצל)|סליחה|לצערי|אבל|אך|(?:मुझे )?(?:खेद है|माफ़? करें|माफ़ कीजिए|क्षमा करें)|क्षमा|लेकिन|कि
(?:আমি )?(?:অত্যন্ত )?দুঃখিত|কিন্তু|(?:tôi )?(?:rất )?(?:xin lỗi|tiếc)|nhưng|(?:mohon )?maaf|mohon|tetapi|tapi|namun
"""
_MORE_COURTESIES = r"""
ขออภัย(?:ด้วย)?|ขอโทษ(?:ด้วย)?|เสียใจด้วย|ค่ะ|ครับ
(?:大変|誠に)?申し訳(?:あり|ござい)?(?:ません|ない)?(?:が|けど)?|すみません|恐れ入りますが|残念ながら|ですが
你好|您好|我?(?:很|非常|真的)?(?:抱歉|遗憾|遺憾|对不起|對不起|不好意思)|但是?|(?:作为|作為|身为)[^,，。]{0,20}[,，]
죄송(?:합니다|하지만|하|해요)?|미안(?:합니다|하)?|안타깝게도|유감스럽게도|지만
"""
_COURTESY = re.compile(
    rf"(?:[\s,.!:;،、，。！…*_#>~`(—–-]|(?:{_one_of(_COURTESIES)})(?!\w)|{_one_of(_MORE_COURTESIES)})*"
)

# Where something new begins: sentences, and what is set against the refusal.
_NEXT = re.compile(
    _one_of(r"""
(?<=[.!?。！？।؟…])\s*|[;；؛:：—–]|\s-\s|,\s*(?:only|just|nur|men|solo|só|sólo|seulement|alleen|enkel|apenas|somente|soltanto|tylko|bara|kun|только|лишь|лише|тільки|μόνο|sadece|chỉ|hanya|רק)\b|،\s*(?:سوى|فقط|بل)|，(?=图|圖|照片|画面|畫面|可以看|一|两|兩)
\b(?:but|however|though|although|yet|nevertheless|except|aber|jedoch|allerdings|dennoch|sondern|mais|cependant|toutefois|pourtant)\b
\b(?:pero|sin embargo|ma|però|tuttavia|mas|porém|contudo|maar|echter|ale|jednak|natomiast|но|однако|зато|але|проте|однак)\b
\b(?:αλλά|ωστόσο|όμως|ama|ancak|fakat|dar|însă|mutta|azonban|viszont|tetapi|tapi|namun|nhưng|tuy nhiên)\b
(?<=ん)が|(?<=す)が|ものの|しかし|けれど|但是?|不过|不過|然而|可是|지만|그러나|แต่(?!ง|ล)
लेकिन|परंतु|किन्तु|मगर|हालाँकि|हालांकि|কিন্তু|তবে|\bو?لكن|إلا أن|\b(?:אבל|אולם|אך)\b
""")
)
# What follows a refusal without being a description: offers, questions, reasons; but not "I can see ...".
_NO_DESCRIPTION = re.compile(
    _one_of(r"""
[?？؟]|\b(?:if you|please|let me know|feel free|happy to|glad to|(?:help|assist) (?:you|with)|go ahead|another (?:image|photo|picture))\b
\b(?:privacy|policy|policies|guidelines?|violat\w+|consent|inappropriate|explicit|nudity|language model)\b|\byour?\b(?! can see)
\bi(?:'(?:m|d|ll|ve)| (?:can|could|will|would|am|do|must|have|need|hope))\b(?! (?:\w+ly |still )?(?:see|notice|observe|describe|make out|tell|say)\b)
\b(?:falls|wenn|bitte|gerne|ihnen|ihre\w?|dir|dein\w*|datenschutz\w*|richtlinien|sie (?:können|haben|möchten))\b
\b(?:vous|votre|veuillez|n'hésitez|puis-je|confidentialité|si (?:vous|tu|necesitas|tienes|quieres|deseas|hay|vuoi|desideri|hai))\b
\b(?:por favor|puedo ayud\w+|puedes|podrías|privacidad\w*|políticas?|se (?:você|quiser|precisar|tiver)|posso (?:aju|aiu)\w+|você|privacidade)\b
\b(?:per favore|potresti|als (?:je|u)|kun je|kunt u|graag|jeśli|proszę|mogę pom\w+|czy|om du|gärna|vänligen|hvis du)\b
\b(?:если|пожалуйста|могу помочь|готов|вы|вам|попробуйте|якщо|будь ласка|ви|спробуйте|αν|παρακαλώ|μπορώ να (?:σας )?βοηθ\w+)\b
\b(?:eğer|lütfen|isterseniz|jika|silakan|mohon|anda (?:dapat|bisa|ingin|memiliki)|nếu|vui lòng|bạn)\b|إذا|يرجى|يمكنك|مساعدتك|من فضلك|\bאם |אנא|לעזור
もし|ください|お手伝い|お知らせ|いただけ|プライバシー|如果|请|請|您|隐私|隱私|因为|因為|我们|만약|주세요|시면|드릴|개인정보
अगर|यदि|कृपया|आप|যদি|অনুগ্রহ|আপনি|หาก|ถ้า|โปรด|กรุณา|คุณ(?!ยาย|ปู่|ย่า|ตา|แม่|พ่อ|ครู)
""")
)


def is_refusal(text: str) -> bool:
    """Tell whether the text says that the model cannot or will not describe the photo, and leaves it at that."""
    text = _ONLY_A_QUOTE.sub(r"\1", text[:_LONGEST].lower().replace("’", "'").strip(" *_"))
    text = QUOTED.sub("“”", text)
    if not _REFUSAL.match(_COURTESY.sub("", text, count=1)):
        return False
    parts = [rest for part in _NEXT.split(text) if (rest := _COURTESY.sub("", part, count=1))]
    return bool(parts and _REFUSAL.match(parts[0])) and not any(map(_describes, parts[1:]))


def _describes(part: str) -> bool:
    long_enough = len(part.split()) >= 5 or len(_WITHOUT_SPACES.findall(part)) >= 8
    return long_enough and not _NO_DESCRIPTION.search(part) and not _REFUSAL.match(part)
