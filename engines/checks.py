"""Owns the judgement on a caption: is it one? Rules that throw away no good caption, even one that quotes a refusal.

Only what cannot be a caption is refused: nothing in it, a refusal, a sentence that the token limit cut off, a loop.
"""

from __future__ import annotations

import re
import zlib
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engines.outcome import Outcome

ALIKE = 20
"""So many answers in a row that are all alike do not come from looking at photos."""

_THINKING = re.compile(r"^\s*<think(?:ing)?>.*?</think(?:ing)?>", re.DOTALL)
_OPEN_THINKING = re.compile(r"^\s*<think(?:ing)?>")
_SPECIAL_TOKENS = re.compile(r"<\|[\w ]+\|>")
# What a sentence may end with, and what may close it: quotes, brackets, marks of emphasis.
_ENDED = re.compile(r"[.!?…。！？।॥؟۔։።။]['\"”’»›)\]）」』*_`]*$")
_SENTENCE = re.compile(r"(?<=[.!?。！？।؟])\s*")

# The beginnings of refusals. Each says that the model cannot do its work, or has no picture; what a photo shows may be
# sorry or unable as well, so an apology alone is none.
_APOLOGY = (
    r"(?:i(?:['’]m| am)(?: very| so| really)? (?:sorry|afraid)|sorry|apologies|i apologi[sz]e|unfortunately|regrettably"
    r"|(?:es )?tut mir(?: sehr)? leid|leider|entschuldigung|je suis(?: vraiment)? désolée?|désolée?|malheureusement"
    r"|lo siento(?: mucho)?|lamentablemente|desafortunadamente|mi dispiace|purtroppo|(?:me )?desculpe|sinto muito|lamento"
    r"|infelizmente|het spijt me|sorry|helaas|przykro mi|przepraszam|niestety|tyvärr|jag är ledsen|förlåt|beklager|desværre"
    r"|извините|простите|к сожалению|мне жаль|вибачте|на жаль|λυπάμαι|δυστυχώς|üzgünüm|maalesef|özür dilerim"
    r"|عذرًا|عذراً|عذرا|آسف|أعتذر|للأسف|מצטער(?:ת)?|אני מצטער(?:ת)?|סליחה|לצערי|क्षमा करें|माफ़ करें|मुझे खेद है"
    r"|দুঃখিত|আমি দুঃখিত|ขออภัย|ขอโทษ|xin lỗi|rất tiếc|maaf|申し訳(?:ありません|ございません)|すみません|残念ながら"
    r"|抱歉|很抱歉|非常抱歉|对不起|對不起|죄송합니다|죄송하지만|미안합니다)"
)
_PICTURE = (
    r"(?:image|images|photo|photos|photograph|picture|pictures|attachment|file|visual|bild|foto|fotos|bilder|anhang|imagen"
    r"|imágenes|immagin[ei]|imagem|imagens|afbeelding(?:en)?|zdjęci[ae]|obraz(?:u|ów)?|bilden|bildet|billedet|изображени[ея]"
    r"|фото(?:графи[юяи])?|картинк[уи]|зображення|εικόν(?:α|ες)|görsel\w*|resim\w*|fotoğraf\w*|gambar|ảnh|hình ảnh)"
)
_WORK = (
    r"(?:assist|help|describe|caption|provide|identify|recogni[sz]e|comply|fulfil+|process|analy[sz]e|view|see|access|open"
    r"|generate|create|do that|do this|continue|discuss|answer|interpret|comment|engage|support|make|offer|give|read|display)"
)
_REFUSALS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # English
        rf"(?:i|we) (?:can(?:no|['’])t|can not|could(?:n['’]t| not)|am (?:not able|unable)|won['’]t|will not)(?: be able)?(?: to)?"
        rf"(?: directly| actually| currently)? (?:{_WORK})\b",
        rf"i['’]m (?:not able|unable|not allowed|not permitted)(?: to)?(?: directly| actually| currently)? (?:{_WORK})\b",
        rf"(?:i|we) (?:do(?: not|n['’]t)|did(?: not|n['’]t)) (?:see|have|receive|find)\b.{{0,40}}\b{_PICTURE}\b",
        rf"i['’]m not seeing\b.{{0,30}}\b{_PICTURE}\b",
        rf"(?:there is|there['’]s|it (?:looks|seems|appears)(?: like| that)?(?: there is| there['’]s| you)?) (?:no|not? \w+|haven['’]t"
        rf"|didn['’]t).{{0,30}}\b{_PICTURE}\b.{{0,20}}(?:attached|uploaded|provided|included|shared|here|to describe)",
        rf"no {_PICTURE} (?:was|were|has been|is|has)(?: been)? (?:provided|attached|uploaded|shared|included|given|received)",
        rf"(?:please|could you(?: please)?|kindly) (?:provide|upload|share|attach|send|re-?upload|try)\b.{{0,40}}\b{_PICTURE}\b",
        r"as an? (?:ai|a\.i\.|artificial intelligence|(?:large )?language model|text-based)\b",
        r"(?:this|that|the) (?:request|content|image) (?:violates|goes against|cannot be processed|can['’]t be processed)",
        # German, Dutch
        r"(?:ich|wir) (?:kann|können|darf|bin)(?: \S+){0,7}? (?:nicht|leider nicht|keine?n?|nicht in der lage)\b.{0,60}\b(?:helfen"
        r"|beschreiben|behilflich|unterstützen|identifizieren|erkennen|sehen|anzeigen|verarbeiten|analysieren|bearbeiten|geben"
        r"|erstellen|öffnen|beantworten|ansehen|lage)",
        rf"(?:ich sehe|ich habe|es wurde|mir wurde|mir liegt)\b.{{0,20}}\bkein\w*\b.{{0,20}}\b{_PICTURE}",
        r"als (?:ki|künstliche|ki-sprachmodell|sprachmodell|ai|ai-taalmodel|taalmodel|kunstmatige)\b",
        r"ik (?:kan|ben)(?: \S+){0,6}? (?:niet|geen)\b.{0,60}\b(?:helpen|beschrijven|identificeren|zien|bekijken|geven|verwerken|staat)",
        # French
        r"je ne (?:peux|puis|suis|vois|parviens|serai)\b.{0,30}?(?:pas|aucune?)\b.{0,60}"
        r"(?:aider|décrire|identifier|voir|fournir|traiter|analyser|image|photo|mesure|capable|accéder|répondre|visualiser)",
        r"en tant qu['’](?:ia|intelligence|assistant|modèle)|en tant que modèle",
        # Spanish, Portuguese, Italian
        r"(?:yo )?no (?:puedo|podemos|soy capaz|estoy en condiciones|me es posible|veo|tengo acceso)\b.{0,60}"
        r"(?:ayud|describ|identific|ver|proporcion|proces|analiz|asist|imagen|foto|acced|respond)",
        r"como (?:modelo|una? ia|inteligencia|asistente|um modelo|uma? ia|inteligência|assistente)\b",
        r"(?:eu )?não (?:posso|consigo|sou capaz|tenho como|vejo|é possível)\b.{0,60}"
        r"(?:ajud|descrev|identific|ver|fornec|process|analis|imagem|foto|acess|respond)",
        r"(?:io )?non (?:posso|riesco|sono in grado|vedo|mi è possibile)\b.{0,60}"
        r"(?:aiut|descriv|identific|veder|fornir|elabor|analizz|assist|immagin|foto|acced|rispond)",
        r"(?:in quanto|come) (?:ia|ai|modello|intelligenza|assistente)\b",
        # Polish, Swedish, Norwegian, Danish
        r"(?:nie (?:mogę|jestem w stanie|widzę|potrafię))\b.{0,60}(?:pom|opis|zidentyfik|rozpozn|zobacz|przetw|analiz|zdj|obraz|dostarcz)",
        r"jako (?:model|sztuczna|ai|asystent)\b",
        r"jag (?:kan|är|ser)(?: \S+){0,4}? (?:inte|inte möjlighet|ingen)\b.{0,60}(?:hjälp|beskriv|identifier|se |bild|analys|hantera)",
        r"(?:jeg kan|jeg er) (?:dessverre |desværre )?ikke\b.{0,60}(?:hjelp|hjælp|beskriv|identif|se |bild|bille|analys)",
        # Russian, Ukrainian, Greek, Turkish
        r"(?:я )?не (?:могу|можу|в состоянии|в змозі|вижу|бачу|способен|здатен)\b.{0,60}"
        r"(?:помо|допомог|опис|распозн|розпізн|идентиф|ідентиф|увид|видеть|просм|обраб|оброб|изобр|зобр|фото|картин|предостав|надати|ответ)",
        r"(?:как|як) (?:языковая|мовна|ии|шi|ші|искусственный|штучний|модель|ассистент)",
        r"δεν (?:μπορώ|είμαι σε θέση|βλέπω)\b.{0,60}(?:βοηθ|περιγρ|αναγνωρ|δω|εικόν|φωτογρ|παρέχ|επεξεργ|ταυτοποι)",
        r"(?:bu |size |sana )?.{0,60}(?:yardımcı olamam|yardımcı olamıyorum|tanımlayamam|tanımlayamıyorum|betimleyemem|betimleyemiyorum"
        r"|açıklayamam|açıklayamıyorum|göremiyorum|işleyemiyorum|analiz edemiyorum|teşhis edemem)",
        # Arabic, Hebrew
        r"(?:لا (?:أستطيع|يمكنني|أرى|أقدر)|لست قادر|لا يمكن لي|غير قادر).{0,60}(?:مساعد|وصف|تحديد|رؤية|صور|عرض|تحليل|تقديم|التعرف|معالجة)",
        r"(?:אני )?(?:לא (?:יכול|יכולה|מסוגל|מסוגלת|רואה|ניתן)|אינני (?:יכול|יכולה|מסוגל|רואה)|איני (?:יכול|יכולה|מסוגל)).{0,60}"
        r"(?:לעזור|לתאר|לזהות|לראות|תמונ|לספק|לנתח|לסייע|לעבד)",
        # Hindi, Bengali
        r"(?:मैं|में).{0,60}(?:नहीं (?:कर|दे|देख|बता|पहचान)?\s?(?:सकत|सकूँ|पा)|असमर्थ|सक्षम नहीं)",
        r"(?:আমি).{0,60}(?:পারছি না|পারব না|পারি না|অক্ষম|সক্ষম নই|দেখতে পাচ্ছি না)",
        # Thai, Vietnamese, Indonesian
        r"(?:ฉัน|ผม|ดิฉัน|เรา)?ไม่สามารถ.{0,40}(?:ช่วย|อธิบาย|บรรยาย|ระบุ|ดู|เห็น|ประมวล|ให้|วิเคราะห์|เข้าถึง)",
        r"tôi (?:không thể|không nhìn thấy|không thấy|không có khả năng)\b.{0,60}(?:giúp|hỗ trợ|mô tả|xác định|nhận (?:dạng|diện)|xem|xử lý|ảnh|hình|cung cấp|phân tích)",
        r"(?:saya|aku|kami) (?:tidak (?:dapat|bisa|mampu|melihat)|belum bisa)\b.{0,60}(?:bantu|deskrip|mengidentifikasi|melihat|menjelaskan|proses|gambar|foto|memberikan|menganalis)",
        # Japanese, Chinese, Korean
        r"(?:この|その|お)?(?:画像|写真|ご要望|リクエスト|人物|質問|お手伝い|内容|説明|私).{0,40}"
        r"(?:できません|できかねます|出来ません|いたしかねます|ことはできない|見えません|見ることができません|ありません|対応していません)",
        r"(?:(?:但|不过)?我(?:们)?)?(?:无法|無法|不能|没有办法|沒有辦法|没法|看不到|不便|没有看到|沒有看到).{0,30}"
        r"(?:帮助|幫助|协助|協助|描述|识别|識別|辨认|辨認|查看|看到|提供|处理|處理|分析|满足|滿足|图|圖|照片|回答|访问|讨论|生成)",
        r"(?:没有|沒有|未)(?:看到|收到|检测到|提供|上传|上傳).{0,12}(?:图|圖|照片)",
        r"(?:作为|作為|身为).{0,8}(?:ai|人工智能|人工智慧|语言模型|語言模型|助手)",
        r"(?:저는|제가|이|해당|사진|이미지|도움|요청).{0,40}(?:수 없습니다|수 없어요|수 없네요|못합니다|어렵습니다|드릴 수 없|보이지 않습니다)",
    )
]
_BEGINNING = re.compile(
    rf"^(?:oh|well|hmm|hi|hello)?[,.! ]*(?:{_APOLOGY})(?=[\s,.!:;—–、，。！]|$|[^\w\s])?", re.IGNORECASE
)
_CONNECTION = re.compile(
    r"^[\s,.!:;—–\-、，。！]*(?:(?:but|that|aber|dass|mais|pero|que|ma|che|mas|maar|dat|ale|że|men|att|но|что|але|що|αλλά|ama|ancak|fakat"
    r"|लेकिन|कि|किन्तु|কিন্তু|แต่|nhưng|tetapi|tapi|namun|しかし|ですが|が|但是|但|不过|하지만|ولكن|لكن|אבל|אך)\b)?[\s,、，]*",
    re.IGNORECASE,
)
# After "but" a model may describe the photo all the same; an offer to help with something else does not describe it.
_BUT = re.compile(
    r"\b(?:but|however|though|although|aber|jedoch|allerdings|mais|cependant|pero|sin embargo|ma|tuttavia|mas|porém|maar|echter|ale"
    r"|jednak|men|но|однако|але|проте|αλλά|ωστόσο|ama|ancak|fakat|tetapi|tapi|namun|nhưng)\b|、?しかし|ですが|但是|但|不过|하지만|लेकिन|কিন্তু|แต่|لكن|אבל"
    r"|[;:—–]",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"\b(?:i can|i could|i['’]d be|i would be|i['’]m (?:happy|here|able)|happy to|glad to|feel free|let me know|if you|please|would you"
    r"|could you|can you|you (?:can|could|may)|do you|is there|for (?:more|other|further)|try|upload|provide|ask|wenn|falls|gerne|bitte"
    r"|lassen|können sie|kannst|ich helfe|si vous|n['’]hésitez|veuillez|je peux|puis-je|pourriez|dites|si (?:necesitas|tienes|quieres|hay|deseas)"
    r"|por favor|puedo|puedes|podrías|se (?:você|quiser|precisar|tiver|hai|vuoi|desideri)|posso|poderia|per favore|potresti|als je|als u"
    r"|kun je|kunt u|graag|jeśli|proszę|mogę|om du|gärna|vänligen|kan du|если|пожалуйста|могу|якщо|будь ласка|можу|αν |παρακαλώ|μπορώ"
    r"|eğer|lütfen|isterseniz|jika|silakan|mohon|nếu|vui lòng|hãy)",
    re.IGNORECASE,
)
_OFFER_WITHOUT_SPACES = re.compile(
    r"もし|ください|お手伝い|お知らせ|如果|请|請|可以|需要|您|만약|주세요|시면|원하|إذا|يرجى|يمكنك|يمكنني|من فضلك|אם |אנא|אוכל|अगर|यदि|कृपया|যদি|অনুগ্রহ|หาก|ถ้า|โปรด|กรุณา"
)
_WORD = re.compile(r"\w+(?:['’]\w+)?")


def folded(text: str) -> str:
    """Return the text as one line, without a model's thinking aloud and its control tokens."""
    text = _SPECIAL_TOKENS.sub(" ", _THINKING.sub("", text))
    return " ".join(text.split())


def trouble(text: str, finish_reason: str | None = None) -> str | None:
    """Return what is wrong with a folded caption, or None if it is one.

    `finish_reason` is in OpenAI's words: stop, length, content_filter; besides them `refusal`.
    """
    if finish_reason == "content_filter":
        return "content filter"
    if finish_reason == "refusal" or is_refusal(text):
        return "refusal"
    if _OPEN_THINKING.match(text):
        return "cut off by the token limit while thinking"
    if is_loop(text):
        return "repetition loop"
    if not any(character.isalpha() for character in text):
        return "empty caption" if finish_reason != "length" else "cut off by the token limit before a word"
    if finish_reason == "length" and not _ENDED.search(text):
        return "cut off by the token limit"
    return None


def is_refusal(text: str) -> bool:
    """Tell whether the text says that the model cannot or will not describe the photo, and leaves it at that."""
    rest = _CONNECTION.sub("", _BEGINNING.sub("", text, count=1), count=1)
    found = next((match for pattern in _REFUSALS if (match := pattern.match(rest))), None)
    return found is not None and not _describes(rest[found.end() :])


def is_loop(text: str) -> bool:
    """Tell whether most of the text is one thing said again and again."""
    if len(text) >= 200 and len(data := text.encode()) > 2.6 * len(zlib.compress(data)):
        return True
    words = _WORD.findall(text.casefold())
    return _repeats(words, _least_times_of_words) or _repeats(list(text), _least_times_of_characters)


class Alike:
    """Watches the answers of a run for a model that does not look at the photos."""

    def __init__(self) -> None:
        self._last: deque[frozenset[str]] = deque(maxlen=ALIKE)
        self._warned = False

    def see(self, outcome: Outcome) -> str | None:
        """Return a warning, once, when the last answers are all alike."""
        if outcome.status != "success" and not outcome.answered:
            return None
        answer = outcome.caption or outcome.error or ""
        self._last.append(frozenset(_WORD.findall(answer.casefold())) or frozenset(answer))
        first = self._last[0]
        if self._warned or len(self._last) < ALIKE or not all(_similar(first, words) for words in self._last):
            return None
        self._warned = True
        return (
            f"The last {ALIKE} answers are all alike ({answer[:80]!r}): does this model see pictures at all? "
            "Look at the journal, and if they are wrong stop with Ctrl-C and choose another --model."
        )


def _similar(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) >= 0.8 * len(one | other)


def _describes(text: str) -> bool:
    """Tell whether what follows a refusing beginning describes something after all."""
    for part in _BUT.split(text)[1:] + _SENTENCE.split(text)[1:]:
        if _OFFER.search(part) or _OFFER_WITHOUT_SPACES.search(part):
            continue
        again = _CONNECTION.sub("", _BEGINNING.sub("", part.strip(), count=1), count=1)
        if any(pattern.match(again) for pattern in _REFUSALS):
            continue
        if len(_WORD.findall(part)) >= 5 or sum(ord(c) > 0x0E00 for c in part) >= 8:
            return True
    return False


def _repeats(items: list[str], least_times: dict[int, int]) -> bool:
    """Tell whether a unit of consecutive items comes again and again, over at least half of all items."""
    for unit, least in least_times.items():
        run = longest = 0
        for index in range(unit, len(items)):
            run = run + 1 if items[index] == items[index - unit] else 0
            if run > longest:
                longest = run
                unit_items = items[index - unit + 1 : index + 1]
                has_letters = any(character.isalpha() for item in unit_items for character in item)
                if has_letters and longest + unit >= max(least * unit, len(items) / 2):
                    return True
    return False


# How often a unit of so many words, or of so many characters where words have no spaces, may not come in a row.
_least_times_of_words = {1: 7, 2: 5, 3: 4, **dict.fromkeys(range(4, 26), 3)}
_least_times_of_characters = {1: 12, 2: 8, 3: 6, 4: 5, **dict.fromkeys(range(5, 26), 4)}
