"""Owns what a model's answer really says: takes off thoughts, other turns, courtesy and wrapping. In doubt a text stays as it is.

It looks at line breaks and marks, so it comes before white space is folded.
"""

# ruff: noqa: RUF001 (marks of many scripts)

from __future__ import annotations

import json
import re

_NAMES = "think|thinking|thoughts?|reasoning|reflection|scratchpad|seed:think"
_OPENED = re.compile(
    rf"<(?:{_NAMES})>|[◁◀]think[▷▶]|\[THINK\]|<\|(?:thinking|begin_of_thought)\|>|<\|channel\|?>(?:analysis|thought)\b",
    re.IGNORECASE,
)
_CLOSED = re.compile(
    rf"</(?:{_NAMES})>|[◁◀]/think[▷▶]|\[/THINK\]|<\|(?:/thinking|end_of_thought)\|>|<\|channel\|>final(?:<\|message\|>)?|<channel\|>"
    r"|(?<=[.!?…\s])assistantfinal(?=[A-Z])",
    re.IGNORECASE,
)
_OPEN = "<think>"
"""What an answer begins with whose thought never ended; `checks.trouble` knows it."""

# Where another turn begins: all from there on is no part of the answer.
_TURN = re.compile(
    r"<\|endoftext\|>|<\|im_start\|>|<\|im_end\|>|<\|eot_id\|>|<end_of_turn>|<start_of_turn>|\[/?INST\]|</s>"
    r"|\n\s*#{2,3} ?(?:Instruction|Response|User|Human)\b:?|(?:\n|(?<=[.!?])\s)\s*(?:USER|User|HUMAN|Human) ?: (?=.*(?:Assistant|ASSISTANT) ?:)"
    r"|\n\s*(?:USER|User|HUMAN|Human) ?:",
    re.DOTALL,
)
_ROLE = re.compile(r"\s*(?:<\|[a-z_]+\|>)?\s*(?:assistant|ASSISTANT|Assistant)(?: ?:|\n)\s*")

_FENCE = re.compile(r"```[\w-]*[ \t]*\n?(.*?)\n?```\s*", re.DOTALL)
_TAG = re.compile(r"<(caption|answer|description|response|output|p|final)>(.*)</\1>", re.DOTALL | re.IGNORECASE)
_BOXED = re.compile(r"\\boxed\{(?:\\text\{)?([^{}]*)\}?\}")
_EMPHASIS = re.compile(r"(\*{1,3}|_{1,3}|`{1,2})(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_ITEM = re.compile(r"(?:[-*•>]|#{1,6}|1[.)])[ \t]+([^\n]+)")
_QUOTES = {'"': '"', "“": "”", "„": "“”", "«": "»", "»": "«", "「": "」", "『": "』", "‘": "’", "'": "'"}
_KEYS = ("caption", "description", "text", "answer", "alt_text", "alt", "title", "response", "content", "output")

_LABEL = re.compile(
    r"(?:[*_]{0,3})(?:(?:photo|image|picture|final|short|suggested|alt)[ -])?(?:caption|alt[ -]text|bildunterschrift|bildbeschreibung|légende|didascalia|legenda|leyenda|pie de foto|"
    r"onderschrift|подпись|キャプション|说明|描述|標題|标题)(?:[*_]{0,3})\s?[:：](?:[*_]{0,3})\s*",
    re.IGNORECASE,
)
# A first line or clause that only announces what follows, up to its colon.
_ANNOUNCED = re.compile(
    r"(?:(?:sure(?: thing)?|certainly|of course|absolutely|okay|ok|gladly|great|natürlich|gerne?|klar|bien sûr|voici|claro|por supuesto|certo|certamente|ecco|zeker|конечно|"
    r"当然|好的|もちろん)[!,.:，。！、]*\s*)?"
    r"(?:(?:here(?:'s|’s| is| are)|this is|below is|hier ist|hier kommt|voici|aquí (?:tienes|está)|aqui está|ecco|hier is|вот|以下是|这是|これは))"
    r"[^\n:：.]{0,80}?(?:caption|description|sentence|beschreibung|bildunterschrift|légende|description|descripción|leyenda|descrição|legenda|descrizione|didascalia|beschrijving|"
    r"описание|подпись|描述|说明|キャプション)[^\n:：.]{0,60}[:：]\s*",
    re.IGNORECASE,
)
_COURTESY = re.compile(
    r"(?:sure(?: thing)?|certainly|of course|absolutely|gladly|here you go|natürlich|gerne|bien sûr|¡?claro(?: que sí)?|por supuesto|certamente|certo)"
    r"(?:[!:]|\.(?=\s*\n))\s*(?=\S)",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    r"(?:\s|\n)+(?:let me know if\b|(?:i )?hope this helps|would you like (?:me|a|another|more)\b|feel free to\b|if you(?:'d| would)? (?:like|need|want)\b[^.!?]{0,60}\blet me know|"
    r"is there anything else\b|lass mich wissen|gib mir bescheid|n'hésitez pas|dites-moi si|avísame si|déjame saber|fammi sapere|me avise se|laat (?:het )?me weten|"
    r"дайте знать|如果(?:您|你)需要)[^\n]{0,160}$",
    re.IGNORECASE,
)
_NOTHING = re.compile(
    r"(?:null|none|nil|undefined|n/?a|nan|caption|no caption|\(no caption\)|todo|\{\}|\[\])\.?"
    r"|[\[<](?:img|image|photo|picture)[-_ ]?\d*[\]>]"
    r"|[\w()-]+\.(?:jpe?g|png|heic|webp|gif|tiff?|avif)|https?://\S+"
    r"|(?:<!doctype html|<html\b).*"
    r"|(?:(?:internal server |runtime|value|api)? ?error|exception|traceback)(?: \d{3})?\s?[:(].*\b(?:cuda|memory|time-?d? ?out|"
    r"connection|failed|exception|invalid|https?|server|model|most recent call|unavailable|not found)\b.*"
    r"|(?:\d{3} )?(?:internal server error|bad gateway|service unavailable|gateway time-?out)\.?"
    r"|cuda (?:error|out of memory).*|\{\s*\"(?:error|detail)\".*",
    re.IGNORECASE | re.DOTALL,
)


def unwrapped(text: str, prompt: str = "") -> str:
    """Return the answer without its thoughts and what is wrapped around the caption; line breaks stay.

    An answer whose thought never ended comes back beginning with `<think>`; `prompt`, repeated by the model, is cut off.
    """
    text = _without_thoughts(text.replace("\r\n", "\n"))
    if text.startswith(_OPEN):
        return text
    text = _ROLE.sub("", text, count=1) if _ROLE.match(text) else text
    text = text.strip()
    if prompt and len(prompt) > 20 and text.startswith(prompt):
        text = text[len(prompt) :].strip()
    if (turn := _TURN.search(text)) and turn.start():
        text = text[: turn.start()].strip()
    if prompt and len(prompt) > 20 and (again := text.find(prompt)) > 0:
        text = text[:again].strip()
    for _ in range(6):  # wraps lie in each other: a fence around JSON around quotes
        before = text
        for peel in (_announced, _fenced, _parsed, _tagged, _marked, _quoted):
            text = peel(text).strip()
        if text == before:
            break
    return text


def is_nothing(text: str) -> bool:
    """Tell whether a folded answer only says that there is none: `null`, a file name, an error message."""
    return bool(_NOTHING.fullmatch(text[:2_000].strip()))


def _without_thoughts(text: str) -> str:
    ends = list(_CLOSED.finditer(text))
    if ends:
        text = text[ends[-1].end() :]
    opened = _OPENED.search(text)
    if opened is None:
        return text
    said = text[: opened.start()]
    if not said.strip():
        return _OPEN + text[opened.end() :]
    return said if said.rstrip(" ").endswith("\n") else text  # in the middle of a line it may stand in the photo


def _announced(text: str) -> str:
    if found := _ANNOUNCED.match(text) or _LABEL.match(text) or _COURTESY.match(text):
        text = text[found.end() :] or text
    closing = _CLOSING.search(text)
    return text[: closing.start()] if closing and closing.start() > 10 else text


def _fenced(text: str) -> str:
    found = _FENCE.match(text)
    return found[1] if found and found[1].strip() else text


def _parsed(text: str) -> str:
    if not text.startswith(("{", "[")):
        return text
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text)
    except (ValueError, RecursionError):
        found = re.match(r"\{\s*['\"]?(?:caption|description)['\"]?\s*:\s*(['\"])(.+?)(?:\1\s*,?\s*\}?\s*|$)$", text, re.DOTALL)
        return found[2] if found else text
    return _text_in(value) or text


def _text_in(value: object) -> str:
    if isinstance(value, list) and value:
        value = value[0]
    if isinstance(value, dict):
        lowered = {str(key).lower(): item for key, item in value.items()}
        if len(lowered) == 1 and "error" not in lowered:
            value = next(iter(lowered.values()))
        else:
            value = next((lowered[key] for key in _KEYS if isinstance(lowered.get(key), str)), "")
    return value if isinstance(value, str) else ""


def _tagged(text: str) -> str:
    found = _TAG.fullmatch(text) or _BOXED.fullmatch(text)
    return found[found.lastindex or 0] if found else text


def _marked(text: str) -> str:
    emphasis = _EMPHASIS.fullmatch(text)
    if emphasis and emphasis[1] not in emphasis[2]:
        return emphasis[2]
    item = _ITEM.fullmatch(text)
    # Several items in one line are what the caption counts up.
    return item[1] if item and " " in item[1] and not re.search(r"\s(?:2[.)]|[-*•])\s", text) else text


def _quoted(text: str) -> str:
    """Take quotation marks off that are around all of the text, and around nothing less."""
    if len(text) < 3:
        return text
    inner, closing = text[1:-1], _QUOTES.get(text[0], "")
    if not closing or text[-1] not in closing or len(inner.split()) < 4:
        return text
    return text if text[0] in inner or any(mark in inner for mark in closing) else inner
