"""Owns finding caption and tags in one answer. It shall be a JSON object, and comes fenced, cut, with commas too many or as prose.

What cannot be told apart surely is no caption: better an error than the remains of JSON in the journal.
"""

# ruff: noqa: RUF001 (marks of many scripts)

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import NamedTuple

from engines.answers import KEYS, spoken
from engines.checks import Judgement, judged, one_line
from engines.phrases import any_of, read

_TAGS = any_of(read("answers.txt")["tags"])
_CAPTION_KEY = rf"[\"'“„‘`*]*(?:{KEYS.pattern})[\"'”“’`*]*\s*[:：=]\s*"
_TAGS_KEY = rf"[\"'“„‘`*]*(?:{_TAGS})[\"'”“’`*]*\s*[:：=]\s*"
_OTHER_KEY = r"[\"'“„]\w[\w -]{0,30}[\"'”“]\s*[:：]"
_FLAGS = re.IGNORECASE | re.DOTALL
_LOOSE = re.compile(
    rf"(?:[{{,]|\n)\s*{_CAPTION_KEY}(?P<open>[\"'“„‘`])(?P<text>.*?)"
    r"(?:(?P<close>(?P=open)|[”“’])(?P<after>"
    r"\s*,?\s*(?:[}\]]|```)"
    rf"|\s*[,\n]\s*(?://[^\n]*\n\s*)?(?:{_TAGS_KEY}|{_OTHER_KEY})"
    r"|\s*[,\n]\s*(?://[^\n]*\s*)?(?:[\"'“„]\w*[\"'”“]?\s*:?\s*\[?\s*)?$"
    r"|\s*$)|$)",
    _FLAGS,
)
"""A caption in an object that is no JSON: to a quotation mark after which the object goes on, or to the end of the answer."""
_BARE = re.compile(
    rf"\{{\s*{_CAPTION_KEY}(?P<text>[^\"'“„‘`{{\[\s].*?)\s*(?P<close>,\s*{_TAGS_KEY}|\}})", _FLAGS
)
"""A caption without quotation marks."""
_LIST = re.compile(rf"{_TAGS_KEY}\[(?P<inside>[^\]]*)(?P<end>\]?)", _FLAGS)
_QUOTED = re.compile(r"(?P<quote>[\"'“„])(?P<word>[^\"“”„\n]{1,60}?)[\"'”“](?=\s*(?:[,;\]}]|//|\n|$))")
_LABELLED = re.compile(
    rf"(?:^|\n|(?<=[.!?…。！？\"”»])\s)[\s#*_>-]*(?:{_TAGS})[*_]*\s*(?:\([^)\n]*\))?\s*[:：][*_]*\s*(?P<inside>.+)$",
    _FLAGS,
)
_CAPTION_LABEL = re.compile(rf"^[\s#*_>-]*(?:{KEYS.pattern})[*_]*\s*[:：][*_]*\s*", _FLAGS)
_BETWEEN = re.compile(r"[,;、，|•·\n]+|\s(?=#\w)")
_JSON = re.compile(
    rf"^\s*(?:```\w*\s*)?[{{\[]|[{{,]\s*[\"'“]?(?:{_TAGS}|{KEYS.pattern})[\"'”]?\s*[:：]", _FLAGS
)
_GENERAL = ("text", "answer", "content", "response")
_OBJECTS = 20
"""Braces at which an object is looked for."""


class Parts(NamedTuple):
    """The caption and the tags in an answer; `tags` is None where there is no list of any.

    `closed`: the caption is known to end where it does; `cut`: it is known not to.
    """

    caption: str
    tags: list[str] | None = None
    closed: bool = False
    cut: bool = False


def judged_with_tags(said: str, finish_reason: str | None, prompt: str) -> tuple[Judgement, list[str] | None]:
    """Return the judgement of the caption in an answer, and the words that stand there as its tags."""
    parts = parted(said, prompt)
    # A limit that was met in the tags does no harm to the caption before them.
    finish = "length" if parts.cut else finish_reason
    caption = (
        one_line(parts.caption) if parts.closed or parts.cut else parts.caption
    )  # a break in it is none of a heading
    made = judged(caption, finish, prompt)
    if parts.closed and made.problem and made.problem.startswith("cut off"):
        made = judged(caption, None, prompt)
    return made, parts.tags


def parted(said: str, prompt: str = "") -> Parts:
    """Return the caption and the tags in a model's answer."""
    text = spoken(said, prompt)
    if text.startswith('"{\\'):  # the object as a text in itself
        text = _unescaped(text.strip('"'))
    for brace in list(re.finditer(r"\{", text))[:_OBJECTS]:
        with suppress(ValueError, RecursionError):
            value, _ = json.JSONDecoder(strict=False).raw_decode(text[brace.start() :])
            if parts := _of_object(value):
                return parts
    if found := _LOOSE.search(text) or _BARE.search(text):
        caption = _unescaped(found["text"])
        # A mark at the very end may also begin a quotation in the caption.
        closed = bool(found["close"]) and bool(found.groupdict().get("after", "}").strip())
        return Parts(caption, _listed(text), closed=closed, cut=not found["close"])
    if _JSON.search(text):
        return Parts("", _listed(text))
    if found := _LABELLED.search(text):
        caption = _CAPTION_LABEL.sub("", text[: found.start()].strip())
        return Parts(caption, [word for word in _BETWEEN.split(found["inside"]) if word.strip()])
    return Parts(said)


def _of_object(value: object) -> Parts | None:
    """Return what an object holds; None if it is another one, or the form that the model was shown."""
    if not isinstance(value, dict):
        return None
    names = {str(key).lower().strip(): item for key, item in value.items()}
    captions = [item for key, item in names.items() if KEYS.fullmatch(key)]
    captions += [names[key] for key in _GENERAL if key in names]
    caption = next((item for item in captions if isinstance(item, str)), None)
    if caption is None or (caption and not any(map(str.isalnum, caption))):
        return None
    lists = [item for key, item in names.items() if re.fullmatch(_TAGS, key, re.IGNORECASE)]
    return Parts(caption, _words(lists[0]) if lists else None, closed=True)


def _words(value: object) -> list[str]:
    """Return the words in what stands for tags: a list, a list of objects, or a text with commas."""
    if isinstance(value, str):
        return [word for word in _BETWEEN.split(value) if word.strip()]
    if isinstance(value, dict):
        texts = [item for item in value.values() if isinstance(item, str)]
        return texts[:1] or [word for item in value.values() for word in _words(item)]
    return (
        [word for item in value for word in ([item] if isinstance(item, str) else _words(item))]
        if isinstance(value, list)
        else []
    )


def _listed(text: str) -> list[str] | None:
    """Return the words of a list that is no JSON; the last one of a cut list only if it is whole."""
    found = _LIST.search(text)
    if not found:
        return None
    quoted = [_unescaped(one["word"]) for one in _QUOTED.finditer(found["inside"])]
    if quoted:
        return quoted
    words = [word for word in _BETWEEN.split(found["inside"]) if word.strip()]
    return words if found["end"] else words[:-1]


def _unescaped(text: str) -> str:
    with suppress(ValueError):
        return str(json.loads(f'"{text}"', strict=False))
    return text.replace("\\n", "\n").replace('\\"', '"').replace("\\'", "'").replace("\\/", "/")
