"""Owns what refusals look like in many languages: the model says first that it cannot do its work or has no picture.

What a photo shows may be sorry, unable or an error message as well. So a refusal stands at the very beginning, after no
more than a courtesy; an apology alone is none; and where a description follows the caption is good all the same.
"""

from __future__ import annotations

import re

_LONGEST = 2_000
"""So many characters tell; a longer text is no refusal that leaves it at that."""

# May stand before a refusal, any number of them. Each says nothing on its own.
_COURTESY = re.compile(
    r"(?:[\s,.!:;،、，。！…*_#>~`(—–-]|(?:"
    r"i(?:'m| am)(?: (?:very|so|really|truly))? (?:sorry|afraid)(?: that)?|sorry|(?:my |sincere )*apologies|i apologi[sz]e|unfortunately"
    r"|regrettably|regretfully|oh|well|hmm|hi|hello|sure|thank(?:s| you)(?: (?:so much|very much))?(?: for \w+ (?:the|this|your|that) \w+)?"
    r"|(?:i (?:can )?see|i understand|i notice) (?:that )?(?:an? |the |your |this |you )(?:[\w']+ ){0,3}(?:shared|uploaded|attached|image|photo)"
    r"|but|however|and|caption|answer|response|as an? (?:ai|artificial|large language|language|text-based)[^,.]{0,30},"
    r"|(?:es )?tut mir(?: sehr)? leid|leider|entschuldigung|entschuldige\w*|bedaure|aber|dass|als (?:ki|künstliche|sprach|ai)[\w-]*"
    r"(?: (?:sprachmodell|intelligenz|assistent))?"
    r"|(?:je suis |nous sommes )?(?:vraiment |sincèrement )?désolée?s?|malheureusement|je m'excuse|pardon|excusez-moi|mais|en tant qu[e'][^,.]{0,40},"
    r"|lo siento(?: mucho)?|lamentablemente|desafortunadamente|lamento|perdón|disculp[ae]|pero|(?:lo siento )?que"
    r"|mi (?:di)?spiace(?: molto)?|purtroppo|scusa|ma|(?:me )?desculpe?|sinto muito|infelizmente|lamentavelmente|mas"
    r"|(?:como|in quanto|come|in qualità di|enquanto) (?:un |una |um |uma )?(?:ia|ai|modelo|modello|inteli|intelli|asist|assist)[^,.]{0,40},"
    r"|het spijt me|helaas|sorry|excuses|maar|als (?:een )?(?:taal|kunst)\w+|przykro mi|przepraszam|niestety|ale|jako (?:model|ai|szt|asyst)[^,.]{0,30},"
    r"|tyvärr|jag är ledsen|jag beklagar|förlåt|men|beklager|desværre|dessverre|jeg er (?:ked af det|lei meg)|at|att"
    r"|(?:приношу )?извин(?:ите|яюсь|ения)|простите|к сожалению|мне (?:очень )?жаль|сожалею|но|что|вибачте|перепрошую|на жаль|мені шкода|але"
    r"|(?:как|будучи|як) (?:языков|мовн|ии|искус|штучн|модел|текстов)[^,.]{0,30},?|λυπάμαι|συγγνώμη|δυστυχώς|αλλά|ζητώ συγγνώμη"
    r"|üzgünüm|maalesef|ne yazık ki|özür dilerim|kusura bakmayın|ama|ancak|fakat|omlouvám se|bohužel|je mi líto|îmi pare rău|din păcate|dar"
    r"|sajnálom|sajnos|elnézést|de|valitettavasti|pahoittelen|anteeksi|mutta"
    r"|(?:أنا )?(?:آسف|أعتذر|متأسف)|عذر[اًً]*|للأسف|معذرة|و?لكن(?:ني)?|(?:אני )?(?:מצטער|מצטערת|מתנצל)|סליחה|לצערי|אבל|אך"
    r"|(?:मुझे )?(?:खेद है|माफ़? करें|माफ़ कीजिए|क्षमा करें)|क्षमा|लेकिन|कि|(?:আমি )?(?:অত্যন্ত )?দুঃখিত|কিন্তু|(?:tôi )?(?:rất )?(?:xin lỗi|tiếc)|nhưng"
    r"|(?:mohon )?maaf|mohon|tetapi|tapi|namun"
    r")(?!\w)|ขออภัย(?:ด้วย)?|ขอโทษ(?:ด้วย)?|เสียใจด้วย|ค่ะ|ครับ|(?:大変|誠に)?申し訳(?:あり|ござい)?(?:ません|ない)?(?:が|けど)?|すみません|恐れ入りますが|残念ながら|ですが"
    r"|你好|您好|(?:我)?(?:很|非常|真的)?(?:抱歉|遗憾|遺憾|对不起|對不起|不好意思)|但是?|(?:作为|作為|身为)[^,，。]{0,20}[,，]|죄송(?:합니다|하지만|하|해요)?|미안(?:합니다|하)?|안타깝(?:게도|)|유감스럽게도|지만"
    r")*"
)
_IMAGE = r"(?:images?|photo(?:graph)?s?|pictures?|files?|attachments?)\b"

# What a refusal says; "~" is a short gap. One row is one way to say it, mostly: "I cannot" ~ "help", "no" ~ "picture".
_WAYS = (
    r"(?:i|we)(?:'m| am| are)?(?: \w+ly| also| just| still)? (?:can(?:'t|not| not)|could(?:n't| not)|won't|will not|would rather not|unable|not (?:able|allowed"
    r"|permitted|comfortable|in a position)|do(?:n't| not)|did(?:n't| not)|have(?:n't| not))(?: [\w',-]+){0,4}? (?:(?:assist|help|view|open|comment|continue|discuss"
    r"|answer|respond|interpret|access|describ|process|caption|provid|generat|creat|writ|fulfil|comply|analy[sz]|engag|offer)(?:l|e|s|ing)*\b|see (?:the |any |an? |your )*"
    rf"{_IMAGE}|do (?:that|this|so)\b|(?:identif|recogni[sz]|determin|tell|reveal|name|see)~(?:who|people|person|individuals?|faces?|anyone|{_IMAGE})|{_IMAGE})",
    r"i (?:must|have to|need to|will|would)?(?: \w+ly)? ?(?:decline|refuse)\b",
    rf"(?:unable|not able|cannot|can't|could not|couldn't|failed) ?(?:to )?(?:\w+ )?(?:process|load|open|view|read|describe|analy[sz]e|access|identify|caption)(?: \w+){{0,3}} (?:{_IMAGE}|request)",
    rf"(?:no|(?:there|it|you|i)\b[^.!?]{{0,40}}?(?:\bno|not|n't))(?: (?:appears?|seems?|to|be|have|see|seeing|attach\w*|upload\w*|includ\w*|provid\w*|shar\w*|sen[dt]|receiv\w*|any|an?"
    rf"|the|your|been|actual|valid|visible))* {_IMAGE}~(?:attach|upload|provid|shar|includ|receiv|given|found|detect|sen[dt]\b|your|message|conversation|come through|here\b)",
    r"(?:there|it|you|i)\b[^.!?]{0,30}?(?:not|n't) (?:attach|upload|provid|shar|includ|receiv|sen[dt])\w*~\b(?:images?|photo|picture)",
    rf"(?:it (?:looks|seems|appears)~)?(?:the|this|your|that) (?:{_IMAGE}|request)(?: you \w+| file| \w+ly)* (?:(?:can(?:not|'t)|could(?:n't| not)) be~(?:process|load|open|display"
    r"|view|read|descri|fulfil)|(?:did|was|is|were|has|have|does)(?:n't| not)~(?:come through|attach|upload|provid|load|includ)|violates|goes against|failed to|is missing|seems? to be (?:corrupt|missing|broken))",
    r"(?:my|our|the) (?:\w+ )?(?:polic(?:y|ies)|guidelines|safety|rules|programming)\b~(?:prevent|not allow|don't allow|prohibit|forbid)",
    rf"(?:please|could you(?: please)?|can you|kindly) (?:provide|upload|share|attach|send|re-?upload|try)~{_IMAGE}",
    r"(?:ich (?:kann|könnte|darf|bin|möchte|werde|sehe|habe)|(?:\w+ ){0,4}(?:kann|könnte|darf|bin|möchte|werde|sehe|habe) ich)\b~\b(?:nicht|kein\w*|außerstande)~(?:helfen|behilflich|beschr"
    r"|unterstütz|identif|erkenn|sehen|verarbeit|analys|bearbeit|erstell|öffnen|beantwort|lage\b|bild|foto|auskunft|angeben|machen|geben|anhang|datei)",
    r"(?:es|mir|sie haben|du hast|ihr habt|offenbar|anscheinend)\b~\bkein\w* (?:bild|foto|datei|anhang)~(?:laden|häng|mittelt|füg|stellt|liegt|vor|schickt|sendet|teilt|enthalten)",
    r"(?:das|dieses|ihr|dein) (?:bild|foto) (?:konnte|kann|wurde|lässt sich) (?:leider )?nicht~(?:laden|arbeit|öffn|trag|zeig|häng|besch)|bitte (?:lad|send|schick|stell|füg|teil)\w*~(?:bild|foto|datei)",
    r"ik (?:kan|ben|mag|zie|heb)\b~\b(?:niet|geen)~(?:help|beschr|identif|herken|zien|bekijk|geven|verwerk|staat|afbeeld|foto|analys|assist|voldoe)|(?:\w+ ){0,4}(?:kan|ben|mag|zie) ik~\b(?:niet|geen)~(?:help"
    r"|beschr|identif|herken|bekijk|verwerk|staat|afbeeld|analys|assist)|(?:er is|u heeft|je hebt)~geen (?:afbeelding|foto|bijlage)~(?:bij|load|stuurd|deeld|strekt)",
    r"(?:je|nous) (?:ne |n')~(?:pas|aucun|rien)~(?:aide|décri|identifi|\bvoir|fourni|trait|analys|image|photo|mesure|capable|accéd|répond|visualis|assist|demande|comment|fichier|habilité)",
    r"(?:aucun\w* (?:image|photo|fichier|pièce)|il (?:semble|n'y a|semblerait)~(?:image|photo|fichier)|vous n'avez~(?:image|photo))~(?:joint|fourni|charg|transm|envoy|reçu|partag|attach|inclu)"
    r"|(?:l'image|la photo|cette image|cette photo) (?:ne peut pas|n'a pas)~(?:trait|charg|affich|joint|décrit|transm)|veuillez~(?:image|photo)",
    r"(?:yo )?no (?:puedo|podemos|soy capaz|estoy|me es posible|me siento|veo|tengo|he recibido|podr)~(?:ayud|describ|identific|\bver\b|proporcion|proces|analiz|asist|imagen|foto|acced|respond|visualiz|gener|cumplir|coment)",
    r"(?:no (?:se|hay|has|ha|veo)|parece que no)\b~(?:adjunt|proporcion|sub|carg|recib|compart|envi|inclu)\w+ (?:ningun\w |la |una )?(?:imagen|foto|archivo)|no hay ninguna (?:imagen|foto) adjunta|por favor,? (?:sub|adjunt|carg|env|prop|comp)~(?:imagen|foto)",
    r"(?:eu )?não (?:posso|podemos|consigo|sou capaz|estou|tenho|vejo|me é|é possível|recebi)~(?:ajud|descrev|identific|\bver\b|fornec|process|analis|imagem|foto|acess|respond|visualiz|atend|auxili|coment|ger)",
    r"(?:não (?:há|foi|vejo)|nenhuma|parece que)~(?:imagem|foto|arquivo)~(?:anex|fornec|envia|carreg|receb|compart|inclu)|por favor,? (?:envi|anex|carreg|compart|forn)~(?:imagem|foto)",
    r"(?:io )?non (?:posso|possiamo|riesco|sono|vedo|mi è|ho)\b~(?:aiut|descri|identific|veder|forni|elabor|analizz|assist|immagin|foto|acced|rispond|visualizz|soddisf|comment)",
    r"(?:non (?:è stata|hai|ha|c'è|vedo|risulta)|nessuna|sembra che)~(?:immagine|foto|file)~(?:alleg|forni|caric|invia|ricev|condivi)|non (?:è stata|hai|risulta)~(?:alleg|forni|caric|invia|ricev|condivi)~(?:immagin|foto)|per favore,? (?:caric|alleg|invi|forni|condiv)~(?:immagin|foto)",
    r"nie (?:mogę|jestem|widzę|potrafię|mam|otrzym|został)~(?:pom|opis|zidentyf|rozpozn|zobacz|przetw|analiz|zdję|zdjęć|obraz|dostarcz|odpow|wyświet|plik|spełni)|(?:żadne|brak) (?:zdjęci|obraz)~(?:załącz|przes|dostarcz|dołącz)",
    r"nemohu~(?:pomo|popsat|poskytnout|identif|zpracovat|zobrazit)|nemůžu~(?:pomo|popsat)|nevidím~(?:obráz|fotk|fotograf)",
    r"nu (?:pot|sunt|văd)\b~(?:ajut|descri|identific|imagin|foto|proces|analiz)|nem (?:tudok|tudom|áll|látok)~(?:segít|leír|azonos|kép|fotó|feldolg)|en (?:voi|pysty|näe)~(?:autta|kuva|tunnist|käsit|analys)",
    r"(?:jag|(?:\w+ ){0,3}?(?:kan|är|ser) jag)\b~\b(?:inte|ingen)~(?:hjälp|beskriv|identif|\bse\b|bild|foto|analys|hanter|möjlig|tillhand|svara)|(?:ingen bild|det finns ingen)~(?:bifog|ladd|skick|bild)",
    r"(?:jeg (?:kan|er|ser|har)|(?:\w+ ){0,3}?(?:kan|er|ser) jeg)\b~\b(?:ikke|ingen|ingen|intet)~(?:hjelp|hjælp|beskriv|identif|\bse\b|bild|bille|analys|behandle|stand|besvar)",
    r"(?:я )?(?:пока )?не (?:могу|можу|в состоянии|в змозі|вижу|бачу|способ|здат|имею|маю|получ|отрим)~(?:помо|помаг|опис|распозн|розпізн|(?:и|і)дентиф|увид|видеть|просм|обраб|оброб|анал|изобр|зобр|фото|картин|предостав|надати|ответ|відпов|перегл|выполн|викон)",
    r"(?:изображени|зображен|фото|картин)\S*~не (?:было|прикреп|загру|прилож|приш|додан|завантаж|отобр)|(?:вы|ви) не (?:прикреп|загру|прилож|отправ|додал|завант|надісл)|пожалуйста, (?:загруз|прикреп|отправ|пришл)~(?:изобр|фото|картин)",
    r"δεν (?:μπορώ|είμαι σε|βλέπω|έχω|επισυν|υπάρχει (?:εικόνα|φωτογραφία) |έχει επισυν)~(?:βοηθ|περιγρ|αναγνωρ|\bδω\b|εικόν|φωτογρ|παρέχ|παράσχ|επεξεργ|ταυτοπ|αναλύσ|απαντ|εξυπηρ)",
    r"[^.!?]{0,60}?(?:yardımcı olam|tanımlayam|betimleyem|açıklayam|göremiyor|işleyem|analiz edem|teşhis edem|yanıt verem|görüntüleyem)\w*(?=[\s.,!;]|$)|[^.!?]{0,30}?(?:görsel|resim|fotoğraf|görüntü) (?:\w+ )?(?:eklenme|yüklenme|bulunmuyor|yok gibi|göremiyor|bulunam)",
    r"(?:أنا )?(?:لا (?:أستطيع|يمكنني|أرى|أقدر|يمكن)|لست قادر|لن أتمكن|غير قادر|لم أتمكن|ليس بإمكاني)~(?:مساعد|وصف|تحديد|رؤية|صور|عرض|تحليل|تقديم|تعرف|معالج|رد|تلبية)|(?:لم (?:يتم|تقم|أتلق|ترفق)|لا توجد)~(?:إرفاق|رفع|تحميل|إرسال|مرفق)?~صور",
    r"(?:אני )?(?:לא (?:יכול|מסוגל|רואה|ניתן|אוכל)|אינ?ני (?:יכול|מסוגל|רואה))\S*~(?:לעזור|לתאר|לזהות|לראות|תמונ|לספק|לנתח|לסייע|לעבד|להציג)|לא (?:צורפ|הועל|סופק|התקבל)\S*~תמונ",
    r"(?:मैं|हम|इस)~(?:सहायता|मदद|वर्णन|चित्र|छवि|तस्वीर|फ़?ोटो|पहचान|विवरण|अनुरोध|देख)~(?:नहीं|असमर्थ|अक्षम)|(?:कोई )?(?:चित्र|छवि|तस्वीर|फ़?ोटो|इमेज)~नहीं (?:मिल|दी|जोड़|अपलोड|दिख|भेज)|(?:कृपया)~(?:चित्र|छवि|तस्वीर|फ़?ोटो)",
    r"(?:আমি|এই)~(?:সাহায্য|সহায়তা|বর্ণনা|ছবি|চিত্র|শনাক্ত|অনুরোধ|বিশ্লেষণ)~(?:পারছি না|পারব না|পারি না|অক্ষম|অপারগ|সক্ষম নই|পাচ্ছি না|সম্ভব নয়)|কোনো ছবি~(?:নেই|হয়নি|পাইনি|পাচ্ছি না)",
    r"(?:ฉัน|ผม|ดิฉัน|เรา)?(?:ยัง)?(?:ไม่สามารถ|ไม่อาจ)~(?:ช่วย|อธิบาย|บรรยาย|ระบุ(?:ตัว|บุคคล|ว่าใคร)|ดูภาพ|ดูรูป|เห็น|ประมวล|ให้|วิเคราะห์|เข้าถึง|ตอบ|ทำตาม|ดำเนิน)|(?:ฉัน|ผม|ดิฉัน)?(?:ไม่เห็น|ไม่พบ|ไม่มี)(?:รูป|ภาพ)~(?:แนบ|อัป|ส่ง|ข้อความ)",
    r"(?:tôi|mình) (?:hiện )?(?:không thể|không nhìn|không thấy|không có|chưa nhận|chưa thấy|không được phép)~(?:giúp|hỗ trợ|mô tả|xác định|nhận (?:dạng|diện)|xem|xử lý|ảnh|hình|cung cấp|phân tích|trả lời|đáp ứng)|(?:không có|chưa có)~(?:ảnh|hình)~(?:đính|tải|gửi|cung)",
    r"(?:saya|aku|kami) (?:tidak|belum|tak)~(?:bantu|deskrip|identif|melihat|jelaskan|proses|gambar|foto|berikan|analis|akses|memenuhi|menjawab)|tidak ada (?:gambar|foto)~(?:lampir|unggah|kirim|sert)",
    r"(?:この|その|お|ご|添付|アップロード|人物|画像|写真|リクエスト|質問|内容|要望|私)[^。]{0,40}?(?:できません|できかねます|出来ません|いたしかねます|お手伝いできない|見えません|見られません|見当たりません|(?:されて|届いて|含まれて|対応して)(?:い)?(?:ません|ない))(?:でした)?(?=$|[。!！\s]|ので|ため|ようです)",
    r"(?:[^。，,.]{0,12}?我(?:们|們)?[^。，,.]{0,8}?|[这這][^。，,.]{0,12}?)?(?:无法|無法|不能|不可以|没有办法|沒有辦法|没法|看不到|看不见|不便|没有看到|沒有看到|没看到|不会)~(?:帮助|幫助|帮您|幫您|协助|協助|描述|识别|識別|辨认|辨認|查看|看到|提供|处理|處理|分析|满足|滿足|图|圖|照片|回答|访问|讨论|生成|标题|說明|说明)",
    r"(?:您|你|目前|似乎|好像|看起来)?[^。，,.]{0,8}?(?:没有|沒有|未|并未)(?:看到|收到|检测到|提供|上传|上傳|附上|添加|附加)[^。，]{0,10}?(?:图|圖|照片)",
    r"[^.!?]{0,12}?(?:사진|이미지|도움|요청|인물|질문|사람|내용|설명|답변|첨부)[^.!?]{0,30}?(?:수(?:가)? 없(?:습니다|어요|네요|음)|못합니다|못했습니다|어렵습니다|보이지 않습니다|않았습니다|않은 것 같습니다|없습니다)(?=$|[.!\s])",
)
_REFUSAL = re.compile("|".join(f"(?:{way})" for way in _WAYS).replace("~", ".{0,40}?"))

# Where something new begins: sentences, and what is set against the refusal.
_NEXT = re.compile(
    r"(?<=[.!?。！？।؟…])\s*|[;；:：—–]|\s-\s|,\s*(?:only|just|except|nur|men|sólo|solo|só|seulement|only)\b"
    r"|\b(?:but|however|though|although|yet|nevertheless|except|aber|jedoch|allerdings|dennoch|sondern|mais|cependant|toutefois|pourtant|pero|sin embargo|ma|però|tuttavia|mas|porém|contudo"
    r"|maar|echter|wel|ale|jednak|natomiast|dock|но|однако|зато|але|проте|однак|αλλά|ωστόσο|όμως|ama|ancak|fakat|dar|însă|mutta|azonban|viszont|tetapi|tapi|namun|nhưng|tuy nhiên)\b"
    r"|(?<=ん)が|(?<=す)が|ものの|しかし|けれど|但是?|不过|不過|然而|可是|지만|그러나|लेकिन|परंतु|किन्तु|मगर|हालाँकि|हालांकि|কিন্তু|তবে|แต่(?!ง|ล)|و?لكن|إلا أن|אבל|אולם|אך"
)
# What follows a refusal without being a description: offers, questions, reasons; but not "I can see ...".
_NO_DESCRIPTION = re.compile(
    r"[?？؟]|\b(?:if you|please|let me know|feel free|happy to|glad to|(?:help|assist) (?:you|with)|(?:your?|my|me|as an ai|privacy|policy|policies|guidelines?|violat\w+|consent|inappropriate|explicit|nudity|language model)\b(?! can see)"
    r"|i(?:'\w+)?\b(?! (?:can |do |could )?(?:\w+ly |still )?(?:see|notice|observe|describe|make out|tell|say))|falls|wenn|bitte|gerne|sie\b(?= (?:können|haben|möchten))|(?:ihnen|ihre\w?|dir|dein\w*)|datenschutz\w*|richtlinien"
    r"|vous|votre|veuillez|n'hésitez|puis-je|si (?:vous|tu|necesitas|tienes|quieres|deseas|hay|vuoi|desideri|hai)|confidentialité|por favor|puedo ayud\w+|puedes|podrías|privacidad\w*|políticas?|se (?:você|quiser|precisar|tiver)|posso aju\w+|você|privacidade"
    r"|per favore|posso aiut\w+|potresti|als (?:je|u)|kun je|kunt u|graag|jeśli|proszę|mogę pom\w+|czy|om du|gärna|vänligen|hvis du|gerne|если|пожалуйста|могу помочь|готов|вы|вам|якщо|будь ласка|ви|αν|παρακαλώ|μπορώ να (?:σας )?βοηθ\w+|eğer|lütfen|isterseniz|jika|silakan|mohon|anda|nếu|vui lòng|bạn)\b"
    r"|もし|ください|お手伝い|お知らせ|いただけ|プライバシー|如果|请|請|您|隐私|隱私|만약|주세요|시면|드릴|개인정보|إذا|يرجى|يمكنك|مساعدتك|من فضلك|\bאם |אנא|לעזור|अगर|यदि|कृपया|आप|যদি|অনুগ্রহ|আপনি|หาก|ถ้า|โปรด|กรุณา|คุณ(?!ยาย|ปู่|ย่า|ตา|แม่|พ่อ|ครู)"
)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|„[^“”]*[“”]|«[^»]*»|「[^」]*」|『[^』]*』")
_WITHOUT_SPACES = re.compile(r"[\u0e00-\u109f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def is_refusal(text: str) -> bool:
    """Tell whether the text says that the model cannot or will not describe the photo, and leaves it at that."""
    text = text[:_LONGEST].lower().replace("’", "'").strip('"“”„ *_')
    parts = [
        rest for part in _NEXT.split(_QUOTED.sub("“”", text)) if (rest := _COURTESY.sub("", part, count=1))
    ]
    return bool(parts) and _REFUSAL.match(parts[0]) is not None and not any(map(_describes, parts[1:]))


def _describes(part: str) -> bool:
    long_enough = len(part.split()) >= 5 or len(_WITHOUT_SPACES.findall(part)) >= 8
    return long_enough and not _NO_DESCRIPTION.search(part) and not _REFUSAL.match(part)
