"""Owns finding the caption in a model's answer: takes off thoughts, other turns, courtesies and wrapping.

If in doubt, the text stays as it is. Line breaks matter here, so this runs before the text is made one line. The words of
each language are in answers.txt.
"""

# ruff: noqa: RUF001 (marks of many scripts)

from __future__ import annotations

import ast
import html
import json
import re
from contextlib import suppress

from engines.phrases import any_of, read

_LONGEST = 4_000
"""A text with more characters than this, without its thoughts, is not a caption with something around it."""
_PHRASES = read("answers.txt")


def _any(kind: str) -> str:
    """Return a pattern for the phrases of this kind in any language."""
    return f"(?:{any_of(_PHRASES[kind])})"


def _of(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


_NOUN, _OPEN, _ANNOUNCE = _any("noun"), _any("open"), _any("announce")
_ASK, _REPLY, _SEVERAL_WORDS = _any("ask"), _any("reply"), _any("several")
_COLON = r"\s?[:：]"
_STARS = r"[*_]{0,3}"

# Thoughts.
_BEGINS, _ENDS = _of(_any("begin")), _of(_any("end"))
_BEGIN, _END = _BEGINS.pattern, _ENDS.pattern
_ANSWERS = _of(
    _END + r"|<\|(?:end|im_end|eot_id)\|>\s*"
    r"<\|(?:begin|start|im_start)\|>\s*assistant(?:\s*<\|(?:content|message)\|>)*"
)
_OPENED = "<think>"
"""The beginning of an answer whose thought never ended; `checks.problem` looks for it."""
_NO_MARKS = _of(
    r"\s*(?:assistant)?analysis(?=(?-i:[^\sa-z])|\s*\n)(?P<thought>.*)"
    r"assistant\s?final(?P<said>.*)$"
)
_SPOKEN_THOUGHT = _of(
    r"[\s#*_-]*(?:(?:here is )?my (?:thought process|thinking|reasoning)|thinking(?: process)?|thoughts?|"
    r"thought process|reasoning|analysis|step-by-step(?: reasoning)?|let me think[^\n:]{0,40})"
    r"(?:\W*[:：]|\W*\n).*"
    r"\n\W*(?:(?:here is )?my (?:response|answer)|"
    r"(?:final )?(?:answer|caption|response|description|output))"
    r"(?:\W*[:：]|\W*\n)\W*(?P<said>\w.*)$"
)

# Turns. A mark of the chat template counts where it is glued to a text, ends a sentence or begins a line. Elsewhere it may
# be written in the photo.
_MARK = (
    r"(?:<[|｜][^\s<>]{1,40}[|｜]>|</?s>"
    r"|<(?:eos|bos|pad|unk|end_of_turn|start_of_turn|end_of_utterance|end_of_text|turn\||\|turn)>"
    r"|\[/?INST\]|\[(?:UNUSED_TOKEN_\d+|END FINAL RESPONSE)\])"
)
_MARKS_AROUND = _of(
    rf"^(?:\s*(?:{_MARK}|<(?:image|img_context|image_soft_token|start_of_image|end_of_image)>))+\s*"
    rf"|(?:\s*(?:{_MARK}|<(?:image|img_context|image_soft_token)>))+\s*$"
)
_LEADING_MARK = rf"\s*(?!{_BEGIN}|{_END}|\[INST){_MARK}"
_LEAD = _of(
    rf"(?:{_LEADING_MARK})+\s*"
    rf"(?:(?:assistant|model)(?=\s*{_MARK}|\s*\n|:))?"
    rf"(?:{_LEADING_MARK})*\s*:?\s*"
)
_BOX = re.compile(r"<\|(?:begin|end)_of_(?:box|solution|answer)\|>|<\|(?:START|END)_(?:RESPONSE|TEXT)\|>")
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|#0?39|nbsp);")
_TURN = _of(
    # marks of the template
    rf"(?<=[^\s\"“„'«(\[‘]){_MARK}"
    rf"|(?<=[.!?…。！？\"”»)])\s*{_MARK}(?![\"”'»)])"
    rf"|\n\s*{_MARK}"
    # roles at the beginning of a line
    rf"|\n[\s#*_>\-]*(?:{_ASK}|{_REPLY})[*_]{{0,3}}{_COLON}"
    rf"|\n\s*(?:user|human|assistant|model|system)\s*(?:\n|$)"
    rf"|\n\s*\#{{2,4}}\s*(?:instruction|response|user|human|assistant|input|output|question|task)\b"
    # roles after a sentence
    r"|(?<=[\w.!?…。！？])\#{2,4}\s?(?:human|user|assistant|instruction|response)\s?:"
    rf"|(?<=[.!?…。！？\"”])\s+(?:{_ASK}){_COLON}(?=.*?(?:{_REPLY}){_COLON})"
    r"|(?<=[.!?…。！？])(?:assistant|user|model)\s*\n"
)
_ROLES = _of(
    rf"\s*(?:{_MARK}\s*)*(?:"
    rf"(?:USER|human|{_ASK}){_COLON}.{{0,2000}}?[.!?。？！\]>\n]\s*(?:assistant|{_REPLY}){_COLON}"
    r"|\[INST\].{0,2000}?\[/INST\]"
    r"|(?:system\n.{0,2000}?)?user\n.{0,2000}?\n(?:assistant|model)\n"
    r")\s*"
)
_ROLE = _of(
    rf"\s*(?:{_MARK}\s*)*(?:\#{{2,4}}\s*)?"
    rf"{_STARS}(?:assistant|model|response|answer|final answer|bot|ai|output|{_REPLY}){_STARS}"
    rf"(?:{_COLON}|\s*\n){_STARS}\s*"
)

# Wraps.
_FENCE = _of(
    r"(?P<before>.{0,200}?)(?:^|\n)?(?:```|~~~)(?:[a-z]{1,12}[ \t]*(?=\n|\{|\[))?[ \t]*\n?"
    r"(?P<inside>.*?)\s*(?:(?:```|~~~)(?P<after>.*))?$"
)
_BARE_FENCE = _of(r"(?:```|~~~)[^\n{\[]*$|[^\n]*\s(?:```|~~~)\w*[^\n]*$")
_TAGS = (
    "conclusion|caption|answer|final_answer|description|response|output|final|result|p|alt|text|image_description|"
    "tool_call|photo_caption|sentence"
)
_TAG = _of(
    rf"(?P<before>.{{0,4000}}?)(?:^|\n)\s*[<\[](?P<name>{_TAGS})(?:\s[^>]*)?[>\]]\s*"
    r"(?P<inside>.*?)\s*(?:[<\[]/(?P=name)[>\]].*)?$"
)
_ELEMENTS = r"p|b|i|u|em|strong|div|span|figure|figcaption|h\d|blockquote|q|section|article|center|font|code|pre|li|ul"
_HTML = _of(
    rf"(?:<br ?/?>\s*)*<(?P<name>{_ELEMENTS})(?:\s[^>]*)?>(?P<inside>.*)</(?P=name)>(?:\s*<br ?/?>)*"
    r"|<br ?/?>(?P<rest>.*)"
)
_ROW = _of(rf"^\|(?:.*\n\s*)?\|?\s*{_STARS}{_NOUN}{_STARS}\s*\|\s*(?P<inside>[^|\n]{{10,}}?)\s*\|")
_BOXED = _of(r"\$?\$?\\boxed\{(?:\\text\{)?([^{}]*)\}?\}\$?\$?")
_PICTURE = _of(r"!\[([^\]]{20,})\]\([^)]*\)")
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,3}|`{1,2}|~{2})(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_ITEM = re.compile(r"(?:[-*•>+–]|#{1,6}|[>|]-?\n|\(?1[.):])[ \t]+([^\n]+)")
_RULE = re.compile(r"^(?:\s*[-*_=]{3,}[ \t]*(?:\n|$))+|(?:\n[ \t]*[-*_=]{3,}[ \t]*)+$")
_EMOJI = r"[\u2190-\u21ff\u2300-\u27bf\u2b00-\u2bff\ufe0f\u200d\U0001f000-\U0001faff\s]"
_ORNAMENT = r"(?:[📸📷🖼📝💬✨🌟⭐💫]\ufe0f?\s*)+"
_FRAME = re.compile(rf"^{_ORNAMENT}(?=\S)|(?<=[.!?…。！？*\"”])\s*{_ORNAMENT}$")
_CHARACTERS = re.compile(r"[\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff].{7}")  # scripts without spaces
_QUOTES = {pair[0]: pair[1:] for pair in "\"\" “” „“” «» »« 「」 『』 ‘’ '' ‹› 《》 ””".split()}
"""Opening quotation marks, and what closes them."""
KEYS = re.compile(
    rf"(?:{_NOUN}|photo_?description|image_?description|alt_?text|alt|short_?description|caption_?text|"
    r"caption_?\w{2}|detailed_?caption)",
    re.IGNORECASE,
)
_OTHER_KEYS = (
    "text answer content response output result message final_answer summary arguments parameters data generated_text "
    "choices items results image photo"
).split()
_ERROR_KEYS = "error errors detail exception traceback code promptfeedback".split()
_PAIR = _of(
    rf"[\{{\[,]\s*[\"']?(?:{KEYS.pattern})[\"']?\s*:\s*"
    r"(?P<quote>[\"'])(?P<value>(?:\\.|(?!(?P=quote)\s*[,}\]]).)+)"
)

# Words around it.
_WRITTEN = _of(_any("written"))
_ABOUT_A_CAPTION = _of(rf"{_NOUN}(?! of\b)")
_PUT_THERE = re.compile(
    r"\b(?:is|are|was|were|has|have|had|been) (?:\w+ )?\w+(?:ed|en|nt|ut)\b"
    r"|\b(?:reads?|says?)\b"
    r"|\bis (?:\w+ )?(?:on|in|at)\b"
)
_WITHOUT_ARTICLES = r"[\u0590-\u06ff\u0900-\u0dff\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]"
_ARTICLE = _of(rf"(?:{_any('article')})(?![^\W\d_])|{_WITHOUT_ARTICLES}")
_FOR = "for|of|in|to|zum|zur|zu|für|des|der|von|de|du|della|dell|do|da|van|voor|til|av|af|к|для|про"
_LABEL = _of(
    rf"[\s#*_🖼📷📸\ufe0f✨>]*{_STARS}"
    rf"(?:(?:(?:[^\s:：]+ ){{1,3}}?|[^\s:：]{{0,12}}?){_NOUN}|photo|image|picture)"
    # "Caption for this photo", "Bildunterschrift Foto", "Caption (English)", "Caption 1", a word in another script
    rf"(?: (?:{_FOR}) (?:[\w']+ ){{0,3}}\w+"
    r"| (?:photo|foto|фото|bild|image|imag|zdj|obraz|kép|ảnh|hình|slik)\w*(?: \w+)?"
    r"| \([^)\n]{1,30}\)| ?(?:\d|one|[a-c])| [^\x00-\u024f\s:：]+)?"
    rf"{_STARS}(?:{_COLON}|\s=(?=\s?[\"'])|\s[—–]\s(?-i:(?=[A-Z]))){_STARS}\s*"
)
_HEADING = _of(
    r"\s*#{1,6}[ \t]+[^\n]{1,80}\n+(?=\s*\S)"
    r"|[^\n]{1,60}\n[=-]{3,}[ \t]*\n\s*"
    rf"|[【\[({{]\s*{_NOUN}\s*[】\])}}][:：]?\s*(?=\S)"
    r"|(?:caption|describe|cap)\s[a-z]{2}\n"
)
_TITLE = _of(r"\s*(?:\*\*[^*\n.!?。！？]{1,60}\*\*|__[^_\n.!?。！？]{1,60}__)[ \t]*\n\s*(?=\S)")
_TITLES = r"titles?|headline|titel|titre|título|titolo|заголовок|标题|タイトル|제목"
_TITLE_LABEL = _of(rf"[\s#*_]*(?:{_any('section')}|{_TITLES})[*_]{{0,3}}{_COLON}[^\n]*\n\s*(?=\S)")
_ANY_LABEL = _of(r"\*\*(?:[^\s*]+ ){0,2}[^\s*]+:\*\*\s+(?=(?:\S+\s+){3})")
_BOLD_LABEL = _of(r"\s*(?:\*\*[^*\n]{1,50}:\*\*|\*\*[^*\n]{1,50}\*\*\s?[:：–—-])\s*")
_COURTESIES = rf"(?:¡?{_OPEN}\s*[-!,.;:—–，。！、~][-!,.;:—–，。！、~\s]*{_EMOJI}*)"
_COURTESY_LINE = _of(rf"{_EMOJI}*(?:¡?{_OPEN}[^\w\n]*){{1,5}}(?:\n+|$)")
_COURTESY = _of(rf"¡?{_OPEN}(?: ?[!！]|[:：]|\.(?=\s*\n))\s*(?=\S)")
_ANNOUNCED_LINE = _of(
    # "Here is a caption for your photo:" and a line break
    rf"(?P<said>[^\n]{{0,160}}?{_NOUN}[^\n:：]{{0,80}}|{_COURTESIES}{{1,4}}[^\n:：]{{0,80}})"
    rf"[:：]{_STARS}[ \t]*(?:\n\s*|$)"
    # the same without a colon, and an empty line
    rf"|{_COURTESIES}{{1,4}}[^\n]{{0,80}}{_NOUN}[^\n]{{0,60}}\n\s*\n\s*"
    r"|[^\n!！]{1,40}[!！][^\n:：]{1,120}[:：]\n\n"
)
_ANNOUNCED = _of(
    rf"(?P<said>{_COURTESIES}{{0,4}}{_STARS}(?:{_ANNOUNCE})(?:\b|(?<=[\u3040-\uffff]))"
    rf"[^\n:：.]{{0,120}}?(?:{_NOUN}|{_SEVERAL_WORDS})[^\n:：.]{{0,80}})"
    rf"{_STARS}[:：]{_STARS}\s*"
)
_IN_THE_PHOTO = _of(rf"\b(?:with|con|com|mit|avec|met|med|ze?|с|із|з)\s+(?:\S+\s+){{0,2}}{_NOUN}")
_SEVERAL = _of(rf"(?:{_SEVERAL_WORDS})(?![^\W\d_])")
_FIRST = re.compile(r"\W*?(?:1[.):]\s*|[-*•]\s+)(?P<item>.+?)(?=\s(?:2[.):])\s|\n\s*[-*•]\s|\Z)", re.DOTALL)
_OPTION = _of(
    rf"[\s#*_>-]*(?:{_any('option')})"
    rf"(?:\s*(?:1|one|a|i|eins)\b[^\n:：.]{{0,40}}|\s*\([^)\n]{{1,30}}\)){_STARS}{_COLON}{_STARS}\s*"
)
_NEXT_OPTION = _of(rf"\n[\s#*_>-]*(?:(?:{_any('option')})\s*(?:2|two|b|ii|zwei)\b|2[.)]\s)")
_SAYS_SO = re.compile(r"\b(?:reads?|says?|lists?|shows?)\W*$")
_CLOSING_LINE = _of(
    rf"(?:[\s*_(\[]*(?:¡?{_OPEN}[!,.\s]+)?(?:{_any('close')})"
    rf"|\W*(?:{_any('section')})\W{{0,3}}[:：]"
    r"|(?:\#\w+\s*)+$"
    r"|\W*\d+ (?:words|wörter|characters|mots|palabras)\W*$"
    rf"|{_EMOJI}+$"
    r"|[\s*_=#-]+$)"
)
_SECTION = _of(
    rf"\n\s*[*_#>(\-\s]*(?:{_any('section')})(?: \([^)\n]*\))?[*_]{{0,3}}{_COLON}"
    r"|\n\s*\#{1,6}[ \t]+\S"
    r"|(?-i:\n[a-z]+(?:_[a-z]+)*:\s)"
)
_CLOSING = _of(rf"(?<=[.!?…。！？\"”»)」*])\s+(?:{_any('close')})[^\n]{{0,300}}$")
_COUNT = _of(r"\s*[*_]{0,2}[(\[]\d+ (?:words|characters|wörter)[)\]][*_]{0,2}\s*$")

_NOTHING = _of(rf"[\W_]*(?:{_any('nothing')})[\W_]*")
_ERROR = _of(_any("error"))


def unwrapped(text: str, prompt: str = "") -> str:
    """Return the answer without its thoughts and without what is wrapped around the caption; line breaks stay.

    If the model repeats `prompt`, it is cut off. An answer whose thought never ended comes back beginning with `<think>`.
    An answer that was nothing but wrapping comes back empty.
    """
    text = spoken(text, prompt)
    if text.startswith(_OPENED) or len(text) > _LONGEST:
        return text
    for _ in range(8):  # wraps lie in each other: a fence around JSON around quotes
        before = text
        for peel in (_framed, _announced, _fenced, _tagged, _closed, _parsed, _marked, _quoted):
            text = peel(text).strip()
        if text == before:
            break
    return text


def spoken(text: str, prompt: str = "") -> str:
    """Return the answer as `unwrapped` begins with it: without thoughts, other turns and the repeated `prompt`."""
    text = re.sub(r"[^\S\n]+", " ", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = re.sub(r"(?: ?\n ?){2,}", "\n\n", text)
    text = _ENTITY.sub(lambda found: html.unescape(found[0]), _BOX.sub(" ", text.strip("\ufeff\u200b")))
    if found := _LEAD.match(text):
        text = text[found.end() :]
    again = _repeated(prompt)
    text = _after_the_question(text, again)
    turn = _turn(text, again)
    thought = min((one.start() for mark in (_BEGINS, _ENDS) if (one := mark.search(text))), default=len(text))
    if turn < thought:
        text = text[:turn]
    text = _without_thoughts(text)
    if text.startswith(_OPENED):
        return text
    text = _after_the_question(text, again)
    text = _MARKS_AROUND.sub("", text).strip()
    return text[: _turn(text, again)].strip()


def is_nothing(text: str) -> bool:
    """Tell whether an answer, as one line, only says that there is no caption: `null`, a file name, an error message."""
    text = text[:4_000].strip()
    return bool(_NOTHING.fullmatch(text) or (_ERROR.fullmatch(text) and not _WRITTEN.search(text)))


def _repeated(prompt: str) -> re.Pattern[str] | None:
    """Return a pattern for the prompt, which models may repeat; None if it is too short to tell it from a caption."""
    words = prompt.rstrip(" .!?:\n").split()
    return re.compile(r"\s+".join(map(re.escape, words)) + r"[.!?:]*") if len(words) >= 4 else None


def _after_the_question(text: str, again: re.Pattern[str] | None) -> str:
    """Cut off the repeated question and the role of the answerer at the beginning of an answer."""
    if found := _ROLES.match(text):
        text = text[found.end() :]
    if again and (
        found := re.compile(
            rf"(?:\s*(?:{_MARK}|(?:user|human):?|<\w{{3,20}}>|\[IMG\]))*\s*{again.pattern}\s*(?:\[/INST\])?",
            re.DOTALL | re.IGNORECASE,
        ).match(text)
    ):
        text = text[found.end() :]
    found = _ROLE.match(text)
    return text[found.end() :] if found and not _stands_in_the_photo(text, found.end()) else text


def _turn(text: str, again: re.Pattern[str] | None) -> int:
    """Return where another turn begins, or the end of the text. Text in the photo is quoted within a sentence."""
    places = [len(text)]
    places += [found.start() for found in _TURN.finditer(text) if text[: found.start()].strip()][:1]
    if again:
        for found in again.finditer(text):
            before = text[: found.start()].rstrip(" ")
            if before.strip() and (before.endswith("\n") or before[-1] in ".!?…。！？"):
                places.append(found.start())
                break
    return min(places)


def _without_thoughts(text: str) -> str:
    if found := _NO_MARKS.match(text) or _SPOKEN_THOUGHT.match(text):
        return found["said"]
    if re.match(r"\s*(?:assistant)?analysis(?=[A-Z])", text):
        return _OPENED + text
    if re.match(r"\s*thought\n", text):
        return text[text.rfind("\n\n") :] if "\n\n" in text else _OPENED + text
    text = _after_the_thought(text)
    opened = _BEGINS.search(text)
    if opened is None:
        return text
    said = text[: opened.start()]
    if not _MARKS_AROUND.sub("", said).strip().removeprefix("assistant"):
        return _OPENED + text[opened.end() :]
    # A mark in the middle of a line may be written in the photo.
    return said if said.rstrip(" ").endswith("\n") else text


def _after_the_thought(text: str) -> str:
    """Return the last part with words in it that follows the end of a thought; the whole text if no thought ends."""
    begun = _BEGINS.match(re.sub(rf"^(?:\s|{_MARK}|assistant)+(?=[<◁\[])", "", text.lstrip()))
    ends = [
        found
        for found in (_ANSWERS if begun else _ENDS).finditer(text)
        if begun or not _in_a_sentence(text, found)
    ]
    if not ends:
        return text
    stops = [found.start() for found in ends[1:]] + [len(text)]
    parts = [text[found.end() : stop] for found, stop in zip(ends, stops, strict=True)]
    return next((part for part in reversed(parts) if _MARKS_AROUND.sub("", part).strip()), "")


def _in_a_sentence(text: str, mark: re.Match[str]) -> bool:
    before, after = text[: mark.start()], text[mark.end() :]
    # The begin of that thought is in the sentence too.
    if _BEGINS.search(before.rpartition("\n")[2]):
        return True
    return bool(re.search(r"[\w,] [\"“']?$", before) and re.match(r"[\"”']?[\s.,]+(?:[a-z]|$)", after))


def _framed(text: str) -> str:
    """Take off rules and emoji around the text."""
    text = _RULE.sub("", text).strip()
    framed = _FRAME.sub("", text)
    return framed if any(map(str.isalpha, framed)) else text


def _closed(text: str) -> str:
    """Take off what follows the caption: offers, questions, notes, hashtags."""
    if (section := _SECTION.search(text)) and text[: section.start()].strip(" \n*_#:"):
        text = text[: section.start()]
    lines = text.rstrip().split("\n")
    while len(lines) > 1 and _is_closing(lines):
        lines.pop()
    text = "\n".join(lines)
    text = _COUNT.sub("", text)
    closing = _CLOSING.search(text)
    if closing is None or closing.start() <= 10:
        return text
    said = text[: closing.start()]
    # An open quotation: these words are in the photo.
    return text if said.count('"') % 2 or said.count("“") > said.count("”") else said


def _is_closing(lines: list[str]) -> bool:
    last = lines[-1].strip()
    if not last or re.match(r"```|~~~|[}\]]|</", last):
        return not last
    asks = last.endswith(("?", "？", "؟")) and not lines[-2].strip()
    return asks or bool(_CLOSING_LINE.match(last))


def _fenced(text: str) -> str:
    found = None if _BARE_FENCE.match(text) and not re.search(r"\w[`~]{3}$", text) else _FENCE.match(text)
    if not found or not found["inside"].strip():
        return re.sub(r"^(?:```|~~~)\w*\s*(?:```|~~~)?$", "", text)
    before = found["before"].strip()
    announced = before.endswith((":", "：", "!", ".")) and "\n" in found[0]
    return found["inside"] if not before or announced else text


def _tagged(text: str) -> str:
    if found := _TAG.fullmatch(text):
        before = found["before"].strip()
        name = found["name"].lower()
        if not before or before.endswith((":", "!", ">")) or name == "conclusion":
            inner = _TAG.search(found["inside"]) if name in {"answer", "response", "output"} else None
            return inner["inside"] if inner else found["inside"]
    if found := _HTML.fullmatch(text):
        return found["inside"] or found["rest"] or ""
    if found := _ROW.search(text):
        return found["inside"]
    found = _BOXED.fullmatch(text) or _PICTURE.fullmatch(text)
    return found[1] if found else text


def _announced(text: str) -> str:
    """Take off what only announces the caption: courtesies, headings, labels."""
    peels = (_without_option, _without_heading, _without_announcement, _without_label)
    for _ in range(6):
        rest = next((rest for peel in peels if (rest := peel(text)) is not None), None)
        if rest is None:
            break
        text = rest.strip()
    return text


def _without_option(text: str) -> str | None:
    """Return the first of several labelled captions; None if there is no such label, as in the next three."""
    found = _OPTION.match(text)
    if not found or _stands_in_the_photo(text, found.end()):
        return None
    other = _NEXT_OPTION.search(text)
    return text[found.end() : other.start() if other else None]


def _without_heading(text: str) -> str | None:
    matches = (one.match(text) for one in (_HEADING, _TITLE, _TITLE_LABEL, _COURTESY_LINE))
    found = next(filter(None, matches), None)
    return text[found.end() :] if found else None


def _without_announcement(text: str) -> str | None:
    if (found := _ANNOUNCED_LINE.match(text)) and not _SAYS_SO.search(found["said"] or ""):
        announced = found[0]
    elif (found := _ANNOUNCED.match(text)) and not _IN_THE_PHOTO.search(found["said"]):
        announced = found["said"]
    else:
        return None
    rest = text[found.end() :]
    return _first(rest) if _SEVERAL.search(announced) else rest


def _without_label(text: str) -> str | None:
    found = _LABEL.match(text) or _ANY_LABEL.match(text)
    if found and not _stands_in_the_photo(text, found.end()):
        return text[found.end() :]
    found = _COURTESY.match(text)
    if found and not text[found.end() :][:1].islower() and not _stands_in_the_photo(text, found.end()):
        return text[found.end() :]
    return None


def _first(text: str) -> str:
    """Return the first of several captions."""
    found = _FIRST.match(text)
    item = found["item"] if found else text.split("\n\n", maxsplit=1)[0]
    return _BOLD_LABEL.sub("", item, count=1)


def _stands_in_the_photo(text: str, begin: int) -> bool:
    """Tell whether what looks like a label is written somewhere in the photo: "Answer: 56 is chalked on a board"."""
    rest = text[begin:].partition("\n")[0]
    if _ARTICLE.match(rest):
        return False
    if re.match(r"[\"“„«‘][^\"“”»’]{1,80}[\"“”»’],?\s+\w", rest):  # a quotation, and more about it
        return True
    return bool(_WRITTEN.search(rest)) or (
        not _ABOUT_A_CAPTION.search(text[:begin]) and bool(_PUT_THERE.search(rest))
    )


def _parsed(text: str) -> str:
    if text.startswith('"{') or (text.startswith('"') and text.endswith('"') and '\\"' in text):
        with suppress(ValueError, TypeError):
            return str(json.loads(text))
    if not text.startswith(("{", "[")):
        return text
    text = re.sub("[“”]", '"', text) if text.startswith(("{“", "{ “")) else text
    with suppress(ValueError, RecursionError):
        value, end = json.JSONDecoder(strict=False).raw_decode(text)
        return text if re.match(r" *[^\s}\]]", text[end:]) else _text_in(value)
    with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
        return _text_in(ast.literal_eval(text))
    if found := _PAIR.search(text):
        said = found["value"].rstrip("\"' \n}]")
        try:
            return str(json.loads(f'"{said}"', strict=False))
        except ValueError:
            return said.replace("\\n", "\n").replace('\\"', '"')
    return text


def _text_in(value: object) -> str:
    """Return the caption in what was JSON: under its own name, under a general one, or the only text there is."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return next(filter(None, map(_text_in, value)), "")
    if not isinstance(value, dict):
        return ""
    names = {str(key).lower(): item for key, item in value.items()}
    wanted = [item for key, item in names.items() if KEYS.fullmatch(key)]
    if not any(map(names.get, _ERROR_KEYS)) and names.get("object") != "error":
        wanted += _less_certain(names)
    return next(filter(None, map(_text_in, wanted)), "")


def _less_certain(names: dict[str, object]) -> list[object]:
    """Return the values under general names, then those with something in them, then the only one."""
    found = [names[key] for key in _OTHER_KEYS if key in names and names.get("type") != "thinking"]
    found += [item for key, item in names.items() if isinstance(item, (dict, list)) and "error" not in key]
    if len(names) == 1 and "error" not in names:
        found += names.values()
    return found


def _marked(text: str) -> str:
    emphasis = _EMPHASIS.fullmatch(text)
    if emphasis and emphasis[1] not in emphasis[2]:
        return emphasis[2]
    item = _ITEM.fullmatch(text)
    # Several items in one line are what the caption counts up; a number may be a date's.
    if item and " " in item[1] and not re.search(r"\s(?:2[.)]|[-*•<])\s", text):
        bare = item[1].lstrip('*_"“„«「')
        other = not text.startswith(("1", "(")) and bare[:1].isupper() and not _WRITTEN.search(text)
        if _ARTICLE.match(bare) or other:
            return item[1]
    return text


def _quoted(text: str) -> str:
    """Take quotation marks off that are around all of the text, and around nothing less."""
    if len(text) < 3:
        return text
    bare = text[:-1] if text[-1] in ".。" and text[-2] in "\"”“»」』’'" else text
    inner, closing = bare[1:-1].strip(), _QUOTES.get(bare[0], "")
    if not closing or bare[-1] not in closing or (len(inner.split()) < 4 and not _CHARACTERS.search(inner)):
        return text
    if bare[0] not in closing:
        return inner if _is_one_quote(bare, bare[0], closing) else text
    if bare[0] == "'":
        apostrophe = re.match(r"(?:twas|tis|til|cause|em|n|\d\ds)\b", inner, re.IGNORECASE)
        return text if apostrophe or re.search(r"(?<!\w)'|'(?!\w)", inner) else inner
    # Within it, quotes open and close again; a mark that closes first was opened by the first one.
    first = re.search(rf"(?<!\w){bare[0]}|{bare[0]}(?!\w)", inner)
    return inner if first is None or re.search(r"(?:^|[\s(])$", inner[: first.start()]) else text


def _is_one_quote(text: str, opening: str, closing: str) -> bool:
    depth = 0
    for place, character in enumerate(text):
        depth += (character == opening) - (character in closing)
        if not depth:
            return place == len(text) - 1
    return True
